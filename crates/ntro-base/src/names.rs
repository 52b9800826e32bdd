//! Names of connections, tenants and keys.

use std::fmt;
use std::str::FromStr;

use super::Provider;
use super::text::{CharacterName, is_hidden};

/// Why a name was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The text is empty or only white space.
    #[error("the {what} is empty")]
    Empty {
        /// The kind of name.
        what: &'static str,
    },
    /// The name is longer than any real one.
    #[error("the {what} has {length} characters, at most {limit} are allowed")]
    TooLong {
        /// The kind of name.
        what: &'static str,
        /// Its length in characters.
        length: usize,
        /// The maximum length in characters.
        limit: usize,
    },
    /// The name contains a character that is not allowed.
    #[error("the {what} contains {}, which is not allowed there", CharacterName(*character))]
    Character {
        /// The kind of name.
        what: &'static str,
        /// The first such character.
        character: char,
    },
    /// The name looks like an API key, which lists and messages must not repeat.
    #[error("the {what} looks like an API key, which belongs elsewhere")]
    LooksLikeKey {
        /// The kind of name.
        what: &'static str,
    },
    /// The name would be read as an option.
    #[error("the {what} begins with `-` and would be read as an option")]
    LeadingDash {
        /// The kind of name.
        what: &'static str,
    },
    /// The name has another use.
    #[error("the {what} `{name}` is reserved for {used_for}")]
    Reserved {
        /// The kind of name.
        what: &'static str,
        /// The name.
        name: &'static str,
        /// Its purpose.
        used_for: &'static str,
    },
}

impl NameError {
    /// Returns the same error for another kind of name.
    #[must_use]
    pub fn about(mut self, kind: &'static str) -> Self {
        let (Self::Empty { what }
        | Self::TooLong { what, .. }
        | Self::Character { what, .. }
        | Self::LooksLikeKey { what }
        | Self::LeadingDash { what }
        | Self::Reserved { what, .. }) = &mut self;
        *what = kind;
        self
    }
}

/// Whether a name is typed as an argument or only shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Argument,
    Display,
}

fn check(
    what: &'static str,
    used: Use,
    text: &str,
    limit: usize,
    forbidden: fn(char) -> bool,
) -> Result<String, NameError> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return Err(NameError::Empty { what });
    }
    if looks_like_key(text) {
        return Err(NameError::LooksLikeKey { what });
    }
    let length = text.chars().count();
    if length > limit {
        return Err(NameError::TooLong {
            what,
            length,
            limit,
        });
    }
    if let Some(character) = text.chars().find(|&c| is_hidden(c) || forbidden(c)) {
        return Err(NameError::Character { what, character });
    }
    if used == Use::Argument && text.starts_with('-') {
        return Err(NameError::LeadingDash { what });
    }
    Ok(text.to_owned())
}

/// Returns whether a text is a key typed instead of a name. `ntro_prod` is a name.
pub(crate) fn looks_like_key(text: &str) -> bool {
    /// Shorter than any issued key, longer than the marker and an environment.
    const SHORTEST: usize = 24;

    text.len() >= SHORTEST && Provider::of_key(text).is_some()
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $used:expr, $limit:literal, $forbidden:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// Returns the name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                check($what, $used, text, $limit, $forbidden).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// The name of a connection in `config.toml`.
    ///
    /// Any text of at most 64 visible characters and spaces that does not begin with a dash. The
    /// official clients set no rule, and connections made by them must stay reachable.
    ConnectionName,
    "connection name",
    Use::Argument,
    64,
    |_| false
);

name!(
    /// The slug or id of a tenant (Ontora: the id of a workspace).
    ///
    /// It becomes a segment of a URL path, so it contains no slash, space or query sign.
    TenantSlug,
    "tenant",
    Use::Argument,
    128,
    |c| c.is_whitespace() || matches!(c, '/' | '\\' | '?' | '#' | '%')
);

name!(
    /// The display name of a key on the server.
    KeyName,
    "key name",
    Use::Display,
    255,
    |_| false
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_are_refused() {
        for name in [
            "prod\u{202e}uction",
            "prod\u{200b}",
            "pr\u{ad}od",
            "prod\u{e0041}",
            "prod\u{2028}",
            "\u{feff}prod",
            "\u{200e}",
            "prod\u{a0}x",
            "prod\u{3164}",
            "prod\u{2800}",
            "prod\u{fe0f}",
            "prod\u{85}",
        ] {
            let is_character = |error| matches!(error, NameError::Character { .. });
            assert!(
                name.parse::<ConnectionName>().is_err_and(is_character),
                "{name:?}"
            );
            assert!(
                name.parse::<TenantSlug>().is_err_and(is_character),
                "{name:?}"
            );
            assert!(name.parse::<KeyName>().is_err_and(is_character), "{name:?}");
        }
        for name in ["größe", "ключ", "鍵", "🔑", "a b", "स्त"] {
            assert!(name.parse::<ConnectionName>().is_ok(), "{name:?}");
        }
    }

    #[test]
    fn key_as_name_is_refused() {
        for key in [
            "ntro_prod_k9Zr4MxQ2bLw_Jf83nd72jfk38dhJKd8",
            " ont_live_k9Zr4MxQ2bLw_Jf83nd72jfk38dhJKd8",
        ] {
            let error = key.parse::<ConnectionName>().unwrap_err();
            assert!(matches!(error, NameError::LooksLikeKey { .. }));
            assert!(!error.to_string().contains("k9Zr"), "{error}");
            assert!(key.parse::<TenantSlug>().is_err());
        }
        for name in ["ntro_prod", "ont_live_acme", "my-ntro_prod_k9Zr4MxQ2bLw"] {
            assert!(name.parse::<ConnectionName>().is_ok(), "{name}");
        }
    }

    #[test]
    fn names_are_trimmed() {
        let name: ConnectionName = "  local \n".parse().unwrap();
        assert_eq!(name.as_str(), "local");
    }

    #[test]
    fn invalid_names_give_reason() {
        let error = |text: &str| text.parse::<ConnectionName>().unwrap_err().to_string();
        assert_eq!(error(" "), "the connection name is empty");
        assert_eq!(
            error("a\u{1b}[31m"),
            "the connection name contains U+001B, which is not allowed there"
        );
        assert_eq!(
            error("-c"),
            "the connection name begins with `-` and would be read as an option"
        );
        assert_eq!(
            error(&"x".repeat(65)),
            "the connection name has 65 characters, at most 64 are allowed"
        );
        assert!("a/b".parse::<TenantSlug>().is_err());
        assert!("a b".parse::<ConnectionName>().is_ok());
    }
}
