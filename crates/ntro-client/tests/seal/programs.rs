//! Real programs that give keys to programs of the same user.

use std::path::Path;
use std::process::{Command, Stdio};

use ntro_client::exec::seal::SealLevel;

use crate::runner::{includes_ignored, set_mode};
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

/// Prepares a terminal multiplexer, outside of any other.
fn multiplexer(sandbox: &Sandbox, program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env_remove("TMUX")
        .env_remove("STY")
        // The login shell of a system's user may run nothing.
        .env("SHELL", "/bin/sh")
        .env("HOME", sandbox.home());
    command
}

pub fn tmux_is_out_of_reach() {
    if !includes_ignored() {
        return;
    }
    let sandbox = Sandbox::new();
    let name = format!("ntro-seal-{}", std::process::id());
    let tmux = |arguments: &[&str]| {
        let mut command = multiplexer(&sandbox, "tmux");
        command.args(["-L", &name]).args(arguments);
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

pub fn screen_is_out_of_reach() {
    if !includes_ignored() {
        return;
    }
    let sandbox = Sandbox::new();
    let name = format!("ntro-seal-{}", std::process::id());
    let screen = |arguments: &[&str]| {
        let mut command = multiplexer(&sandbox, "screen");
        command.args(arguments).output().unwrap()
    };
    let started = screen(&["-d", "-m", "-S", &name, "sleep", "60"]);
    assert!(started.status.success(), "{started:?}");
    let refused = std::panic::catch_unwind(|| {
        sandbox.is_refused(&format!("screen -S {name} -X title typed"));
    });
    screen(&["-S", &name, "-X", "quit"]);
    refused.unwrap();
}

/// The agents that sign with keys of SSH and GnuPG, the first on a path in `/tmp`.
pub fn agents_are_out_of_reach() {
    if !includes_ignored() {
        return;
    }
    let sandbox = Sandbox::new();
    let socket = format!("/tmp/ntro-seal-{}.agent", std::process::id());
    let gnupg = sandbox.path("home/.gnupg");
    set_mode(&gnupg, 0o700);
    let mut ssh = Command::new("ssh-agent")
        .args(["-D", "-a", &socket])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let gpg = |line: &str| {
        Command::new("gpg-connect-agent")
            .args([line, "/bye"])
            .env("HOME", sandbox.home())
            .env("GNUPGHOME", &gnupg)
            .output()
            .unwrap()
    };
    // The first starts it.
    let started = gpg("GETINFO pid");
    while !Path::new(&socket).exists() {
        assert_eq!(ssh.try_wait().unwrap(), None, "the agent has ended");
        std::thread::yield_now();
    }
    let refused = std::panic::catch_unwind(|| {
        assert!(started.status.success(), "{started:?}");
        // It answers that it has no keys.
        sandbox.is_refused(&format!("SSH_AUTH_SOCK={socket} ssh-add -l; test $? = 1"));
        sandbox.is_refused(&format!(
            "GNUPGHOME={} gpg-connect-agent --no-autostart 'GETINFO pid' /bye | grep ^OK",
            gnupg.display()
        ));
    });
    gpg("KILLAGENT");
    ssh.kill().unwrap();
    ssh.wait().unwrap();
    let _ = std::fs::remove_file(&socket);
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
