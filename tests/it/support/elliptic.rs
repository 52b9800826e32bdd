use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// An issuer with a key on the curve P-256: ES256.
pub struct Elliptic {
    key: EncodingKey,
    public: Vec<u8>,
}

impl Elliptic {
    pub fn new() -> Self {
        use aws_lc_rs::rand::SystemRandom;
        use aws_lc_rs::signature::{
            ECDSA_P256_SHA256_FIXED_SIGNING as ALGORITHM, EcdsaKeyPair, KeyPair as _,
        };

        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ALGORITHM, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ALGORITHM, pkcs8.as_ref()).unwrap();
        Self {
            key: EncodingKey::from_ec_der(pkcs8.as_ref()),
            public: pair.public_key().as_ref().to_vec(),
        }
    }

    pub fn jwks(&self) -> Value {
        // The byte 4, then the two coordinates.
        let (x, y) = self.public[1..].split_at(32);
        let [x, y] = [x, y].map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "p256", "x": x, "y": y}]})
    }

    pub fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some("p256".to_owned());
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}
