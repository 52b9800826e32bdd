//! The built-in issuer of admin tokens.
//!
//! Read access to its signing key gives the rights of an admin of every organisation, as write access
//! to the database does.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::error::Error;
use crate::key_material::KeyFiles;
use crate::store::{OrganisationRecord, Role};

/// The `iss` of the built-in issuer. Only the authorities with its signing key accept its tokens.
pub(crate) const ISSUER: &str = "urn:ntro:authority";

/// Signs admin tokens.
pub(super) struct SigningKey {
    key: EncodingKey,
    kid: String,
    public: String,
}

impl SigningKey {
    /// Reads the signing key; makes one if there is none yet.
    pub(super) fn open(files: &KeyFiles) -> Result<Self, Error> {
        let path = files.issuer();
        let pkcs8 = files.ed25519(&path)?;
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_| Error::IssuerKey { path })?;
        let public = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        // RFC 7638: the members in this order.
        let thumbprint = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{public}"}}"#);
        Ok(Self {
            key: EncodingKey::from_ed_der(&pkcs8),
            kid: URL_SAFE_NO_PAD.encode(digest(&SHA256, thumbprint.as_bytes())),
            public,
        })
    }

    /// Returns the public key as a JSON Web Key Set.
    pub(super) fn jwks(&self) -> Value {
        json!({"keys": [{
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
            "kid": self.kid, "x": self.public,
        }]})
    }

    /// Makes a token for `subject`, with a role in an organisation.
    pub(super) fn mint(
        &self,
        organisation: &OrganisationRecord,
        role: Role,
        subject: &str,
        life: SignedDuration,
        now: Timestamp,
    ) -> Result<SecretString, Error> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.kid.clone());
        let claims = json!({
            "iss": ISSUER,
            "sub": subject,
            "iat": now.as_second(),
            "nbf": now.as_second(),
            "exp": now.checked_add(life).map_err(|_| Error::Token)?.as_second(),
            "org_id": organisation.id.to_string(),
            "org_role": format!("org:{role}"),
        });
        let token = jsonwebtoken::encode(&header, &claims, &self.key).map_err(|_| Error::Token)?;
        Ok(SecretString::from(token))
    }
}
