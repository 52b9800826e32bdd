use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A call in the log. It has no key, no body and no query.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// The number of the line, from 1 on, over all older logs.
    pub sequence: u64,
    /// When the call began.
    pub time: Timestamp,
    /// The name of the child; none if it did not present its token.
    pub child: Option<String>,
    /// The process id of the child, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The method.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The status that the child received; none if the call ended before.
    pub status: Option<u16>,
    /// Bytes of the request's body.
    pub sent: u64,
    /// Bytes of the answer's body.
    pub received: u64,
    /// How long the call took.
    pub milliseconds: u64,
    /// The decision of the proxy.
    pub decision: Decision,
    /// Why it was refused or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether a person has approved it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approved: bool,
    /// Refused calls before this line that were not logged: without a token and too many, or while
    /// the log could not be written.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: u64,
    /// The hash of the line before.
    pub previous: String,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The decision of the proxy about a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It was forwarded, and answered in full.
    Forwarded,
    /// It was not forwarded.
    Refused,
    /// It was forwarded, and the answer was not complete.
    #[default]
    Failed,
}

impl Decision {
    /// Returns the name in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}
