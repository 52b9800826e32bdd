use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::Value;

use super::Denied;

/// The parts of a token's header that choose its key.
pub(super) struct TokenHeader {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
}

/// Returns whether a token with this `typ` may authenticate an admin: tokens for other purposes have
/// other types (RFC 8725, section 3.11).
fn is_admin_type(name: Option<&Value>) -> bool {
    let Some(name) = name else {
        return true;
    };
    let name = name.as_str().unwrap_or_default().to_ascii_lowercase();
    let name = name.strip_prefix("application/").unwrap_or(&name);
    matches!(name, "jwt" | "at+jwt")
}

impl TokenHeader {
    /// Reads the header of a token. Only asymmetric algorithms pass: `none` and those with a shared
    /// secret never reach a key.
    pub(super) fn read(token: &str) -> Result<Self, Denied> {
        let head = token.split('.').next().unwrap_or_default();
        let header: Value = URL_SAFE_NO_PAD
            .decode(head)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or(Denied::Invalid("header is not JSON"))?;
        if header.get("crit").is_some() {
            return Err(Denied::Invalid("header demands an extension"));
        }
        if !is_admin_type(header.get("typ")) {
            return Err(Denied::Invalid("token is of another type"));
        }
        let algorithm = match header.get("alg").and_then(Value::as_str) {
            Some("RS256") => Algorithm::RS256,
            Some("ES256") => Algorithm::ES256,
            Some("EdDSA") => Algorithm::EdDSA,
            _ => return Err(Denied::Invalid("algorithm is not allowed")),
        };
        Ok(Self {
            algorithm,
            key_id: header.get("kid").and_then(Value::as_str).map(str::to_owned),
        })
    }
}
