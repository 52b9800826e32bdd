//! The API client against real servers on the loopback: its requests, retries and errors.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests write certificates into their own folders"
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
