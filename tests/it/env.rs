//! `ntro env`: shells evaluate its output to the very values.

use insta::assert_snapshot;

use crate::support::Sandbox;

/// A key with every character that a shell may interpret.
const KEY: &str = r##"ntro_dev_'"`$HOME\n$(id)!#&*?[]{}|;<>~%^=,\"##;

fn with_connections() -> Sandbox {
    let sandbox = Sandbox::new();
    let key = serde_json::to_string(KEY).unwrap();
    sandbox.write_config(&format!(
        "default_connection_name = 'acme'\n\
         [connections.acme]\nhost = \"http://localhost:3000/it's/v1\"\nstore = 'plaintext'\n\
         api_key = {key}\ndefault_tenant = \"größe;$(touch${{IFS}}ran)'’\"\n\
         [connections.globex]\nhost = 'http://localhost:3000'\nprovider = 'ontora'\n\
         store = 'plaintext'\napi_key = 'ont_live_k9Zr4MxQ2bLw'\n\
         [connections.closed]\nhost = 'http://localhost:3000'\nstore = 'plaintext'\n\
         api_key = 'ntro_dev_k9Zr4MxQ2bLw'\npolicy = 'keyless'\n"
    ));
    sandbox
}

/// Evaluates the output of `ntro env` in a shell, and returns the variables of its children.
fn evaluated(sandbox: &Sandbox, shell: &str, line: &str, before: &str) -> Vec<String> {
    let ntro = env!("CARGO_BIN_EXE_ntro");
    let evaluate = match shell {
        "fish" => format!("{ntro} {line} --shell fish | source"),
        _ => format!("eval \"$({ntro} {line})\""),
    };
    let text = format!(
        "{before}{evaluate}\nenv -0 | tr '\\n\\0' '?\\n' | grep -aE '^(NTRO|ONTORA)_'; true"
    );
    let run = sandbox.program(shell.as_ref()).arg("-c").arg(text);
    let outcome = run.run().success();
    assert_eq!(outcome.stderr, "", "{shell}");
    let mut lines: Vec<_> = outcome.stdout.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn values(shells: &[&str]) {
    let sandbox = with_connections();
    for shell in shells {
        let found = evaluated(&sandbox, shell, "env", "");
        assert_eq!(
            found,
            [
                format!("NTRO_API_KEY={KEY}"),
                "NTRO_HOST=http://localhost:3000/it's/v1".to_owned(),
                "NTRO_TENANT=größe;$(touch${IFS}ran)'’".to_owned(),
            ],
            "{shell}"
        );
        // A workspace of another key does not stay.
        let stale = match *shell {
            "fish" => "set -gx ONTORA_WORKSPACE_ID stale\n",
            _ => "export ONTORA_WORKSPACE_ID=stale\n",
        };
        let found = evaluated(&sandbox, shell, "env -c globex", stale);
        assert_eq!(
            found,
            [
                "ONTORA_API_KEY=ont_live_k9Zr4MxQ2bLw",
                "ONTORA_BASE_URL=http://localhost:3000"
            ],
            "{shell}"
        );
        let found = evaluated(&sandbox, shell, "env --unset", stale);
        assert_eq!(found, [] as [&str; 0], "{shell}");
    }
    assert!(!sandbox.home().join("ran").exists());
}

#[test]
fn shells_evaluate_every_value() {
    values(&["sh", "bash"]);
}

#[test]
#[ignore = "needs zsh and fish: run scripts/test"]
fn other_shells_evaluate_every_value() {
    values(&["zsh", "fish"]);
}

#[test]
fn every_shell_has_its_syntax() {
    let sandbox = with_connections();
    let print = |line: &str| sandbox.ntro(&format!("env -c globex {line}")).transcript();
    assert_snapshot!(print(""), @r#"
        exit code: 0
        ----- stdout -----
        export ONTORA_BASE_URL=http://localhost:3000
        export ONTORA_API_KEY=ont_live_k9Zr4MxQ2bLw
        unset ONTORA_WORKSPACE_ID
        "#);
    assert_snapshot!(print("--shell fish"), @r#"
        exit code: 0
        ----- stdout -----
        set -gx ONTORA_BASE_URL 'http://localhost:3000'
        set -gx ONTORA_API_KEY 'ont_live_k9Zr4MxQ2bLw'
        set -e ONTORA_WORKSPACE_ID
        "#);
    assert_snapshot!(print("--shell powershell"), @r#"
        exit code: 0
        ----- stdout -----
        $env:ONTORA_BASE_URL = 'http://localhost:3000'
        $env:ONTORA_API_KEY = 'ont_live_k9Zr4MxQ2bLw'
        $env:ONTORA_WORKSPACE_ID = $null
        "#);
    assert_snapshot!(print("--shell pwsh --unset"), @r#"
        exit code: 0
        ----- stdout -----
        $env:NTRO_HOST = $null
        $env:NTRO_API_KEY = $null
        $env:NTRO_TENANT = $null
        $env:ONTORA_BASE_URL = $null
        $env:ONTORA_API_KEY = $null
        $env:ONTORA_WORKSPACE_ID = $null
        "#);
    assert_snapshot!(print("-o json"), @r#"
        exit code: 0
        ----- stdout -----
        {
          "ONTORA_BASE_URL": "http://localhost:3000",
          "ONTORA_API_KEY": "ont_live_k9Zr4MxQ2bLw",
          "ONTORA_WORKSPACE_ID": null
        }
        "#);
}

#[test]
fn policy_forbids_printing() {
    let sandbox = with_connections();
    sandbox
        .ntro("env -c closed")
        .run()
        .exits(5)
        .complains("the policy of `closed` is `keyless`")
        .done();
    // Nothing is needed to remove variables.
    let outcome = sandbox.ntro("env --unset -c nowhere").run().success();
    assert_eq!(outcome.stdout.lines().count(), 6);
}
