use std::ffi::OsString;

use clap::{Args, CommandFactory as _, FromArgMatches as _};

#[cfg(feature = "authority")]
use super::admin;
use super::{Cli, Command, Global, auth, helper, key, proxy, tenant};

impl Cli {
    /// Returns the whole command tree; every command accepts the global options.
    pub(crate) fn tree() -> clap::Command {
        with_global_options(Self::command())
    }

    /// Parses the command line against the one command that its first words name, or else against
    /// the whole tree. Building and searching the tree takes longer than most commands run: `auth
    /// list` touches a third more pages with it.
    pub(crate) fn read(arguments: &[OsString]) -> Result<Self, clap::Error> {
        if let Some(version) = version(arguments) {
            return Err(version);
        }
        match Self::read_alone(arguments) {
            Some(cli) => Ok(cli),
            None => Self::read_in_tree(arguments),
        }
    }

    /// Parses the usual form: a command, and options either before or after its name. Accepted
    /// arguments mean the same in the whole tree, which handles all other lines, including mistyped
    /// ones.
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
        let mut reader = Reader {
            before,
            global: None,
        };
        let command = Command::read(line, &mut reader)?;
        Some(Self {
            global: reader.global?,
            command,
        })
    }

    fn read_in_tree(arguments: &[OsString]) -> Result<Self, clap::Error> {
        let mut tree = Self::tree();
        let mut matches = tree.try_get_matches_from_mut(arguments)?;
        let cli = Self::from_arg_matches_mut(&mut matches);
        forget(tree, matches);
        cli
    }
}

impl Command {
    /// Parses the command that the first words of a line name.
    fn read(line: &[OsString], reader: &mut Reader) -> Option<Self> {
        let below = line.get(1..)?;
        match line.first()?.to_str()? {
            "auth" => auth::Command::read(below, reader).map(Self::Auth),
            "login" => reader.arguments(line).map(Self::Login),
            "logout" => reader.arguments(line).map(Self::Logout),
            "whoami" => reader.arguments(line).map(Self::Whoami),
            "tenant" => tenant::Command::read(below, reader).map(Self::Tenant),
            "key" => key::Command::read(below, reader).map(Self::Key),
            "helper" => helper::Command::read(below, reader).map(Self::Helper),
            "pin" => reader.arguments(line).map(Self::Pin),
            "exec" => reader.arguments(line).map(Self::Exec),
            #[cfg(unix)]
            "keyless-proxy" => reader.arguments(line).map(Self::KeylessProxy),
            "prove" => reader.arguments(line).map(Self::Prove),
            "env" => reader.arguments(line).map(Self::Env),
            "proxy" => reader.group::<proxy::ProxyArgs>(line).map(Self::Proxy),
            #[cfg(feature = "authority")]
            "dev" => reader.arguments(line).map(Self::Dev),
            #[cfg(feature = "authority")]
            "serve" => reader.arguments(line).map(Self::Serve),
            #[cfg(feature = "authority")]
            "admin" => reader.group::<admin::AdminArgs>(line).map(Self::Admin),
            "doctor" => reader.arguments(line).map(Self::Doctor),
            "completions" => reader.arguments(line).map(Self::Completions),
            "man" => reader.arguments(line).map(Self::Man),
            _ => None,
        }
    }
}

/// Returns what clap prints for `--version` alone, without the tree.
fn version(arguments: &[OsString]) -> Option<clap::Error> {
    let [_, option] = arguments else { return None };
    let is_version = option == "--version" || option == "-V";
    let command = is_version.then(|| clap::Command::new("ntro").version(env!("CARGO_PKG_VERSION")));
    command?.try_get_matches_from(arguments).err()
}

/// Parses the arguments of one command without the others. Returns `None` where the tree decides.
pub(crate) struct Reader {
    /// The global options before the command.
    before: Option<Global>,
    /// All global options, once the command is parsed.
    global: Option<Global>,
}

impl Reader {
    /// Parses a command's name and arguments.
    pub(crate) fn arguments<A: Args>(&mut self, words: &[OsString]) -> Option<A> {
        self.parse(A::augment_args, Global::augment_args, words)
    }

    /// Parses the arguments of a command that has others below it.
    fn group<A: Args>(&mut self, words: &[OsString]) -> Option<A> {
        let global = |command| with_global_options(Global::augment_args(command));
        self.parse(A::augment_args, global, words)
    }

    fn parse<A: Args>(
        &mut self,
        own: fn(clap::Command) -> clap::Command,
        global: fn(clap::Command) -> clap::Command,
        words: &[OsString],
    ) -> Option<A> {
        let mut command = own(bare());
        // Most lines have no option here, and the global options are most of the command to build.
        let has_options = words.iter().any(is_option);
        if has_options {
            command = global(command);
        }
        // The command's name takes the position of the program's.
        let mut matches = command.try_get_matches_from_mut(words).ok()?;
        self.global = Some(match self.before.take() {
            // The whole tree merges these with the options after the command.
            Some(_) if has_options => return None,
            Some(global) => global,
            None if has_options => Global::from_arg_matches_mut(&mut matches).ok()?,
            None => Global::default(),
        });
        let arguments = A::from_arg_matches_mut(&mut matches).ok()?;
        forget(command, matches);
        Some(arguments)
    }
}

/// Makes the options of a command global: the commands below it accept them too.
fn with_global_options(command: clap::Command) -> clap::Command {
    command.mut_args(|option| option.global(true))
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

    /// The words that name each command.
    fn commands() -> Vec<Vec<String>> {
        fn collect(command: &clap::Command, path: &[String], paths: &mut Vec<Vec<String>>) {
            let below = command.get_subcommands();
            let mut below = below
                .filter(|command| command.get_name() != "help")
                .peekable();
            if below.peek().is_none() {
                paths.push(path.to_vec());
            }
            for command in below {
                for name in command.get_name_and_visible_aliases() {
                    collect(command, &[path, &[name.to_owned()]].concat(), paths);
                }
            }
        }
        let mut tree = Cli::tree();
        tree.build();
        let mut paths = Vec::new();
        collect(&tree, &[], &mut paths);
        paths
    }

    fn line(words: impl IntoIterator<Item = String>) -> Vec<OsString> {
        std::iter::once("ntro".into())
            .chain(words.into_iter().map(Into::into))
            .collect()
    }

    #[test]
    fn options_may_precede_command() {
        for text in [
            "auth list",
            "-c production auth list",
            "--connection=auth -ojson key list",
            "tenant info acme -q --tenant beta",
            "-q doctor",
            "admin key list -o json",
        ] {
            let line = line(text.split(' ').map(str::to_owned));
            let alone = Cli::read_alone(&line).map(|cli| format!("{cli:?}"));
            let tree = Cli::read_in_tree(&line).unwrap();
            assert_eq!(alone, Some(format!("{tree:?}")), "{text}");
        }
    }

    #[test]
    fn version_alone_reads_like_tree() {
        for option in ["--version", "-V"] {
            let line = line([option.to_owned()]);
            let alone = version(&line).map(|error| (error.kind(), error.to_string()));
            let tree = Cli::read_in_tree(&line).unwrap_err();
            assert_eq!(alone, Some((tree.kind(), tree.to_string())));
        }
        assert!(version(&line(["--help".to_owned()])).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn command_alone_parses_like_tree(
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
