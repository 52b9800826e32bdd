use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::{Error, NtroDir};
use crate::state::{State, StateFile, text};
use ntro_base::disk::FileLock;

/// `rotations.toml`: the unfinished rotations, by connection. Holds no key.
///
/// The file exists only while a rotation is unfinished.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotations {
    #[serde(default, rename = "rotations")]
    records: BTreeMap<String, Unfinished>,
}

/// Where the new key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The old key creates its successor.
    Itself,
    /// An administrator creates it.
    Admin,
    /// A person creates it on the provider's site and enters it.
    Walkthrough,
}

/// An unfinished rotation.
///
/// Each field is recorded before the step that would need it after a kill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// Where the new key comes from.
    #[serde(with = "text")]
    pub method: Method,
    /// The provider of the connection.
    pub provider: String,
    /// The origin that both keys are bound to.
    pub origin: String,
    /// The store of the key.
    pub store: String,
    /// Identifies the attempt to the server, and is part of the name of a key that an
    /// administrator creates.
    pub nonce: String,
    /// The tenant whose keys an administrator manages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The displayable prefix of the old key.
    pub old_prefix: String,
    /// The id of the old key, if the server reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_id: Option<String>,
    /// The displayable prefix of the new key; set before the key is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_prefix: Option<String>,
    /// The id of the new key, if the server reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_id: Option<String>,
    /// When the rotation began.
    pub started_at: Timestamp,
    /// How many seconds the old key stays valid after the new one is stored.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub grace: u64,
    /// After how many seconds without a use the server revokes the old key; 0 is immediately.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub quiet: u64,
    /// When the old key may be revoked; set once the new one is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoke_after: Option<Timestamp>,
    /// The key properties requested by an administrator, so that a retry requests the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
}

/// The properties of a key that an administrator creates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Its display name.
    pub name: String,
    /// Its scopes.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The number of days until it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_days: Option<u32>,
    /// Whether it may rotate itself.
    pub may_rotate: bool,
}

impl State for Rotations {
    const HEAD: &'static str = "rotations of keys that are not finished. Holds no key.";

    fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

impl Rotations {
    /// Reads the unfinished rotations; a missing file has none.
    pub fn read(path: &Path) -> Result<Self, Error> {
        StateFile::at(path).read()
    }

    /// Returns the unfinished rotation of a connection's key.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Unfinished> {
        self.records.get(name)
    }

    /// Returns all unfinished rotations, by connection.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Unfinished)> {
        self.records
            .iter()
            .map(|(name, record)| (name.as_str(), record))
    }

    /// Records the progress of a rotation.
    pub(super) fn record(
        home: &NtroDir,
        name: &str,
        record: &Unfinished,
        lock: &FileLock,
    ) -> Result<(), Error> {
        let path = home.rotations();
        let mut rotations = Self::read(&path)?;
        rotations.records.insert(name.to_owned(), record.clone());
        StateFile::at(&path).save(&rotations, lock)
    }

    /// Removes the record of a finished rotation and returns it.
    pub(super) fn end(
        home: &NtroDir,
        name: &str,
        lock: &FileLock,
    ) -> Result<Option<Unfinished>, Error> {
        let path = home.rotations();
        let mut rotations = Self::read(&path)?;
        let ended = rotations.records.remove(name);
        if ended.is_some() {
            StateFile::at(&path).save(&rotations, lock)?;
        }
        Ok(ended)
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(seconds: &u64) -> bool {
    *seconds == 0
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 3] = [Self::Itself, Self::Admin, Self::Walkthrough];

    /// Returns the name used in the journal and in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Itself => "self",
            Self::Admin => "admin",
            Self::Walkthrough => "walkthrough",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The error for a text that names no [`Method`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `self`, `admin` or `walkthrough`")]
pub struct UnknownMethod;

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|method| method.as_str() == text)
            .ok_or(UnknownMethod)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn record(method: Method) -> Unfinished {
        Unfinished {
            method,
            provider: "ontora".into(),
            origin: "https://api.ontora.com".into(),
            store: "keyring".into(),
            nonce: "1a2b3c4d5e6f7081".into(),
            tenant: None,
            asked: None,
            old_prefix: "ont_live_old".into(),
            old_id: None,
            new_prefix: None,
            new_id: None,
            started_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            grace: 0,
            quiet: 0,
            revoke_after: None,
        }
    }

    #[test]
    fn records_round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let home = NtroDir::at(folder.path());
        let lock = home.lock().unwrap();
        let full = Unfinished {
            tenant: Some("ws 1".into()),
            asked: Some(Asked {
                name: "CI (ntro 1a2b3c4d5e6f7081)".into(),
                scopes: vec!["exports".into(), "mcp".into()],
                expires_in_days: Some(90),
                may_rotate: false,
            }),
            old_id: Some("k1".into()),
            new_prefix: Some("ont_live_new".into()),
            new_id: Some("k2".into()),
            grace: 600,
            quiet: 60,
            revoke_after: Some("2026-01-02T03:14:05Z".parse().unwrap()),
            ..record(Method::Admin)
        };
        let bare = record(Method::Itself);
        Rotations::record(&home, "local", &bare, &lock).unwrap();
        Rotations::record(&home, "a \"b\".c", &full, &lock).unwrap();
        let text = std::fs::read_to_string(home.rotations()).unwrap();
        let expected = "# Written by ntro: rotations of keys that are not finished. Holds no key.

[rotations.'a \"b\".c']
method = \"admin\"
provider = \"ontora\"
origin = \"https://api.ontora.com\"
store = \"keyring\"
nonce = \"1a2b3c4d5e6f7081\"
tenant = \"ws 1\"
old_prefix = \"ont_live_old\"
old_id = \"k1\"
new_prefix = \"ont_live_new\"
new_id = \"k2\"
started_at = \"2026-01-02T03:04:05Z\"
grace = 600
quiet = 60
revoke_after = \"2026-01-02T03:14:05Z\"

[rotations.'a \"b\".c'.asked]
name = \"CI (ntro 1a2b3c4d5e6f7081)\"
scopes = [\"exports\", \"mcp\"]
expires_in_days = 90
may_rotate = false

[rotations.local]
method = \"self\"
provider = \"ontora\"
origin = \"https://api.ontora.com\"
store = \"keyring\"
nonce = \"1a2b3c4d5e6f7081\"
old_prefix = \"ont_live_old\"
started_at = \"2026-01-02T03:04:05Z\"
";
        assert_eq!(text, expected);
        let read = Rotations::read(&home.rotations()).unwrap();
        assert_eq!(read.get("local"), Some(&bare));
        assert_eq!(read.get("a \"b\".c"), Some(&full));
        assert_eq!(read.iter().count(), 2);

        let ended = Rotations::end(&home, "local", &lock).unwrap();
        assert_eq!(ended, Some(bare));
        assert_eq!(Rotations::end(&home, "local", &lock).unwrap(), None);
        Rotations::end(&home, "a \"b\".c", &lock).unwrap();
        assert!(!home.rotations().exists());
        assert_eq!(
            Rotations::read(&home.rotations()).unwrap(),
            Rotations::default()
        );
    }

    #[test]
    fn damage_has_a_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rotations.toml");
        for (text, place) in [
            (
                "[rotations.a]\nmethod = \"magic\"",
                "line 2, column 10: expected `self`",
            ),
            (
                "[rotations.a]\nmethod = \"self\"",
                "line 1, column 1: missing field",
            ),
            ("rotations = 1", "line 1, column 13"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Rotations::read(&path).unwrap_err().to_string();
            assert!(
                error.contains("rotations.toml`") && error.contains(place),
                "{error}"
            );
        }
    }
}
