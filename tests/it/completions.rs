//! `ntro completions`, through the protocol of the scripts and in a real shell.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use rexpect::session::{PtySession, spawn_command};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::Sandbox;

const CONFIG: &str = r#"
default_connection_name = "local"
[connections.local]
host = "http://localhost:3000/v1"
default_tenant = "acme-fund-admin"
store = "keyring"
[connections.local-ontora]
host = "http://localhost:3000"
default_tenant = "globex-capital"
[connections.production]
host = "https://api.ntropii.com/v1"
"#;

#[test]
fn every_shell_gets_a_script() {
    let sandbox = Sandbox::new();
    for (shell, mark) in [
        ("bash", "complete -o nospace"),
        ("zsh", "#compdef ntro"),
        ("fish", "complete --keep-order --exclusive --command ntro"),
        ("elvish", "edit:completion:arg-completer[ntro]"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let script = sandbox
            .ntro(&format!("completions {shell}"))
            .run()
            .success();
        assert!(script.stdout.contains(mark), "{script}");
        assert!(script.stdout.contains("COMPLETE"), "{script}");
    }
    sandbox
        .ntro("completions csh")
        .run()
        .exits(2)
        .complains("possible values")
        .done();
    assert_eq!(sandbox.files(), Vec::<String>::new());
}

#[test]
fn names_are_offered_where_they_belong() {
    let sandbox = Sandbox::new();
    sandbox.write_config(CONFIG);
    for (line, expected) in [
        ("ntro -c lo", &["local", "local-ontora"][..]),
        ("ntro auth use p", &["production"]),
        ("ntro auth login --connection prod", &["production"]),
        ("ntro -t ", &["acme-fund-admin", "globex-capital"]),
        ("ntro tenant use gl", &["globex-capital"]),
        ("ntro tenant info a", &["acme-fund-admin"]),
        ("ntro key cr", &["create"]),
        ("ntro key create --scope i", &["interviews"]),
        ("ntro -c nobody", &[]),
    ] {
        assert_eq!(offered(&sandbox, "bash", line), expected, "{line}");
    }
    let zsh = offered(&sandbox, "zsh", "ntro -c lo");
    assert!(zsh[0].starts_with("local:http"), "{zsh:?}");
    let fish = offered(&sandbox, "fish", "ntro -c lo");
    assert_eq!(fish[0], "local\thttp://localhost:3000/v1");
}

#[test]
fn special_names_are_not_offered() {
    let sandbox = Sandbox::new();
    sandbox.write_config(concat!(
        "[connections.'a;reboot']\nhost = 'https://a.example'\n",
        "default_tenant = 'acme;touch${IFS}x'\n",
        "[connections.'a$(x)']\nhost = 'https://a.example'\ndefault_tenant = 'acme`x`'\n",
        "[connections.'añb']\nhost = \"https://a.example\\nforged\"\ndefault_tenant = 'acme'\n",
    ));
    for shell in ["bash", "fish", "zsh", "powershell", "elvish"] {
        let names = offered(&sandbox, shell, "ntro -c a").join("\n");
        assert!(names.contains("añb"), "{shell}: {names}");
        let tenants = offered(&sandbox, shell, "ntro -t a").join("\n");
        assert!(tenants.contains("acme"), "{shell}: {tenants}");
        for text in [names, tenants] {
            assert!(!text.contains([';', '$', '`']), "{shell}: {text}");
            assert_eq!(text.lines().count(), 1, "{shell}: {text}");
        }
    }
}

#[test]
fn broken_files_hinder_no_completion() {
    let mut sandbox = Sandbox::new();
    let bus = sandbox.home().join("bus");
    let keyring = UnixListener::bind(&bus).unwrap();
    keyring.set_nonblocking(true).unwrap();
    sandbox.set(
        "DBUS_SESSION_BUS_ADDRESS",
        format!("unix:path={}", bus.display()),
    );
    sandbox.write_config(CONFIG);
    assert_eq!(
        offered(&sandbox, "bash", "ntro -c local-"),
        ["local-ontora"]
    );
    let nobody = keyring.accept().unwrap_err();
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);

    for broken in ["[connections", "connections = 3", "\u{0}"] {
        sandbox.write_config(broken);
        assert!(offered(&sandbox, "bash", "ntro -c lo").is_empty());
        assert_eq!(offered(&sandbox, "bash", "ntro compl"), ["completions"]);
    }
    let file = sandbox.ntro_home().join("config.toml");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert!(offered(&sandbox, "bash", "ntro -c lo").is_empty());
}

#[test]
fn commands_and_names_come_before_options() {
    let sandbox = Sandbox::new();
    sandbox.write_config(CONFIG);
    let offered = |line: &str| offered(&sandbox, "bash", line);
    let commands = offered("ntro ");
    for name in ["auth", "doctor", "man"] {
        assert!(commands.contains(&name.to_owned()), "{commands:?}");
    }
    assert!(!commands.iter().any(|word| word.starts_with('-')));
    assert_eq!(
        offered("ntro auth use "),
        ["local", "local-ontora", "production"]
    );
    // The command's own options, since nothing else can stand there.
    let own = offered("ntro auth status ");
    assert_eq!(
        own,
        ["--all", "--jobs", "--timeout", "--warn-within", "--watch"]
    );
    // A command that has only global options.
    assert!(offered("ntro auth whoami ").contains(&"--connection".to_owned()));
    for line in ["ntro auth use -", "ntro auth use --", "ntro -"] {
        let options = offered(line);
        assert!(options.contains(&"--connection".to_owned()), "{options:?}");
        assert!(
            options.iter().all(|word| word.starts_with("--")),
            "{options:?}"
        );
    }
}

#[test]
fn canonical_names_are_offered() {
    let sandbox = Sandbox::new();
    sandbox.write_config(CONFIG);
    let offered = |line: &str| offered(&sandbox, "bash", line);
    let commands = offered("ntro auth ");
    assert!(commands.contains(&"use".to_owned()), "{commands:?}");
    assert!(
        !commands.contains(&"set-default".to_owned()),
        "{commands:?}"
    );
    // An alias works where it is typed.
    assert_eq!(offered("ntro auth set-"), ["set-default"]);
    assert_eq!(offered("ntro auth set-default p"), ["production"]);
    assert_eq!(
        offered("ntro auth status --con"),
        ["--connection", "--concurrency"]
    );
}

#[test]
fn help_and_man_complete_commands() {
    let sandbox = Sandbox::new();
    for (line, expected) in [
        ("ntro help a", &["auth", "admin"][..]),
        ("ntro help auth log", &["login", "logout"]),
        ("ntro help e", &["exec", "env", "environment", "exit-codes"]),
        ("ntro man auth ro", &["rotate"]),
        ("ntro man admin tenant s", &["suspend"]),
        ("ntro man --f", &["--folder"]),
    ] {
        let names = offered(&sandbox, "fish", line);
        // fish shows a description behind a tab.
        let names = names.iter().map(|line| line.split('\t').next().unwrap());
        assert_eq!(names.collect::<Vec<_>>(), expected, "{line}");
    }
}

#[test]
fn exec_completes_programs_and_files() {
    let mut sandbox = Sandbox::new();
    sandbox.add_script("acme-deploy", "");
    for name in ["acme-notes", "acme;reboot"] {
        std::fs::write(sandbox.home().join(name), "").unwrap();
    }
    sandbox.set("PATH", sandbox.home());
    for (line, expected) in [
        ("ntro exec acme", &["acme-deploy"][..]),
        ("ntro exec --mask -- acme", &["acme-deploy"]),
        ("ntro exec -- ./acme-d", &["./acme-deploy"]),
        ("ntro exec -- sh acme", &["acme-deploy", "acme-notes"]),
        ("ntro exec -- sh -x acme-n", &["acme-notes"]),
        ("ntro exec --ma", &["--mask"]),
    ] {
        let names = offered(&sandbox, "fish", line);
        let names = names.iter().map(|line| line.split('\t').next().unwrap());
        assert_eq!(names.collect::<Vec<_>>(), expected, "{line}");
    }
}

#[test]
fn scripts_say_how_to_install_them() {
    let sandbox = Sandbox::new();
    let help = sandbox.ntro("completions --help").run().success().stdout;
    for (shell, line) in [
        (
            "bash",
            "echo 'source <(ntro completions bash)' >> ~/.bashrc",
        ),
        ("zsh", "echo 'source <(ntro completions zsh)' >> ~/.zshrc"),
        ("fish", "> ~/.config/fish/completions/ntro.fish"),
        ("elvish", "eval (ntro completions elvish | slurp)"),
        (
            "powershell",
            "ntro completions powershell | Out-String | Invoke-Expression",
        ),
    ] {
        assert!(help.contains(line), "{help}");
        let script = sandbox.ntro(&format!("completions {shell}")).run();
        let script = script.success().stdout;
        let head = script.lines().take_while(|line| line.starts_with('#'));
        assert!(head.collect::<String>().contains(line), "{script}");
    }
}

/// An interactive shell that has loaded the completions.
struct Shell(PtySession);

impl Shell {
    fn start(sandbox: &Sandbox, shell: &str, arguments: &[&str], set_up: &[&str]) -> Self {
        let mut command = Command::new(shell);
        sandbox.prepare(&mut command);
        let ntro = Path::new(env!("CARGO_BIN_EXE_ntro")).parent().unwrap();
        let path = std::env::join_paths([ntro, "/usr/bin".as_ref(), "/bin".as_ref()]);
        command.args(arguments).env("PATH", path.unwrap());
        let mut shell = Self(spawn_command(command, Some(30_000)).unwrap());
        let terminal = shell.0.process().get_file_handle().unwrap();
        let size = Winsize {
            ws_row: 50,
            ws_col: 100,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(terminal, size).unwrap();
        for line in set_up {
            shell.0.send_line(line).unwrap();
        }
        // The quotes keep the echo of the line apart from its output.
        shell.0.send_line("echo re''ady").unwrap();
        shell.0.exp_string("ready").unwrap();
        shell
    }

    fn bash(sandbox: &Sandbox) -> Self {
        let set_up = ["source <(ntro completions bash)"];
        Self::start(sandbox, "bash", &["--norc", "--noprofile", "-i"], &set_up)
    }

    fn zsh(sandbox: &Sandbox) -> Self {
        let set_up = [
            "autoload -U compinit && compinit -u -D",
            "source <(ntro completions zsh)",
        ];
        Self::start(sandbox, "zsh", &["-f", "-i"], &set_up)
    }

    fn fish(sandbox: &Sandbox) -> Self {
        let set_up = ["ntro completions fish | source"];
        Self::start(sandbox, "fish", &["--no-config", "-i"], &set_up)
    }

    /// Types text with Tab in it, and a rest that shows which connection and tenant have won.
    fn completes(&mut self, typed: &str, expected: &str) {
        self.0.send(typed).unwrap();
        self.0.send_line(" auth explain; echo en''ded").unwrap();
        let text = self.0.exp_string(expected);
        text.unwrap_or_else(|error| panic!("{typed:?}: {error}"));
        self.0.exp_string("ended").unwrap();
    }

    /// Types text with Tabs in it, waits for the last candidate, and clears the line.
    fn lists(&mut self, typed: &str, expected: &str) -> String {
        self.0.send(typed).unwrap();
        self.0.flush().unwrap();
        let text = self.0.exp_string(expected);
        let text = text.unwrap_or_else(|error| panic!("{typed:?}: {error}"));
        self.0.send_control('u').unwrap();
        text
    }
}

const NAMES: &str = r#"
[connections."acme:prod"]
host = "http://localhost:3000/v1"
[connections."acme:uat"]
host = "http://localhost:3000/v1"
[connections."ops@acme"]
host = "http://localhost:3000/v1"
[connections."team=blue"]
host = "http://localhost:3000/v1"
[connections.local]
host = "http://localhost:3000/v1"
default_tenant = "acme-fund-admin"
"#;

/// Presses Tab in words that shells take apart, and in plain ones.
fn press_tab(shell: &mut Shell) {
    // There is no connection `lo`: what runs is what the shell has made of it.
    shell.completes("ntro -c lo\t", "connection: local");
    shell.completes("ntro -c acme:p\t", "connection: acme:prod");
    shell.completes("ntro -c acme\tp\t", "connection: acme:prod");
    shell.completes("ntro -c ops\t", "connection: ops@acme");
    shell.completes("ntro -c ops@\t", "connection: ops@acme");
    shell.completes("ntro -c team=b\t", "connection: team=blue");
    shell.completes("ntro --connection=acme:u\t", "connection: acme:uat");
    shell.completes(
        "ntro -o text -c lo\t -t acme-f\t",
        "tenant: acme-fund-admin",
    );
}

#[test]
#[ignore = "needs bash: run scripts/test"]
fn tab_completes_in_bash() {
    let mut sandbox = Sandbox::new();
    sandbox.set("PS1", "ready> ");
    sandbox.write_config(NAMES);
    let mut shell = Shell::bash(&sandbox);
    shell.completes("ntro -c \"acme:p\t", "connection: acme:prod");
    let listed = shell.lists("ntro auth \t\t", "whoami");
    assert!(listed.contains("login"), "{listed}");
    assert!(!listed.contains("--"), "{listed}");
    let listed = shell.lists("ntro auth use acme:\t\t", "uat");
    assert!(!listed.contains("local"), "{listed}");
    press_tab(&mut shell);
}

#[test]
#[ignore = "needs zsh: run scripts/test"]
fn tab_completes_in_zsh() {
    tab_completes(Shell::zsh);
}

#[test]
#[ignore = "needs fish: run scripts/test"]
fn tab_completes_in_fish() {
    tab_completes(Shell::fish);
}

/// Presses Tab in a shell that lists words after the first one.
fn tab_completes(start: fn(&Sandbox) -> Shell) {
    let mut sandbox = Sandbox::new();
    sandbox.set("TERM", "xterm");
    sandbox.write_config(NAMES);
    let mut shell = start(&sandbox);
    press_tab(&mut shell);
    let listed = shell.lists("ntro auth \t", "rotate");
    assert!(!listed.contains("--connection"), "{listed}");
}

/// Asks as the script of a shell does, with the cursor at the end of the line.
fn offered(sandbox: &Sandbox, shell: &str, line: &str) -> Vec<String> {
    let words: Vec<_> = line.split(' ').collect();
    let mut run = sandbox
        .ntro("--")
        .env("COMPLETE", shell)
        .env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string())
        .env("_CLAP_IFS", "\n");
    for word in words {
        run = run.arg(word);
    }
    let outcome = run.run().success();
    assert_eq!(outcome.stderr, "");
    outcome.stdout.lines().map(str::to_owned).collect()
}
