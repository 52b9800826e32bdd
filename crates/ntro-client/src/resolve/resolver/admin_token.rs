//! Where an administrator's token comes from.

use secrecy::SecretString;

use super::{Error, Resolver, Source, parse};
use ntro_base::Origin;
use ntro_base::env;

/// Where an admin JWT is to be had. Nothing was read or run yet.
#[derive(Clone, Debug)]
pub enum AdminTokenSource {
    /// On standard input, as `--admin-token-stdin` says.
    Stdin,
    /// Here: `NTRO_ADMIN_TOKEN` has it.
    Given(SecretString),
    /// Printed by a command of the connection's.
    Command(AdminTokenCommand),
}

/// The `admin_token_command` of a connection: run without a shell, it prints a fresh admin JWT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminTokenCommand {
    /// The program, looked for in `PATH`.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Where the command stands.
    pub source: Source,
}

impl Resolver<'_> {
    /// Decides where the admin token of a call comes from: the command line, `NTRO_ADMIN_TOKEN`,
    /// the connection's `admin_token_command`.
    ///
    /// # Errors
    ///
    /// Fails when there is none, and when the command is another origin's than the one that is to
    /// be called: what it prints is for its connection's own origin.
    pub fn admin_token(&self, on_stdin: bool) -> Result<AdminTokenSource, Error> {
        if on_stdin {
            return Ok(AdminTokenSource::Stdin);
        }
        if let Some(token) = self.env.text(&env::NTRO_ADMIN_TOKEN)? {
            return Ok(AdminTokenSource::Given(SecretString::from(token)));
        }
        let name = self.name()?.map(|name| name.value);
        let command = name.as_ref().and_then(|name| {
            let words = self.entry(name).admin_token_command.as_ref()?;
            Some((name, words))
        });
        let Some((name, words)) = command else {
            return Err(Error::NoAdminToken { connection: name });
        };
        let source = self.entry_source(name, "admin_token_command");
        let Some((program, arguments)) = words.split_first().filter(|(first, _)| !first.is_empty())
        else {
            return Err(Error::Invalid {
                source_of_value: source,
                reason: "it names no program".to_owned(),
            });
        };
        // A host that was edited by hand since the login is not the one that it was written for.
        let bound: Origin = match self.records.get(name.as_str()) {
            Some(login) => parse(&login.origin, &Source::KeyRecord(self.home.logins()))?,
            None => self.configured_origin(name)?,
        };
        let wanted = self.host()?;
        if bound != wanted.value.origin() {
            return Err(Error::AdminTokenBoundElsewhere {
                connection: name.clone(),
                bound,
                wanted: wanted.value.origin(),
                source_of_value: wanted.source,
            });
        }
        Ok(AdminTokenSource::Command(AdminTokenCommand {
            program: program.clone(),
            arguments: arguments.to_vec(),
            source,
        }))
    }
}
