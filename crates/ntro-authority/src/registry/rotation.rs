use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::Registry;
use super::keys::RequestDigest;
use super::mint::{self, MintedKey};
use crate::error::Error;
use crate::store::{Predecessor, QuietOutcome, SuccessorOutcome};

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
        let longest = self.policy(key.tenant_id).await?.longest_life();
        let minted = mint::mint_successor(&self.shared.hasher, &key, longest, stamp.at)?;
        let once = once.map(|once| once.record(stamp.at));
        let created = self
            .store()
            .create_successor(minted.record.clone(), once, stamp);
        match created.await? {
            SuccessorOutcome::New => Ok(minted),
            SuccessorOutcome::Gone => Err(gone()),
            SuccessorOutcome::Paused => Err(Error::KeyPaused),
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

    /// Revokes the predecessor of a key, if there is one; the key is pending no longer. A key that is
    /// revoked or paused may not do this.
    pub(crate) async fn revoke_predecessor(&self, id: Uuid) -> Result<(), Error> {
        match self.store().revoke_predecessor(id, self.stamp()).await? {
            true => Ok(()),
            false => Err(Error::NoKey { id: id.to_string() }),
        }
    }

    /// Returns the predecessor of a key, if the key is pending.
    pub(crate) async fn predecessor(&self, id: Uuid) -> Result<Option<Predecessor>, Error> {
        Ok(self.store().predecessor(id).await?)
    }

    /// Sets after how many seconds without a use the predecessor of a key ends; `None` is never.
    pub(crate) async fn set_quiet_end(&self, id: Uuid, seconds: Option<u32>) -> Result<(), Error> {
        let set = self.store().set_quiet_end(id, seconds, self.stamp());
        match set.await? {
            true => Ok(()),
            false => Err(Error::NoPredecessor),
        }
    }

    /// Revokes the predecessor of a key, if it was not used for so many seconds.
    pub(crate) async fn revoke_quiet_predecessor(
        &self,
        id: Uuid,
        seconds: u32,
    ) -> Result<(), Error> {
        let stamp = self.stamp();
        let since = unused_since(stamp.at, seconds);
        let revoked = self.store().revoke_unused_predecessor(id, since, stamp);
        match revoked.await? {
            QuietOutcome::Ended => Ok(()),
            QuietOutcome::InUse => Err(Error::PredecessorInUse),
            QuietOutcome::Gone => Err(Error::NoKey { id: id.to_string() }),
        }
    }

    /// Revokes the predecessors that were not used for as long as their successors have asked for.
    /// Returns how many.
    pub(crate) async fn end_quiet_predecessors(&self) -> Result<usize, Error> {
        let known_until = unused_since(self.stamp().at, 0);
        let mut ended = 0;
        for (id, seconds) in self.store().quiet_rotations(known_until).await? {
            match self.revoke_quiet_predecessor(id, seconds).await {
                Ok(()) => ended += 1,
                // Used or ended meanwhile.
                Err(Error::PredecessorInUse | Error::NoKey { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(ended)
    }
}

/// How long a use may be unrecorded: every process writes its uses twice as often.
const UNRECORDED: SignedDuration = SignedDuration::from_secs(60);

/// Returns the time since which a key must be unused to have been so for some seconds.
fn unused_since(now: Timestamp, seconds: u32) -> Timestamp {
    let quiet = UNRECORDED + SignedDuration::from_secs(seconds.into());
    now.checked_sub(quiet).unwrap_or(Timestamp::MIN)
}
