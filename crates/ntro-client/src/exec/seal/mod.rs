//! The seal of a keyless child: what keeps a program that runs as the user away from the user's
//! key stores.
//!
//! [`Plan::enter`] seals the calling process, which then executes the child in place. It must have
//! one thread, and must never have held a key: the kernel lets a process write its own user map
//! only while it is dumpable.
//!
//! On Linux, the seal is made of a user, a mount and an IPC namespace, a Landlock domain, a seccomp
//! filter and an empty session keyring; none of them needs root. Where namespaces are refused, a
//! Landlock domain alone hides less. Other systems have no seal.

mod error;
mod files;
mod level;
mod sealed;

#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(not(target_os = "linux"), path = "unsupported.rs")]
mod platform;

pub use error::SealError;
pub use files::SealFiles;
pub use level::{SealLevel, UnknownSealLevel};
pub use platform::Plan;
#[cfg(target_os = "linux")]
pub(super) use platform::{NamespaceUser, unshare};
#[cfg(target_os = "linux")]
pub use platform::{receive_listener, send_listener};
pub use sealed::{Barrier, Gap, Sealed};
