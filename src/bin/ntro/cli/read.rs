use std::ffi::OsString;

use clap::{Args as _, CommandFactory as _, FromArgMatches as _};

use super::{Cli, Command, Global};
use crate::commands::group::Alone;
use crate::commands::{auth, key, tenant};

impl Cli {
    /// Returns the whole tree, in which the global options go with every command.
    pub(crate) fn tree() -> clap::Command {
        Self::command().mut_args(|option| option.global(true))
    }

    /// Parses the command line: against the one command that its first words name, or else against
    /// the whole tree. Making and searching that takes longer than most commands.
    pub(crate) fn read(arguments: &[OsString]) -> Result<Self, clap::Error> {
        match Self::read_alone(arguments) {
            Some(cli) => Ok(cli),
            None => Self::read_in_tree(arguments),
        }
    }

    /// Understands what most people write: a group, a command in it, then options. What this
    /// understands means the same in the tree; all else, also what is mistyped, is left to that.
    fn read_alone(arguments: &[OsString]) -> Option<Self> {
        let [_, group, rest @ ..] = arguments else {
            return None;
        };
        let name = rest.first()?.to_str()?;
        match group.to_str()? {
            "auth" => Self::of_group(auth::Command::alone(name)?, Command::Auth, rest),
            "tenant" => Self::of_group(tenant::Command::alone(name)?, Command::Tenant, rest),
            "key" => Self::of_group(key::Command::alone(name)?, Command::Key, rest),
            _ => None,
        }
    }

    fn of_group<C>(alone: Alone<C>, group: fn(C) -> Command, rest: &[OsString]) -> Option<Self> {
        let command = clap::Command::new("").disable_help_flag(true);
        let mut command = (alone.arguments)(command);
        // Most lines have no option at all, and the global ones are most of what would be made.
        let is_option = |word: &OsString| word.as_encoded_bytes().starts_with(b"-");
        let has_options = rest.iter().any(is_option);
        if has_options {
            command = Global::augment_args(command);
        }
        // The first of the rest stands where the program's name would.
        let mut matches = command.try_get_matches_from_mut(rest).ok()?;
        let cli = Self {
            global: match has_options {
                true => Global::from_arg_matches_mut(&mut matches).ok()?,
                false => Global::default(),
            },
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

/// Leaves them to the end of the process: taking them apart would be a tenth of all that a short
/// command does.
fn forget(tree: clap::Command, matches: clap::ArgMatches) {
    std::mem::forget((tree, matches));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// Every word that a command line may have: names of commands, options, and values for them.
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

    /// The two words that name each command in a group.
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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn a_command_alone_understands_what_the_tree_does(
            command in select(commands()),
            options in prop::collection::vec(select(words()), 0..4),
            before in prop::option::weighted(0.2, select(words())),
        ) {
            let in_place = before.is_none();
            let line = line(before.into_iter().chain(command).chain(options));
            let alone = Cli::read_alone(&line).map(|cli| format!("{cli:?}"));
            let tree = Cli::read_in_tree(&line).map(|cli| format!("{cli:?}")).ok();
            if in_place || alone.is_some() {
                prop_assert_eq!(alone, tree);
            }
        }
    }
}
