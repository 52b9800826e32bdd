//! A tenant that a key reaches.

use super::error::Error;
use super::response::ServerResponse;
use super::text::clean;
use ntro_base::TenantSlug;

/// A tenant (Ontora: a workspace).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tenant {
    /// Its id.
    pub id: String,
    /// Its name in paths and settings: its slug, or its id if it has none.
    pub slug: TenantSlug,
    /// Its display name.
    pub name: Option<String>,
    /// `ACTIVE`, `SUSPENDED`, ….
    pub status: Option<String>,
    /// `managed-postgres`, ….
    pub data_platform: Option<String>,
    /// The number of its entities.
    pub entity_count: Option<u64>,
    /// The caller's role in it.
    pub role: Option<String>,
    /// When it was created.
    pub created_at: Option<jiff::Timestamp>,
}

impl Tenant {
    /// Returns whether `name` is this tenant's slug or id.
    #[must_use]
    pub fn is(&self, name: &TenantSlug) -> bool {
        self.slug == *name || self.id == name.as_str()
    }

    /// Returns the tenant that a call uses, of those that the key reaches: the named one, or, where
    /// none is named, the only one.
    #[must_use]
    pub fn active<'t>(named: Option<&TenantSlug>, reached: &'t [Self]) -> Option<&'t Self> {
        match (named, reached) {
            (Some(named), _) => reached.iter().find(|tenant| tenant.is(named)),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
}

/// Returns a tenant of which only id and slug are known.
pub(super) fn named_tenant(answer: &ServerResponse, id: &str, slug: &str) -> Result<Tenant, Error> {
    let id = clean(id);
    let slug = clean(slug)
        .parse()
        .or_else(|_| id.parse())
        .map_err(|_| answer.misshapen("a tenant in it has no usable id"))?;
    Ok(Tenant {
        id,
        slug,
        name: None,
        status: None,
        data_platform: None,
        entity_count: None,
        role: None,
        created_at: None,
    })
}
