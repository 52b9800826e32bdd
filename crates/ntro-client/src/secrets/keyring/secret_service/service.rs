use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::runtime::{Builder, Handle, Runtime};
use zbus::OwnedObjectPath;
use zeroize::Zeroizing;

use super::super::super::deadline::Budget;
use super::super::super::{Error, StoreKind};
use super::super::KeyringSettings;
use super::bus::{Bus, Created, Found};

/// What an item is found by, or described by.
pub(super) type Attributes<'a> = HashMap<&'a str, &'a str>;

/// The Secret Service: one connection, made by the first call and used by all.
pub(super) struct SecretService {
    address: Option<String>,
    interactive: bool,
    budget: Arc<Budget>,
    link: Mutex<Option<Link>>,
}

/// A connection, and the runtime that drives it while somebody waits for an answer.
struct Link {
    bus: Bus,
    runtime: Runtime,
}

impl Drop for SecretService {
    /// Ends without waiting: also in asynchronous code, where a runtime must not wait for itself.
    fn drop(&mut self) {
        let link = self.link.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(Link { bus, runtime }) = link.take() {
            drop(bus);
            runtime.shutdown_background();
        }
    }
}

impl SecretService {
    pub(super) fn new(settings: KeyringSettings) -> Self {
        Self {
            address: settings.session_bus,
            interactive: settings.interactive,
            budget: Arc::new(Budget::new(settings.timeout)),
            link: Mutex::new(None),
        }
    }

    /// Finds out whether an item could be stored now, and unlocks or makes the collection if
    /// somebody is there to answer the prompt for that.
    pub(super) fn probe(&self) -> Result<(), Error> {
        self.run(async |bus| {
            let collection = self
                .collection(bus, bus.default_collection().await?)
                .await?;
            match bus.is_locked(&collection).await? {
                true => self.unlock(bus, vec![collection]).await,
                false => Ok(()),
            }
        })
    }

    pub(super) fn contains(&self, name: &Attributes<'_>) -> Result<bool, Error> {
        self.run(async |bus| Ok(!bus.search(name).await?.is_empty()))
    }

    pub(super) fn get(&self, name: &Attributes<'_>) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        self.run(async |bus| self.read(bus, name).await)
    }

    pub(super) fn put(
        &self,
        name: &Attributes<'_>,
        attributes: &Attributes<'_>,
        label: &str,
        secret: &[u8],
    ) -> Result<(), Error> {
        self.run(async |bus| {
            let (found, collection) = bus.prepare_to_store(name).await?;
            let collection = self.collection(bus, collection).await?;
            let create = async || {
                bus.create_item(&collection, attributes, label, secret)
                    .await
            };
            let mut created = create().await;
            if matches!(created, Err(Error::Locked { .. })) {
                self.unlock(bus, vec![collection.clone()]).await?;
                created = create().await;
            }
            let item = match created {
                Ok(Created::Item(item)) => Some(item),
                Ok(Created::Prompt(prompt)) => {
                    self.confirm(bus, &prompt).await?;
                    None
                }
                // The service may have stored it and not said so, or may still do it.
                Err(Error::TimedOut { .. }) => {
                    let read = self.read(bus, name).await;
                    return match read {
                        Ok(Some(read)) if *read == secret => Ok(()),
                        _ => Err(self.in_doubt()),
                    };
                }
                Err(error) => return Err(error),
            };
            // Items of the same name that other tools made would be found in its place.
            for older in found.unlocked {
                if item.as_ref().is_some_and(|item| *item != older)
                    && let Err(error) = bus.delete(&older).await
                {
                    tracing::debug!(%error, "cannot erase an older item");
                }
            }
            Ok(())
        })
    }

    /// Erases every item of this name; `false` when there was none.
    pub(super) fn erase(&self, name: &Attributes<'_>) -> Result<bool, Error> {
        self.run(async |bus| {
            let found = bus.search(name).await?;
            if found.is_empty() {
                return Ok(false);
            }
            if !found.locked.is_empty() {
                self.unlock(bus, found.locked.clone()).await?;
            }
            for item in found.unlocked.iter().chain(&found.locked) {
                match bus.delete(item).await {
                    Ok(None) => {}
                    Ok(Some(prompt)) => self.confirm(bus, &prompt).await?,
                    Err(Error::TimedOut { .. }) => {
                        return match bus.search(name).await {
                            Ok(found) if found.is_empty() => Ok(true),
                            _ => Err(self.in_doubt()),
                        };
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(true)
        })
    }

    /// The attributes of every item found, locked ones included.
    pub(super) fn search(
        &self,
        spec: &Attributes<'_>,
    ) -> Result<Vec<HashMap<String, String>>, Error> {
        self.run(async |bus| {
            let found = bus.search(spec).await?;
            let mut all = Vec::new();
            for item in found.unlocked.iter().chain(&found.locked) {
                all.push(bus.attributes(item).await?);
            }
            Ok(all)
        })
    }

    async fn read(
        &self,
        bus: &Bus,
        name: &Attributes<'_>,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let Found { unlocked, locked } = bus.prepare_to_read(name).await?;
        let candidates = match (unlocked.is_empty(), locked.is_empty()) {
            (false, _) => unlocked,
            (true, true) => return Ok(None),
            (true, false) => {
                self.unlock(bus, locked.clone()).await?;
                locked
            }
        };
        let Some(item) = bus.newest(candidates).await? else {
            return Ok(None);
        };
        bus.secret(&item).await
    }

    /// The default collection, made if somebody is there to choose its password.
    async fn collection(
        &self,
        bus: &Bus,
        found: Option<OwnedObjectPath>,
    ) -> Result<OwnedObjectPath, Error> {
        if let Some(collection) = found {
            return Ok(collection);
        }
        let empty = || Error::Empty {
            store: StoreKind::Keyring,
        };
        if !self.interactive {
            return Err(empty());
        }
        if let Some(prompt) = bus.create_collection().await? {
            self.answer(bus, &prompt).await?;
        }
        bus.default_collection().await?.ok_or_else(empty)
    }

    async fn unlock(&self, bus: &Bus, objects: Vec<OwnedObjectPath>) -> Result<(), Error> {
        if !self.interactive {
            return Err(Error::Locked {
                store: StoreKind::Keyring,
            });
        }
        match bus.unlock(&objects).await? {
            Some(prompt) => self.answer(bus, &prompt).await,
            None => Ok(()),
        }
    }

    /// Has the service's prompt shown and waits for the person in front of it.
    async fn answer(&self, bus: &Bus, prompt: &OwnedObjectPath) -> Result<(), Error> {
        if self.interactive {
            bus.prompt(prompt, KeyringSettings::PROMPT_TIMEOUT).await
        } else {
            Err(Error::Locked {
                store: StoreKind::Keyring,
            })
        }
    }

    /// Gets past the prompt of a change to what is unlocked.
    ///
    /// KeePassXC has one for each, and answers it itself unless it is told to ask. So it is tried
    /// also where nobody is there, for as long as the keyring may stay silent.
    async fn confirm(&self, bus: &Bus, prompt: &OwnedObjectPath) -> Result<(), Error> {
        if self.interactive {
            return self.answer(bus, prompt).await;
        }
        let start = Instant::now();
        let answer = bus
            .prompt(prompt, self.budget.left().unwrap_or_default())
            .await;
        self.budget.charge(start);
        match answer {
            Err(Error::TimedOut { .. }) => Err(Error::Locked {
                store: StoreKind::Keyring,
            }),
            answer => answer,
        }
    }

    fn in_doubt(&self) -> Error {
        Error::TimedOut {
            store: StoreKind::Keyring,
            after: self.budget.allowed(),
            in_doubt: true,
        }
    }

    /// Runs `work` on the connection, making it if there is none.
    fn run<T: Send>(
        &self,
        work: impl AsyncFnOnce(&Bus) -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        if Handle::try_current().is_ok() {
            // A runtime cannot be entered from within another one.
            return std::thread::scope(|scope| {
                let thread = scope.spawn(|| self.run_here(work));
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
        }
        self.run_here(work)
    }

    fn run_here<T>(&self, work: impl AsyncFnOnce(&Bus) -> Result<T, Error>) -> Result<T, Error> {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if link.as_ref().is_some_and(|link| link.bus.is_closed()) {
            *link = None;
        }
        let link = match &*link {
            Some(link) => link,
            None => link.insert(self.connect()?),
        };
        link.runtime.block_on(work(&link.bus))
    }

    fn connect(&self) -> Result<Link, Error> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::Unavailable {
                store: StoreKind::Keyring,
                reason: error.to_string(),
            })?;
        let bus = runtime.block_on(Bus::connect(
            self.address.as_deref(),
            Arc::clone(&self.budget),
        ))?;
        Ok(Link { bus, runtime })
    }
}
