//! Questions to a person behind one trait: asked on a terminal, or refused.
//!
//! A question is asked again after an invalid answer. Esc goes one question back, Ctrl-C and Ctrl-D
//! cancel. Input that nothing has read is discarded before the shell can read it.

mod beside;
mod editor;
mod key;
#[cfg_attr(not(unix), path = "console.rs")]
mod keyboard;
mod passphrase;
mod refusing;
mod screen;
mod terminal;
mod walk;
#[cfg(unix)]
mod withdrawable;

use std::io::IsTerminal as _;

use secrecy::SecretString;

use crate::error::CliError;
use crate::output::Paint;

pub(crate) use beside::confirm_beside;
#[cfg(unix)]
pub(crate) use key::ControlKeys;
pub(crate) use passphrase::passphrase;
pub(crate) use walk::{Asked, walk};
#[cfg(unix)]
pub(crate) use withdrawable::{confirm_until, show};

/// Checks an answer; the error text is shown and the question asked again.
pub(crate) type Check<'a> = dyn Fn(&str) -> Result<(), String> + 'a;

/// Why a question has no answer.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Esc: the previous question is wanted.
    Back,
    /// An earlier answer was wrong: its question is asked again.
    Again(CliError),
    /// The question needs no answer any more.
    #[cfg(unix)]
    Withdrawn,
    /// The command ends.
    Failed(CliError),
}

/// A command without a previous question is cancelled.
impl From<Stop> for CliError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Back => Self::cancelled(),
            #[cfg(unix)]
            Stop::Withdrawn => Self::cancelled(),
            Stop::Again(error) | Stop::Failed(error) => error,
        }
    }
}

impl From<CliError> for Stop {
    fn from(error: CliError) -> Self {
        Self::Failed(error)
    }
}

/// A question for one line, with the answers that it offers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) question: &'a str,
    /// The answer of an empty line.
    pub(crate) default: Option<&'a str>,
    /// An earlier answer, to be corrected or replaced.
    pub(crate) typed: Option<&'a str>,
}

/// An answer to a menu that also takes a line.
#[derive(Debug)]
pub(crate) enum Choice {
    Item(usize),
    Line(String),
}

/// Asks a person.
pub(crate) trait Prompter {
    /// Returns whether questions can be asked.
    fn is_interactive(&self) -> bool;
    /// Asks for one line.
    fn line(&self, line: Line<'_>, check: &Check<'_>) -> Result<String, Stop>;
    /// Asks for one line without echo.
    fn secret(&self, question: &str, check: &Check<'_>) -> Result<SecretString, Stop>;
    /// Asks for one of several items, or for a line that takes their place once something is typed.
    fn choose(
        &self,
        line: Line<'_>,
        items: &[String],
        default: usize,
        check: &Check<'_>,
    ) -> Result<Choice, Stop>;
    /// Asks for one of several items.
    fn select(&self, question: &str, items: &[String], default: usize) -> Result<usize, Stop>;
    /// Asks a yes-or-no question, which has no default.
    fn confirm(&self, question: &str) -> Result<bool, Stop>;
}

/// Returns the meaning of an answer to a yes-or-no question.
fn yes_or_no(answer: &str) -> Option<bool> {
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Some(true),
        "n" | "no" => Some(false),
        _ => None,
    }
}

/// Returns whether a person can be asked: standard input and standard error are both a terminal.
pub(crate) fn is_interactive(no_interactive: bool) -> bool {
    !no_interactive && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Returns a prompter for the terminal, or one that refuses where no person can be asked.
pub(crate) fn prompter(no_interactive: bool, paint: Paint) -> Box<dyn Prompter> {
    match is_interactive(no_interactive) {
        true => Box::new(terminal::Terminal::new(paint)),
        false => Box::new(refusing::Refusing { no_interactive }),
    }
}
