//! Rotates the key of one connection: selects the method and asks for its input.

use std::cell::OnceCell;
use std::time::Duration;

use ntro_base::{ConnectionName, Period, Provider};
use ntro_client::api::AdminToken;
use ntro_client::ops::migrate::Journal;
use ntro_client::ops::rotate::{self, Method, Next, Rotation};

use super::report::{RotationRow, RotationState};
use super::{RotateArgs, wait};
use crate::admin_token;
use crate::commands::auth::login::key;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Kind;
use crate::output::whole_seconds;
use crate::production;
use crate::shell::quoted;
use crate::stdin;

pub(super) struct RotateOne<'a> {
    args: &'a RotateArgs,
    cx: &'a Context,
    name: &'a ConnectionName,
    /// Caches the token, since standard input can be read only once.
    token_on_stdin: OnceCell<AdminToken>,
}

impl<'a> RotateOne<'a> {
    pub(super) fn new(args: &'a RotateArgs, cx: &'a Context, name: &'a ConnectionName) -> Self {
        Self {
            args,
            cx,
            name,
            token_on_stdin: OnceCell::new(),
        }
    }

    /// Runs `act` on the rotation of this connection, and adds the state of the rotation to errors.
    pub(super) fn with<T>(
        &self,
        act: impl FnOnce(&mut Rotation<'_>) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let runtime = self.cx.runtime()?;
        let mut rotation = Rotation::open(self.cx.session(), self.name, runtime)?;
        let done = act(&mut rotation);
        done.map_err(|error| self.explained(error, &rotation))
    }

    /// Rotates the key, or finishes an unfinished rotation.
    pub(super) fn rotate(&self) -> Result<RotationRow, CliError> {
        let migrations = Journal::read(&self.cx.home()?.migrations())?;
        if migrations.get(self.name.as_str()).is_some() {
            return Err(CliError::new(
                Kind::Conflict,
                format!(
                    "the migration of the key of `{}` is not finished",
                    self.name
                ),
            )
            .hint(format!(
                "finish it first: `ntro auth migrate {}`",
                quoted(self.name.as_str())
            )));
        }
        self.with(|rotation| {
            if self.args.dry_run {
                return self.dry_run(rotation);
            }
            match rotation.next() {
                Next::Begin => self.confirm(rotation)?,
                Next::Stranded => return Err(self.stranded(rotation)),
                Next::Complete(_) if self.args.api_key_stdin => {
                    return Err(CliError::new(
                        Kind::Conflict,
                        format!(
                            "an earlier rotation of the key of `{}` is not finished",
                            self.name
                        ),
                    ));
                }
                Next::Complete(_) => {
                    if let Some(grace) = self.args.grace {
                        rotation.set_grace(grace.duration())?;
                    }
                    rotation.confirm()?;
                    return self.settle(rotation, RotationState::Finished);
                }
                Next::RollBack(method) => {
                    self.confirm(rotation)?;
                    let token = self.token_for(method, rotation)?;
                    rotation.roll_back(token.as_ref())?;
                    self.cx.printer().note(
                        "note: a rotation that was cut off is taken back; now it begins anew",
                    );
                }
            }
            self.replace(rotation)?;
            self.settle(rotation, RotationState::Rotated)
        })
    }

    /// Asks for confirmation if the connection is production. An unfinished rotation is already
    /// confirmed.
    fn confirm(&self, rotation: &Rotation<'_>) -> Result<(), CliError> {
        let resolution = self.cx.inputs()?.alone(self.name);
        let what = format!("replace the key {}… and revoke it", rotation.stored());
        match self.args.all {
            // One question was asked for all of them.
            true => Ok(()),
            false => production::confirm(self.cx, &resolution, self.args.sure, &what),
        }
    }

    fn dry_run(&self, rotation: &mut Rotation<'_>) -> Result<RotationRow, CliError> {
        match (rotation.next(), rotation.recorded()) {
            (Next::Stranded, _) => Err(self.stranded(rotation)),
            (Next::Begin, _) | (_, None) => Ok(RotationRow {
                old_prefix: Some(rotation.stored().to_string()),
                created_at: rotation.inspect()?.created_at.map(whole_seconds),
                ..RotationRow::new(self.name, RotationState::Due)
            }),
            (_, Some(recorded)) => Ok(RotationRow::of(
                self.name,
                RotationState::Unfinished,
                recorded,
            )),
        }
    }

    /// Creates the new key with the available method and stores it.
    fn replace(&self, rotation: &mut Rotation<'_>) -> Result<(), CliError> {
        if self.args.api_key_stdin {
            let key = stdin::secret("key", "--api-key-stdin")?.parse();
            return Ok(rotation.with_key(key::parsed("standard input", key)?)?);
        }
        let grace = self.args.grace.map_or(Duration::ZERO, Period::duration);
        if let Some(quiet) = self.args.when_quiet {
            rotation.end_when_quiet(quiet.duration());
            return Ok(rotation.by_itself(grace)?);
        }
        match rotation.by_itself(grace) {
            Err(error) if error.is_not_offered() => {}
            done => return Ok(done?),
        }
        if let Some(token) = self.token(rotation)? {
            match rotation.by_admin(&token, grace) {
                Err(error) if error.is_not_offered() => {}
                done => return Ok(done?),
            }
        }
        self.walk_through(rotation)
    }

    /// Asks a person for a key created elsewhere.
    fn walk_through(&self, rotation: &mut Rotation<'_>) -> Result<(), CliError> {
        let origin = rotation.host().origin();
        if rotation.provider() == Provider::Ontora {
            return Err(CliError::new(
                Kind::NotAuthenticated,
                format!("`{origin}` lets this key make no other, and there is no admin token"),
            )
            .hint("set `NTRO_ADMIN_TOKEN` or the connection's `admin_token_command`, give `--admin-token-stdin`, or make a key yourself and give it with `--api-key-stdin`"));
        }
        if self.args.all || !self.cx.prompter().is_interactive() {
            return Err(CliError::usage(format!(
                "`{origin}` makes no keys for `ntro`: a new one is needed"
            ))
            .hint(format!(
                "make one in the web application (Settings → API keys) and give it: `ntro auth rotate {} --api-key-stdin`",
                self.name
            )));
        }
        self.cx.printer().note(&format!(
            "`{origin}` makes no keys for `ntro`. Make a new one for the same tenant in the web application: Settings → API keys."
        ));
        loop {
            let key = key::asked_key(self.cx, "New API key (not shown)")?;
            match rotation.with_key(key) {
                Ok(()) => return Ok(()),
                Err(error) if is_about_the_key(&error) && rotation.recorded().is_none() => {
                    let error = CliError::from(error);
                    self.cx.printer().fail(&CliError {
                        hint: Some("try another key, or press Ctrl-C to change nothing".to_owned()),
                        ..error
                    });
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Revokes the old key once its grace period is over.
    fn settle(
        &self,
        rotation: &mut Rotation<'_>,
        done: RotationState,
    ) -> Result<RotationRow, CliError> {
        let Some(recorded) = rotation.recorded().cloned() else {
            return Ok(RotationRow::new(self.name, done));
        };
        let now = self.cx.now();
        if let Some(due) = rotation.revoke_after().filter(|due| *due > now) {
            let later = RotationRow {
                earlier: done == RotationState::Finished,
                ..RotationRow::of(self.name, RotationState::InGrace, &recorded)
            };
            // Does not wait for the grace period of an earlier run: a timer job would hang.
            if self.args.no_wait || self.args.all || self.args.grace.is_none() {
                return Ok(later);
            }
            self.cx.printer().note(&format!(
                "the new key {}… is stored; the old one {}… is revoked at {}; Ctrl-C leaves that to the next `ntro auth rotate {}`",
                recorded.new_prefix.as_deref().unwrap_or_default(),
                recorded.old_prefix,
                due.strftime("%F %T UTC"),
                quoted(self.name.as_str())
            ));
            wait::until(self.cx, due)?;
        }
        let token = self.token_for(recorded.method, rotation)?;
        rotation.complete(token.as_ref())?;
        let state = match recorded.method {
            Method::Walkthrough => RotationState::Manual,
            Method::Itself if recorded.quiet > 0 => RotationState::UntilQuiet,
            _ => done,
        };
        Ok(RotationRow::of(self.name, state, &recorded))
    }

    fn stranded(&self, rotation: &Rotation<'_>) -> CliError {
        let prefix = |text: &str| ntro_base::KeyPrefix::recorded(text);
        let (old, new) = match rotation.recorded() {
            Some(recorded) => (
                prefix(&recorded.old_prefix),
                recorded.new_prefix.as_deref().map(prefix),
            ),
            None => (prefix(""), None),
        };
        rotate::Error::Stranded {
            name: self.name.clone(),
            old,
            new,
        }
        .into()
    }

    fn token_for(
        &self,
        method: Method,
        rotation: &Rotation<'_>,
    ) -> Result<Option<AdminToken>, CliError> {
        match method {
            Method::Admin => self.token(rotation),
            Method::Itself | Method::Walkthrough => Ok(None),
        }
    }

    fn token(&self, rotation: &Rotation<'_>) -> Result<Option<AdminToken>, CliError> {
        let origin = rotation.host().origin();
        if self.args.all {
            return admin_token::of_each(self.cx, self.name, origin);
        }
        if !self.args.admin_token_stdin {
            return admin_token::of_connection(self.cx, self.name, false, origin);
        }
        if self.token_on_stdin.get().is_none()
            && let Some(token) = admin_token::of_connection(self.cx, self.name, true, origin)?
        {
            let _ = self.token_on_stdin.set(token);
        }
        Ok(self.token_on_stdin.get().cloned())
    }

    /// Adds the state of an unfinished rotation to an error.
    fn explained(&self, error: CliError, rotation: &Rotation<'_>) -> CliError {
        let word = quoted(self.name.as_str());
        let what = match rotation.next() {
            Next::Begin | Next::Stranded => return error,
            Next::RollBack(_) => "the old key is stored",
            Next::Complete(_) => "the new key is stored, and the old one is not revoked yet",
        };
        let then = match error.kind {
            Kind::NotAuthenticated => format!(
                "; if the server accepts the stored key no more, `ntro auth rotate {word} --abandon` forgets the rotation"
            ),
            _ => String::new(),
        };
        CliError {
            message: match error.kind {
                Kind::Interrupted => format!("interrupted: {what}"),
                _ => format!("{}; {what}", error.message),
            },
            hint: Some(format!("`ntro auth rotate {word}` goes on from here{then}")),
            ..error
        }
    }
}

/// Returns whether another key may succeed.
fn is_about_the_key(error: &rotate::Error) -> bool {
    use rotate::Error as E;
    match error {
        E::SameKey | E::OtherTenant { .. } | E::FewerScopes { .. } => true,
        E::Api(error) => matches!(**error, ntro_client::api::Error::Rejected(_)),
        _ => false,
    }
}
