//! Questions to a person behind one trait: asked on a terminal, or refused.

use std::io::{IsTerminal as _, Write as _};

use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};
use dialoguer::{Confirm, Input, Password, Select};
use ntro_client::secrets::{self, PassphraseFor};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use crate::error::CliError;
use crate::exit::Kind;
use crate::interrupt;
use crate::output::plain;

/// Checks an answer; the error text is shown and the question asked again.
pub(crate) type Check<'a> = dyn Fn(&str) -> Result<(), String> + 'a;

/// Asks a person.
pub(crate) trait Prompter {
    /// Returns whether questions can be asked.
    fn is_interactive(&self) -> bool;
    /// Asks for one line.
    fn line(
        &self,
        question: &str,
        default: Option<&str>,
        check: &Check<'_>,
    ) -> Result<String, CliError>;
    /// Asks for one line without echo.
    fn secret(&self, question: &str, check: &Check<'_>) -> Result<SecretString, CliError>;
    /// Asks for one of several items.
    fn select(&self, question: &str, items: &[String], default: usize) -> Result<usize, CliError>;
    /// Asks a yes-or-no question.
    fn confirm(&self, question: &str, default: bool) -> Result<bool, CliError>;
}

/// Returns whether a person can be asked: standard input and standard error are both a terminal.
///
/// The prompt library checks standard error only, and reads the controlling terminal when standard
/// input is not one, so a script would hang. So both are checked here.
pub(crate) fn is_interactive(no_interactive: bool) -> bool {
    !no_interactive && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Returns a prompter for the terminal, or one that refuses where no person can be asked.
pub(crate) fn prompter(no_interactive: bool, colour: bool) -> Box<dyn Prompter> {
    if !is_interactive(no_interactive) {
        return Box::new(Refusing { no_interactive });
    }
    let theme: Box<dyn Theme> = if colour {
        Box::new(ColorfulTheme::default())
    } else {
        Box::new(SimpleTheme)
    };
    Box::new(Terminal { theme })
}

struct Terminal {
    theme: Box<dyn Theme>,
}

impl Terminal {
    fn again(&self, problem: &str) {
        let _ = writeln!(std::io::stderr(), "  {problem}");
    }
}

impl Prompter for Terminal {
    fn is_interactive(&self) -> bool {
        true
    }

    fn line(
        &self,
        question: &str,
        default: Option<&str>,
        check: &Check<'_>,
    ) -> Result<String, CliError> {
        let _asking = interrupt::guard_terminal();
        loop {
            let mut input = Input::<String>::with_theme(&*self.theme)
                .with_prompt(question)
                .allow_empty(true);
            if let Some(default) = default {
                input = input.default(default.to_owned());
            }
            let answer = input.interact_text().map_err(stopped)?.trim().to_owned();
            match check(&answer) {
                Ok(()) => return Ok(answer),
                Err(problem) => self.again(&problem),
            }
        }
    }

    fn secret(&self, question: &str, check: &Check<'_>) -> Result<SecretString, CliError> {
        let _asking = interrupt::guard_terminal();
        loop {
            let answer = Password::with_theme(&*self.theme)
                .with_prompt(question)
                .allow_empty_password(true)
                .interact()
                .map(Zeroizing::new)
                .map_err(stopped)?;
            match check(&answer) {
                Ok(()) => return Ok(SecretString::from(answer.as_str())),
                Err(problem) => self.again(&problem),
            }
        }
    }

    fn select(&self, question: &str, items: &[String], default: usize) -> Result<usize, CliError> {
        let _asking = interrupt::guard_terminal();
        Select::with_theme(&*self.theme)
            .with_prompt(question)
            .items(items)
            .default(default)
            .interact_opt()
            .map_err(stopped)?
            .ok_or_else(CliError::interrupted)
    }

    fn confirm(&self, question: &str, default: bool) -> Result<bool, CliError> {
        let _asking = interrupt::guard_terminal();
        Confirm::with_theme(&*self.theme)
            .with_prompt(plain(question))
            .default(default)
            .interact_opt()
            .map_err(stopped)?
            .ok_or_else(CliError::interrupted)
    }
}

fn stopped(error: dialoguer::Error) -> CliError {
    let dialoguer::Error::IO(error) = error;
    match error.kind() {
        std::io::ErrorKind::Interrupted | std::io::ErrorKind::UnexpectedEof => {
            interrupt::restore_terminal();
            CliError::interrupted()
        }
        _ => CliError::new(
            Kind::Failure,
            format!("the terminal cannot be read: {error}"),
        ),
    }
}

struct Refusing {
    no_interactive: bool,
}

impl Refusing {
    fn refuse<T>(&self, question: &str) -> Result<T, CliError> {
        let why = match self.no_interactive {
            true => "`--no-interactive` is given",
            false => "standard input and standard error are not both a terminal",
        };
        let message = format!("an answer is needed and cannot be asked for: {question}");
        Err(CliError::new(Kind::Usage, message)
            .hint(format!("{why}: give the answer as an option")))
    }
}

impl Prompter for Refusing {
    fn is_interactive(&self) -> bool {
        false
    }

    fn line(&self, question: &str, _: Option<&str>, _: &Check<'_>) -> Result<String, CliError> {
        self.refuse(question)
    }

    fn secret(&self, question: &str, _: &Check<'_>) -> Result<SecretString, CliError> {
        self.refuse(question)
    }

    fn select(&self, question: &str, _: &[String], _: usize) -> Result<usize, CliError> {
        self.refuse(question)
    }

    fn confirm(&self, question: &str, _: bool) -> Result<bool, CliError> {
        self.refuse(question)
    }
}

/// Asks for the passphrase of the encrypted key file; twice for a new file.
pub(crate) fn passphrase(
    purpose: PassphraseFor,
    colour: bool,
) -> Result<SecretString, secrets::Error> {
    let terminal = prompter(false, colour);
    let not_empty = |text: &str| match text.is_empty() {
        true => Err("a passphrase is needed".to_owned()),
        false => Ok(()),
    };
    let ask = |question: &str, check: &Check<'_>| {
        terminal
            .secret(question, check)
            .map_err(|_| secrets::Error::Cancelled)
    };
    match purpose {
        PassphraseFor::Open => ask("Passphrase of the key file", &not_empty),
        PassphraseFor::Identity => ask("Passphrase of the SSH key", &not_empty),
        PassphraseFor::Create => {
            let first = ask("New passphrase for the key file", &not_empty)?;
            ask(
                "The same passphrase again",
                &|text| match text == first.expose_secret() {
                    true => Ok(()),
                    false => Err("the two differ".to_owned()),
                },
            )
        }
    }
}
