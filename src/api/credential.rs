//! The one place where a secret is put into a request.

use reqwest::header::{self, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use super::admin::AdminToken;
use super::error::Error;
use crate::domain::{BoundKey, KeyPrefix, Origin, Provider};

/// What proves to a server who asks.
pub(super) enum Credential {
    Key(Provider, BoundKey),
    Token(AdminToken),
}

impl Credential {
    /// Returns the header for a request to `origin`: the one place where a secret is put into a
    /// request.
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
    fn a_header_never_shows_its_secret() {
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
