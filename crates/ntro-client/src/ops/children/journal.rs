use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::{Error, NtroDir};
use crate::state::{State, StateFile};
use ntro_base::KeyPrefix;
use ntro_base::Origin;

/// `children.toml`: the child keys that may be live, by the attempt to create them. Holds no key.
///
/// The file exists only while there are some.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildKeys {
    #[serde(default, rename = "children")]
    records: BTreeMap<String, ChildRecord>,
}

/// A child key that may be live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildRecord {
    /// The origin of the server.
    pub origin: String,
    /// The displayable prefix of the parent.
    pub parent: String,
    /// The id of the child, once the server has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When the child has expired in any case.
    pub expires_at: Timestamp,
}

impl State for ChildKeys {
    const HEAD: &'static str = "child keys that may be live. Holds no key.";

    fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

impl ChildRecord {
    /// Returns whether the child has this parent.
    #[must_use]
    pub fn is_of(&self, origin: &Origin, parent: &KeyPrefix) -> bool {
        self.origin == origin.to_string() && self.parent == parent.as_str()
    }
}

impl ChildKeys {
    /// Reads the records; a missing file has none.
    pub fn read(path: &Path) -> Result<Self, Error> {
        StateFile::at(path).read()
    }

    /// Returns all records, by attempt.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ChildRecord)> {
        let records = self.records.iter();
        records.map(|(attempt, record)| (attempt.as_str(), record))
    }

    /// Records a child that may be live.
    pub(super) fn record(home: &NtroDir, attempt: &str, record: &ChildRecord) -> Result<(), Error> {
        Self::change(home, |records| {
            records.insert(attempt.to_owned(), record.clone());
        })
    }

    /// Removes the record of a child that is not live.
    pub(super) fn end(home: &NtroDir, attempt: &str) -> Result<(), Error> {
        Self::change(home, |records| {
            records.remove(attempt);
        })
    }

    fn change(
        home: &NtroDir,
        change: impl FnOnce(&mut BTreeMap<String, ChildRecord>),
    ) -> Result<(), Error> {
        let path = home.children();
        let lock = home.lock()?;
        let mut keys = Self::read(&path)?;
        change(&mut keys.records);
        StateFile::at(&path).save(&keys, &lock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let home = NtroDir::at(folder.path());
        let mut record = ChildRecord {
            origin: "http://127.0.0.1:3000".into(),
            parent: "ntro_prod_1".into(),
            id: None,
            expires_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        };
        ChildKeys::record(&home, "b", &record).unwrap();
        record.id = Some("k1".into());
        ChildKeys::record(&home, "a", &record).unwrap();
        let text = std::fs::read_to_string(home.children()).unwrap();
        let expected = "# Written by ntro: child keys that may be live. Holds no key.

[children.a]
origin = \"http://127.0.0.1:3000\"
parent = \"ntro_prod_1\"
id = \"k1\"
expires_at = \"2026-01-02T03:04:05Z\"

[children.b]
origin = \"http://127.0.0.1:3000\"
parent = \"ntro_prod_1\"
expires_at = \"2026-01-02T03:04:05Z\"
";
        assert_eq!(text, expected);
        let read = ChildKeys::read(&home.children()).unwrap();
        assert_eq!(read.iter().next(), Some(("a", &record)));
        assert_eq!(read.iter().count(), 2);
        for attempt in ["a", "b", "b"] {
            ChildKeys::end(&home, attempt).unwrap();
        }
        assert!(!home.children().exists());
    }
}
