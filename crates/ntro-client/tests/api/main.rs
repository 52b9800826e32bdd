//! The HTTP client against real servers on the loopback: what it sends, to whom, how often, and
//! what it makes of every kind of answer and fault.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![expect(
    clippy::disallowed_methods,
    reason = "certificates in a test's own folder are no files of ntro's"
)]

mod admin;
mod environment;
mod faults;
mod keys;
mod log;
mod redirects;
mod refusals;
mod responses;
mod retries;
mod support;
