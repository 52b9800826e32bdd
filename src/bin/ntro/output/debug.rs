//! What `--debug` tells: the library's own events, on standard error.

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts telling. The libraries below stay silent: what they log is not known to be free of keys.
pub(crate) fn install() {
    install_from(Level::DEBUG);
}

/// Starts telling what whoever runs a server must hear of, unless everything is told already.
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
    // A second call could only come from a test in this process, which has its own.
    let _ = tracing_subscriber::registry()
        .with(ours)
        .with(lines)
        .try_init();
}
