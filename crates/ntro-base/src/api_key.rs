//! The API key: a secret that is never printed by accident and is wiped when dropped.

use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};

use super::{Provider, is_hidden};

/// The longest accepted key.
///
/// Real keys have about 70 characters; the Windows credential store is limited to 2,560 bytes.
const LONGEST: usize = 2_500;

/// An API key: visible ASCII of any form, so that servers may use other keys than the providers'.
///
/// There is no `Display`, and `Debug` shows the [`KeyPrefix`] only:
///
/// ```
/// let key: ntro_base::ApiKey = "ntro_prod_k9Zr4MxQ2bLw_Jf83nd72jfk38dhJKd8".parse()?;
/// assert_eq!(format!("{key:?}"), "ApiKey(ntro_prod_k9Zr…)");
/// # Ok::<(), ntro_base::ApiKeyError>(())
/// ```
#[derive(Clone)]
pub struct ApiKey(SecretString);

/// Why a text is not an API key. Never repeats the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiKeyError {
    /// The text is empty or only white space.
    #[error("the API key is empty")]
    Empty,
    /// The text is longer than any key.
    #[error("the API key has {length} bytes, at most {LONGEST} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The text contains a character that is not allowed in an HTTP header.
    #[error(
        "the API key contains {what} at position {position}: keys are visible ASCII characters only"
    )]
    Character {
        /// The kind of character; the character itself might be part of a secret.
        what: &'static str,
        /// Its position, counted in characters from 1.
        position: usize,
    },
}

impl ApiKey {
    /// Returns the key itself. There is no other way to read it: search for this name when
    /// reviewing.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Returns the part of the key that may be shown.
    #[must_use]
    pub fn prefix(&self) -> KeyPrefix {
        KeyPrefix::of(self.expose())
    }

    /// Returns the provider whose marker the key begins with, if any.
    #[must_use]
    pub fn provider(&self) -> Option<Provider> {
        Provider::of_key(self.expose())
    }

    /// Returns what makes the text an unlikely key: something was copied with it, or it stands for a
    /// key. No key begins or ends in this way, but a server may accept any text.
    #[must_use]
    pub fn oddity(&self) -> Option<&'static str> {
        const QUOTES: [char; 3] = ['"', '\'', '`'];
        let text = self.expose();
        let lower = zeroize::Zeroizing::new(text.to_ascii_lowercase());
        let names_variable = text.split_once('=').is_some_and(|(name, key)| {
            let is_of_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            !key.is_empty() && name.contains('_') && name.chars().all(is_of_name)
        });
        let odd = [
            (text.starts_with(QUOTES), "begins with a quotation mark"),
            (text.ends_with(QUOTES), "ends with a quotation mark"),
            (names_variable, "begins with the name of a variable"),
            (text.starts_with(['<', '[', '{', '$']), "is a placeholder"),
            (text.ends_with(['>', ']', '}']), "ends with a bracket"),
            (
                text.ends_with([',', ';']),
                "ends with a comma or a semicolon",
            ),
            (text.contains("***"), "is masked by stars"),
            (text.contains("..."), "is shortened by dots"),
            (
                text.contains("xxxx") || text.contains("XXXX"),
                "is a placeholder",
            ),
            (lower.contains("your"), "is a placeholder"),
        ];
        odd.into_iter()
            .find_map(|(is_odd, what)| is_odd.then_some(what))
    }

    /// Returns whether a text contains what looks like a key of a provider: its marker, an
    /// environment and at least 16 more characters, some of which look random. Tokens of proxies
    /// are no keys.
    #[must_use]
    pub fn is_in(text: &str) -> bool {
        let is_of_key = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        text.split(|c| !is_of_key(c)).any(looks_like_key)
    }

    /// Parses a secret text and wipes it, whether or not it is a key.
    ///
    /// As in [`FromStr`], surrounding white space and invisible characters are dropped and anything
    /// but visible ASCII refused.
    pub fn from_secret(text: String) -> Result<Self, ApiKeyError> {
        zeroize::Zeroizing::new(text).parse()
    }
}

fn looks_like_key(word: &str) -> bool {
    let rest = Provider::of_key(word).map(|provider| &word[provider.key_marker().len()..]);
    let Some((environment, secret)) = rest.and_then(|rest| rest.split_once('_')) else {
        return false;
    };
    let looks_random = |part: &str| {
        let has = |is: fn(&u8) -> bool| usize::from(part.as_bytes().iter().any(is));
        let kinds = has(u8::is_ascii_lowercase) + has(u8::is_ascii_uppercase);
        part.len() >= 8 && kinds + has(u8::is_ascii_digit) >= 2
    };
    environment.parse::<super::KeyEnvironment>().is_ok()
        && secret.len() >= 16
        && secret.split(['_', '-']).any(looks_random)
}

impl FromStr for ApiKey {
    type Err = ApiKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A control character shows that something else than a key was copied.
        let key = text.trim_matches(|c: char| c.is_whitespace() || is_hidden(c) && !c.is_control());
        if key.is_empty() {
            return Err(ApiKeyError::Empty);
        }
        if key.len() > LONGEST {
            return Err(ApiKeyError::TooLong { length: key.len() });
        }
        for (index, character) in key.chars().enumerate() {
            let what = match character {
                '!'..='~' => continue,
                ' ' | '\t' => "a space",
                '\n' | '\r' => "a line break",
                c if c.is_control() => "a control character",
                c if c.is_whitespace() => "a space that is not ASCII",
                _ => "a character that is not ASCII",
            };
            return Err(ApiKeyError::Character {
                what,
                position: index + 1,
            });
        }
        Ok(Self(SecretString::from(key)))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({}…)", self.prefix())
    }
}

impl PartialEq for ApiKey {
    /// Compares in constant time for keys of the same length.
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.expose().as_bytes(), other.expose().as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0, |diff, (x, y)| diff | (x ^ y)) == 0
    }
}

impl Eq for ApiKey {}

/// The displayable start of a key.
///
/// For a key issued by an authority, everything up to and including its id. For other keys the
/// provider's marker, the environment and four more characters, but at most a third of the key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyPrefix(String);

impl KeyPrefix {
    fn of(key: &str) -> Self {
        if let Some(parsed) = super::ParsedKey::parse(key) {
            return Self(parsed.prefix().to_owned());
        }
        let marks = match Provider::of_key(key) {
            Some(provider) => {
                let rest = &key[provider.key_marker().len()..];
                let environment = rest
                    .find('_')
                    .filter(|&end| end <= super::KeyEnvironment::LONGEST)
                    .map_or(0, |end| end + 1);
                provider.key_marker().len() + environment
            }
            None => 0,
        };
        let shown = (marks + 4).min(key.len() / 3);
        Self(key[..shown].to_owned())
    }

    /// Takes a prefix that was recorded earlier.
    ///
    /// Drops control characters and limits the length: the text may come from a server or an edited
    /// file, and is shown on a terminal.
    #[must_use]
    pub fn recorded(text: &str) -> Self {
        Self(
            text.chars()
                .filter(|c| c.is_ascii_graphic())
                .take(64)
                .collect(),
        )
    }

    /// Returns the prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn surrounding_white_space_is_dropped() {
        for text in [
            " \tntro_prod_abc123\r\n",
            "\u{feff}ntro_prod_abc123\u{200b}\n",
            "\u{202a} ntro_prod_abc123\u{202c}",
            "\u{e0041}ntro_prod_abc123\u{2800}\u{fe0f}",
            "\u{61c}ntro_prod_abc123\u{180e}",
        ] {
            let key: ApiKey = text.parse().unwrap();
            assert_eq!(key.expose(), "ntro_prod_abc123");
        }
    }

    #[test]
    fn keys_are_recognised_in_text() {
        let issued = "ntro_prod_k9Zr4MxQ2bLw_Jf83nd72jfk38dhJKd8k9Zr4MxQ2bLwPq71mZxT5";
        for text in [
            issued,
            "ont_live_0123456789abcdef",
            "ntro_api_key_k9Zr4MxQ2bLw-Jf83",
            "Bearer ntro_prod_k9Zr4MxQ2bLw_Jf83",
            "{\"headers\":{\"X-API-Key\":\"ont_live_k9Zr4MxQ2bLw_Jf83\"}}",
            "https://ntro:ntro_prod_k9Zr4MxQ2bLw_Jf83@git.example/",
        ] {
            assert!(ApiKey::is_in(text), "{text}");
        }
        let token = issued.replace("prod", "px");
        for text in [
            "",
            "ntro_",
            "ntro_prod_abc123",
            "ntro_whoami",
            "ntro_keys_list_of_all_tenants",
            "front_page_0123456789abcdef",
            "sk-0123456789abcdefABCDEF",
            &token,
        ] {
            assert!(!ApiKey::is_in(text), "{text}");
        }
    }

    #[test]
    fn invalid_key_error_hides_text() {
        let error = |text: &str| text.parse::<ApiKey>().unwrap_err().to_string();
        assert_eq!(error(""), "the API key is empty");
        assert_eq!(error(" \n"), "the API key is empty");
        for (text, what) in [
            ("ntro_a b", "a space at position 7"),
            ("ntro_a\nb", "a line break at position 7"),
            ("ntro_\u{7f}", "a control character at position 6"),
            ("ntro_ключ", "a character that is not ASCII at position 6"),
            (
                "ntro_\u{200b}x",
                "a character that is not ASCII at position 6",
            ),
            ("ntro_a\u{a0}b", "a space that is not ASCII at position 7"),
        ] {
            assert!(error(text).contains(what), "{}", error(text));
        }
        assert!(error(&"k".repeat(2_501)).contains("2501 bytes"));
        assert!("k".repeat(2_500).parse::<ApiKey>().is_ok());
    }

    #[test]
    fn odd_key_is_named() {
        for (text, what) in [
            ("\"ntro_prod_k9Zr4MxQ2bLw\"", "begins with a quotation mark"),
            ("'ntro_prod_k9Zr4MxQ2bLw'", "begins with a quotation mark"),
            ("ntro_prod_k9Zr4MxQ2bLw\"", "ends with a quotation mark"),
            (
                "NTRO_API_KEY=ntro_prod_k9Zr4MxQ2bLw",
                "begins with the name of a variable",
            ),
            ("<ntro_prod_k9Zr4MxQ2bLw>", "is a placeholder"),
            ("$NTRO_API_KEY", "is a placeholder"),
            (
                "ntro_prod_k9Zr4MxQ2bLw,",
                "ends with a comma or a semicolon",
            ),
            ("ntro_prod_k9Zr********", "is masked by stars"),
            ("ntro_prod_k9Zr...", "is shortened by dots"),
            ("ntro_prod_xxxxxxxxxxxx", "is a placeholder"),
            ("YOUR_API_KEY", "is a placeholder"),
        ] {
            let key: ApiKey = text.parse().unwrap();
            assert_eq!(key.oddity(), Some(what), "{text}");
        }
        for text in [
            "ntro_prod_k9Zr4MxQ2bLw_Jf83nd72jfk38dhJKd8",
            "c2VjcmV0LWtleQ==",
            "eyJhbGciOi.eyJzdWIi.c2ln",
            "k=v",
        ] {
            assert_eq!(text.parse::<ApiKey>().unwrap().oddity(), None, "{text}");
        }
    }

    #[test]
    fn debug_never_shows_whole_key() {
        for text in [
            "x",
            "abc",
            "ntro_",
            "ntro_dev_key",
            "ont_x",
            "your-api-key-here",
        ] {
            let key: ApiKey = text.parse().unwrap();
            assert!(key.prefix().as_str().len() <= text.len() / 3);
            assert!(!format!("{key:?}").contains(text), "{key:?}");
        }
        let long: ApiKey = "ont_live_0123456789abcdefghijklmnopqrstuv".parse().unwrap();
        assert_eq!(long.prefix().as_str(), "ont_live_0123");
    }

    #[test]
    fn keys_compare_by_text() {
        let key = |text: &str| text.parse::<ApiKey>().unwrap();
        assert_eq!(key("abc"), key(" abc "));
        assert_ne!(key("abc"), key("abd"));
        assert_ne!(key("abc"), key("abcd"));
    }

    proptest! {
        #[test]
        fn visible_ascii_parses(
            key in "[!-~]{1,2500}",
            before in "[ \t\r\n]{0,3}",
            after in "[ \t\r\n]{0,3}",
        ) {
            let parsed: ApiKey = format!("{before}{key}{after}").parse().unwrap();
            prop_assert_eq!(parsed.expose(), &key);
            prop_assert_eq!(&ApiKey::from_secret(key.clone()).unwrap(), &parsed);
            let prefix = parsed.prefix();
            prop_assert!(key.starts_with(prefix.as_str()));
            prop_assert!(prefix.as_str().len() <= key.len() / 3);
            if key.len() > 12 {
                let debug = format!("{parsed:?}");
                prop_assert!(!debug.contains(&key));
            }
        }

        #[test]
        fn arbitrary_text_parses_or_hides(
            text in any::<String>(),
        ) {
            let trimmed = text.trim_matches(|c: char| {
                c.is_whitespace() || is_hidden(c) && !c.is_control()
            });
            match text.parse::<ApiKey>() {
                Ok(key) => {
                    prop_assert!(key.expose().bytes().all(|byte| byte.is_ascii_graphic()));
                    prop_assert_eq!(key.expose(), trimmed);
                }
                Err(error) => {
                    let odd = trimmed.chars().any(|c| !c.is_ascii_graphic());
                    prop_assert!(odd || trimmed.is_empty());
                    let long = trimmed.chars().count() > 8;
                    prop_assert!(!long || !error.to_string().contains(trimmed));
                }
            }
        }
    }
}
