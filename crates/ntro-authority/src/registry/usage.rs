use jiff::Timestamp;
use uuid::Uuid;

use super::{Registry, now};
use crate::error::Error;
use crate::store::{KeyUsage, UseCount};

impl Registry {
    /// Records uses of keys. That is no change of the registry: it is not audited.
    pub(crate) async fn record_use(&self, used: Vec<KeyUsage>) -> Result<(), Error> {
        Ok(self.store().record_use(used, now()).await?)
    }

    /// Returns the counts of a key's recorded uses since an hour, oldest first.
    pub(crate) async fn use_counts(
        &self,
        key: Uuid,
        since: Timestamp,
    ) -> Result<Vec<UseCount>, Error> {
        Ok(self.store().use_counts(key, since).await?)
    }
}
