use uuid::Uuid;

use super::{LONGEST_LIFE_IN_DAYS, Registry};
use crate::error::Error;
use crate::store::KeyPolicy;

impl Registry {
    /// Returns the policy of a tenant; the default one, without rules, if it has none.
    pub async fn policy(&self, tenant: Uuid) -> Result<KeyPolicy, Error> {
        Ok(self.store().policy(tenant).await?)
    }

    /// Replaces the policy of a tenant. Keys that exist stay as they are.
    pub async fn set_policy(
        &self,
        tenant: Uuid,
        mut policy: KeyPolicy,
    ) -> Result<KeyPolicy, Error> {
        if let Some(days) = policy.longest_life_in_days
            && !(1..=LONGEST_LIFE_IN_DAYS).contains(&days)
        {
            return Err(Error::Life { days });
        }
        if let Some(scopes) = &mut policy.allowed_scopes {
            if scopes.is_empty() {
                return Err(Error::ScopesMissing);
            }
            scopes.sort_unstable();
            scopes.dedup();
        }
        let set = self
            .store()
            .set_policy(tenant, policy.clone(), self.stamp());
        match set.await? {
            true => Ok(policy),
            false => Err(Error::NoTenant {
                name: tenant.to_string(),
            }),
        }
    }
}
