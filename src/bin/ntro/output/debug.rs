//! What `--debug` tells: the library's own events, on standard error.

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts telling. The libraries below stay silent: what they log is not known to be free of keys.
pub(crate) fn install() {
    let ours = Targets::new().with_target("ntro", Level::DEBUG);
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
