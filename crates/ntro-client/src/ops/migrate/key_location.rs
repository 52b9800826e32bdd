use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::secrets::StoreKind;
use crate::state::text;

/// A place that can hold a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyLocation {
    /// A secret store.
    Store(StoreKind),
    /// The file of Ontora's official client.
    Ontora,
}

impl KeyLocation {
    /// Returns the name used in JSON and in the journal.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Store(kind) => kind.as_str(),
            Self::Ontora => "ontora",
        }
    }
}

/// Formats the name for people.
impl fmt::Display for KeyLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(kind) => kind.fmt(f),
            Self::Ontora => f.pad("~/.ontora/config.yaml"),
        }
    }
}

/// Parses the name returned by [`KeyLocation::as_str`].
impl FromStr for KeyLocation {
    type Err = <StoreKind as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ontora" => Ok(Self::Ontora),
            store => store.parse().map(Self::Store),
        }
    }
}

/// Serializes the name returned by [`KeyLocation::as_str`].
impl Serialize for KeyLocation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for KeyLocation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer)
    }
}
