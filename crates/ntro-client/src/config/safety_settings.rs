use serde::{Deserialize, Serialize};

use super::schema::policy;
use ntro_base::Policy;

/// The safety settings of a connection.
///
/// `logins.toml` keeps a copy, because the official clients drop these keys when they rewrite
/// `config.toml`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SafetySettings {
    /// How the key may be used.
    #[serde(
        default,
        deserialize_with = "policy",
        serialize_with = "crate::state::text::serialize_some",
        skip_serializing_if = "Option::is_none"
    )]
    pub policy: Option<Policy>,
    /// Whether the connection counts as production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub production: Option<bool>,
}
