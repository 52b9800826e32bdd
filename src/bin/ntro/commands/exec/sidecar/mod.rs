//! The process beside a program of `ntro exec`. It alone has the connection's key: it is the proxy of
//! a keyless program, and creates and revokes a child key. It ends after the program.

mod child_key;
mod ended;
mod inherited_keys;
mod listener;
mod message;
mod serve;
mod start;

pub(super) use self::listener::send_listener;
pub(super) use self::message::{ChildTerms, ProxyOrder};
pub(crate) use self::serve::{KeylessProxyArgs, run as serve};
pub(super) use self::start::start;

/// The name of the hidden command that runs the process.
pub(crate) const COMMAND: &str = "keyless-proxy";
