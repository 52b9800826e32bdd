//! The `keyutils` store: the keyring that the Linux kernel keeps for each user, `@u`.
//!
//! In memory only, in pages that are never swapped out: a reboot erases it, and so nothing of it
//! is in a stolen disk or a backup. It does not protect keys from programs that run as the same
//! user, all sessions of which share it, and root reads everything.
//!
//! What is stored is found by `keyctl` under `ntro:<connection>@<origin>`. The kernel's own list
//! of a user's keys holds other programs' as well, so the names of ours stand in one key more,
//! `ntro:index:<folder>`, which holds no secret.

#[cfg_attr(target_os = "linux", path = "kernel.rs")]
#[cfg_attr(not(target_os = "linux"), path = "unsupported.rs")]
mod platform;

pub(super) use platform::KeyutilsStore;
