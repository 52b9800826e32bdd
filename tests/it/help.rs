//! `--help` of every command, found by walking the tree as a reader would.
//!
//! `INSTA_UPDATE=always cargo test --bin ntro --test it help` writes what is new or has changed,
//! `docs/reference.md` included.

use std::collections::BTreeSet;

use crate::support::{Sandbox, project};

const FOLDER: &str = "tests/it/snapshots";

#[test]
fn every_command_explains_itself() {
    let sandbox = Sandbox::new();
    let mut names = BTreeSet::new();
    let mut paths = vec![String::new()];
    while let Some(path) = paths.pop() {
        let help = sandbox
            .ntro(&format!("{path} --help"))
            .run()
            .success()
            .stdout;
        assert!(help.is_ascii() || help.contains('…'), "{help}");
        for command in commands(&help) {
            paths.push(format!("{path} {command}"));
        }
        let name = format!("help-ntro{}", path.replace(' ', "-"));
        insta::assert_snapshot!(name.as_str(), help);
        names.insert(name);
    }
    for (name, line) in [
        ("short-ntro", "-h"),
        ("short-ntro-auth-login", "auth login -h"),
    ] {
        let help = sandbox.ntro(line).run().success().stdout;
        insta::assert_snapshot!(name, help);
    }
    assert!(names.len() > 20, "{names:?}");
    assert_eq!(sandbox.files(), Vec::<String>::new());

    // What is left of a command that went.
    for entry in std::fs::read_dir(project(FOLDER)).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let name = file
            .strip_prefix("it__help__")
            .and_then(|file| file.strip_suffix(".snap"));
        let stale = name.is_some_and(|name| name.starts_with("help-") && !names.contains(name));
        assert!(!stale, "{FOLDER}/{file}: there is no such command");
    }
}

#[test]
fn version_is_told_without_looking_at_anything() {
    let sandbox = Sandbox::new();
    sandbox.write_config("this is not TOML");
    let version = format!("ntro {}\n", env!("CARGO_PKG_VERSION"));
    for line in ["--version", "-V", "-o json --version"] {
        assert_eq!(sandbox.ntro(line).run().success().stdout, version);
    }
    sandbox
        .ntro("auth login --help")
        .run()
        .success()
        .says("Usage: ntro auth login")
        .done();
}

/// The commands that a help text lists, but for `help` itself.
fn commands(help: &str) -> Vec<&str> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  "))
        // The second line of a long description stands further in.
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect()
}
