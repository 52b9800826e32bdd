use uuid::Uuid;

use super::Registry;
use crate::error::Error;
use crate::store::{KeyOwner, MemberRecord};

impl Registry {
    /// Returns the users whose tokens were seen in an organisation, oldest first.
    pub async fn members(&self, organisation: Uuid) -> Result<Vec<MemberRecord>, Error> {
        Ok(self.store().members(organisation).await?)
    }

    /// Returns users in the order of [`Registry::members`], behind the one with this id; `None` if there
    /// is no such user.
    pub(crate) async fn member_page(
        &self,
        organisation: Uuid,
        after: Option<String>,
        limit: u32,
    ) -> Result<Option<Vec<MemberRecord>>, Error> {
        Ok(self.store().member_page(organisation, after, limit).await?)
    }

    /// Revokes all keys of a user of an organisation, or those of one of its tenants; returns their
    /// ids. Revoking them again changes nothing.
    pub async fn revoke_keys_of(
        &self,
        organisation: Uuid,
        tenant: Option<Uuid>,
        user_id: &str,
    ) -> Result<Vec<Uuid>, Error> {
        let owner = KeyOwner {
            user_id: user_id.to_owned(),
            organisation,
            tenant,
        };
        let revoked = self.store().revoke_keys_of(owner, self.stamp());
        revoked.await?.ok_or_else(|| Error::NoMember {
            user_id: user_id.to_owned(),
        })
    }

    /// Records a user of an organisation, with the role of the user's token.
    pub(crate) async fn record_member(
        &self,
        organisation: Uuid,
        member: MemberRecord,
    ) -> Result<(), Error> {
        let recorded = self
            .store()
            .record_member(organisation, member, self.stamp());
        Ok(recorded.await?)
    }
}
