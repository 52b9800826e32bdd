//! Untrusted text: nothing invisible is printed, and no two names look alike.

use std::collections::BTreeSet;

use ntro_base::is_printable;

use crate::support::{Outcome, Sandbox};

/// Names that a careless program shows as `prod`.
fn lookalikes() -> BTreeSet<String> {
    let hidden = [
        '\u{1}'..='\u{1f}',
        '\u{7f}'..='\u{a0}',
        '\u{ad}'..='\u{ad}',
        '\u{34f}'..='\u{34f}',
        '\u{115f}'..='\u{1160}',
        '\u{180b}'..='\u{180f}',
        '\u{2000}'..='\u{200f}',
        '\u{2028}'..='\u{202f}',
        '\u{205f}'..='\u{206f}',
        '\u{2800}'..='\u{2800}',
        '\u{3000}'..='\u{3000}',
        '\u{3164}'..='\u{3164}',
        '\u{fe00}'..='\u{fe0f}',
        '\u{feff}'..='\u{feff}',
        '\u{e0000}'..='\u{e007f}',
        '\u{e0100}'..='\u{e0110}',
    ];
    let hidden = hidden.into_iter().flatten();
    let hidden = hidden.map(|character| format!("pr{character}od"));
    let plain = ["prod", " prod", "prod ", "pr od", "pr  od", "pr<U+200B>od"];
    hidden.chain(plain.map(str::to_owned)).collect()
}

fn quoted(name: &str) -> String {
    let escaped = name.chars().map(|c| format!("\\U{:08x}", u32::from(c)));
    format!("\"{}\"", escaped.collect::<String>())
}

#[track_caller]
fn assert_visible(outcome: &Outcome) {
    for line in outcome.stdout.lines().chain(outcome.stderr.lines()) {
        assert!(is_printable(line), "`{}`: {line:?}", outcome.line);
    }
}

#[test]
fn names_of_files_print_distinctly() {
    let sandbox = Sandbox::new();
    let names = lookalikes();
    let mut config = String::new();
    for name in &names {
        let name = quoted(name);
        config += &format!("[connections.{name}]\nhost = 'http://localhost:1/v1'\n");
    }
    let odd = quoted("a\u{202e}\u{9b}b");
    config += &format!("[connections.odd]\nhost = {odd}\nprovider = {odd}\nstore = {odd}\n");
    config += &format!("default_tenant = {odd}\n");
    sandbox.write_config(&config);

    for command in [
        "auth list",
        "auth list -o json",
        "auth status --all",
        "auth status --all -o json",
        "auth explain -c odd",
        "auth explain -c odd -o json",
        "auth whoami -c odd",
        "auth whoami -c pro",
        "auth whoami",
        "auth use pro",
        "auth logout --all",
        "auth migrate --all --to plaintext",
        "doctor --offline",
        "doctor --offline -o json",
    ] {
        assert_visible(&sandbox.ntro(command).run());
    }
    for run in [
        sandbox.ntro("auth use").arg("pr\u{200b}od"),
        sandbox.ntro("auth").arg("\u{9b}31m\u{202e}"),
        sandbox.ntro("auth list -o json").arg("\u{9b}31m\u{202e}"),
        sandbox
            .ntro("auth explain")
            .env("NTRO_CONNECTION", "pr\u{202e}od"),
        sandbox
            .ntro("auth explain")
            .env("NTRO_HOST", "pr\u{202e}od"),
        sandbox
            .ntro("auth explain -c odd")
            .env("NTRO_TENANT", "pr\u{202e}od"),
    ] {
        assert_visible(&run.run());
    }
    let list = sandbox.ntro("auth list").run().success();
    let lines: BTreeSet<_> = list.stdout.lines().collect();
    assert_eq!(lines.len(), names.len() + 2);
    let list = sandbox.ntro("auth list -o json").run().success().json();
    let listed = list.as_array().unwrap().iter();
    let listed: BTreeSet<_> = listed
        .map(|row| row["connection"].as_str().unwrap().to_owned())
        .collect();
    assert!(listed.is_superset(&names));
}

#[test]
fn invisible_names_are_refused() {
    let sandbox = Sandbox::new();
    for name in [
        "prod\u{202e}uction",
        "prod\u{200b}",
        "prod\u{2028}",
        "\u{feff}prod",
    ] {
        let login = sandbox
            .ntro("auth login --no-verify --store plaintext --api-key-stdin --host localhost:1")
            .arg("--name")
            .arg(name)
            .input("ntro_dev_key")
            .run()
            .exits(2)
            .complains("the connection name contains U+");
        assert_visible(&login);
    }
    assert_eq!(sandbox.files(), Vec::<String>::new());
}
