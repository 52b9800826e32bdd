//! Who a key belongs to.

use super::key_info::KeyInfo;
use super::tenant::Tenant;

/// What a server tells of the one who presents a key, in one shape for both providers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Identity {
    /// Ntropii: the id of the key's owner. Ontora: the id of the key, or of its workspace where
    /// the server tells no id of keys.
    pub id: String,
    /// The name of the owner or of the key.
    pub name: String,
    /// The owner's address. Ontora tells none.
    pub email: Option<String>,
    /// Where the key comes from. Ontora tells none.
    pub organisation: Option<String>,
    /// Role names. Keys of Ontora have scopes instead.
    pub roles: Vec<String>,
    /// The presented key, as far as the server tells of it.
    pub key: Option<KeyInfo>,
    /// The tenants that the key reaches. `None` when this answer does not tell; ask for the
    /// [tenants](super::Client::tenants) then.
    pub tenants: Option<Vec<Tenant>>,
    /// `us`, `eu`, …
    pub region: Option<String>,
}
