//! Text of servers, made fit to be kept and shown.

use ntro_base::{KeyPrefix, printable};

/// The longest name that is passed on.
const LONGEST: usize = 255;

/// Returns a server's text, cleaned.
pub(super) fn clean(text: &str) -> String {
    printable(text, LONGEST)
}

/// Returns a server's text, cleaned, or nothing if there is none.
pub(super) fn non_empty(text: &str) -> Option<String> {
    Some(clean(text)).filter(|text| !text.is_empty())
}

/// Returns those of a server's texts that say something, cleaned.
pub(super) fn all_non_empty(texts: &[String]) -> Vec<String> {
    texts.iter().filter_map(|text| non_empty(text)).collect()
}

/// Returns the head of a key, if the server tells it.
pub(super) fn prefix(text: &str) -> Option<KeyPrefix> {
    Some(KeyPrefix::recorded(text)).filter(|prefix| !prefix.as_str().is_empty())
}
