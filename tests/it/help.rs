//! `--help` of every command, found by walking the tree as a reader would, compared with
//! `docs/reference.md`.

use std::collections::BTreeSet;

use crate::support::{Sandbox, project};

/// Section of the reference page about one command.
#[derive(Default)]
struct Section {
    /// Paragraphs.
    text: Vec<String>,
    /// Line below `Usage:`, which groups of commands do not have.
    usage: Option<String>,
    /// Options and arguments.
    items: Vec<Item>,
    /// Lines of the examples.
    examples: Vec<String>,
}

struct Item {
    /// Such as `-n, --name <NAME>`.
    name: String,
    description: String,
    /// Possible and default values.
    values: Vec<String>,
}

impl Section {
    /// Returns the section below a heading, up to the description of its JSON.
    fn read(page: &str, heading: &str) -> Option<Self> {
        let mut section = Self::default();
        let mut lines = page.lines().skip_while(|line| *line != heading);
        lines.next()?;
        while let Some(line) = lines.next() {
            if line.starts_with('#') || line.starts_with("With `--output json`:") {
                break;
            } else if line == "```text" {
                section.usage = lines.next().map(str::to_owned);
                lines.next();
            } else if line == "```sh" {
                let examples = lines.by_ref().take_while(|line| *line != "```");
                section.examples.extend(examples.map(str::to_owned));
            } else if let Some(item) = line.strip_prefix("- `") {
                section.items.push(Item::read(item));
            } else if !line.is_empty() && !line.starts_with("Also called") {
                section.text.push(line.to_owned());
            }
        }
        Some(section)
    }
}

impl Item {
    fn read(line: &str) -> Self {
        let (name, rest) = line.split_once("`: ").unwrap();
        let (rest, default) = match rest.split_once(" (by default ") {
            Some((rest, default)) => (rest, default.trim_end_matches(')')),
            None => (rest, ""),
        };
        let (description, values) = rest.split_once("; one of ").unwrap_or((rest, ""));
        let values = values.split(", ").chain([default]);
        Self {
            name: name.replace("`, `", ", "),
            description: description.to_owned(),
            values: values
                .filter(|value| !value.is_empty())
                .map(|value| value.trim_matches('`').to_owned())
                .collect(),
        }
    }
}

/// Help text of one command.
struct Help {
    /// Lines without their indentation.
    lines: Vec<String>,
    /// Whole text with single spaces, which line breaks do not change.
    flat: String,
}

impl Help {
    fn new(text: &str) -> Self {
        Self {
            lines: text.lines().map(|line| line.trim().to_owned()).collect(),
            flat: text.split_whitespace().collect::<Vec<_>>().join(" "),
        }
    }

    fn has(&self, text: &str) -> bool {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        self.flat.contains(&text)
    }

    /// Returns whether a line stands as it is, whatever its indentation.
    fn has_line(&self, line: &str) -> bool {
        self.lines.iter().any(|own| own == line.trim())
    }

    /// Returns whether a line is the name of an option or argument.
    fn has_item(&self, name: &str) -> bool {
        let optional = name.replace('<', "[").replace('>', "]");
        let mut lines = self.lines.iter();
        lines.any(|line| match line.strip_prefix(&optional) {
            Some(end) if name.starts_with('<') => ["", "..."].contains(&end),
            _ => line == name,
        })
    }
}

#[test]
fn help_of_every_command_matches_reference() {
    let sandbox = Sandbox::new();
    let page = std::fs::read_to_string(project("docs/reference.md")).unwrap();
    let global = Section::read(&page, "## Global options").unwrap();
    let mut names = BTreeSet::new();
    let mut paths = vec![(String::new(), BTreeSet::new())];
    while let Some((path, mut known)) = paths.pop() {
        let run = sandbox.ntro(&format!("{path} --help")).run().success();
        let text = run.stdout;
        assert!(text.is_ascii() || text.contains('…'), "{text}");
        let help = Help::new(&text);
        for item in &global.items {
            matches(&help, item, &path);
            known.insert(item.name.clone());
        }
        if !path.is_empty() {
            let heading = format!("{} `ntro{path}`", "#".repeat(path.split(' ').count()));
            let section = Section::read(&page, &heading);
            let section = section.unwrap_or_else(|| panic!("no section {heading}"));
            for paragraph in &section.text {
                assert!(help.has(paragraph), "{path}: {paragraph}\n{text}");
            }
            if let Some(usage) = &section.usage {
                assert!(help.has(&format!("Usage: {usage}")), "{path}: {usage}");
            }
            for item in &section.items {
                matches(&help, item, &path);
                known.insert(item.name.clone());
            }
            assert!(!section.examples.is_empty(), "{path}: no examples");
            for line in &section.examples {
                assert!(help.has_line(line), "{path}: {line}\n{text}");
            }
        }
        for option in options(&text) {
            let is_clap = ["-h, --help", "-V, --version"].contains(&option);
            assert!(is_clap || known.contains(option), "{path}: {option}");
        }
        for command in commands(&text) {
            let path = format!("{path} {command}");
            paths.push((path.clone(), known.clone()));
            names.insert(path);
        }
    }
    assert!(names.len() > 20, "{names:?}");
    for line in page.lines() {
        if let Some((_, path)) = line.split_once("# `ntro")
            && let Some(path) = path.strip_suffix('`')
        {
            assert!(names.remove(path), "{line}: there is no such command");
        }
    }
    assert_eq!(names, BTreeSet::new());
    assert_eq!(sandbox.files(), Vec::<String>::new());
}

fn matches(help: &Help, item: &Item, path: &str) {
    assert!(help.has_item(&item.name), "{path}: no {}", item.name);
    let texts = item.values.iter().chain([&item.description]);
    for text in texts {
        assert!(help.has(text), "{path}: {}: {text}", item.name);
    }
}

#[test]
fn short_help_leaves_out_rare_options() {
    let sandbox = Sandbox::new();
    for (name, line) in [
        ("short-ntro", "-h"),
        ("short-ntro-auth-login", "auth login -h"),
    ] {
        let help = sandbox.ntro(line).run().success().stdout;
        insta::assert_snapshot!(name, help);
    }
}

#[test]
fn help_topics_match_reference() {
    let sandbox = Sandbox::new();
    let page = std::fs::read_to_string(project("docs/reference.md")).unwrap();
    let root = sandbox.ntro("--help").run().success().stdout;
    for (topic, heading) in [
        ("environment", "## Environment variables"),
        ("exit-codes", "## Exit codes"),
        ("files", "## Files"),
        ("precedence", "## Precedence"),
    ] {
        assert!(root.contains(&format!("ntro help {topic} ")), "{root}");
        let line = format!("help {topic}");
        let text = sandbox.ntro(&line).run().success().stdout;
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert!(text.lines().all(|line| line.chars().count() <= 100));
        let help = Help::new(&text);
        let section = page.split_once(heading).unwrap().1;
        let section = section.split("\n## ").next().unwrap();
        let mut rows = 0;
        for line in section.lines().filter(|line| !line.is_empty()) {
            let Some(row) = line.strip_prefix("| ") else {
                assert!(help.has(line), "{topic}: {line}\n{text}");
                continue;
            };
            rows += 1;
            // The first two rows are the head.
            if rows > 2 {
                let row = row.strip_suffix('|').unwrap();
                let cells: Vec<_> = row.split('|').map(str::trim).collect();
                let (description, names) = cells.split_last().unwrap();
                let names = names.join(" ").replace('`', "");
                assert!(help.has_line(&names), "{topic}: {names}\n{text}");
                assert!(help.has(description), "{topic}: {description}\n{text}");
            }
        }
        assert!(rows > 5, "{topic}");
    }
    let unknown = sandbox.ntro("help topics").run().exits(2);
    unknown.complains("unrecognized subcommand 'topics'").done();
}

#[test]
fn precedence_matches_explain() {
    let sandbox = Sandbox::new();
    sandbox.write_config(concat!(
        "default_connection_name = 'local'\n[connections.local]\n",
        "host = 'http://localhost:1/v1'\napi_key = 'ntro_dev_x'\ndefault_tenant = 'acme'\n",
    ));
    let pin = sandbox.home().join(".ntro.toml");
    std::fs::write(pin, "connection = 'local'\ntenant = 'acme'\n").unwrap();
    let explained = sandbox.ntro("auth explain -o json").run().success().json();
    let topic = sandbox.ntro("help precedence").run().success().stdout;
    let topic = Help::new(&topic);
    for (value, field) in [
        ("connection", "connection"),
        ("host", "host"),
        ("API key", "key"),
        ("tenant", "tenant"),
    ] {
        let start = topic.lines.iter().position(|line| line == value).unwrap();
        let sources = topic.lines[start + 1..].iter();
        let sources: Vec<_> = sources.take_while(|line| line.contains('`')).collect();
        let sources = sources.into_iter().map(String::as_str);
        let sources = sources.collect::<Vec<_>>().join(" ");
        let mut known = explained[field]["sources"].as_array().unwrap().iter();
        for source in sources.split(" · ") {
            let Some(name) = source.split('`').nth(1) else {
                // A secret store, or the server's answer.
                continue;
            };
            let same = |known: &serde_json::Value| known["source"].as_str().unwrap().contains(name);
            assert!(known.any(same), "{value}: {source} in {explained}");
        }
    }
}

#[test]
fn version_reads_no_file() {
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

/// Returns the options that a help text lists, such as `-n, --name <NAME>`.
fn options(help: &str) -> impl Iterator<Item = &str> {
    help.lines().filter_map(|line| {
        let option = line.trim_start();
        let indentation = line.len() - option.len();
        (option.starts_with('-') && [2, 6].contains(&indentation)).then_some(option)
    })
}

/// Returns the commands that a help text lists, except `help`.
fn commands(help: &str) -> Vec<&str> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  "))
        // The second line of a long description is indented further.
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect()
}
