use tokio_postgres::error::{Severity, SqlState};

/// An error of PostgreSQL or of the connection to it. The library behind it is not part of the
/// interface.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct PostgresError {
    message: String,
    /// `None` for an error of the connection.
    state: Option<SqlState>,
    /// Whether the connection is still open and its transaction is known to have failed.
    is_definite: bool,
}

impl PostgresError {
    /// An error that PostgreSQL has not reported itself.
    pub(super) fn connection(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            state: None,
            is_definite: false,
        }
    }

    /// Returns whether the statement has had no effect, as the database itself reports.
    pub(super) fn is_definite(&self) -> bool {
        self.is_definite
    }

    /// Returns whether the database has ended the connection with this error.
    pub(super) fn is_fatal(&self) -> bool {
        self.state.is_some() && !self.is_definite
    }

    pub(in crate::store) fn is_unique_violation(&self) -> bool {
        self.state == Some(SqlState::UNIQUE_VIOLATION)
    }

    /// Returns whether the same statement may succeed later.
    pub(in crate::store) fn is_unavailability(&self) -> bool {
        // Connections, transactions that were chosen to fail, resources, shutdown, the system, and
        // a server that became a standby.
        const LATER: [&str; 5] = ["08", "40", "53", "57", "58"];
        let Some(state) = &self.state else {
            return true;
        };
        let code = state.code();
        LATER.iter().any(|class| code.starts_with(class))
            || *state == SqlState::LOCK_NOT_AVAILABLE
            || *state == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
            || *state == SqlState::READ_ONLY_SQL_TRANSACTION
    }
}

impl From<tokio_postgres::Error> for PostgresError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(reported) = error.as_db_error() else {
            let mut message = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                let cause_text = cause.to_string();
                if !message.contains(&cause_text) {
                    message = format!("{message}: {cause_text}");
                }
                source = cause.source();
            }
            return Self::connection(message);
        };
        // The detail may hold values of the row.
        Self {
            message: format!("{}: {}", reported.severity(), reported.message()),
            state: Some(reported.code().clone()),
            is_definite: reported.parsed_severity() == Some(Severity::Error),
        }
    }
}
