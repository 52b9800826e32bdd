//! The credential-helper protocol of Bazel, which other build tools speak too.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::KeyHeader;

/// A request; further fields are ignored.
#[derive(Debug, Deserialize)]
pub struct Request {
    /// The URL that the credential is for.
    pub uri: String,
}

/// Returns the answer with a header, until it expires.
#[must_use]
pub fn answer(header: &KeyHeader, expires: Option<Timestamp>) -> Zeroizing<String> {
    let mut answer = json!({"headers": {header.name: [&*header.value]}});
    if let (Some(at), Some(answer)) = (expires, answer.as_object_mut()) {
        answer.insert("expires".to_owned(), at.to_string().into());
    }
    Zeroizing::new(format!("{answer}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntro_base::Provider;

    #[test]
    fn answer_has_header_and_expiry() {
        let key = "ont_live_abc".parse().unwrap();
        let header = KeyHeader::of(Provider::Ontora, &key);
        let at = "2026-01-02T03:04:05Z".parse().unwrap();
        assert_eq!(
            *answer(&header, Some(at)),
            "{\"expires\":\"2026-01-02T03:04:05Z\",\"headers\":{\"X-API-Key\":[\"ont_live_abc\"]}}\n"
        );
        assert_eq!(
            *answer(&header, None),
            "{\"headers\":{\"X-API-Key\":[\"ont_live_abc\"]}}\n"
        );
    }
}
