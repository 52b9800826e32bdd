//! Text from servers, cleaned for terminals and files.

use ntro_base::{KeyPrefix, escaped};

/// The most characters of a name.
const LONGEST: usize = 255;

/// Returns a server's text, cleaned: different texts stay different.
pub(super) fn clean(text: &str) -> String {
    let text = text.trim_ascii();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => escaped(&text[..end]).into_owned() + "…",
        None => escaped(text).into_owned(),
    }
}

/// Returns a server's text, cleaned; `None` if it is empty.
pub(super) fn non_empty(text: &str) -> Option<String> {
    Some(clean(text)).filter(|text| !text.is_empty())
}

/// Returns a server's texts, cleaned, without the empty ones.
pub(super) fn all_non_empty(texts: &[String]) -> Vec<String> {
    texts.iter().filter_map(|text| non_empty(text)).collect()
}

/// Returns the prefix of a key; `None` if it is empty.
pub(super) fn prefix(text: &str) -> Option<KeyPrefix> {
    Some(KeyPrefix::recorded(text)).filter(|prefix| !prefix.as_str().is_empty())
}
