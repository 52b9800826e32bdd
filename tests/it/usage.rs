//! Invalid command lines.

use ntro_base::Provider;

use crate::support::{Authority, Sandbox, Terminal};

#[test]
fn people_are_told_in_words() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.ntro("auth lgin").transcript(), @r"
    exit code: 2
    ----- stderr -----
    error: unrecognized subcommand 'lgin'

      tip: a similar subcommand exists: 'login'

    Usage: ntro auth [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(sandbox.ntro("-o xml auth list").transcript(), @r"
    exit code: 2
    ----- stderr -----
    error: invalid value 'xml' for '--output <FORMAT>'
      [possible values: text, json]

    For more information, try '--help'.
    ");
    sandbox
        .ntro("")
        .run()
        .exits(2)
        .complains("Usage: ntro")
        .done();
    sandbox
        .ntro("auth")
        .run()
        .exits(2)
        .complains("Commands:")
        .done();
    assert_eq!(sandbox.files(), Vec::<String>::new());
}

#[test]
fn failures_are_json_on_request() {
    let sandbox = Sandbox::new();
    for line in [
        "-o json auth lgin",
        "auth lgin -o json",
        "auth lgin -ojson",
        "auth --output=json lgin",
        "auth -qo json lgin",
        "auth list --no-such -o json",
        "auth use -o json",
        "key create --name x --scope no -o json",
        "key create --name x --expires-in-days 0 -o json",
        "key create --name x --store file -o json",
        "auth login --name= -o json",
        "-o json",
    ] {
        let outcome = sandbox.ntro(line).run().exits(2);
        assert_eq!(outcome.stdout, "", "{line}");
        let error = outcome.error();
        assert_eq!(error["code"], "usage", "{line}");
        for member in ["message", "hint"] {
            let text = error[member].as_str().unwrap();
            assert!(!text.is_empty() && !text.contains('\n'), "{line}: {text}");
        }
        assert!(error["request_id"].is_null());
    }
    let error = sandbox
        .ntro("auth list --hots x -o json")
        .run()
        .exits(2)
        .error();
    assert_eq!(
        error["message"],
        "unexpected argument '--hots' found (a similar argument exists: '--host')"
    );
    assert_eq!(sandbox.files(), Vec::<String>::new());
}

#[test]
fn no_secret_is_repeated() {
    let sandbox = Sandbox::new();
    let key = "ntro_prod_k9Zr4MxQ2bLw_hunter2hunter2hunter2";
    for format in ["", "-o json "] {
        for line in [
            "auth login --host https://ada:hunter2@example.com",
            "auth list --host=ada:hunter2@example.com",
            "auth list --host https://example.com:hunter2",
            "auth login --host https://example.com/?key=hunter2",
            &format!("auth login {key}"),
            &format!("auth login --apikey={key}"),
            &format!("auth login -o{key}"),
            &format!("auth use x {key}"),
            &format!("auth use --{key}"),
            key,
            &format!("-t {key}/x auth list"),
            &format!("key create --name x --scope {key}"),
        ] {
            sandbox
                .ntro(&format!("{format}{line}"))
                .run()
                .exits(2)
                .done();
        }
        // The library's own parsers reveal no more than clap.
        for variable in ["NTRO_HOST", "NTRO_TENANT"] {
            sandbox
                .ntro(&format!("{format}auth whoami"))
                .env("NTRO_API_KEY", "ntro_dev_x")
                .env(variable, "https://ada:hunter2@example.com/?x")
                .run()
                .exits(2)
                .complains(variable)
                .done();
        }
    }
    sandbox.assert_nowhere("hunter2");
}

#[test]
fn closed_reader_is_no_failure() {
    let sandbox = Sandbox::new();
    let shell = std::path::Path::new("/bin/sh");
    for line in [
        "--help",
        "auth lgin 2>&1",
        "completions bash",
        "man",
        "auth lgin -o json 2>&1",
    ] {
        let ntro = env!("CARGO_BIN_EXE_ntro");
        // Standard output is a pipe without a reader.
        let script = format!(
            "exec 3>&1; {{ {{ read _ <&4; '{ntro}' {line}; echo $? >&3; }} | exec true; }} 4<<end\ngo\nend"
        );
        let outcome = sandbox
            .program(shell)
            .arg("-c")
            .arg(&script)
            .run()
            .success();
        let expected = if line.contains("lgin") { "2\n" } else { "0\n" };
        assert_eq!(outcome.stdout, expected, "{line}: {outcome}");
        assert!(!outcome.stderr.contains("panicked"), "{outcome}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn unprinted_help_is_a_failure() {
    let sandbox = Sandbox::new();
    for line in ["--help", "--version", "auth --help", "help key create"] {
        let ntro = env!("CARGO_BIN_EXE_ntro");
        let run = |script: String| {
            let shell = sandbox.program("sh".as_ref()).arg("-c").arg(script);
            shell.run()
        };
        run(format!("'{ntro}' {line} >/dev/full"))
            .exits(1)
            .complains("error: cannot write to standard output: ")
            .done();
        run(format!("'{ntro}' {line} | true")).success().done();
    }
}

#[test]
fn missing_page_is_named_as_typed() {
    let sandbox = Sandbox::new();
    let refused = sandbox.ntro("man auth nope").run().exits(2);
    refused.complains("no command `ntro auth nope`").done();
}

#[test]
fn dumb_terminal_gets_no_colour() {
    let sandbox = Sandbox::new();
    sandbox.write_config("[connections.local]\nhost = 'http://localhost:1'\n");
    let line = |setting: &str| {
        // The sandbox disables colour everywhere.
        Terminal::shell(
            &sandbox,
            &format!("unset NO_COLOR; {setting} ntro auth list"),
        )
        .end()
        .heard
    };
    assert!(line("TERM=xterm").contains("\u{1b}[1m"));
    assert!(!line("TERM=dumb").contains('\u{1b}'));
}

#[test]
fn short_forms_equal_long_ones() {
    let authority = Authority::start();
    let key = authority.key(Provider::Ntropii, "acme");
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    let host = authority.host(Provider::Ntropii);
    let login = format!("login --no-interactive --store file --host {host} --api-key-stdin");
    sandbox.ntro(&login).input(&key.key).run().success().done();
    let run = |line: &str| sandbox.ntro(line).run().success().stdout;
    assert_eq!(run("whoami -o json"), run("auth whoami -o json"));
    assert_eq!(run("-o json whoami"), run("auth whoami -o json"));
    run("logout");
    sandbox.ntro("whoami").run().exits(4).done();
}
