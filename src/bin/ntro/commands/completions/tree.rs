use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};
use clap_complete::engine::ArgValueCompleter;

use super::programs;
use crate::cli::Cli;
use crate::help::Topic;

/// Returns the command tree for completion: `help` and `man` take the words of a command, and `help`
/// those of a topic.
pub(super) fn tree() -> Command {
    let mut tree = Cli::tree();
    tree.build();
    // No other word leads to their words, which would double the tree.
    if std::env::args_os().any(|word| word == "help" || word == "man") {
        add_words(&mut tree);
    }
    tree
}

fn add_words(tree: &mut Command) {
    let commands = names_below(tree);
    let topics = Topic::all().map(|topic| Command::new(topic.name).about(topic.about));
    let about = tree.find_subcommand("help").and_then(Command::get_about);
    let help = Command::new("help").about(about.cloned().unwrap_or_default());
    let help = help.subcommands(commands.clone()).subcommands(topics);
    if let Some(own) = tree.find_subcommand_mut("help") {
        *own = help;
    }
    if let Some(man) = tree.find_subcommand_mut("man") {
        *man = std::mem::take(man).subcommands(commands);
    }
}

/// Returns the commands below another, without their options.
fn names_below(command: &Command) -> Vec<Command> {
    let below = command.get_subcommands();
    let below = below.filter(|command| command.get_name() != "help" && !command.is_hide_set());
    let names = below.map(|command| {
        Command::new(leaked(command.get_name()))
            .about(command.get_about().cloned().unwrap_or_default())
            .disable_help_flag(true)
            .disable_help_subcommand(true)
            .subcommands(names_below(command))
    });
    names.collect()
}

/// Lets clap keep a name: the process ends after the completion, so nothing is lost.
fn leaked(name: &str) -> &'static str {
    name.to_owned().leak()
}

/// Hides candidates that are rarely wanted; the library offers hidden ones only if there is no other.
///
/// An alias is hidden in favour of the command's name. As long as nothing is typed, all options are
/// hidden where a command or a name can stand, and the global ones elsewhere.
pub(super) fn prefer(command: &mut Command, word: &OsStr) {
    let takes_words = command.has_subcommands() || command.get_positionals().next().is_some();
    let aliases: Vec<_> = command.get_visible_aliases().map(leaked).collect();
    let mut changed = std::mem::take(command).visible_alias(None).aliases(aliases);
    if word.is_empty() {
        changed = changed.mut_args(|arg| match arg.is_positional() {
            true => arg,
            false => hidden(arg, takes_words),
        });
    }
    *command = changed;
    for below in command.get_subcommands_mut() {
        prefer(below, word);
    }
}

/// Offers programs for the first word that `exec` runs; its other words are files. The library does
/// not report which word of several is completed.
pub(super) fn offer_programs(tree: &mut Command, words: &[OsString], index: usize) {
    let before = index.checked_sub(1).and_then(|index| words.get(index));
    if before.is_some_and(|word| word == "exec" || word == "--")
        && let Some(exec) = tree.find_subcommand_mut("exec")
    {
        let programs = ArgValueCompleter::new(programs);
        *exec = std::mem::take(exec).mut_arg("command", |argument| argument.add(programs));
    }
}

fn hidden(option: Arg, takes_words: bool) -> Arg {
    let is_clap = ["help", "version"].contains(&option.get_id().as_str());
    let hide = takes_words || is_clap || option.is_global_set() || option.is_hide_set();
    option.hide(hide)
}
