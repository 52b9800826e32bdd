//! The secret of a request: adding it to the headers, and redacting it in answers.

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use super::admin::AdminToken;
use super::error::Error;
use crate::BoundKey;
use ntro_base::{KeyPrefix, Origin, Provider};

/// The key or token that authenticates a request.
pub(super) enum Credential {
    Key(Provider, BoundKey),
    Token(AdminToken),
}

impl Credential {
    /// Returns the header for a request to `origin`. Only here does a secret enter a request.
    pub(super) fn header(&self, origin: &Origin) -> Result<(HeaderName, HeaderValue), Error> {
        let wrong_origin = |bound: &Origin| Error::WrongOrigin {
            bound: bound.clone(),
            origin: origin.clone(),
        };
        let bearer = |secret: &str| Zeroizing::new(format!("Bearer {secret}"));
        let (name, text) = match self {
            Self::Key(provider, bound) => {
                let key = bound
                    .for_origin(origin)
                    .ok_or_else(|| wrong_origin(bound.origin()))?;
                match provider {
                    Provider::Ntropii => (header::AUTHORIZATION, bearer(key.expose())),
                    Provider::Ontora => (
                        HeaderName::from_static("x-api-key"),
                        Zeroizing::new(key.expose().to_owned()),
                    ),
                }
            }
            Self::Token(token) => {
                let token_text = token
                    .for_origin(origin)
                    .ok_or_else(|| wrong_origin(token.origin()))?;
                (header::AUTHORIZATION, bearer(token_text))
            }
        };
        #[expect(
            clippy::expect_used,
            reason = "both types hold visible ASCII only, which every header takes"
        )]
        let mut value = HeaderValue::from_str(&text).expect("visible ASCII");
        value.set_sensitive(true);
        Ok((name, value))
    }

    /// Redacts the secret wherever a server repeats it; a key keeps its prefix.
    ///
    /// Text from servers ends up in messages, tables and files. A secret that is too short is not
    /// redacted: it would match by chance.
    pub(super) fn redact(&self, body: &mut [u8]) {
        const SHORTEST: usize = 12;

        let (secret, shown) = match self {
            Self::Key(_, bound) => match bound.for_origin(bound.origin()) {
                Some(key) => (key.expose(), key.prefix().as_str().len()),
                None => return,
            },
            Self::Token(token) => match token.for_origin(token.origin()) {
                Some(token) => (token, 0),
                None => return,
            },
        };
        if secret.len() < SHORTEST {
            return;
        }
        let mut from = 0;
        while let Some(found) = body[from..]
            .windows(secret.len())
            .position(|part| part == secret.as_bytes())
        {
            let end = from + found + secret.len();
            body[from + found + shown..end].fill(b'*');
            from = end;
        }
    }

    /// Redacts the secret in headers: content types and request ids are shown as well.
    pub(super) fn redact_headers(&self, headers: &mut HeaderMap) {
        for value in headers.values_mut() {
            let mut bytes = value.as_bytes().to_vec();
            self.redact(&mut bytes);
            if bytes != value.as_bytes() {
                *value = HeaderValue::from_bytes(&bytes)
                    .unwrap_or_else(|_| HeaderValue::from_static("*"));
            }
        }
    }

    pub(super) fn prefix(&self) -> Option<KeyPrefix> {
        match self {
            Self::Key(_, bound) => Some(bound.prefix()),
            Self::Token(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_secret_is_redacted() {
        let origin: Origin = "https://api.ntropii.com".parse().unwrap();
        let redacted = |credential: &Credential, body: &str| {
            let mut bytes = body.as_bytes().to_vec();
            credential.redact(&mut bytes);
            String::from_utf8(bytes).unwrap()
        };
        let key = |text: &str| {
            let bound = BoundKey::new(text.parse().unwrap(), origin.clone());
            Credential::Key(Provider::Ntropii, bound)
        };
        let secret = "ntro_prod_k9Zr4MxQ2bLw_secret";
        let long = key(secret);
        let prefix = long.prefix().unwrap();
        let hidden = format!(
            "{prefix}{}",
            "*".repeat(secret.len() - prefix.as_str().len())
        );
        assert_eq!(
            redacted(&long, &format!("\"{secret}\",{secret}{secret} ntro_prod_")),
            format!("\"{hidden}\",{hidden}{hidden} ntro_prod_")
        );
        assert_eq!(redacted(&key("short"), "a short text"), "a short text");
        let token = AdminToken::bind("eyJh.eyJz.c2ln".to_owned(), origin.clone()).unwrap();
        let token = Credential::Token(token);
        assert_eq!(redacted(&token, "eyJh.eyJz.c2ln!"), "**************!");

        let mut headers = HeaderMap::new();
        let echo = HeaderValue::from_str(&format!("applicat{secret}")).unwrap();
        headers.insert(header::CONTENT_TYPE, echo);
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("3"));
        long.redact_headers(&mut headers);
        assert_eq!(headers[header::CONTENT_TYPE], format!("applicat{hidden}"));
        assert_eq!(headers[header::RETRY_AFTER], "3");
    }

    #[test]
    fn header_never_shows_secret() {
        let origin: Origin = "https://api.ntropii.com".parse().unwrap();
        let bound = BoundKey::new("ntro_prod_secret".parse().unwrap(), origin.clone());
        let token = AdminToken::bind("a.b.c".to_owned(), origin.clone()).unwrap();
        for credential in [
            Credential::Key(Provider::Ntropii, bound.clone()),
            Credential::Key(Provider::Ontora, bound),
            Credential::Token(token),
        ] {
            let (_, value) = credential.header(&origin).unwrap();
            assert!(value.is_sensitive());
            assert_eq!(format!("{value:?}"), "Sensitive");
            let other = "https://api.ntropii.com.example".parse().unwrap();
            assert!(matches!(
                credential.header(&other),
                Err(Error::WrongOrigin { .. })
            ));
        }
    }
}
