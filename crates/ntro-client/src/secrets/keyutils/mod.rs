//! The `keyutils` store: the keyring that the Linux kernel keeps for each user, `@u`.
//!
//! It is in memory only, in pages that are never swapped out: a reboot erases it, and a stolen disk
//! or a backup never contains it. It does not protect keys from programs of the same user, whose
//! sessions all share it, or from root.
//!
//! `keyctl` finds a key as `ntro:<connection>@<origin>`. The kernel's list of a user's keys
//! includes those of other programs, so another key, `ntro:index:<folder>`, lists our names and
//! holds no secret.

#[cfg_attr(target_os = "linux", path = "kernel.rs")]
#[cfg_attr(not(target_os = "linux"), path = "unsupported.rs")]
mod platform;

pub(super) use platform::KeyutilsStore;
