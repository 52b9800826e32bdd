//! What commands print for programs, held to the tables of the reference page.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use ntro_base::Provider;
use serde_json::Value;

use crate::support::{Authority, Outcome, Sandbox};

const PAGE: &str = include_str!("../../docs/reference.md");

/// Of every command that has a table, the types of its members by their paths.
struct Page(BTreeMap<String, BTreeMap<String, String>>);

impl Page {
    fn read() -> Self {
        let mut page = BTreeMap::<_, BTreeMap<_, _>>::new();
        let (mut command, mut in_table) = (String::new(), false);
        for line in PAGE.lines() {
            if let Some(heading) = line.trim_start_matches('#').strip_prefix(" `ntro ") {
                command = heading.trim_end_matches('`').to_owned();
            }
            in_table = match line {
                "| member | type | what it is |" => true,
                "" => false,
                _ => in_table,
            };
            let mut cells = line.split(" | ");
            if let (true, Some(name), Some(kind)) = (in_table, cells.next(), cells.next())
                && let Some(name) = name.strip_prefix("| `")
            {
                let members = page.entry(command.clone()).or_default();
                members.insert(name.trim_end_matches('`').to_owned(), kind.to_owned());
            }
        }
        Self(page)
    }

    /// Holds a value that a command has printed to its table.
    #[track_caller]
    fn hold(&mut self, command: &str, printed: &Value) {
        let Some(members) = self.0.get_mut(command) else {
            panic!("`ntro {command}` has no table in the reference");
        };
        let objects = match printed {
            Value::Array(objects) => objects.as_slice(),
            object => std::slice::from_ref(object),
        };
        assert!(!objects.is_empty(), "{command}: nothing was printed");
        for object in objects {
            let mut seen = Vec::new();
            look(command, object, "", members, &mut seen);
            for name in members.keys() {
                let (above, _) = name.rsplit_once('.').unwrap_or_default();
                // What is in a list that is empty or null is not there.
                let there = above.is_empty() || !above.ends_with("[]");
                assert!(!there || seen.contains(name), "{command}: no {name}");
            }
        }
    }
}

fn look(
    command: &str,
    object: &Value,
    path: &str,
    members: &BTreeMap<String, String>,
    seen: &mut Vec<String>,
) {
    for (name, value) in object.as_object().unwrap() {
        let path = format!("{path}{name}");
        let Some(kind) = members.get(&path) else {
            panic!("{command}: `{path}` is not in the reference");
        };
        assert!(fits(kind, value), "{command}: {path}: {value} is no {kind}");
        match value {
            Value::Object(_) => look(command, value, &format!("{path}."), members, seen),
            Value::Array(items) if items.iter().all(Value::is_object) => {
                for item in items {
                    look(command, item, &format!("{path}[]."), members, seen);
                }
            }
            _ => {}
        }
        seen.push(path);
    }
}

fn fits(kind: &str, value: &Value) -> bool {
    let (kind, may_be_null) = match kind.strip_suffix(" or null") {
        Some(kind) => (kind, true),
        None => (kind, false),
    };
    match (kind, value) {
        (_, Value::Null) => may_be_null,
        ("text", value) => value.is_string(),
        ("number", value) => value.is_number(),
        ("boolean", value) => value.is_boolean(),
        ("object", value) => value.is_object(),
        ("time", Value::String(time)) => time.parse::<jiff::Timestamp>().is_ok(),
        ("array of text", Value::Array(items)) => items.iter().all(Value::is_string),
        ("array of objects", Value::Array(items)) => items.iter().all(Value::is_object),
        (names, Value::String(name)) => names.contains(&format!("`{name}`")),
        _ => false,
    }
}

/// A home that is logged in at an authority with a key of each provider.
struct Story {
    sandbox: Sandbox,
    authority: Authority,
    page: Page,
}

impl Story {
    fn run(&self, line: &str) -> Outcome {
        self.sandbox.ntro(&format!("{line} -o json")).run()
    }

    /// Runs a line, whose first words are the command, and holds what it prints to the reference.
    #[track_caller]
    fn hold(&mut self, command: &str, options: &str) -> Value {
        let printed = self.run(&format!("{command} {options}")).success().json();
        self.page.hold(command, &printed);
        printed
    }
}

#[test]
fn every_command_prints_what_the_reference_says() {
    let authority = Authority::start();
    let mut sandbox = Sandbox::new();
    sandbox.make_identity();
    sandbox.set("NTRO_ADMIN_TOKEN", authority.admin_token());
    let mut story = Story {
        sandbox,
        authority,
        page: Page::read(),
    };
    let named = story.page.0.keys().cloned().collect::<Vec<_>>();
    let mut held = Vec::new();
    for (provider, name) in [(Provider::Ntropii, "local"), (Provider::Ontora, "research")] {
        let key = story.authority.key(provider, "acme-fund-admin");
        let host = story.authority.host(provider);
        let login = format!("--no-interactive --store file --name {name} --host {host}");
        let login = format!("auth login --api-key-stdin {login} -o json");
        let login = story.sandbox.ntro(&login).input(&key.key).run().success();
        story.page.hold("auth login", &login.json());
    }
    held.push("auth login");
    for (command, options) in [
        ("auth whoami", ""),
        ("auth whoami", "-c research"),
        ("auth list", ""),
        ("auth status", "--all"),
        ("auth use", "research"),
        ("auth use", "local"),
        ("auth test", ""),
        ("auth token", ""),
        ("auth explain", ""),
        ("tenant list", ""),
        ("tenant info", "acme-fund-admin"),
        ("tenant use", "acme-fund-admin"),
        ("key list", ""),
        ("key list", "-c research"),
        ("key current", ""),
        ("key current", "-c research"),
        ("auth rotate", "--dry-run"),
        ("auth rotate", ""),
        ("auth rotate", "--all --older-than 60d"),
        ("auth rotate", "--all --grace 1h --no-wait"),
        ("auth rotate", "local --grace 0s"),
        ("auth rotate", "research --abandon"),
        ("auth migrate", "--all --to plaintext"),
        ("auth migrate", "local --to plaintext --dry-run"),
        ("auth rename", "research other"),
        ("auth logout", "other"),
        ("auth remove", "other"),
        ("doctor", "--offline"),
        ("admin organisation create", "Acme"),
        ("admin organisation list", ""),
        ("admin tenant create", "acme"),
        ("admin tenant list", ""),
        ("admin tenant suspend", "acme"),
        ("admin tenant resume", "acme"),
        (
            "admin key create",
            "--provider ontora --scope * --tenant acme",
        ),
        ("admin key list", ""),
        ("admin token", ""),
    ] {
        story.hold(command, options);
        held.push(command);
    }
    let made = story.hold("key create", "--name x");
    let id = made["id"].as_str().unwrap();
    story.hold("key revoke", &format!("{id} --yes"));
    let keys = story.hold("admin key list", "");
    let id = keys[0]["id"].as_str().unwrap();
    story.hold("admin key revoke", id);
    held.extend(["key create", "key revoke", "admin key revoke"]);
    for (command, options) in [
        ("serve", "--listen 127.0.0.1:0 --database sqlite:serve.db"),
        ("dev", "--listen 127.0.0.1:0 --ephemeral"),
    ] {
        let sandbox = Sandbox::new();
        let printed = first_value(&sandbox, &format!("{command} {options}"));
        story.page.hold(command, &printed);
        held.push(command);
    }
    let missing = named.iter().filter(|name| !held.contains(&name.as_str()));
    assert_eq!(missing.collect::<Vec<_>>(), [] as [&String; 0]);
}

/// Returns the first value that a command prints which then goes on.
fn first_value(sandbox: &Sandbox, line: &str) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ntro"));
    sandbox.prepare(&mut command);
    let mut process = command
        .args(line.split(' '))
        .args(["-o", "json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut text = String::new();
    while let Some(Ok(line)) = lines.next() {
        text.push_str(&line);
        // The value is printed over several lines, the last of which is not indented.
        if line == "}" {
            break;
        }
    }
    process.kill().unwrap();
    process.wait().unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{line}: {error}: {text}"))
}
