//! The texts that `--help`, `ntro help TOPIC`, the manual pages and the reference page share. They
//! are built only when one of them is shown.

mod examples;
mod topics;

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::Command;
use clap::builder::StyledStr;
use clap::error::ErrorKind;

pub(crate) use self::examples::{Example, script};
pub(crate) use self::topics::Topic;

/// Adds the examples to the `--help` of every command in a built tree, and the topics to the help of
/// the program.
pub(crate) fn complete(tree: &mut Command) {
    let heading = *tree.get_styles().get_header();
    let mut topics = StyledStr::new();
    let _ = write!(topics, "{heading}Help topics:{heading:#}");
    for topic in Topic::all() {
        let line = format!("ntro help {}", topic.name);
        let _ = write!(topics, "\n  {line:<23}{}", topic.about);
    }
    add_examples(tree);
    let examples = tree.get_after_long_help();
    let all = examples.map(|examples| format!("{}\n\n{}", examples.ansi(), topics.ansi()));
    let root = std::mem::take(tree);
    *tree = root
        .after_help(topics)
        .after_long_help(all.unwrap_or_default());
}

fn add_examples(command: &mut Command) {
    command.get_subcommands_mut().for_each(add_examples);
    let script = script(path(command));
    if script.is_empty() {
        return;
    }
    let heading = *command.get_styles().get_header();
    let mut text = StyledStr::new();
    let _ = write!(text, "{heading}Examples:{heading:#}");
    for line in script.lines() {
        let indentation = if line.is_empty() { "" } else { "  " };
        let _ = write!(text, "\n{indentation}{line}");
    }
    *command = std::mem::take(command).after_long_help(text);
}

/// Returns the words that name a command of a built tree, without the program's.
pub(crate) fn path(command: &Command) -> &str {
    let name = command.get_bin_name().unwrap_or_default();
    name.strip_prefix("ntro").unwrap_or(name).trim_start()
}

/// Returns the page of a topic, as clap's answer to `ntro help TOPIC`.
pub(crate) fn topic(arguments: &[OsString]) -> Option<clap::Error> {
    let [.., help, name] = arguments else {
        return None;
    };
    let topic = Topic::all().into_iter().find(|topic| name == topic.name);
    let topic = topic.filter(|_| help == "help")?;
    let page = Command::new("ntro")
        .max_term_width(100)
        .help_template("{about}\n")
        .about(topic.text());
    let help = page.try_get_matches_from(["ntro", "--help"]);
    help.err()
        .filter(|help| help.kind() == ErrorKind::DisplayHelp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;

    fn commands(command: &Command, paths: &mut Vec<String>) {
        paths.push(path(command).to_owned());
        let below = command.get_subcommands();
        for command in
            below.filter(|command| command.get_name() != "help" && !command.is_hide_set())
        {
            commands(command, paths);
        }
    }

    /// The command lines of `ntro` in an example, without those of other programs.
    fn lines(example: &Example) -> Vec<Vec<OsString>> {
        let joined = example.line.replace("\\\n", " ");
        let parts = joined.split(['|', '<', '>', ')', '(', '\'', '&', '\n']);
        // A variable may precede the program.
        let lines = parts.filter_map(|line| line.find("ntro ").map(|start| &line[start..]));
        lines.map(words).collect()
    }

    /// The words of a line; one in quotation marks may have spaces.
    fn words(line: &str) -> Vec<OsString> {
        let parts = line.split('"').enumerate();
        let words = parts.flat_map(|(index, part)| match index % 2 {
            0 => part.split_whitespace().collect(),
            _ => vec![part],
        });
        words.map(OsString::from).collect()
    }

    #[test]
    fn every_command_has_examples() {
        let mut tree = Cli::tree();
        tree.build();
        let mut paths = Vec::new();
        commands(&tree, &mut paths);
        for path in paths {
            let examples: Vec<_> = Example::of(&path).collect();
            let name = format!("ntro {path}");
            let shown = examples.iter().any(|example| example.line.contains(&name));
            assert!(shown, "no example has `{name}`");
            for example in &examples {
                let lines = lines(example);
                assert!(!lines.is_empty(), "{}", example.line);
                for line in lines {
                    Cli::read(&line).unwrap_or_else(|error| panic!("{}: {error}", example.line));
                }
                // Narrower than a terminal, with the indentation.
                for line in example.line.lines().chain([example.purpose]) {
                    assert!(line.len() <= 76, "{line}");
                }
            }
        }
    }

    #[test]
    fn topic_is_found_by_name() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for name in ["environment", "exit-codes", "files", "precedence"] {
            assert!(topic(&words(&format!("ntro -o json help {name}"))).is_some());
            assert!(topic(&words(&format!("ntro auth {name}"))).is_none());
        }
        assert!(topic(&words("ntro help nothing")).is_none());
    }
}
