use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::once::new_or_answered;
use super::{Answered, Registry, RequestDigest};
use crate::error::Error;
use crate::store::{TokenHash, Trip, TripwireOutcome, TripwireRecord};

impl Registry {
    /// Sets a tripwire of a key, for the key itself, and returns the answer. Setting it again
    /// changes its expiry, apart from a repeated request that `once` identifies.
    pub(crate) async fn answer_set_tripwire(
        &self,
        key: Uuid,
        hash: TokenHash,
        life: SignedDuration,
        once: Option<RequestDigest>,
        render: impl FnOnce(Timestamp) -> String,
    ) -> Result<Answered, Error> {
        let stamp = self.stamp();
        let expires_at = stamp.at + life;
        let tripwire = TripwireRecord {
            hash,
            key,
            expires_at,
        };
        let response = render(expires_at);
        let outcome = match once {
            None => self.store().set_tripwire(tripwire, stamp).await?,
            Some(once) => {
                let record = once.response(stamp.at, response.clone());
                let set = self.store().set_tripwire_once(tripwire, record, stamp);
                match new_or_answered(set.await?)? {
                    Ok(outcome) => outcome,
                    Err(earlier) => return Ok(earlier),
                }
            }
        };
        match outcome {
            TripwireOutcome::Set => Ok(Answered::New(response)),
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
