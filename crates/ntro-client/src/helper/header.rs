use zeroize::Zeroizing;

use ntro_base::{ApiKey, Provider};

/// The header in which a server expects a key.
pub struct KeyHeader {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: Zeroizing<String>,
    kind: &'static str,
}

impl KeyHeader {
    /// Returns the header of a key.
    #[must_use]
    pub fn of(provider: Provider, key: &ApiKey) -> Self {
        match provider {
            Provider::Ntropii => Self {
                name: "Authorization",
                value: Zeroizing::new(format!("Bearer {}", key.expose())),
                kind: "bearer",
            },
            Provider::Ontora => Self {
                name: "X-API-Key",
                value: Zeroizing::new(key.expose().to_owned()),
                kind: "api_key",
            },
        }
    }

    /// Returns the kind of the credential: `bearer` or `api_key`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }
}
