//! A client of the Secret Service with a bound on every wait.
//!
//! Secrets travel in a plain session: the peer is a Unix socket of the same user, who could read
//! them from the service anyway, and the protocol's encrypted session triples the time of a call.
//! A bus that is not a Unix socket is refused.

mod bus;
mod service;

pub(super) use service::SecretService;
