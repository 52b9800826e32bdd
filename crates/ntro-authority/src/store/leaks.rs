/// Where a key was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct LeakPlace {
    pub(crate) url: Option<String>,
    /// The kind of place, such as `content` or `commit`.
    pub(crate) source: Option<String>,
}

/// The outcome of the report of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeakOutcome {
    /// The key was live.
    Revoked,
    /// The key was revoked before.
    RevokedBefore,
    /// There is no such key.
    Unknown,
}
