//! State of one connection: the source of the text, the JSON and the exit code.

use jiff::{SignedDuration, Timestamp};
use ntro_base::{Period, escaped, printable};
use serde::Serialize;

use crate::commands::expiry::{self, Remaining};
use crate::error::CliError;
use crate::exit::{Exit, Kind};
use crate::output::{Column, Paint, Report, Table, whole_seconds};

/// Longest remark shown; a server's message may be longer.
const LONGEST_REMARK: usize = 300;

/// How long a presented tripwire is reported.
const TRIPPED: SignedDuration = SignedDuration::from_hours(7 * 24);

const COLUMNS: [Column; 5] = [
    Column::always("NAME"),
    Column::always("STATUS"),
    Column::ranked("PROD", 1),
    Column::ranked("HOST", 2),
    Column::prose(""),
];

/// The state of one connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::commands::auth) struct StatusRow {
    /// Name of the connection.
    #[serde(rename = "connection")]
    pub(super) name: String,
    /// State of the connection.
    pub(super) state: ConnectionState,
    /// Whether the exit code counts the connection as a success.
    pub(super) ok: bool,
    /// Base URL of the server.
    pub(super) host: Option<String>,
    /// Why the key is not valid.
    pub(super) message: Option<String>,
    /// When the key expires, if the server reports it.
    pub(super) expires_at: Option<Timestamp>,
    /// Whole days until the key expires; negative once it has expired.
    pub(super) expires_in_days: Option<i64>,
    #[serde(skip)]
    remaining: Option<Remaining>,
    /// Whether the connection is production.
    #[serde(skip)]
    pub(super) production: bool,
    /// When a one-off token of a proxy was last presented to the server, within a week.
    pub(super) tripped_at: Option<Timestamp>,
    /// When the grace period of a replaced key ends.
    #[serde(skip)]
    pub(super) old_key_until: Option<Timestamp>,
    #[serde(skip)]
    kind: Option<Kind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) enum ConnectionState {
    /// The server accepts the key.
    Valid,
    /// The server accepts the key, which expires soon.
    Expiring,
    /// The key has expired.
    Expired,
    /// The server rejects the key.
    Rejected,
    /// The server accepts the key, but not for this call.
    Forbidden,
    /// The server does not answer.
    Unreachable,
    /// The secret store is locked.
    Locked,
    /// The secret store is unavailable.
    StoreUnavailable,
    /// The connection has no key.
    NoKey,
    /// The check failed for another reason.
    Failed,
}

/// When to warn about an expiring key, and whether the warning fails the command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Warning {
    pub(super) within: Period,
    pub(super) counts: bool,
}

impl StatusRow {
    /// Returns a row that has not been checked; it counts as failed until it is.
    pub(super) fn new(name: String, host: Option<String>) -> Self {
        Self {
            name,
            state: ConnectionState::Failed,
            ok: false,
            host,
            message: Some("it was not checked".to_owned()),
            expires_at: None,
            expires_in_days: None,
            remaining: None,
            production: false,
            tripped_at: None,
            old_key_until: None,
            kind: Some(Kind::Failure),
        }
    }

    /// Records that the server accepts the key.
    pub(super) fn accepted(
        &mut self,
        expires_at: Option<Timestamp>,
        now: Timestamp,
        warning: Warning,
    ) {
        self.expires(expires_at, now);
        self.message = None;
        let within = |remaining: Remaining| remaining.is_within(warning.within);
        let (state, kind) = match self.remaining {
            Some(remaining) if remaining.is_over() || within(remaining) => {
                // The server's answer takes precedence; one of the two clocks is wrong.
                if remaining.is_over() {
                    self.message = Some(expiry::ACCEPTED_AFTER_ITS_END.to_owned());
                }
                (
                    ConnectionState::Expiring,
                    warning.counts.then_some(Kind::Failure),
                )
            }
            _ => (ConnectionState::Valid, None),
        };
        self.state = state;
        self.ok = kind.is_none();
        self.kind = kind;
    }

    /// Records when a tripwire of the key was last presented, if that was within a week.
    pub(super) fn tripped(&mut self, at: Option<Timestamp>, now: Timestamp) {
        let is_recent = |at: &Timestamp| now.duration_since(*at) < TRIPPED;
        self.tripped_at = at.filter(is_recent).map(whole_seconds);
    }

    /// Records that the server does not accept the key, whose recorded expiry is `recorded`.
    pub(super) fn refused(&mut self, error: CliError, recorded: Option<Timestamp>, now: Timestamp) {
        let state = match error.kind {
            Kind::NotAuthenticated if recorded.is_some_and(|at| at <= now) => {
                self.expires(recorded, now);
                ConnectionState::Expired
            }
            Kind::NotAuthenticated => ConnectionState::Rejected,
            Kind::Forbidden => ConnectionState::Forbidden,
            Kind::Unreachable => ConnectionState::Unreachable,
            _ => ConnectionState::Failed,
        };
        self.fail(state, error.kind, &error.message);
    }

    pub(super) fn fail(&mut self, state: ConnectionState, kind: Kind, message: &str) {
        self.state = state;
        self.ok = false;
        self.kind = Some(kind);
        self.message = Some(printable(message, LONGEST_REMARK));
    }

    fn expires(&mut self, at: Option<Timestamp>, now: Timestamp) {
        self.expires_at = at.map(whole_seconds);
        self.remaining = at.map(|at| expiry::remaining(at, now));
        self.expires_in_days = self.remaining.map(Remaining::days);
    }

    /// Returns whether the row changed, ignoring the number of days left.
    pub(super) fn differs(&self, before: &Self) -> bool {
        let shown = |row: &Self| (row.state, row.tripped_at);
        (shown(self), &self.host, &self.message) != (shown(before), &before.host, &before.message)
    }

    /// Returns the state as text for people.
    pub(super) fn status(&self) -> String {
        match self.state {
            ConnectionState::Valid => "valid".to_owned(),
            ConnectionState::Expiring => match self.remaining {
                Some(remaining) => format!("expires {remaining}"),
                None => "expires soon".to_owned(),
            },
            ConnectionState::Expired => "expired".to_owned(),
            ConnectionState::Rejected => "rejected".to_owned(),
            ConnectionState::Forbidden => "forbidden".to_owned(),
            ConnectionState::Unreachable => "unreachable".to_owned(),
            ConnectionState::Locked => "locked".to_owned(),
            ConnectionState::StoreUnavailable => "store unavailable".to_owned(),
            ConnectionState::NoKey => "no key".to_owned(),
            ConnectionState::Failed => "failed".to_owned(),
        }
    }

    pub(super) fn remark(&self) -> String {
        let remark = match (&self.message, self.state, self.remaining) {
            (Some(message), ..) => message.clone(),
            (None, ConnectionState::Valid, Some(remaining)) => format!("expires {remaining}"),
            _ => String::new(),
        };
        let time = |at: Timestamp| at.strftime("%F %H:%M UTC");
        let tripped = self.tripped_at.map(|at| {
            format!(
                "a program has leaked its one-off token: it was used at {}",
                time(at)
            )
        });
        let old = self
            .old_key_until
            .map(|at| format!("the old key lives until {}", time(at)));
        let parts = [tripped, Some(remark), old].into_iter().flatten();
        let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
        parts.join("; ")
    }
}

/// One object for each connection.
#[derive(Debug, Serialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::commands::auth) struct Statuses(pub(super) Vec<StatusRow>);

impl Statuses {
    /// Returns the exit code of the first connection that is not ok. A key that merely expires soon
    /// counts after all others.
    pub(super) fn exit(&self) -> Exit {
        let first = |soon: bool| {
            let mut rows = self.0.iter();
            rows.find_map(|row| {
                row.kind
                    .filter(|_| (row.state == ConnectionState::Expiring) == soon)
            })
        };
        first(false)
            .or_else(|| first(true))
            .map_or(Exit::Success, Exit::Failure)
    }

    /// Returns these rows as a table.
    pub(super) fn table<'a>(
        paint: Paint,
        rows: impl Iterator<Item = &'a StatusRow> + Clone,
    ) -> String {
        let production = rows.clone().any(|row| row.production);
        let mut table = Table::some(paint, &COLUMNS, &[true, true, production, true, true]);
        for row in rows {
            table.row([
                escaped(&row.name).into_owned(),
                row.status(),
                if row.production { "yes" } else { "" }.to_owned(),
                row.host.clone().unwrap_or_else(|| "-".to_owned()),
                row.remark(),
            ]);
        }
        table.text()
    }
}

impl Report for Statuses {
    fn text(&self, paint: Paint) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        Self::table(paint, self.0.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(expires: Option<&str>, warning: Warning) -> StatusRow {
        let mut row = StatusRow::new("a".to_owned(), None);
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        row.accepted(expires.map(|at| at.parse().unwrap()), now, warning);
        row
    }

    fn quiet() -> Warning {
        Warning {
            within: Period::days(14),
            counts: false,
        }
    }

    #[test]
    fn expiring_key_counts_on_request() {
        let counting = Warning {
            counts: true,
            ..quiet()
        };
        for (at, state, ok, counted) in [
            (None, ConnectionState::Valid, true, true),
            (
                Some("2026-02-01T00:00:00Z"),
                ConnectionState::Valid,
                true,
                true,
            ),
            (
                Some("2026-01-15T00:00:00Z"),
                ConnectionState::Expiring,
                true,
                false,
            ),
            (
                Some("2026-01-15T00:00:01Z"),
                ConnectionState::Valid,
                true,
                true,
            ),
            (
                Some("2026-01-01T00:00:01Z"),
                ConnectionState::Expiring,
                true,
                false,
            ),
            (
                Some("2026-01-01T00:00:00Z"),
                ConnectionState::Expiring,
                true,
                false,
            ),
        ] {
            let quiet = row(at, quiet());
            assert_eq!((quiet.state, quiet.ok), (state, ok), "{at:?}");
            let counting = row(at, counting);
            assert_eq!((counting.state, counting.ok), (state, counted), "{at:?}");
            let exit = Statuses(vec![counting]).exit();
            assert_eq!(exit == Exit::Success, counted, "{at:?}");
        }
    }

    #[test]
    fn failures_decide_exit_code() {
        let soon = row(
            Some("2026-01-02T00:00:00Z"),
            Warning {
                counts: true,
                ..quiet()
            },
        );
        let mut down = StatusRow::new("b".to_owned(), None);
        down.fail(ConnectionState::Unreachable, Kind::Unreachable, "no answer");
        let mut gone = StatusRow::new("c".to_owned(), None);
        gone.fail(ConnectionState::NoKey, Kind::NotAuthenticated, "no key");
        let exit = |rows: &[&StatusRow]| Statuses(rows.iter().copied().cloned().collect()).exit();
        assert_eq!(exit(&[]), Exit::Success);
        assert_eq!(exit(&[&soon]), Exit::Failure(Kind::Failure));
        assert_eq!(
            exit(&[&soon, &down, &gone]),
            Exit::Failure(Kind::Unreachable)
        );
        assert_eq!(
            exit(&[&gone, &soon, &down]),
            Exit::Failure(Kind::NotAuthenticated)
        );
    }

    #[test]
    fn key_refused_after_end_has_expired() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let state = |recorded: Option<&str>, kind| {
            let mut row = StatusRow::new("a".to_owned(), None);
            let recorded = recorded.map(|at| at.parse().unwrap());
            row.refused(CliError::new(kind, "no"), recorded, now);
            assert!(!row.ok);
            row.state
        };
        let (past, future) = (Some("2025-12-31T00:00:00Z"), Some("2026-12-31T00:00:00Z"));
        assert_eq!(
            state(past, Kind::NotAuthenticated),
            ConnectionState::Expired
        );
        assert_eq!(
            state(future, Kind::NotAuthenticated),
            ConnectionState::Rejected
        );
        assert_eq!(
            state(None, Kind::NotAuthenticated),
            ConnectionState::Rejected
        );
        assert_eq!(state(past, Kind::Unreachable), ConnectionState::Unreachable);
        assert_eq!(state(past, Kind::Forbidden), ConnectionState::Forbidden);
    }
}
