//! Real programs that give keys to programs of the same user.

use std::path::Path;
use std::process::{Command, Stdio};

use ntro_client::exec::seal::SealLevel;

use crate::runner::includes_ignored;
use crate::sandbox::Sandbox;

/// The Secret Service, as `secret-tool` and any D-Bus client reach it.
pub fn keyring_is_out_of_reach() {
    if !includes_ignored() {
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/with-secret-service");
    if std::fs::File::open(&script).is_err() {
        println!("(not readable by this user)");
        return;
    }
    let sandbox = Sandbox::new();
    let sealed = |level| {
        let mut options = sandbox.options(level);
        options.files.runtime_dir = Some("@runtime@".into());
        let words = options.arguments();
        let words: Vec<_> = words
            .iter()
            .map(|word| format!("'{}'", word.to_str().unwrap()))
            .collect();
        let program = std::env::current_exe().unwrap();
        let line = format!("{} {}", program.display(), words.join(" "));
        line.replace("'@runtime@'", "\"$XDG_RUNTIME_DIR\"")
    };
    let (open, closed) = (sealed(SealLevel::Off), sealed(SealLevel::Store));
    let ask = "gdbus call --session --dest org.freedesktop.secrets \
        --object-path /org/freedesktop/secrets --method org.freedesktop.DBus.Peer.Ping";
    let line = format!(
        "printf canary | secret-tool store --label test service ntro-seal
        {open} secret-tool lookup service ntro-seal | grep -q canary || echo unsealed lookup
        {closed} secret-tool lookup service ntro-seal | grep -q canary && echo sealed lookup
        {open} {ask} > /dev/null || echo unsealed call
        {closed} {ask} > /dev/null && echo sealed call
        echo done"
    );
    let output = Command::new(script)
        .args(["--mode", "unlocked", "--", "sh", "-c", &line])
        .current_dir(sandbox.path("home/project"))
        .env("HOME", sandbox.home())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(printed, "done\n", "{output:?}");
}

pub fn tmux_is_out_of_reach() {
    if !includes_ignored() {
        return;
    }
    let sandbox = Sandbox::new();
    let name = format!("ntro-seal-{}", std::process::id());
    let tmux = |arguments: &[&str]| {
        let mut command = Command::new("tmux");
        command
            .args(["-L", &name])
            .args(arguments)
            .env_remove("TMUX")
            // The login shell of a system's user may run nothing.
            .env("SHELL", "/bin/sh")
            .env("HOME", sandbox.home());
        command.output().unwrap()
    };
    let started = tmux(&["new-session", "-d", "sleep 60"]);
    assert!(started.status.success(), "{started:?}");
    let refused = std::panic::catch_unwind(|| {
        sandbox.is_refused(&format!("tmux -L {name} run-shell true"));
        // A new server of the child is its own.
        let line = format!(
            "SHELL=/bin/sh tmux -L {name} new -d -s inner 'sleep 60' && tmux -L {name} ls -F '#S'
            tmux -L {name} kill-server"
        );
        assert_eq!(sandbox.works(SealLevel::Store, &line), "inner\n");
    });
    tmux(&["kill-server"]);
    refused.unwrap();
}

/// A key in the kernel's keyring, as the `keyutils` store keeps it.
pub fn kernel_key_is_out_of_reach() {
    if !includes_ignored() {
        return;
    }
    let sandbox = Sandbox::new();
    let name = format!("ntro-seal-{}", std::process::id());
    let add = sandbox.works(
        SealLevel::Off,
        &format!("keyctl link @u @s; keyctl add user {name} canary @u"),
    );
    let read =
        format!("keyctl link @u @s; keyctl print $(keyctl search @u user {name}) | grep canary");
    sandbox.is_refused(&read);
    sandbox.works(SealLevel::Off, &format!("keyctl invalidate {add}"));
}
