//! Every test that runs `ntro` itself, in one test binary: one file per topic.
//!
//! Most tests need only Rust. Any other requirement is the reason in a test's `#[ignore]`, so that
//! `cargo test` lists it; `scripts/test` installs the requirements and runs these tests as well. No
//! test passes without having run.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test lays out files of its own, and ends at what it did not expect"
)]
#![allow(
    unreachable_pub,
    reason = "what a module offers is clearer as `pub`, also in a test"
)]
#![cfg(unix)]

#[cfg(target_os = "linux")]
mod abuse;
mod admin;
mod approve;
mod audit_logs;
mod bad_answers;
mod bad_input;
mod canary;
mod children;
mod completions;
mod concurrency;
mod config;
mod dev;
mod doctor;
mod env;
mod exec;
mod exec_child;
mod explain;
mod faults;
mod fleet;
mod forward_auth;
mod help;
mod helpers;
mod json;
mod key;
mod keyless;
mod keyring;
mod kills;
mod list;
mod listeners;
mod login;
mod logout;
mod man;
mod migrate;
mod newcomer;
mod official;
mod oidc;
mod openapi;
mod operations;
mod personas;
mod pin;
mod postgres;
mod process;
mod prove;
mod proxy;
mod readme;
mod replicas;
mod rotate;
mod rotate_faults;
mod rotate_kills;
mod safety;
mod sdk;
mod secret_service;
mod serve;
mod startup;
mod status;
mod stores;
mod support;
mod tenant;
mod timeouts;
mod untrusted;
mod usage;
mod walkthrough;

/// A file without a `mod` line would never be compiled, and its tests never run.
#[test]
fn every_file_is_compiled() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    for module in [
        folder.clone(),
        folder.join("official"),
        folder.join("support"),
    ] {
        let face = ["main.rs", "mod.rs"]
            .iter()
            .find_map(|name| std::fs::read_to_string(module.join(name)).ok())
            .unwrap();
        for entry in std::fs::read_dir(&module).unwrap() {
            let name = entry.unwrap().path();
            let name = name.file_stem().unwrap().to_str().unwrap();
            let named = ["main", "mod", "snapshots"].contains(&name)
                || face
                    .lines()
                    .any(|line| line.trim_end() == format!("mod {name};"));
            assert!(named, "{}: no `mod {name};`", module.display());
        }
    }
}
