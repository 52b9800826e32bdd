//! A key named on the command line.

use ntro_base::{ApiKey, KeyPrefix};

/// The id or the prefix of a key.
#[derive(Clone, Debug)]
pub(crate) enum KeyChoice {
    Id(String),
    /// Prefix, or by mistake a whole key: kept as a key, so that no message repeats it.
    Prefix(ApiKey),
}

impl KeyChoice {
    /// Never fails: clap would repeat the rejected text, which may be a key.
    #[expect(clippy::unnecessary_wraps, reason = "a value parser returns a result")]
    pub(crate) fn parse(text: &str) -> Result<Self, std::convert::Infallible> {
        let text = text.trim().trim_end_matches('…');
        let prefix = text.parse::<ApiKey>().ok();
        Ok(match prefix.filter(|key| key.provider().is_some()) {
            Some(prefix) => Self::Prefix(prefix),
            None => Self::Id(text.to_owned()),
        })
    }

    /// Returns whether this is the key with this id and prefix.
    pub(crate) fn is(&self, id: Option<&str>, prefix: Option<&KeyPrefix>) -> bool {
        let bare = |id: &str| id.strip_prefix("key_").unwrap_or(id).to_ascii_lowercase();
        match self {
            Self::Id(wanted) => id.is_some_and(|id| bare(id) == bare(wanted)),
            Self::Prefix(wanted) => {
                prefix.is_some_and(|prefix| wanted.expose().starts_with(prefix.as_str()))
            }
        }
    }

    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Id(id) => format!("the id `{id}`"),
            Self::Prefix(_) => "this prefix".to_owned(),
        }
    }
}
