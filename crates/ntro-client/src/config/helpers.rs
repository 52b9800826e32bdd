use serde::{Deserialize, Deserializer, Serialize};

/// `[stores.command]`: the helpers of the `command` store.
///
/// The table is in `config.toml` and, once a key was stored through the helpers, in `logins.toml`
/// as well: the official clients drop it when they rewrite `config.toml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(expecting = "a table")]
pub struct HelperEntry {
    /// Program and arguments that print a key.
    #[serde(default)]
    pub get: Vec<String>,
    /// Program and arguments that store the key on their standard input.
    #[serde(default)]
    pub store: Vec<String>,
    /// Program and arguments that erase a key.
    #[serde(default)]
    pub erase: Vec<String>,
    /// Program and arguments that print the names of the stored keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<Vec<String>>,
    /// How a failing helper reports that there is no such item.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingEntry>,
    /// Seconds that each run may take.
    #[serde(
        default,
        deserialize_with = "seconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub timeout: Option<f64>,
}

/// One element of `missing`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected an exit code, or a part of the message on standard error"
)]
pub enum MissingEntry {
    /// An exit code.
    Code(i32),
    /// A part of what is said on standard error.
    Text(String),
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    match std::time::Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(Some(seconds)),
        _ => Err(serde::de::Error::custom(
            "expected a number of seconds above 0",
        )),
    }
}
