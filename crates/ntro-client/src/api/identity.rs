//! The owner of a key.

use ntro_base::Provider;

use super::key_info::KeyInfo;
use super::tenant::Tenant;
use super::{ntropii, ontora};

/// Returns the path of the owner of a key, below the base URL.
pub(crate) const fn identity_path(provider: Provider) -> &'static str {
    match provider {
        Provider::Ntropii => ntropii::ME,
        Provider::Ontora => ontora::CURRENT_KEY,
    }
}

/// The owner of a key, in one shape for both APIs.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Identity {
    /// Ntropii: the id of the key's owner. Ontora: the id of the key, or of its workspace if the
    /// server gives keys no id.
    pub id: String,
    /// The name of the owner or of the key.
    pub name: String,
    /// The owner's email address; `None` for Ontora, and for an address that cannot exist.
    pub email: Option<String>,
    /// The name of the owner's organisation, or its id if the server does not name it. Only an
    /// authority reports one for Ontora.
    pub organisation: Option<String>,
    /// The id of the owner's organisation.
    pub organisation_id: Option<String>,
    /// Role names. Keys of Ontora have scopes instead.
    pub roles: Vec<String>,
    /// The presented key, if the server describes it.
    pub key: Option<KeyInfo>,
    /// The tenants that the key reaches. `None` when the answer does not include them; use
    /// [`Client::tenants`](super::Client::tenants) then.
    pub tenants: Option<Vec<Tenant>>,
    /// `us`, `eu`, …
    pub region: Option<String>,
}
