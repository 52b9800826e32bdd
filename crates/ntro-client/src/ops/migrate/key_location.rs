use std::fmt;
use std::str::FromStr;

use crate::secrets::StoreKind;

/// Where a key can lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyLocation {
    /// A secret store.
    Store(StoreKind),
    /// The file of Ontora's official client.
    Ontora,
}

impl KeyLocation {
    /// Returns the name that programs read.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Store(kind) => kind.as_str(),
            Self::Ontora => "ontora",
        }
    }
}

/// For people.
impl fmt::Display for KeyLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(kind) => kind.fmt(f),
            Self::Ontora => f.pad("~/.ontora/config.yaml"),
        }
    }
}

/// Reads the name that programs read.
impl FromStr for KeyLocation {
    type Err = <StoreKind as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ontora" => Ok(Self::Ontora),
            store => store.parse().map(Self::Store),
        }
    }
}
