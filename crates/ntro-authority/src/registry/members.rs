use uuid::Uuid;

use super::Registry;
use crate::error::Error;
use crate::store::MemberRecord;

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
