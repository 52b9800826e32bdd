use std::fmt;
use std::str::FromStr;

/// How much of the system a keyless child is kept from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SealLevel {
    /// The stores, the sockets of other programs and their memory; the network stays.
    #[default]
    Store,
    /// The same, in an empty network namespace.
    Net,
    /// Nothing.
    Off,
}

/// The name of a level is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `store`, `net` or `off`")]
pub struct UnknownSealLevel;

impl SealLevel {
    /// Every level.
    pub const ALL: [Self; 3] = [Self::Store, Self::Net, Self::Off];

    /// Returns the name that users write.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Net => "net",
            Self::Off => "off",
        }
    }
}

impl fmt::Display for SealLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SealLevel {
    type Err = UnknownSealLevel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|level| level.name() == text)
            .ok_or(UnknownSealLevel)
    }
}
