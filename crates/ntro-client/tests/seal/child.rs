use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use ntro_client::exec::seal::{SealLevel, receive_listener};

use crate::sandbox::{Sandbox, has, is_root};

pub fn child_keeps_working() {
    let sandbox = Sandbox::new();
    for level in [SealLevel::Store, SealLevel::Net] {
        for line in [
            "echo x > file && mv file ~/project/other && rm other",
            "echo x > ~/notes && test -s ~/notes",
            "echo {} > ~/.claude.json",
            "mkdir ~/.cache/app && rmdir ~/.cache/app",
            "echo x > ~/.config/app/settings && rm ~/.config/app/settings",
            "echo x > ~/.local/share/app/data && rm ~/.local/share/app/data",
            "f=$(mktemp) && rm $f",
            "echo x > /dev/shm/x && rm /dev/shm/x",
            "head -c 1 /dev/urandom > /dev/null",
            "cat /etc/hosts /proc/self/status",
            "kill -0 $$ && (sleep 0 & kill $!)",
            "cat /proc/$$/environ",
            "test -w \"$HOME\"/../runtime",
            "exec 3<. && ls /dev/fd/3/",
            // A new terminal.
            "command -v script > /dev/null || exit 0; script -qec 'test -t 0' /dev/null",
        ] {
            sandbox.works(level, line);
        }
        assert_eq!(sandbox.works(level, "cat ~/.ntro/config.toml"), "token");
        assert_eq!(
            sandbox.works(level, "cat ~/../generated/config.toml"),
            "token"
        );
        let work = sandbox.path("home/project");
        assert_eq!(
            sandbox.works(level, "pwd -P").trim(),
            work.to_str().unwrap()
        );
        assert_eq!(
            sandbox.works(level, "id -u"),
            sandbox.works(SealLevel::Off, "id -u")
        );
        let mut child = sandbox
            .sealed(&sandbox.options(level), Path::new("/bin/sh"))
            .args(["-c", "echo $$; exit 7"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut pid = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut pid)
            .unwrap();
        assert_eq!(pid.trim(), child.id().to_string());
        assert_eq!(child.wait().unwrap().code(), Some(7));
    }
}

pub fn nested_namespaces_work() {
    if !has("unshare") {
        return;
    }
    let sandbox = Sandbox::new();
    for level in [SealLevel::Store, SealLevel::Net] {
        let nested = |line: &str| sandbox.works(level, &format!("unshare -r -m sh -c '{line}'"));
        nested("mount -t tmpfs none /mnt && touch /mnt/x");
        nested("mount --rbind / /mnt && cat /mnt/etc/hosts");
        sandbox.works(
            level,
            "unshare -U true && unshare -r -n true && unshare -r -p -f true",
        );
        if !is_root() {
            // Root gets no new view of `/proc`: parts of it are read-only.
            sandbox.works(level, "unshare -r -p -f --mount-proc true");
        }
        if has("bwrap") {
            sandbox.works(level, "bwrap --ro-bind / / --dev /dev --tmpfs /tmp true");
        }
    }
}

pub fn working_folder_is_hidden() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("home/.ntro/inner")).unwrap();
    let mut command = sandbox.sealed(&sandbox.options(SealLevel::Store), Path::new("/bin/true"));
    let output = command
        .current_dir(sandbox.path("home/.ntro/inner"))
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(77), "{error}");
    let folder = sandbox.path("home/.ntro/inner");
    let expected = format!(
        "error: the working folder `{}` is hidden from the child\n",
        folder.display()
    );
    assert_eq!(error, expected);
}

pub fn net_reaches_proxy_alone() {
    let sandbox = Sandbox::new();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let (here, there) = UnixStream::pair().unwrap();
    let mut command = sandbox.sealed(&sandbox.options(SealLevel::Net), Path::new("bash"));
    let line = format!(
        "read -r answer < /dev/tcp/127.0.0.1/$PORT; echo $answer
        (: < /dev/tcp/127.0.0.1/{port}) 2> /dev/null && echo reached the other
        (: < /dev/tcp/192.0.2.1/80) 2> /dev/null && echo reached the world
        cat /proc/net/dev | grep -c :; grep CapEff /proc/self/status"
    );
    let mut child = command
        .args(["-c", &line])
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(there)))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(command);
    let proxy = receive_listener(&here).unwrap();
    (&here).write_all(b"r").unwrap();
    proxy.accept().unwrap().0.write_all(b"proxy\n").unwrap();
    let mut output = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut output)
        .unwrap();
    assert!(child.wait().unwrap().success());
    let lines: Vec<_> = output.lines().collect();
    // The only interface is `lo`.
    assert_eq!(lines[..2], ["proxy", "1"], "{output}");
    if !is_root() {
        assert_eq!(lines[2], "CapEff:\t0000000000000000");
    }
}

pub fn named_level_needs_namespaces() {
    let sandbox = Sandbox::new();
    for level in [SealLevel::Store, SealLevel::Net] {
        let mut options = sandbox.options(level);
        options.no_namespaces = true;
        let output = sandbox
            .sealed(&options, Path::new("/bin/true"))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(77));
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            format!(
                "error: cannot seal the child (`--seal {level}`): key files stay open: a system \
                 call filter refuses namespaces\n"
            )
        );
    }
}

pub fn net_needs_network_namespaces() {
    if !has("unshare") {
        return;
    }
    let sandbox = Sandbox::new();
    let none = "echo 0 > /proc/sys/user/max_net_namespaces && exec \"$@\"";
    let sealed = sandbox.sealed(&sandbox.options(SealLevel::Net), Path::new("/bin/true"));
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "sh", "-c", none, "sh"]);
    command.arg(sealed.get_program()).args(sealed.get_args());
    command.current_dir(sandbox.path("home/project"));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(77), "{output:?}");
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: cannot seal the child (`--seal net`): network stay open: no network namespace: No \
         space left on device (os error 28)\n"
    );
}

pub fn default_level_degrades() {
    let sandbox = Sandbox::new();
    let mut options = sandbox.options(SealLevel::Store);
    options.no_namespaces = true;
    options.named = false;
    let run = |line: &str| {
        let mut command: Command = sandbox.sealed(&options, Path::new("/bin/sh"));
        command
            .args(["-c", line])
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let output = run("echo x > file && cat file && cat ~/notes && echo x > ~/.cache/x");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "sealed (store): key files, sockets, memory, kernel keyrings, terminal input, signals, \
         startup files; the network stays open\n"
    );
    for line in [
        "cat ~/.ntro/config.toml",
        "echo x >> ~/.bashrc",
        "echo x > ~/.profile",
    ] {
        assert!(!run(line).status.success(), "{line}");
    }
}

/// The runtime directory is where the folder of the child is made, and is emptied.
pub fn generated_folder_has_both_paths() {
    let sandbox = Sandbox::new();
    let generated = sandbox.path("runtime/generated");
    std::fs::rename(sandbox.path("generated"), &generated).unwrap();
    let mut options = sandbox.options(SealLevel::Store);
    options.files.generated_home = Some(generated);
    let mut command = sandbox.sealed(&options, Path::new("/bin/sh"));
    let line = "cat ~/.ntro/config.toml ~/../runtime/generated/config.toml";
    let output = command.args(["-c", line]).output().unwrap();
    assert_eq!(output.stdout, b"tokentoken", "{output:?}");
}

/// A hidden link to a folder or a device starts no program.
pub fn linked_folders_stay_writable() {
    let sandbox = Sandbox::new();
    std::fs::rename(sandbox.path("home/.cache"), sandbox.path("cache")).unwrap();
    std::os::unix::fs::symlink("../cache", sandbox.path("home/.cache")).unwrap();
    std::os::unix::fs::symlink("/dev/null", sandbox.path("home/.xsession-errors")).unwrap();
    for no_namespaces in [false, true] {
        let mut options = sandbox.options(SealLevel::Store);
        options.named = false;
        options.no_namespaces = no_namespaces;
        for line in ["echo x > /dev/null", "echo x > ~/.cache/x"] {
            let mut command = sandbox.sealed(&options, Path::new("/bin/sh"));
            let output = command.args(["-c", line]).output().unwrap();
            assert!(
                output.status.success(),
                "{no_namespaces} {line}: {output:?}"
            );
        }
    }
}

/// An SSH key that opens the encrypted file is hidden, and the files beside it stay read-only.
pub fn files_beside_key_stay() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("home/.ssh")).unwrap();
    for name in ["home/.ssh/id", "home/.ssh/config"] {
        std::fs::write(sandbox.path(name), "mine").unwrap();
    }
    for no_namespaces in [false, true] {
        let mut options = sandbox.options(SealLevel::Store);
        options.named = false;
        options.no_namespaces = no_namespaces;
        options.files.secrets = vec![sandbox.path("home/.ssh/id")];
        let works = |line: &str| {
            let mut command = sandbox.sealed(&options, Path::new("/bin/sh"));
            let output = command.args(["-c", line]).output().unwrap();
            output.status.success()
        };
        assert!(works("grep mine ~/.ssh/config"), "{no_namespaces}");
        assert!(!works("grep mine ~/.ssh/id"), "{no_namespaces}");
        assert!(!works("echo x >> ~/.ssh/config"), "{no_namespaces}");
    }
}
