//! `ntro completions`, through the protocol of the scripts and in a real shell.

use std::os::unix::net::UnixListener;

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
fn a_name_that_would_be_more_than_a_name_to_a_shell_is_not_offered() {
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
fn no_store_and_no_broken_file_gets_in_the_way() {
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
#[ignore = "needs bash: run scripts/test"]
fn a_tab_in_bash_completes_a_connection() {
    let mut sandbox = Sandbox::new();
    sandbox.write_config(&CONFIG.replace("local-ontora", "research"));
    let ntro = std::path::Path::new(env!("CARGO_BIN_EXE_ntro"));
    let path = std::env::join_paths([ntro.parent().unwrap(), "/usr/bin".as_ref(), "/bin".as_ref()]);
    sandbox.set("PATH", path.unwrap());
    let mut command = std::process::Command::new("bash");
    sandbox.prepare(&mut command);
    command
        .args(["--norc", "--noprofile", "-i"])
        .env("PS1", "ready> ");
    let mut bash = rexpect::session::spawn_command(command, Some(20_000)).unwrap();
    bash.exp_string("ready> ").unwrap();
    bash.send_line("source <(ntro completions bash)").unwrap();
    bash.exp_string("ready> ").unwrap();
    // There is no connection `lo`: what runs is what the shell has made of it.
    bash.send("ntro -c lo\t").unwrap();
    bash.send_line(" auth explain | head -n 1").unwrap();
    bash.exp_string("connection: local\r\n").unwrap();
    bash.send_line("exit").unwrap();
    bash.exp_eof().unwrap();
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
