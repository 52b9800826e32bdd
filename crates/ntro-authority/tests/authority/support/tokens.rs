//! An issuer like Clerk: RS256, a key set, valid and forged tokens.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

pub(crate) const CLERK: &str = "https://clerk.example.test";
pub(crate) const KEY_ID: &str = "ins_1";

pub(crate) struct Clerk {
    key: EncodingKey,
    modulus: String,
    exponent: String,
    /// The public key, as an attacker would use it as an HS256 secret.
    pub(crate) public_der: Vec<u8>,
    folder: Option<tempfile::TempDir>,
}

impl Clerk {
    pub(crate) fn new() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
        let public = pair.public_key();
        let base64 = |bytes: &[u8]| {
            let start = bytes.iter().position(|&byte| byte != 0).unwrap();
            URL_SAFE_NO_PAD.encode(&bytes[start..])
        };
        Self {
            key: EncodingKey::from_rsa_pem(pem(pkcs8.as_ref()).as_bytes()).unwrap(),
            modulus: base64(public.modulus().big_endian_without_leading_zero()),
            exponent: base64(public.exponent().big_endian_without_leading_zero()),
            public_der: public.as_ref().to_vec(),
            folder: None,
        }
    }

    pub(crate) fn living_in(mut self, folder: tempfile::TempDir) -> Self {
        self.folder = Some(folder);
        self
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.as_ref().unwrap().path()
    }

    pub(crate) fn jwks(&self) -> Value {
        json!({"keys": [
            {"kty": "XYZ", "kid": "something new"},
            {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "n": self.modulus, "e": self.exponent},
        ]})
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as(Some("JWT"), claims)
    }

    /// Signs a token with this `typ`.
    pub(crate) fn sign_as(&self, name: Option<&str>, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::RS256);
        header.typ = name.map(str::to_owned);
        header.kid = Some(KEY_ID.to_owned());
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}

fn pem(pkcs8: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(pkcs8);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        lines.join("\n")
    )
}

/// Returns the claims of an admin of Acme in version 1 of Clerk's tokens.
pub(crate) fn claims() -> Value {
    let now = Timestamp::now().as_second();
    json!({
        "iss": CLERK, "sub": "user_clerk", "sid": "sess_1", "azp": "https://app.example.test",
        "iat": now, "nbf": now - 5, "exp": now + 60,
        "org_id": "org_acme", "org_slug": "acme", "org_role": "org:admin",
    })
}

/// Returns the claims with some changes; `null` removes a claim.
pub(crate) fn claims_with(changes: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        let claims = claims.as_object_mut().unwrap();
        match value {
            Value::Null => claims.remove(name),
            value => claims.insert(name.clone(), value.clone()),
        };
    }
    claims
}
