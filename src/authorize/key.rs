use http::HeaderMap;
use ntro_base::{Provider, TenantSlug};
use ntro_client::api::Expiry;

/// The key that a request was accepted with, in the request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizedKey {
    tenant: TenantSlug,
    tenant_id: String,
    id: String,
    scopes: Vec<String>,
    provider: Provider,
    expiry: Expiry,
}

impl AuthorizedKey {
    /// Reads the headers of an answer; `None` if one is missing or malformed.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| {
            let mut values = headers.get_all(name).iter();
            let value = values.next().filter(|_| values.next().is_none())?;
            value.to_str().ok()
        };
        let id = |name: &str| Some(text(name)?.to_owned()).filter(|id| !id.is_empty());
        Some(Self {
            tenant: text("x-ntro-tenant")?.parse().ok()?,
            tenant_id: id("x-ntro-tenant-id")?,
            id: id("x-ntro-key-id")?,
            scopes: text("x-ntro-scopes")?
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
            provider: text("x-ntro-provider")?.parse().ok()?,
            expiry: match text("x-ntro-expires-at")? {
                "" => Expiry::Never,
                at => Expiry::At(at.parse().ok()?),
            },
        })
    }

    /// Returns the slug of the key's tenant.
    #[must_use]
    pub fn tenant(&self) -> &TenantSlug {
        &self.tenant
    }

    /// Returns the id of the key's tenant.
    #[must_use]
    pub fn tenant_id(&self) -> &str {
        &self.tenant_id
    }

    /// Returns the id of the key.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the names of the key's scopes; there are none for keys of Ntropii.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// Returns the system whose clients use the key.
    #[must_use]
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// Returns when the key expires.
    #[must_use]
    pub fn expiry(&self) -> Expiry {
        self.expiry
    }
}
