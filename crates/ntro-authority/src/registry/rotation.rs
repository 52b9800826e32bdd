use uuid::Uuid;

use super::Registry;
use super::keys::RequestDigest;
use super::mint::{self, MintedKey};
use crate::error::Error;
use crate::store::SuccessorOutcome;

impl Registry {
    /// Makes the successor of a key, for the key itself. The successor is pending, and is revoked
    /// together with its predecessor, until [`Registry::revoke_predecessor`]. Its expiry is its own.
    /// A key has at most one pending successor, the newest.
    ///
    /// The request that `once` identifies must be new, and not cancelled.
    pub(crate) async fn create_successor(
        &self,
        id: Uuid,
        once: Option<RequestDigest>,
    ) -> Result<MintedKey, Error> {
        let gone = || Error::NoKey { id: id.to_string() };
        let key = self.find_key(id).await?.ok_or_else(gone)?;
        let stamp = self.stamp();
        let minted = mint::mint_successor(&self.shared.hasher, &key, stamp.at)?;
        let once = once.map(|once| once.record(stamp.at));
        let created = self
            .store()
            .create_successor(minted.record.clone(), once, stamp);
        match created.await? {
            SuccessorOutcome::New => Ok(minted),
            SuccessorOutcome::Gone => Err(gone()),
            SuccessorOutcome::Forbidden => Err(Error::RotationOff),
            SuccessorOutcome::Pending => Err(Error::RotationPending),
            SuccessorOutcome::Repeated => Err(Error::Reused),
        }
    }

    /// Revokes the pending successor of a key, if there is one. With `once`, revokes only the
    /// successor of that request, and keeps the request from making one later.
    pub(crate) async fn revoke_successor(
        &self,
        id: Uuid,
        once: Option<RequestDigest>,
    ) -> Result<(), Error> {
        let stamp = self.stamp();
        let once = once.map(|once| once.record(stamp.at));
        Ok(self.store().revoke_successor(id, once, stamp).await?)
    }

    /// Revokes the predecessor of a key, if there is one; the key is pending no longer.
    pub(crate) async fn revoke_predecessor(&self, id: Uuid) -> Result<(), Error> {
        match self.store().revoke_predecessor(id, self.stamp()).await? {
            true => Ok(()),
            false => Err(Error::NoKey { id: id.to_string() }),
        }
    }
}
