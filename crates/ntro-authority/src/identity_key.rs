//! The key that signs the identity header of forward-auth answers.
//!
//! It is apart from the built-in issuer's, and its tokens have a type that no admin's token may have:
//! an upstream that leaks one leaks no right of an admin.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::key_material::KeyFiles;

/// The `typ` of the tokens.
const TYPE: &str = "ntro-identity+jwt";

/// Signs identities with ES256: half the time of Ed25519, and every JWT library checks it.
pub(crate) struct IdentityKey {
    pair: EcdsaKeyPair,
    random: SystemRandom,
    /// The header of every token, in Base64.
    header: String,
    kid: String,
    x: String,
    y: String,
}

impl IdentityKey {
    /// Reads the signing key; makes one if there is none yet.
    pub(crate) fn open(files: &KeyFiles) -> Result<Self, Error> {
        let path = files.identity();
        let random = SystemRandom::new();
        let pkcs8 = match files.read(&path)? {
            Some(pkcs8) => pkcs8,
            None => {
                let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
                    .map_err(|_| Error::NoRandomness)?;
                files.keep(&path, Zeroizing::new(made.as_ref().to_vec()))?
            }
        };
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8);
        let pair = pair.map_err(|_| Error::IdentityKey { path })?;
        // An uncompressed point: one byte, then both coordinates.
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|number| URL_SAFE_NO_PAD.encode(number));
        // RFC 7638: the members in this order.
        let thumbprint = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(digest(&SHA256, thumbprint.as_bytes()));
        let header = json!({"alg": "ES256", "kid": kid, "typ": TYPE}).to_string();
        Ok(Self {
            pair,
            random,
            header: URL_SAFE_NO_PAD.encode(header),
            kid,
            x,
            y,
        })
    }

    /// Returns the public key as a JSON Web Key.
    pub(crate) fn jwk(&self) -> Value {
        json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
            "kid": self.kid, "x": self.x, "y": self.y,
        })
    }

    /// Makes a token with these claims.
    pub(crate) fn sign(&self, claims: &impl Serialize) -> Result<String, Error> {
        let claims = serde_json::to_vec(claims).map_err(|_| Error::Token)?;
        let mut token = self.header.clone();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.pair.sign(&self.random, token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.map_err(|_| Error::Token)?, &mut token);
        Ok(token)
    }
}
