use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation};
use serde_json::Value;

use super::claims::{organisation_and_role, subject};
use super::header::TokenHeader;
use super::jwks::KeySet;
use super::{AdminIdentity, Denied};
use crate::settings::Claims;

/// How far clocks may differ, in seconds.
const LEEWAY: u64 = 10;

/// An issuer whose tokens are accepted.
pub(super) struct TrustedIssuer {
    /// The exact `iss` of its tokens.
    pub(super) issuer: String,
    pub(super) audience: Option<String>,
    pub(super) claims: Claims,
    pub(super) keys: KeySet,
}

impl TrustedIssuer {
    /// Checks a token against the issuer's keys.
    pub(super) async fn verify(
        &self,
        token: &str,
        header: &TokenHeader,
    ) -> Result<AdminIdentity, Denied> {
        let validation = self.validation(header.algorithm);
        let mut denied = Denied::Invalid("no key of the issuer matches");
        for key in self.keys.candidates(header).await? {
            match jsonwebtoken::decode::<Value>(token, &key.key, &validation) {
                Ok(token) => return self.identity(&token.claims),
                Err(error) => denied = Denied::Invalid(reason(&error)),
            }
        }
        Err(denied)
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.issuer]);
        match &self.audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                validation.set_required_spec_claims(&["exp", "iss", "sub", "aud"]);
            }
            None => {
                validation.validate_aud = false;
                validation.set_required_spec_claims(&["exp", "iss", "sub"]);
            }
        }
        validation
    }

    fn identity(&self, claims: &Value) -> Result<AdminIdentity, Denied> {
        let (organisation, role) = organisation_and_role(claims, &self.claims);
        Ok(AdminIdentity {
            issuer: self.issuer.clone(),
            subject: subject(claims)?.to_owned(),
            organisation: organisation.map(str::to_owned),
            role,
        })
    }
}

fn reason(error: &jsonwebtoken::errors::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ExpiredSignature => "expired",
        ErrorKind::ImmatureSignature => "not valid yet",
        ErrorKind::InvalidAudience => "wrong audience",
        ErrorKind::InvalidIssuer => "wrong issuer",
        ErrorKind::InvalidSignature => "wrong signature",
        ErrorKind::MissingRequiredClaim(_) => "a claim is missing",
        _ => "malformed",
    }
}
