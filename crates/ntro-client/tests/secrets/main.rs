//! The secret stores: one contract for every store, and the faults of each. Tests that need a
//! Secret Service are ignored with that reason, as in `tests/it`.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test reads its own variables, and ends at what it did not expect"
)]
#![allow(
    unreachable_pub,
    dead_code,
    reason = "what is shared with the other tests is not all used here"
)]
#![cfg(target_os = "linux")]

mod command;
mod contract;
mod fake_service;
mod file;
mod helpers;
mod keyring;
mod keyutils;
#[cfg(feature = "native-keyring-test")]
mod native;

#[path = "../../../../tests/it/support/secret_service.rs"]
mod secret_service;
mod support;
mod writer;

/// Returns a path inside the project.
fn project(path: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}
