use secrecy::SecretString;

use super::connection_facts::ConnectionFacts;
use super::{Decided, Error, Inputs, Resolution, Source, parse};
use ntro_base::env;
use ntro_base::{ConnectionName, Host, Origin};

/// The source of an admin JWT. Nothing was read or run yet.
#[derive(Clone, Debug)]
pub enum AdminTokenSource {
    /// On standard input, as `--admin-token-stdin` says.
    Stdin,
    /// In `NTRO_ADMIN_TOKEN`.
    Given(SecretString),
    /// The command of the connection prints it.
    Command(AdminTokenCommand),
}

/// The `admin_token_command` of a connection: run without a shell, it prints a fresh admin JWT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminTokenCommand {
    /// The program, searched in `PATH`.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The place that names the command.
    pub source: Source,
}

/// The sources of an admin token, apart from standard input.
#[derive(Clone, Debug)]
pub(super) struct Candidates {
    variable: Result<Option<SecretString>, Error>,
    command: Result<AdminTokenCommand, Error>,
}

impl Candidates {
    pub(super) fn of(
        inputs: &Inputs<'_>,
        facts: Result<Option<&ConnectionFacts<'_>>, Error>,
        host: &Decided<Host>,
    ) -> Self {
        let variable = inputs.env.text(&env::NTRO_ADMIN_TOKEN);
        Self {
            variable: match variable {
                Ok(token) => Ok(token.map(SecretString::from)),
                Err(error) => Err(error.into()),
            },
            command: facts.and_then(|facts| command(inputs, facts, host)),
        }
    }
}

/// The command of the connection. It prints a token for the connection's own origin alone.
fn command(
    inputs: &Inputs<'_>,
    facts: Option<&ConnectionFacts<'_>>,
    host: &Decided<Host>,
) -> Result<AdminTokenCommand, Error> {
    let none = |connection: Option<&ConnectionName>| Error::NoAdminToken {
        connection: connection.cloned(),
    };
    let facts = facts.ok_or_else(|| none(None))?;
    let words = facts.entry.admin_token_command.as_ref();
    let words = words.ok_or_else(|| none(Some(&facts.name)))?;
    let source = facts.source("admin_token_command");
    let Some((program, arguments)) = words.split_first().filter(|(first, _)| !first.is_empty())
    else {
        return Err(Error::Invalid {
            source_of_value: source,
            reason: "it names no program".to_owned(),
        });
    };
    // A host that was edited by hand since the login is not the one that it was written for.
    let bound: Origin = match facts.login {
        Some(login) => parse(&login.origin, &Source::KeyRecord(inputs.home.logins()))?,
        None => facts.configured()?.clone(),
    };
    let wanted = host.required()?;
    if bound != wanted.value.origin() {
        return Err(Error::AdminTokenBoundElsewhere {
            connection: facts.name.clone(),
            bound,
            wanted: wanted.value.origin(),
            source_of_value: wanted.source.clone(),
        });
    }
    Ok(AdminTokenCommand {
        program: program.clone(),
        arguments: arguments.to_vec(),
        source,
    })
}

impl Resolution {
    /// Returns the source of the admin token: standard input, `NTRO_ADMIN_TOKEN`, or the
    /// connection's `admin_token_command`.
    pub fn admin_token(&self, on_stdin: bool) -> Result<AdminTokenSource, Error> {
        if on_stdin {
            return Ok(AdminTokenSource::Stdin);
        }
        match self.admin_token.variable.clone()? {
            Some(token) => Ok(AdminTokenSource::Given(token)),
            None => Ok(AdminTokenSource::Command(self.admin_token.command.clone()?)),
        }
    }
}
