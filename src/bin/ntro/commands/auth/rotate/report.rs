//! Results of rotations, as text and JSON.

use jiff::Timestamp;
use ntro_base::ConnectionName;
use ntro_client::ops::rotate::{Method, Unfinished};
use serde::Serialize;

use crate::error::CliError;
use crate::exit::Kind;
use crate::output::{Paint, Report, whole_seconds};
use crate::shell::quoted;
use crate::suggest::acting_on;

/// Result for one connection.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::commands::auth) struct RotationRow {
    /// Name of the connection.
    #[serde(rename = "connection")]
    pub(super) name: String,
    /// Result of the rotation.
    pub(super) state: RotationState,
    /// How the new key was created.
    #[cfg_attr(test, schemars(with = "Option<crate::schema::RotationMethod>"))]
    pub(super) method: Option<&'static str>,
    /// Prefix of the old key.
    #[serde(rename = "old_key_prefix")]
    pub(super) old_prefix: Option<String>,
    /// Prefix of the new key.
    #[serde(rename = "new_key_prefix")]
    pub(super) new_prefix: Option<String>,
    /// With `in_grace`: when the grace period of the old key ends.
    pub(super) revoke_after: Option<Timestamp>,
    /// With `--dry-run`: when the key was created.
    pub(super) created_at: Option<Timestamp>,
    /// Further explanation.
    pub(super) message: Option<String>,
    #[serde(skip)]
    pub(super) kind: Option<Kind>,
    /// Whether an earlier run replaced the key.
    #[serde(skip)]
    pub(super) earlier: bool,
    /// Whether the text names the connection as production.
    #[serde(skip)]
    pub(super) production: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) enum RotationState {
    /// A new key is stored, and the old one is revoked.
    Rotated,
    /// A rotation begun by an earlier run is finished.
    Finished,
    /// A new key is stored, and the old one is still live.
    InGrace,
    /// A new key is stored, and the server revokes the old one once it is not used any more.
    UntilQuiet,
    /// A new key is stored, and the old one must be revoked by hand.
    Manual,
    /// The key is too young to be rotated.
    Skipped,
    /// With `--dry-run`: the key would be rotated.
    Due,
    /// With `--dry-run`: an unfinished rotation would be finished or rolled back.
    Unfinished,
    /// The record of an unfinished rotation is removed.
    Abandoned,
    /// The key was not rotated.
    Failed,
}

/// With `--all`, one object for each connection.
#[derive(Debug, Serialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::commands::auth) struct Rotations(pub(super) Vec<RotationRow>);

impl RotationRow {
    pub(super) fn new(name: &ConnectionName, state: RotationState) -> Self {
        Self {
            name: name.to_string(),
            state,
            method: None,
            old_prefix: None,
            new_prefix: None,
            revoke_after: None,
            created_at: None,
            message: None,
            kind: None,
            earlier: false,
            production: false,
        }
    }

    pub(super) fn of(name: &ConnectionName, state: RotationState, recorded: &Unfinished) -> Self {
        Self {
            method: Some(recorded.method.as_str()),
            old_prefix: Some(recorded.old_prefix.clone()),
            new_prefix: recorded.new_prefix.clone(),
            revoke_after: recorded
                .revoke_after
                .filter(|_| state == RotationState::InGrace)
                .map(whole_seconds),
            ..Self::new(name, state)
        }
    }

    pub(super) fn abandoned(name: &ConnectionName, recorded: Option<&Unfinished>) -> Self {
        match recorded {
            Some(recorded) => Self::of(name, RotationState::Abandoned, recorded),
            None => Self {
                message: Some("it has no unfinished rotation".to_owned()),
                ..Self::new(name, RotationState::Skipped)
            },
        }
    }

    pub(super) fn failed(name: &ConnectionName, error: CliError) -> Self {
        Self {
            message: Some(match error.hint {
                Some(hint) => {
                    let hint = acting_on(&hint, name.as_str(), false);
                    format!("{} ({hint})", error.message)
                }
                None => error.message,
            }),
            kind: Some(error.kind),
            ..Self::new(name, RotationState::Failed)
        }
    }
}

impl Report for RotationRow {
    fn text(&self, paint: Paint) -> String {
        let name = &self.name;
        let shown =
            |prefix: &Option<String>| prefix.as_ref().map_or("?".to_owned(), |p| format!("{p}…"));
        let (old, new) = (shown(&self.old_prefix), shown(&self.new_prefix));
        let by = match self.method {
            Some(method) if method == Method::Admin.as_str() => " by an administrator",
            _ => "",
        };
        let message = self.message.as_deref().unwrap_or_default();
        let (mark, what) = match self.state {
            RotationState::Rotated => (
                paint.good("✓"),
                format!("{old} is replaced by {new}{by}, and revoked"),
            ),
            RotationState::Finished => (
                paint.good("✓"),
                format!("the rotation begun before is finished: {new} is stored, {old} is revoked"),
            ),
            RotationState::InGrace => {
                let until = self
                    .revoke_after
                    .map_or_else(String::new, |at| at.strftime("%F %H:%M UTC").to_string());
                let then = format!(
                    "the old key {old} lives until {until}, and the next `ntro auth rotate {}` after that revokes it",
                    quoted(name)
                );
                match self.earlier {
                    true => (paint.dim("-"), format!("already rotated: {then}")),
                    false => (
                        paint.good("✓"),
                        format!("{old} is replaced by {new}{by}; {then}"),
                    ),
                }
            }
            RotationState::UntilQuiet => (
                paint.good("✓"),
                format!(
                    "{old} is replaced by {new}, and the server revokes it once it is not used any more"
                ),
            ),
            RotationState::Manual => (
                paint.good("✓"),
                format!("{old} is replaced by {new}, and not revoked"),
            ),
            RotationState::Abandoned => (
                paint.good("✓"),
                "the unfinished rotation is forgotten".to_owned(),
            ),
            RotationState::Skipped => (paint.dim("-"), message.to_owned()),
            RotationState::Due => (
                paint.warn("·"),
                format!("{old} would be rotated{}", age(message)),
            ),
            RotationState::Unfinished => (
                paint.warn("·"),
                format!("the unfinished rotation of {old} would be finished or taken back"),
            ),
            RotationState::Failed => (paint.bad("✗"), message.to_owned()),
        };
        let production = match self.production {
            true => " (production)",
            false => "",
        };
        paint.marked(&mark, &format!("`{name}`{production}: {what}"))
    }
}

fn age(message: &str) -> String {
    match message {
        "" => String::new(),
        message => format!(", {message}"),
    }
}

impl Rotations {
    /// Counts the results.
    pub(super) fn summary(&self) -> String {
        use RotationState as S;
        let kinds: [(&str, &[S]); 6] = [
            ("rotated", &[S::Rotated, S::Finished, S::Manual]),
            ("with an old key still live", &[S::InGrace, S::UntilQuiet]),
            ("to be rotated", &[S::Due, S::Unfinished]),
            ("skipped", &[S::Skipped]),
            ("abandoned", &[S::Abandoned]),
            ("failed", &[S::Failed]),
        ];
        let count = |states: &[S]| {
            self.0
                .iter()
                .filter(|row| states.contains(&row.state))
                .count()
        };
        let counts = kinds.map(|(what, states)| (count(states), what));
        let counts: Vec<_> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        match counts.as_slice() {
            [] => "no connection is logged in".to_owned(),
            counts => counts.join(", "),
        }
    }
}

impl Report for Rotations {
    fn text(&self, paint: Paint) -> String {
        self.0.iter().map(|row| row.text(paint)).collect()
    }
}
