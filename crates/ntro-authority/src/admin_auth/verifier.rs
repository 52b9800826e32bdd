use std::sync::Arc;

use serde_json::Value;

use super::fetch::Fetcher;
use super::header::TokenHeader;
use super::issuer::TrustedIssuer;
use super::jwks::KeySet;
use super::public_key::public_keys;
use super::{AdminIdentity, Denied};
use crate::error::Error;
use crate::registry::ISSUER;
use crate::settings::{Claims, Issuer};

/// The most bytes of a token; Clerk's have about a kilobyte.
const LONGEST: usize = 16 * 1024;

/// Checks tokens.
pub(crate) struct Verifier {
    issuers: Vec<TrustedIssuer>,
}

impl Verifier {
    /// Trusts these issuers, and the built-in one with this key set.
    pub(crate) fn new(
        issuers: &[Issuer],
        fetcher: &Arc<Fetcher>,
        built_in: &Value,
    ) -> Result<Self, Error> {
        let mut trusted = vec![TrustedIssuer {
            issuer: ISSUER.to_owned(),
            audience: None,
            claims: Claims::default(),
            keys: KeySet::Fixed(public_keys(built_in).unwrap_or_default()),
        }];
        for settings in issuers {
            if trusted.iter().any(|known| known.issuer == settings.issuer) {
                return Err(Error::IssuerTwice {
                    issuer: settings.issuer.clone(),
                });
            }
            trusted.push(TrustedIssuer {
                issuer: settings.issuer.clone(),
                audience: settings.audience.clone(),
                claims: settings.claims.clone(),
                keys: KeySet::open(settings, fetcher)?,
            });
        }
        Ok(Self { issuers: trusted })
    }

    /// Returns the admin that a token authenticates.
    pub(crate) async fn verify(&self, token: &str) -> Result<AdminIdentity, Denied> {
        if token.len() > LONGEST {
            return Err(Denied::Invalid("too long"));
        }
        let header = TokenHeader::read(token)?;
        // The claims only choose the issuer. The signature then proves that it made the token.
        let claims: Value = jsonwebtoken::dangerous::insecure_decode_claims(token)
            .map_err(|_| Denied::Invalid("claims are not JSON"))?;
        let issuer = claims.get("iss").and_then(Value::as_str);
        let trusted = self
            .issuers
            .iter()
            .find(|trusted| Some(trusted.issuer.as_str()) == issuer)
            .ok_or(Denied::Invalid("issuer is not trusted"))?;
        trusted.verify(token, &header).await
    }
}
