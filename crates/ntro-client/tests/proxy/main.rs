//! The proxy between raw clients and scripted servers on the loopback.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests write files into their own folders"
)]

#[cfg(unix)]
mod approval;
mod attacks;
mod forwarding;
mod http2;
mod log;
mod redaction;
mod rotation;
mod streaming;
mod support;
mod tripwires;
