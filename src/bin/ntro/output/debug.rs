//! `--debug`: the library's events on standard error.

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging. Dependencies stay silent: their events may contain keys.
pub(crate) fn install() {
    install_from(Level::DEBUG);
}

/// Logs the events that a server operator must see, unless `--debug` logs everything.
#[cfg(feature = "authority")]
pub(crate) fn install_for_server(debug: bool) {
    if !debug {
        install_from(Level::INFO);
    }
}

fn install_from(level: Level) {
    let ours = Targets::new().with_target("ntro", level);
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .without_time();
    // Only a test in this process can call this twice, and it has its own subscriber.
    let _ = tracing_subscriber::registry()
        .with(ours)
        .with(lines)
        .try_init();
}
