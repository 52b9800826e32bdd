use jiff::SignedDuration;
use uuid::Uuid;

use super::{Registry, now};
use crate::error::Error;
use crate::store::ExpiryWarning;

/// How long a warning that was not delivered waits for the next attempt.
const RETRY: SignedDuration = SignedDuration::from_mins(5);

impl Registry {
    /// Returns how many live keys expire within so many days.
    pub(crate) async fn expiring_keys(&self, days: u32) -> Result<u64, Error> {
        Ok(self.store().expiring_keys(days, now()).await?)
    }

    /// Claims warnings of keys that expire within so many days: no other process sends them for some
    /// minutes.
    pub(crate) async fn claim_expiry_warnings(
        &self,
        days: u32,
    ) -> Result<Vec<ExpiryWarning>, Error> {
        let now = now();
        let claimed = self.store().claim_expiry_warnings(days, now, now + RETRY);
        Ok(claimed.await?)
    }

    /// Records that a warning was delivered.
    pub(crate) async fn record_expiry_warning(&self, key: Uuid, days: u32) -> Result<(), Error> {
        Ok(self.store().record_expiry_warning(key, days).await?)
    }
}
