use serde::{Deserialize, Deserializer};
use toml_edit::{Array, Table, value};

/// `[stores.command]`: the helpers of the `command` store, as they stand in a file of ours.
///
/// They stand in `config.toml` and, once a key was stored through them, in `logins.toml` as well:
/// the official clients drop the table when they rewrite `config.toml`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
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
    /// Program and arguments that print the names of what is stored.
    #[serde(default)]
    pub list: Option<Vec<String>>,
    /// How a helper that fails tells that there is no such item.
    #[serde(default)]
    pub missing: Vec<MissingEntry>,
    /// Seconds that each run may take.
    #[serde(default, deserialize_with = "seconds")]
    pub timeout: Option<f64>,
}

/// One element of `missing`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    expecting = "expected an exit code, or a part of what is said on standard error"
)]
pub enum MissingEntry {
    /// An exit code.
    Code(i32),
    /// A part of what is said on standard error.
    Text(String),
}

impl HelperEntry {
    pub(super) fn to_table(&self) -> Table {
        let words = |words: &[String]| value(words.iter().collect::<Array>());
        let mut table = Table::new();
        table["get"] = words(&self.get);
        table["store"] = words(&self.store);
        table["erase"] = words(&self.erase);
        if let Some(list) = &self.list {
            table["list"] = words(list);
        }
        if !self.missing.is_empty() {
            let mut missing = Array::new();
            for entry in &self.missing {
                match entry {
                    MissingEntry::Code(code) => missing.push(i64::from(*code)),
                    MissingEntry::Text(text) => missing.push(text),
                }
            }
            table["missing"] = value(missing);
        }
        if let Some(timeout) = self.timeout {
            table["timeout"] = value(timeout);
        }
        table
    }
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
