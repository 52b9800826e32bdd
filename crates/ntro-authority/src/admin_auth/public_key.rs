use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

use super::header::TokenHeader;

/// A key that checks signatures of one algorithm.
#[derive(Clone)]
pub(super) struct PublicKey {
    id: Option<String>,
    algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// Returns the usable keys of a JSON Web Key Set, and skips all others, which sets may contain.
/// `None` if the value is not a key set.
pub(super) fn public_keys(set: &Value) -> Option<Vec<PublicKey>> {
    let keys = set.get("keys")?.as_array()?;
    let usable = keys
        .iter()
        .filter_map(|key| public_key(serde_json::from_value(key.clone()).ok()?));
    Some(usable.collect())
}

/// Returns the keys that may have signed a token with this header.
pub(super) fn matching(keys: &[PublicKey], header: &TokenHeader) -> Vec<PublicKey> {
    keys.iter()
        .filter(|key| key.algorithm == header.algorithm)
        .filter(|key| header.key_id.is_none() || key.id == header.key_id)
        .cloned()
        .collect()
}

fn public_key(jwk: Jwk) -> Option<PublicKey> {
    let (algorithm, name) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return None,
    };
    let other_algorithm = jwk
        .common
        .key_algorithm
        .is_some_and(|algorithm| algorithm != name);
    let other_use = jwk
        .common
        .public_key_use
        .as_ref()
        .is_some_and(|purpose| *purpose != PublicKeyUse::Signature);
    let other_operations = jwk
        .common
        .key_operations
        .as_ref()
        .is_some_and(|operations| !operations.contains(&KeyOperations::Verify));
    if other_algorithm || other_use || other_operations {
        return None;
    }
    Some(PublicKey {
        key: DecodingKey::from_jwk(&jwk).ok()?,
        id: jwk.common.key_id,
        algorithm,
    })
}
