use jiff::Timestamp;
use uuid::Uuid;

use super::Registry;
use crate::error::Error;

impl Registry {
    /// Records when keys were last used. That is no change of the registry: it is not audited.
    pub(crate) async fn record_use(&self, used: Vec<(Uuid, Timestamp)>) -> Result<(), Error> {
        Ok(self.store().record_use(used).await?)
    }
}
