use std::sync::Arc;

use super::CachedKey;
use super::rate_limits::Exceeded;
use crate::store::Trip;

/// The outcome of verifying a key.
pub(crate) enum Verdict {
    /// The key is live.
    Accepted(Arc<CachedKey>),
    /// The key is not accepted now.
    Refused(VerifyRefusal),
    /// The text is the token of a tripwire. A [`Trip`] must be recorded.
    Tripped(Option<Trip>),
    /// The key cache does not know the current keys, so the key may be live or not.
    CannotSay,
}

/// Why a key is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VerifyRefusal {
    /// Malformed, unknown, revoked, expired, or of the other provider; the response does not reveal
    /// which.
    Unknown,
    /// The key is live, but its tenant is not active.
    Suspended,
    /// The key is paused.
    Paused,
    /// The rate limit of the key or its tenant is used up.
    Limited(Exceeded),
}
