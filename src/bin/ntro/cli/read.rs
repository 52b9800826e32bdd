use std::ffi::OsString;

use clap::{Args as _, CommandFactory as _, FromArgMatches as _};

use super::{Cli, Command, Global};
use crate::commands::group::Alone;
use crate::commands::{auth, key, tenant};

impl Cli {
    /// Returns the whole command tree; every command accepts the global options.
    pub(crate) fn tree() -> clap::Command {
        Self::command().mut_args(|option| option.global(true))
    }

    /// Parses the command line against the one command that its first words name, or else against
    /// the whole tree. Building and searching the tree takes longer than most commands run.
    pub(crate) fn read(arguments: &[OsString]) -> Result<Self, clap::Error> {
        match Self::read_alone(arguments) {
            Some(cli) => Ok(cli),
            None => Self::read_in_tree(arguments),
        }
    }

    /// Parses the usual form: a group, a command in it, and options either before or after both.
    /// Accepted arguments mean the same in the whole tree, which handles all other lines, including
    /// mistyped ones.
    fn read_alone(arguments: &[OsString]) -> Option<Self> {
        let line = arguments.get(1..)?;
        if is_option(line.first()?) {
            let (global, line) = options_before(line)?;
            Self::of_line(Some(global), &line)
        } else {
            Self::of_line(None, line)
        }
    }

    fn of_line(before: Option<Global>, line: &[OsString]) -> Option<Self> {
        let [group, rest @ ..] = line else {
            return None;
        };
        let name = rest.first()?.to_str()?;
        match group.to_str()? {
            "auth" => Self::of_group(auth::Command::alone(name)?, Command::Auth, before, rest),
            "tenant" => {
                Self::of_group(tenant::Command::alone(name)?, Command::Tenant, before, rest)
            }
            "key" => Self::of_group(key::Command::alone(name)?, Command::Key, before, rest),
            _ => None,
        }
    }

    fn of_group<C>(
        alone: Alone<C>,
        group: fn(C) -> Command,
        before: Option<Global>,
        rest: &[OsString],
    ) -> Option<Self> {
        let mut command = (alone.arguments)(bare());
        // Most lines have no option here, and the global options are most of the command to build.
        let has_options = rest.iter().any(is_option);
        if has_options {
            command = Global::augment_args(command);
        }
        // The first word of the rest takes the position of the program's name.
        let mut matches = command.try_get_matches_from_mut(rest).ok()?;
        let global = match before {
            // The whole tree merges these with the options after the command.
            Some(_) if has_options => return None,
            Some(global) => global,
            None if has_options => Global::from_arg_matches_mut(&mut matches).ok()?,
            None => Global::default(),
        };
        let cli = Self {
            global,
            command: group((alone.taken)(&mut matches).ok()?),
        };
        forget(command, matches);
        Some(cli)
    }

    fn read_in_tree(arguments: &[OsString]) -> Result<Self, clap::Error> {
        let mut tree = Self::tree();
        let mut matches = tree.try_get_matches_from_mut(arguments)?;
        let cli = Self::from_arg_matches_mut(&mut matches);
        forget(tree, matches);
        cli
    }
}

/// An empty command without `--help`; the whole tree handles help.
fn bare() -> clap::Command {
    clap::Command::new("").disable_help_flag(true)
}

fn is_option(word: &OsString) -> bool {
    word.as_encoded_bytes().starts_with(b"-")
}

/// Splits off the options before the first word that is neither an option nor an option's value.
fn options_before(line: &[OsString]) -> Option<(Global, Vec<OsString>)> {
    // A word after `--` names no built-in command, but may name an external one.
    if line.iter().any(|word| word == "--") {
        return None;
    }
    let mut command = Global::augment_args(bare())
        .no_binary_name(true)
        .allow_external_subcommands(true);
    let mut matches = command.try_get_matches_from_mut(line).ok()?;
    let (group, mut after) = matches.remove_subcommand()?;
    let rest = after.remove_many::<OsString>("").into_iter().flatten();
    let line = std::iter::once(group.into()).chain(rest).collect();
    let global = Global::from_arg_matches_mut(&mut matches).ok()?;
    forget(command, matches);
    Some((global, line))
}

/// Leaks them until the process exits: dropping them takes a tenth of the run time of a short
/// command.
fn forget(tree: clap::Command, matches: clap::ArgMatches) {
    std::mem::forget((tree, matches));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// Every word that can appear in a command line: command names, options and option values.
    fn words() -> Vec<String> {
        fn collect(command: &clap::Command, words: &mut Vec<String>) {
            for argument in command.get_arguments() {
                words.extend(argument.get_short().map(|short| format!("-{short}")));
                words.extend(argument.get_long().map(|long| format!("--{long}")));
            }
            for below in command.get_subcommands() {
                let names = below.get_name_and_visible_aliases().into_iter();
                words.extend(names.map(str::to_owned));
                collect(below, words);
            }
        }
        let mut tree = Cli::tree();
        tree.build();
        let mut words = Vec::new();
        collect(&tree, &mut words);
        words.sort();
        words.dedup();
        let values = [
            "local",
            "json",
            "7d",
            "-",
            "--",
            "-ojson",
            "-qclocal",
            "--host=x.example",
        ];
        words.extend(values.map(str::to_owned));
        words
    }

    /// The group and command name of each command in a group.
    fn commands() -> Vec<[String; 2]> {
        let mut tree = Cli::tree();
        tree.build();
        let mut commands = Vec::new();
        for group in ["auth", "tenant", "key"] {
            let group = tree.find_subcommand(group).unwrap();
            for command in group.get_subcommands() {
                for name in command.get_name_and_visible_aliases() {
                    commands.push([group.get_name().to_owned(), name.to_owned()]);
                }
            }
        }
        commands.retain(|[_, command]| command != "help");
        commands
    }

    fn line(words: impl IntoIterator<Item = String>) -> Vec<OsString> {
        std::iter::once("ntro".into())
            .chain(words.into_iter().map(Into::into))
            .collect()
    }

    #[test]
    fn options_may_stand_before_a_command_that_is_read_alone() {
        for text in [
            "auth list",
            "-c production auth list",
            "--connection=auth -ojson key list",
            "tenant info acme -q --tenant beta",
        ] {
            let line = line(text.split(' ').map(str::to_owned));
            let alone = Cli::read_alone(&line).map(|cli| format!("{cli:?}"));
            let tree = Cli::read_in_tree(&line).unwrap();
            assert_eq!(alone, Some(format!("{tree:?}")), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn a_command_alone_understands_what_the_tree_does(
            command in select(commands()),
            options in prop::collection::vec(select(words()), 0..4),
            before in prop::collection::vec(select(words()), 0..4),
        ) {
            let in_place = before.is_empty();
            let line = line(before.into_iter().chain(command).chain(options));
            let alone = Cli::read_alone(&line).map(|cli| format!("{cli:?}"));
            let tree = Cli::read_in_tree(&line).map(|cli| format!("{cli:?}")).ok();
            if in_place || alone.is_some() {
                prop_assert_eq!(alone, tree);
            }
        }
    }
}
