//! Errors for invalid command lines: clap's text for people, JSON for programs.

use std::ffi::OsString;
use std::io::{self, Write as _};

use clap::FromArgMatches as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use ntro_base::{escaped, is_printable};

use crate::cli::Cli;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
use crate::help;
use crate::output;

/// Replaces a redacted word.
const HIDDEN: &str = "…";
/// A longer word may be a secret of any form.
const LONGEST_SHOWN: usize = 40;

/// Prints clap's error, or the help that was asked for, and returns the exit code.
pub(crate) fn report(error: clap::Error, arguments: &[OsString]) -> Exit {
    let mut error = match error.kind() {
        // The version is the same in every tree.
        ErrorKind::DisplayVersion => error,
        _ => explained(arguments),
    };
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return match error.print().and_then(|()| io::stdout().flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let failure = output::cannot_write(&error);
                output::early_failure(&failure, wants_json(arguments));
                Exit::Failure(failure.kind)
            }
            // A closed pipe is not an error.
            _ => Exit::Success,
        };
    }
    hide_secrets(&mut error);
    escape_words(&mut error);
    add_tip(&mut error);
    if wants_json(arguments) {
        let text = error.render().to_string();
        output::json_failure(&split(error.kind(), &text));
    } else {
        let _ = error.print();
    }
    Exit::Failure(Kind::Usage)
}

/// Parses the arguments again, against the whole tree: only that knows every command and suggests
/// similar words.
fn explained(arguments: &[OsString]) -> clap::Error {
    if let Some(page) = help::topic(arguments) {
        return page;
    }
    let mut tree = Cli::tree();
    tree.build();
    help::complete(&mut tree);
    let parsed = tree.try_get_matches_from(arguments);
    match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Err(error) => error,
        Ok(_) => clap::Error::raw(ErrorKind::InvalidValue, "the arguments make no sense\n"),
    }
}

/// Redacts words in an error that may be secrets: a mistyped option may be followed by a key, and
/// output is often logged.
fn hide_secrets(error: &mut clap::Error) {
    let of_host = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => argument.starts_with("--host"),
        _ => false,
    };
    let mut hidden = false;
    for kind in [
        ContextKind::InvalidValue,
        ContextKind::InvalidArg,
        ContextKind::InvalidSubcommand,
    ] {
        let Some(ContextValue::String(word)) = error.get(kind) else {
            continue;
        };
        // A URL may contain a password, wherever it is invalid.
        let is_url = of_host && kind == ContextKind::InvalidValue;
        if is_url || !may_be_shown(word) {
            error.insert(kind, ContextValue::String(HIDDEN.to_owned()));
            hidden = true;
        }
    }
    if hidden {
        // A suggestion repeats the word itself after `--`.
        error.remove(ContextKind::Suggested);
    }
}

/// Words that other programs have, and what does the same here.
const TIPS: [(&str, &str); 15] = [
    ("--json", "`--output json` prints JSON"),
    ("--profile", "`--connection NAME` names the connection"),
    ("--context", "`--connection NAME` names the connection"),
    ("switch", "`ntro auth use NAME` sets the default connection"),
    ("select", "`ntro auth use NAME` sets the default connection"),
    ("use", "`ntro auth use NAME` sets the default connection"),
    ("ls", "`ntro auth list` lists the connections"),
    ("list", "`ntro auth list` lists the connections"),
    ("connection", "`ntro auth list` lists the connections"),
    ("connections", "`ntro auth list` lists the connections"),
    ("profiles", "`ntro auth list` lists the connections"),
    ("status", "`ntro auth status` checks the key"),
    ("token", "`ntro auth token` prints the key"),
    ("rotate", "`ntro auth rotate` replaces the key"),
    ("delete", "`ntro auth remove NAME` removes a connection"),
];

/// Adds what a word of other programs is called here.
fn add_tip(error: &mut clap::Error) {
    let kinds = [ContextKind::InvalidArg, ContextKind::InvalidSubcommand];
    let word = kinds.into_iter().find_map(|kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.as_str()),
        _ => None,
    });
    let is_known = |known: &str| word.and_then(|word| word.split('=').next()) == Some(known);
    if let Some((_, tip)) = TIPS.iter().find(|(known, _)| is_known(known))
        && matches!(
            error.kind(),
            ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand
        )
    {
        error.remove(ContextKind::SuggestedArg);
        error.remove(ContextKind::SuggestedSubcommand);
        error.insert(
            ContextKind::Suggested,
            ContextValue::StyledStrs(vec![(*tip).into()]),
        );
    }
}

/// Escapes invisible characters in the words that an error repeats.
fn escape_words(error: &mut clap::Error) {
    let escape = |word: &String| escaped(word).into_owned();
    let repeated = error.context().filter_map(|(kind, value)| match value {
        ContextValue::String(word) if !is_printable(word) => {
            Some((kind, ContextValue::String(escape(word))))
        }
        ContextValue::Strings(words) if !words.iter().all(|word| is_printable(word)) => {
            let words = words.iter().map(escape);
            Some((kind, ContextValue::Strings(words.collect())))
        }
        _ => None,
    });
    let repeated: Vec<_> = repeated.collect();
    if !repeated.is_empty() {
        // A suggestion repeats the word itself after `--`.
        error.remove(ContextKind::Suggested);
    }
    for (kind, value) in repeated {
        error.insert(kind, value);
    }
}

fn may_be_shown(word: &str) -> bool {
    let marks = ["@", "ntro_", "ont_", "eyJ"];
    word.chars().count() <= LONGEST_SHOWN && !marks.iter().any(|mark| word.contains(mark))
}

/// Returns whether JSON is requested anywhere in arguments that cannot be parsed.
fn wants_json(arguments: &[OsString]) -> bool {
    let words: Vec<_> = arguments
        .iter()
        .skip(1)
        .take_while(|word| *word != "--")
        .filter_map(|word| word.to_str())
        .collect();
    words.iter().enumerate().any(|(index, word)| {
        let next = words.get(index + 1).copied();
        // `-o` may follow `-q` in one word, with its value in the same word.
        let short = word
            .strip_prefix('-')
            .and_then(|word| word.trim_start_matches('q').strip_prefix('o'))
            .map(|value| value.strip_prefix('=').unwrap_or(value));
        let value = match (short, word.strip_prefix("--output")) {
            (Some(""), _) | (_, Some("")) => next,
            (Some(value), _) => Some(value),
            (None, Some(value)) => value.strip_prefix('='),
            (None, None) => None,
        };
        value == Some("json")
    })
}

/// Splits clap's text into message and hint.
fn split(kind: ErrorKind, text: &str) -> CliError {
    if kind == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return CliError::usage("a command is missing").hint("see `ntro --help` for the commands");
    }
    let mut paragraphs = text.split("\n\n");
    let message = paragraphs.next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let mut message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut hint = "see `--help`".to_owned();
    for paragraph in paragraphs.map(str::trim) {
        if let Some(usage) = paragraph.strip_prefix("Usage: ") {
            hint = format!("usage: {usage}");
        } else if let Some(tip) = paragraph.strip_prefix("tip: ") {
            message = format!("{message} ({tip})");
        }
    }
    CliError::usage(message).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(line: &str) -> clap::Error {
        let arguments: Vec<_> = line.split(' ').map(OsString::from).collect();
        let mut error = explained(&arguments);
        hide_secrets(&mut error);
        escape_words(&mut error);
        add_tip(&mut error);
        error
    }

    #[test]
    fn word_of_other_programs_gets_tip() {
        for (line, tip) in [
            ("ntro auth list --json", "tip: `--output json` prints JSON"),
            ("ntro auth switch x", "tip: `ntro auth use NAME` sets"),
            ("ntro connections", "tip: `ntro auth list` lists"),
            ("ntro ls", "tip: `ntro auth list` lists"),
            ("ntro --json", "tip: `--output json` prints JSON"),
        ] {
            let said = said(line);
            assert!(said.contains(tip), "{line}: {said}");
            assert_eq!(said.matches("tip:").count(), 1, "{line}: {said}");
        }
    }

    fn said(line: &str) -> String {
        reported(line).render().to_string()
    }

    /// Returns the words that name each command, with its options that take a value.
    fn commands(command: &clap::Command, words: &str, found: &mut Vec<(String, Vec<String>)>) {
        let options = command
            .get_arguments()
            .filter_map(|option| option.get_long());
        found.push((words.to_owned(), options.map(str::to_owned).collect()));
        for below in command.get_subcommands() {
            commands(below, &format!("{words} {}", below.get_name()), found);
        }
    }

    #[test]
    fn repeated_words_are_escaped() {
        const HIDDEN: &str = "x\u{1b}[2J\u{9b}31m\u{202e}\u{200b}\u{7}\u{e0041}";
        let mut tree = Cli::tree();
        tree.build();
        let mut found = Vec::new();
        commands(&tree, "ntro", &mut found);
        let mut seen = std::collections::BTreeSet::new();
        for (words, mut options) in found {
            options.retain(|option| seen.insert(option.clone()));
            let mut lines = vec![
                format!("{words} {HIDDEN} {HIDDEN} {HIDDEN} {HIDDEN}"),
                format!("{words} --{HIDDEN}"),
            ];
            for option in options {
                lines.push(format!("{words} --{option}={HIDDEN}"));
            }
            for line in lines {
                let said = reported(&line).render().ansi().to_string();
                // The colours of clap itself.
                let said = said.split('\n').map(|line| {
                    let mut parts = line.split("\u{1b}[");
                    let first = parts.next().unwrap_or_default().to_owned();
                    let rest =
                        parts.map(|part| part.split_once('m').map_or(part, |(_, text)| text));
                    first + &rest.collect::<String>()
                });
                for said in said {
                    assert!(is_printable(&said), "{line:?}: {said:?}");
                    assert!(
                        !said.contains("[2J") || said.contains("<U+001B>[2J"),
                        "{said:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn json_option_is_found_anywhere() {
        let wants = |line: &str| {
            let words: Vec<_> = line.split(' ').map(OsString::from).collect();
            wants_json(&words)
        };
        for line in [
            "ntro -o json x",
            "ntro x -ojson",
            "ntro x --output json",
            "ntro --output=json",
            "ntro x -o=json",
            "ntro -qo json",
            "ntro -qojson",
        ] {
            assert!(wants(line), "{line}");
        }
        for line in [
            "ntro -o text json",
            "ntro json",
            "ntro -- -o json",
            "ntro --outputs=json",
            "ntro -o",
            "-o json",
        ] {
            assert!(!wants(line), "{line}");
        }
    }

    #[test]
    fn no_secret_is_repeated() {
        for line in [
            "ntro --host https://ada:hunter2@example.com auth list",
            "ntro --host ada:hunter2@example.com auth list",
            "ntro --host https://example.com:hunter2 auth list",
            "ntro auth list ntro_prod_hunter2",
            "ntro ont_live_hunter2",
            "ntro -c ntro_prod_hunter2 auth use eyJhunter2.a.b x",
            "ntro -o ont_hunter2 auth list",
            "ntro auth login --store=ntro_dev_hunter2",
            "ntro auth --ntro_dev_hunter2",
        ] {
            let said = said(line);
            assert!(!said.contains("hunter2"), "{line}: {said}");
        }
    }

    #[test]
    fn harmless_word_is_repeated() {
        assert!(said("ntro auth lisst").contains("'lisst'"));
        assert!(said("ntro -o yaml auth list").contains("'yaml'"));
    }
}
