//! The reference page, made out of the very values that the program works with.

#![allow(
    clippy::disallowed_methods,
    reason = "the page is a file of the repository, and written on request"
)]

mod json;

use std::fmt::Write as _;

use clap::{Arg, Command, Id};
use ntro_base::env;
use ntro_client::config::ConnectionEntry;
use ntro_client::secrets::StoreKind;

use crate::cli::Cli;
use crate::exit::Kind;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference.md");
const UPDATE: &str = "INSTA_UPDATE=always cargo test --bin ntro --test it help";

#[test]
fn the_reference_page_is_the_help_of_every_command() {
    let page = page();
    if std::env::var("INSTA_UPDATE").is_ok_and(|wish| wish == "always") {
        let folder = std::path::Path::new(FILE).parent().unwrap();
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(FILE, page).unwrap();
        return;
    }
    let written = std::fs::read_to_string(FILE).unwrap_or_default();
    let differs = page
        .lines()
        .zip(written.lines())
        .position(|(made, written)| made != written);
    assert!(
        page == written,
        "docs/reference.md is stale from line {}: run {UPDATE}",
        differs.unwrap_or(page.lines().count().min(written.lines().count())) + 1
    );
}

#[test]
fn what_every_command_prints_for_programs_is_described() {
    fn collect(command: &Command, names: &mut Vec<String>) {
        if !command.has_subcommands() {
            let name = command.get_bin_name().unwrap();
            names.push(name.strip_prefix("ntro ").unwrap().to_owned());
        }
        for command in visible(command) {
            collect(command, names);
        }
    }
    let mut root = Cli::tree();
    root.build();
    let mut names = Vec::new();
    collect(&root, &mut names);
    names.retain(|name| !json::WITHOUT.contains(&name.as_str()));
    names.sort();
    let mut described: Vec<_> = json::SHAPES.iter().map(|shape| shape.command).collect();
    described.sort_unstable();
    assert_eq!(names, described);
}

#[test]
fn the_command_tree_is_sound() {
    Cli::tree().debug_assert();
}

fn page() -> String {
    let mut root = Cli::tree();
    root.build();
    let mut page = format!(
        "# Reference\n\n<!-- Made by a test, not by hand. To make it anew: {UPDATE} -->\n\n\
         Every command, what else decides what it does, and what it answers.\n\n\
         With `--output json`, a command prints one JSON value. Every member that is listed is \
         there, also where it is null; a time is a text as in RFC 3339, `2026-11-21T09:08:07Z`. \
         FieldReader may be added.\n\n"
    );
    let commands = visible(&root).map(|command| {
        let name = command.get_bin_name().unwrap_or_default();
        format!(
            "- [`{name}`](#{}): {}\n",
            name.replace(' ', "-"),
            about(command)
        )
    });
    page.extend(commands);
    page.push_str("\n## Global options\n\nEvery command takes them, before or after its name.\n\n");
    let global = root.get_arguments().filter(|arg| arg.is_global_set());
    page.extend(global.map(described));
    let global: Vec<_> = root.get_arguments().map(Arg::get_id).collect();
    for command in visible(&root) {
        section(&mut page, command, 2, &global);
    }
    page.push_str(&exit_codes());
    page.push_str(&variables());
    page.push_str(&configuration());
    page.push_str(&stores());
    page
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|command| command.get_name() != "help" && !command.is_hide_set())
}

fn about(command: &Command) -> String {
    command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// One command and those below it. `known` are options that were described further up.
fn section(page: &mut String, command: &Command, depth: usize, known: &[&Id]) {
    let heading = "#".repeat(depth);
    let name = command.get_bin_name().unwrap_or_default();
    let text = command.get_long_about().or(command.get_about());
    let text = text.map(ToString::to_string).unwrap_or_default();
    let _ = write!(page, "\n{heading} `{name}`\n\n{text}\n");
    for alias in command.get_visible_aliases() {
        let _ = write!(page, "\nAlso called `{alias}`.\n");
    }
    if !command.has_subcommands() {
        let usage = command.clone().render_usage().to_string();
        let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage);
        let _ = write!(page, "\n```text\n{usage}\n```\n");
    }
    let own: Vec<_> = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && !known.contains(&arg.get_id()))
        .filter(|arg| arg.get_id() != "help")
        .collect();
    if !own.is_empty() {
        page.push('\n');
        page.extend(own.iter().copied().map(described));
    }
    if let Some(rules) = command.get_after_long_help() {
        let _ = write!(page, "\n{}\n", rules.to_string().trim());
    }
    let json = name.strip_prefix("ntro ").and_then(json::Shape::of);
    page.extend(json.map(json::Shape::described));
    let known: Vec<_> = known
        .iter()
        .copied()
        .chain(own.iter().map(|arg| arg.get_id()))
        .collect();
    for command in visible(command) {
        section(page, command, depth + 1, &known);
    }
}

/// One argument, as an item of a list.
fn described(arg: &Arg) -> String {
    let mut names = Vec::new();
    names.extend(arg.get_short().map(|short| format!("-{short}")));
    names.extend(arg.get_long().map(|long| format!("--{long}")));
    let mut name = names.join("`, `");
    if arg.get_action().takes_values() {
        let values = arg.get_value_names().unwrap_or_default();
        let values: Vec<_> = values.iter().map(|value| format!("<{value}>")).collect();
        let space = if name.is_empty() { "" } else { " " };
        let _ = write!(name, "{space}{}", values.join(" "));
    }
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let mut text = format!(
        "- `{name}`: {}",
        help.split_whitespace().collect::<Vec<_>>().join(" ")
    );
    if arg.get_action().takes_values() {
        let values: Vec<_> = arg
            .get_possible_values()
            .iter()
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        if !values.is_empty() {
            let _ = write!(text, "; one of {}", values.join(", "));
        }
        let defaults: Vec<_> = arg
            .get_default_values()
            .iter()
            .map(|value| format!("`{}`", value.to_string_lossy()))
            .collect();
        if !defaults.is_empty() {
            let _ = write!(text, " (by default {})", defaults.join(", "));
        }
    }
    text + "\n"
}

fn exit_codes() -> String {
    const KINDS: [Kind; 11] = [
        Kind::Failure,
        Kind::Usage,
        Kind::Config,
        Kind::UnknownConnection,
        Kind::NotAuthenticated,
        Kind::Forbidden,
        Kind::Unreachable,
        Kind::RateLimited,
        Kind::Store,
        Kind::Conflict,
        Kind::Interrupted,
    ];
    let meaning = |kind| match kind {
        Kind::Failure => "any other failure",
        Kind::Usage => "the command line makes no sense",
        Kind::Config => "a file of ours, or what it says, cannot be used",
        Kind::UnknownConnection => "there is no connection of that name",
        Kind::NotAuthenticated => "there is no key or token, or the server does not accept it",
        Kind::Forbidden => "the key or token is good, but not for this",
        Kind::Unreachable => "the server does not answer",
        Kind::RateLimited => "the server limits the rate of calls, after all tries",
        Kind::Store => "the secret store is not there, locked, hung or refusing",
        Kind::Conflict => "something else stands in the way",
        Kind::Interrupted => "interrupted with Ctrl-C",
    };
    let mut text =
        "\n## Exit codes\n\nWith `--output json`, a failure is one line on standard error: \
         `{\"error\":{\"code\",\"message\",\"hint\",\"request_id\"}}`, each of them a text, the last \
         two or null.\n\n\
         | exit code | `code` | what it means |\n| --- | --- | --- |\n| 0 | | fine |\n"
            .to_owned();
    for kind in KINDS {
        let _ = writeln!(
            text,
            "| {} | `{}` | {} |",
            kind.code(),
            kind.as_str(),
            meaning(kind)
        );
    }
    text
}

fn variables() -> String {
    let mut text = "\n## Environment variables\n\nAn empty variable counts as unset.\n\n\
         | variable | what it does |\n| --- | --- |\n"
        .to_owned();
    for variable in env::ALL {
        let _ = writeln!(text, "| `{}` | {} |", variable.name, variable.help);
    }
    text
}

fn configuration() -> String {
    // A key that is added there does not compile here before it has its line below.
    let ConnectionEntry {
        host: _,
        api_key: _,
        default_tenant: _,
        default_entity: _,
        provider: _,
        store: _,
        admin_token_command: _,
        policy: _,
        production: _,
    } = ConnectionEntry::default();
    let keys = [
        (
            "default_connection_name",
            "Connection to use where no other is named",
        ),
        ("connections.NAME.host", "Base URL"),
        (
            "connections.NAME.api_key",
            "API key in the clear: the `plaintext` store",
        ),
        (
            "connections.NAME.default_tenant",
            "Tenant to use where no other is named",
        ),
        (
            "connections.NAME.default_entity",
            "Entity that the official clients use",
        ),
        ("connections.NAME.provider", "`ntropii` or `ontora`"),
        ("connections.NAME.store", "Where the key lies"),
        (
            "connections.NAME.admin_token_command",
            "Program and arguments, as an array, that print a fresh admin JWT for `ntro key` and `ntro auth rotate`, for the server of the login; run without a shell",
        ),
        (
            "connections.NAME.policy",
            "`keyless`: the key is handed to nobody; `confirm`: a person is asked on the terminal before. Of a key in `NTRO_API_KEY` it says nothing",
        ),
        (
            "connections.NAME.production",
            "`true` or `false`: whether changes at the server are to be confirmed. By default, of a connection to a production service of either system, and of one that is called `production` or `prod`, never to this machine",
        ),
        (
            "stores.command",
            "Helpers of the `command` store: see [stores.md](stores.md#the-command-store)",
        ),
    ];
    let mut text =
        "\n## Configuration\n\n`config.toml` lies in `$NTRO_HOME`, or else in `~/.ntro`. \
         It is shared with the official clients, and edited in place.\n\n\
         | key | what it is |\n| --- | --- |\n"
            .to_owned();
    for (key, help) in keys {
        let _ = writeln!(text, "| `{key}` | {help} |");
    }
    text.push_str(
        "\n`.ntro.toml`, in the folder of a project or above, may name a `connection` and a `tenant`, \
         and nothing else. A variable that says something else is told on standard error, or refused with \
         `NTRO_STRICT=1`; an option is taken as it stands. A key that does not reach the tenant is not used.\n\n\
         The official CLI drops `provider`, `store`, `policy`, `production` and `admin_token_command` when it writes \
         the file. `policy` and `production` are therefore noted in `logins.toml`, and hold for an entry that has none \
         of the five any more; the next change by `ntro` puts them back.\n",
    );
    text
}

fn stores() -> String {
    let mut text =
        "\n## Secret stores\n\n| store | where the key lies |\n| --- | --- |\n".to_owned();
    for kind in StoreKind::ALL {
        let _ = writeln!(text, "| `{kind}` | {} |", kind.summary());
    }
    text
}
