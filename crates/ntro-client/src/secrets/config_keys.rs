use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::{Error, Item, PlainKeys, StoreKind};
use crate::config::{self, Config, Document};
use ntro_base::disk::FileLock;
use ntro_base::{ApiKey, ApiKeyError, ConnectionName, Host};

/// The keys in `config.toml`, for the `plaintext` store.
#[derive(Clone)]
pub struct ConfigKeys {
    path: PathBuf,
    /// The file as it was read last. It is read for each key, since others write it too, and
    /// understood anew only when it has changed: a thousand keys would be a million lines.
    last: Arc<Mutex<Option<Last>>>,
}

struct Last {
    text: Zeroizing<String>,
    config: Arc<Config>,
}

impl ConfigKeys {
    /// Takes the file at `path`, which need not exist.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            last: Arc::default(),
        }
    }

    fn config(&self) -> Result<Arc<Config>, Error> {
        let text = Config::text(&self.path).map_err(into_store_error)?;
        let text = text.unwrap_or_default();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last.as_ref().filter(|last| last.text == text) {
            return Ok(Arc::clone(&last.config));
        }
        let config = Config::parse(&self.path, &text).map_err(into_store_error)?;
        let last = last.insert(Last {
            text,
            config: Arc::new(config),
        });
        Ok(Arc::clone(&last.config))
    }
}

impl fmt::Debug for ConfigKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigKeys")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

fn into_store_error(error: config::Error) -> Error {
    match error {
        config::Error::Disk(error) => Error::Disk(error),
        error => Error::Unavailable {
            store: StoreKind::Plaintext,
            reason: error.to_string(),
        },
    }
}

impl PlainKeys for ConfigKeys {
    fn get(&self, connection: &ConnectionName) -> Result<Option<ApiKey>, Error> {
        let config = self.config()?;
        let key = config
            .connections
            .get(connection.as_str())
            .and_then(|entry| entry.api_key.as_ref());
        key.map(|key| key.expose_secret().parse())
            .transpose()
            .map_err(|reason: ApiKeyError| Error::NotAPlainKey {
                key: format!("connections.{connection}.api_key"),
                path: self.path.clone(),
                reason: reason.to_string(),
            })
    }

    fn set(
        &self,
        connection: &ConnectionName,
        key: Option<&ApiKey>,
        lock: &FileLock,
    ) -> Result<bool, Error> {
        let had = self.get(connection).ok().flatten().is_some();
        let mut document = Document::read(&self.path).map_err(into_store_error)?;
        let edited = match key {
            Some(key) => document.set(connection.as_str(), "api_key", key.expose()),
            None => {
                document.unset(connection.as_str(), "api_key");
                Ok(())
            }
        };
        edited
            .and_then(|()| document.finish()?.save(lock))
            .map_err(into_store_error)?;
        Ok(had)
    }

    fn list(&self) -> Result<Vec<Item>, Error> {
        let config = self.config()?;
        let items = config.connections.iter();
        let items = items.filter(|(_, entry)| entry.api_key.is_some());
        Ok(items
            .filter_map(|(name, entry)| {
                let origin = entry.host.as_ref()?.parse::<Host>().ok()?.origin();
                Some(Item::new(name.parse().ok()?, origin))
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_edited_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let before = "# mine\n[connections.local]\nhost = \"http://localhost:3000/v1\" # here\n";
        std::fs::write(&path, before).unwrap();
        let lock = FileLock::acquire(&folder.path().join(".lock")).unwrap();
        let keys = ConfigKeys::new(path.clone());
        let name: ConnectionName = "local".parse().unwrap();
        assert_eq!(keys.get(&name).unwrap(), None);
        let key: ApiKey = "ntro_dev_key".parse().unwrap();
        assert!(!keys.set(&name, Some(&key), &lock).unwrap());
        assert_eq!(keys.get(&name).unwrap(), Some(key));
        let items = keys.list().unwrap();
        assert_eq!(items[0].account(), "local@http://localhost:3000");
        assert!(keys.set(&name, None, &lock).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    }
}
