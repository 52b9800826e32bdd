use uuid::Uuid;

use super::Registry;
use super::keys::{MintOutcome, RequestDigest};
use super::mint::{self, NewChild};
use crate::error::Error;
use crate::store::ChildOutcome;

impl Registry {
    /// Makes a child of a key, for the key itself, once for each request that `once` identifies.
    /// The child has no more rights than its parent, and ends with it.
    pub(crate) async fn create_child(
        &self,
        parent: Uuid,
        new: NewChild,
        once: Option<RequestDigest>,
    ) -> Result<MintOutcome, Error> {
        let gone = || Error::NoKey {
            id: parent.to_string(),
        };
        let key = self.find_key(parent).await?.ok_or_else(gone)?;
        let stamp = self.stamp();
        let minted = mint::mint_child(&self.shared.hasher, &key, new, stamp.at)?;
        let once = once.map(|once| once.record(stamp.at));
        let created = self
            .store()
            .create_child(minted.record.clone(), once, stamp);
        match created.await? {
            ChildOutcome::New => Ok(MintOutcome::New(Box::new(minted))),
            ChildOutcome::Replayed(key) => Ok(MintOutcome::Replayed(key)),
            ChildOutcome::Conflict => Err(Error::Reused),
            ChildOutcome::Gone => Err(gone()),
            ChildOutcome::Paused => Err(Error::KeyPaused),
            ChildOutcome::OfChild => Err(Error::ChildKey),
            ChildOutcome::Exceeds(excess) => Err(Error::ExceedsParent(excess)),
            ChildOutcome::TooMany => Err(Error::TooManyChildren),
        }
    }

    /// Revokes a child of a key. Revoking it again changes nothing.
    pub(crate) async fn revoke_child(&self, parent: Uuid, id: Uuid) -> Result<(), Error> {
        let key = self.find_key(id).await?;
        if key.is_none_or(|key| key.parent != Some(parent)) {
            return Err(Error::NoKey { id: id.to_string() });
        }
        self.revoke_key(id).await.map(drop)
    }

    /// Revokes the child that a request has made, and keeps the request from making one later.
    pub(crate) async fn cancel_child(
        &self,
        parent: Uuid,
        once: RequestDigest,
    ) -> Result<(), Error> {
        let stamp = self.stamp();
        let once = once.record(stamp.at);
        Ok(self.store().cancel_child(parent, once, stamp).await?)
    }
}
