//! The measured programs and their peers.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark stops where something is wrong"
)]
#![allow(dead_code, reason = "not every benchmark has each of these")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Finds a program on this machine.
pub(crate) fn found(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// Copies a program, as an installation does. A file that the linker has just written is in smaller
/// pieces in the page cache than a copied one, and starts more slowly.
pub(crate) fn installed(program: &Path, folder: &Path, name: &str) -> PathBuf {
    let copy = folder.join(name);
    std::fs::copy(program, &copy).unwrap();
    copy
}

/// How a program is linked with the C library.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Linked {
    Statically,
    /// As `cargo install` links it.
    Dynamically,
}

/// Builds a process that only prints: the minimum.
pub(crate) fn hello(folder: &Path, linked: Linked) -> PathBuf {
    let (source, program) = (folder.join("hello.rs"), folder.join("hello"));
    std::fs::write(&source, "fn main() { println!(\"hello\"); }").unwrap();
    let feature = match linked {
        Linked::Statically => "target-feature=+crt-static",
        Linked::Dynamically => "target-feature=-crt-static",
    };
    let status = Command::new("rustc")
        .args(["-O", "-C", feature, "-o"])
        .args([&program, &source])
        .status();
    assert!(status.unwrap().success());
    installed(&program, folder, &format!("hello-{linked:?}"))
}
