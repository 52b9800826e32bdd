//! Links the optimised program so that it starts faster, if this machine can.
//!
//! Loading a library takes longer than most of what a short command does: see
//! `docs/benchmarks.md`.

#![allow(
    clippy::disallowed_methods,
    reason = "Cargo passes its settings in the environment"
)]

use std::env;
use std::path::PathBuf;
use std::process::Command;

/// Puts the code that unwinds the stack into the program, which else loads `libgcc_s.so` for it.
const WITH_UNWINDER: &str = "-Wl,--whole-archive,-lgcc_eh,--no-whole-archive";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if is_optimised_program() && is_native_glibc() && runs_with(WITH_UNWINDER) {
        println!("cargo::rustc-link-arg-bins={WITH_UNWINDER}");
    }
}

fn is_optimised_program() -> bool {
    setting("PROFILE") == "release" && env::var_os("CARGO_FEATURE_CLI").is_some()
}

/// Whether the program is linked dynamically with glibc, for the machine that builds it.
fn is_native_glibc() -> bool {
    let target = setting("TARGET");
    let is_static = setting("CARGO_CFG_TARGET_FEATURE").contains("crt-static");
    target == setting("HOST") && target.ends_with("-linux-gnu") && !is_static
}

/// Links an empty program as Cargo links `ntro`, and runs it.
fn runs_with(flag: &str) -> bool {
    let program = PathBuf::from(setting("OUT_DIR")).join("probe");
    let source = program.with_extension("rs");
    if std::fs::write(&source, "fn main() {}").is_err() {
        return false;
    }
    let mut rustc = Command::new(setting("RUSTC"));
    rustc.arg(&source).arg("-o").arg(&program);
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg("-C").arg(format!("linker={linker}"));
    }
    let flags = setting("CARGO_ENCODED_RUSTFLAGS");
    rustc.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    rustc.arg("-C").arg(format!("link-arg={flag}"));
    succeeds(&mut rustc) && succeeds(&mut Command::new(program))
}

fn succeeds(command: &mut Command) -> bool {
    let output = command.output();
    output.is_ok_and(|output| output.status.success())
}

fn setting(name: &str) -> String {
    env::var(name).unwrap_or_default()
}
