use std::ffi::OsString;

use clap::{Args as _, CommandFactory as _, FromArgMatches as _};

use super::{Cli, Command, Global};

impl Cli {
    /// Parses the command line: against the one command that its first words name, or else against
    /// the whole tree. Making and searching that takes longer than most commands.
    pub(crate) fn read(arguments: &[OsString]) -> Result<Self, clap::Error> {
        match Self::read_by_branch(arguments) {
            Some(cli) => Ok(cli),
            None => Self::read_by_tree(arguments),
        }
    }

    /// Understands what most people write, the command first and then its options. All else, also
    /// what is mistyped, is left to the tree.
    fn read_by_branch(arguments: &[OsString]) -> Option<Self> {
        let mut branch = branch(arguments)?;
        let mut matches = branch.try_get_matches_from_mut(arguments).ok()?;
        let (_, group) = matches.subcommand()?;
        let (_, command) = group.subcommand()?;
        let global = Global::from_arg_matches(command).ok()?;
        let command = Command::from_arg_matches_mut(&mut matches).ok()?;
        forget(branch, matches);
        Some(Self { global, command })
    }

    /// Returns the whole tree, in which the global options go with every command.
    pub(crate) fn tree() -> clap::Command {
        Self::command().mut_args(|option| option.global(true))
    }

    fn read_by_tree(arguments: &[OsString]) -> Result<Self, clap::Error> {
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

/// Returns the part of the tree that the first two words name: a group, and a command in it which
/// has the global options for its own. What this understands means the same to the whole tree.
fn branch(arguments: &[OsString]) -> Option<clap::Command> {
    let (group, command) = (arguments.get(1)?.to_str()?, arguments.get(2)?.to_str()?);
    let mut groups = Command::GROUPS.into_iter();
    let (group, alone) = groups.find(|(name, _)| *name == group)?;
    let command = Global::augment_args(alone(command)?);
    Some(bare("ntro").subcommand(bare(group).subcommand(command)))
}

/// A command that knows nothing, not even `--help`.
fn bare(name: &'static str) -> clap::Command {
    clap::Command::new(name)
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .disable_version_flag(true)
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
        for (group, _) in Command::GROUPS {
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
        fn a_branch_understands_what_the_tree_does(
            command in select(commands()),
            options in prop::collection::vec(select(words()), 0..4),
            before in prop::option::weighted(0.2, select(words())),
        ) {
            let in_place = before.is_none();
            let line = line(before.into_iter().chain(command).chain(options));
            let branch = Cli::read_by_branch(&line).map(|cli| format!("{cli:?}"));
            let tree = Cli::read_by_tree(&line).map(|cli| format!("{cli:?}")).ok();
            if in_place || branch.is_some() {
                prop_assert_eq!(branch, tree);
            }
        }
    }
}
