use uuid::Uuid;

use super::Registry;
use crate::error::Error;
use crate::store::ApiKeyRecord;

impl Registry {
    /// Refuses a key, its children and its pending successor until the key is resumed. Pausing it
    /// again changes nothing.
    pub async fn pause_key(&self, id: Uuid) -> Result<ApiKeyRecord, Error> {
        live(id, self.store().pause_key(id, self.stamp()).await?)
    }

    /// Accepts a paused key again, and the keys that were paused with it.
    pub async fn resume_key(&self, id: Uuid) -> Result<ApiKeyRecord, Error> {
        let key = live(id, self.store().resume_key(id, self.stamp()).await?)?;
        match key.paused_at {
            None => Ok(key),
            Some(_) => Err(Error::PausedWithAnother),
        }
    }
}

/// Returns the key, unless it is revoked.
fn live(id: Uuid, key: Option<ApiKeyRecord>) -> Result<ApiKeyRecord, Error> {
    let key = key.ok_or_else(|| Error::NoKey { id: id.to_string() })?;
    match key.revoked_at {
        None => Ok(key),
        Some(_) => Err(Error::KeyRevoked { id: id.to_string() }),
    }
}
