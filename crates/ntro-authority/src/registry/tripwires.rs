use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::Registry;
use crate::error::Error;
use crate::store::{TokenHash, Trip, TripwireOutcome, TripwireRecord};

impl Registry {
    /// Sets a tripwire of a key, for the key itself, and returns when it expires. Setting it again
    /// changes its expiry.
    pub(crate) async fn set_tripwire(
        &self,
        key: Uuid,
        hash: TokenHash,
        life: SignedDuration,
    ) -> Result<Timestamp, Error> {
        let stamp = self.stamp();
        let expires_at = stamp.at + life;
        let tripwire = TripwireRecord {
            hash,
            key,
            expires_at,
        };
        match self.store().set_tripwire(tripwire, stamp).await? {
            TripwireOutcome::Set => Ok(expires_at),
            TripwireOutcome::Gone => Err(Error::NoKey {
                id: key.to_string(),
            }),
            TripwireOutcome::OfChild => Err(Error::ChildKey),
            TripwireOutcome::TooMany => Err(Error::TooManyTripwires),
            TripwireOutcome::Taken => Err(Error::TripwireTaken),
        }
    }

    /// Queues the record of a tripwire whose token was presented; waits for nothing.
    pub(crate) fn record_trip(&self, trip: Trip) {
        // The call queues the write; its result is in the log of the writer.
        drop(self.store().record_trip(trip, self.stamp()));
    }
}
