//! The attack battery of a seal: named attempts to reach what a sealed child must not reach.
//!
//! [`Battery::plant`] puts a canary, a random value, wherever a key could be found: in files, in the
//! memory of another process, behind sockets. The same attempts then run twice, in processes that
//! start with [`Battery::arguments`]: first unsealed, where each must succeed, and then sealed. An
//! attempt that fails unsealed shows nothing, and is reported as not tried.
//!
//! With [`Battery::plant_proxy`], the sealed process has a proxy as well, and attempts on it count. A
//! server that answers every request takes its place in the first run.
//!
//! A program that runs a battery passes its arguments to [`role`] first.

mod attempts;
mod battery;
mod calls;
mod grounds;
mod line;
mod outcome;
mod roles;
mod victim;

pub use battery::Battery;
pub use outcome::{Attempt, Outcome};
pub use roles::role;
