use secrecy::SecretString;

use super::{Check, Choice, Line, Prompter, Stop};
use crate::error::CliError;
use crate::exit::Kind;

/// A prompter without a person.
pub(super) struct Refusing {
    pub(super) no_interactive: bool,
}

impl Refusing {
    fn refuse<T>(&self, question: &str) -> Result<T, Stop> {
        let why = match self.no_interactive {
            true => "`--no-interactive` is given",
            false => "standard input and standard error are not both a terminal",
        };
        let message = format!("an answer is needed and cannot be asked for: {question}");
        let error = CliError::new(Kind::Usage, message)
            .hint(format!("{why}: give the answer as an option"));
        Err(Stop::Failed(error))
    }
}

impl Prompter for Refusing {
    fn is_interactive(&self) -> bool {
        false
    }

    fn line(&self, line: Line<'_>, _: &Check<'_>) -> Result<String, Stop> {
        self.refuse(line.question)
    }

    fn secret(&self, question: &str, _: &Check<'_>) -> Result<SecretString, Stop> {
        self.refuse(question)
    }

    fn choose(
        &self,
        line: Line<'_>,
        _: &[String],
        _: usize,
        _: &Check<'_>,
    ) -> Result<Choice, Stop> {
        self.refuse(line.question)
    }

    fn select(&self, question: &str, _: &[String], _: usize) -> Result<usize, Stop> {
        self.refuse(question)
    }

    fn confirm(&self, question: &str) -> Result<bool, Stop> {
        self.refuse(question)
    }
}
