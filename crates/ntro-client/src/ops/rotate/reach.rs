//! The tenants and scopes of a key, compared with those of another.

use std::collections::BTreeMap;

use super::Error;
use crate::api::{self, Client, KeyInfo, Tenant};
use ntro_base::TenantSlug;

/// The server's description of an accepted key.
#[derive(Clone, Debug)]
pub(super) struct Reach {
    /// The tenants by id, with their names.
    pub(super) tenants: BTreeMap<String, TenantSlug>,
    /// The key itself, as far as the server describes it.
    pub(super) key: KeyInfo,
}

impl Reach {
    /// Asks the server, which fails if it does not accept the key.
    pub(super) async fn ask(client: &Client) -> Result<Self, api::Error> {
        let whoami = client.whoami().await?;
        let key = whoami.identity.key.unwrap_or_default();
        Ok(Self::new(&whoami.tenants, key))
    }

    fn new(tenants: &[Tenant], key: KeyInfo) -> Self {
        Self {
            tenants: tenants
                .iter()
                .map(|tenant| (tenant.id.clone(), tenant.slug.clone()))
                .collect(),
            key,
        }
    }

    /// Checks that another key reaches at least as much.
    pub(super) fn covered_by(&self, other: &Self) -> Result<(), Error> {
        let missing: Vec<_> = self
            .tenants
            .iter()
            .filter(|(id, _)| !other.tenants.contains_key(*id))
            .map(|(_, slug)| format!("`{slug}`"))
            .collect();
        if !missing.is_empty() {
            return Err(Error::OtherTenant {
                missing: missing.join(", "),
            });
        }
        let has = other.key.scopes.as_deref().unwrap_or_default();
        let has_all = has.iter().any(|scope| scope == "*");
        let missing: Vec<_> = self
            .key
            .scopes
            .iter()
            .flatten()
            .filter(|scope| !has_all && !has.contains(scope))
            .map(|scope| format!("`{scope}`"))
            .collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(Error::FewerScopes {
                missing: missing.join(", "),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(tenants: &[&str], scopes: Option<&[&str]>) -> Reach {
        let key = KeyInfo {
            scopes: scopes.map(|scopes| scopes.iter().map(ToString::to_string).collect()),
            ..KeyInfo::default()
        };
        Reach {
            tenants: tenants
                .iter()
                .map(|id| (id.to_string(), id.parse().unwrap()))
                .collect(),
            key,
        }
    }

    #[test]
    fn new_key_must_reach_as_much() {
        let old = reach(&["acme"], None);
        assert!(old.covered_by(&reach(&["acme"], None)).is_ok());
        assert!(old.covered_by(&reach(&["acme", "globex"], None)).is_ok());
        let error = old.covered_by(&reach(&["globex"], None)).unwrap_err();
        assert!(matches!(error, Error::OtherTenant { missing } if missing == "`acme`"));

        let old = reach(&["acme"], Some(&["exports", "mcp"]));
        for scopes in [&["mcp", "exports"][..], &["*"]] {
            assert!(old.covered_by(&reach(&["acme"], Some(scopes))).is_ok());
        }
        for scopes in [Some(&["mcp"][..]), Some(&[]), None] {
            let error = old.covered_by(&reach(&["acme"], scopes)).unwrap_err();
            assert!(matches!(error, Error::FewerScopes { missing } if missing.contains("exports")));
        }
    }
}
