//! Attacks on the seal of a keyless child, by an ordinary user and by root.
//!
//! This test is a separate program: it is also the process that is sealed, which must have one
//! thread, and each process of the battery. Started by root, it runs itself again as an ordinary
//! user.

#![cfg_attr(
    target_os = "linux",
    allow(
        clippy::print_stdout,
        clippy::print_stderr,
        clippy::unwrap_used,
        clippy::disallowed_methods,
        unreachable_pub,
        reason = "tests"
    )
)]

#[cfg(target_os = "linux")]
mod attacks;
#[cfg(target_os = "linux")]
mod child;
#[cfg(target_os = "linux")]
mod programs;
#[cfg(target_os = "linux")]
mod runner;
#[cfg(target_os = "linux")]
mod sandbox;
#[cfg(target_os = "linux")]
mod sealed;

/// Lists tests with their names.
#[cfg(target_os = "linux")]
macro_rules! tests {
    ($($test:path),* $(,)?) => {
        &[$((stringify!($test), $test)),*]
    };
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    if let Some(code) = ntro_client::exec::prove::role(&arguments) {
        return code;
    }
    if let Some(code) = sealed::role(&arguments) {
        return code;
    }
    runner::run(tests![
        attacks::store_refuses_battery,
        attacks::net_refuses_battery,
        attacks::domain_alone_refuses_less,
        attacks::other_paths_are_hidden,
        attacks::net_hides_name_services,
        attacks::startup_files_stay,
        attacks::linked_profile_stays,
        attacks::profile_elsewhere_stays,
        attacks::mounted_startup_files_stay,
        attacks::key_on_removable_disk_is_hidden,
        attacks::seal_off_reaches_canaries,
        child::child_keeps_working,
        child::nested_namespaces_work,
        child::working_folder_is_hidden,
        child::net_reaches_proxy_alone,
        child::named_level_needs_namespaces,
        child::net_needs_network_namespaces,
        child::default_level_degrades,
        child::generated_folder_has_both_paths,
        child::linked_folders_stay_writable,
        child::files_beside_key_stay,
        programs::keyring_is_out_of_reach,
        programs::tmux_is_out_of_reach,
        programs::screen_is_out_of_reach,
        programs::agents_are_out_of_reach,
        programs::kernel_key_is_out_of_reach,
    ])
}

#[cfg(not(target_os = "linux"))]
fn main() {}
