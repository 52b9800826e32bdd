use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ntro_base::descriptors::ensure_spare_descriptors;
use tokio::runtime::{Builder, Handle, Runtime};
use zbus::OwnedObjectPath;
use zeroize::Zeroizing;

use super::super::super::deadline::Budget;
use super::super::super::{Error, Item, StoreKind};
use super::super::{KeyringSettings, Platform, SERVICE};
use super::bus::{Bus, Found, NewItem};

/// The attributes that find or describe an item.
pub(super) type Attributes<'a> = HashMap<&'a str, &'a str>;

/// The Secret Service over one connection, which the first call opens.
pub(in super::super) struct SecretService {
    address: Option<String>,
    interactive: bool,
    budget: Arc<Budget>,
    link: Mutex<Option<Link>>,
}

/// A connection and the runtime that drives it during a call.
struct Link {
    bus: Bus,
    runtime: Runtime,
}

impl SecretService {
    pub(in super::super) fn new(settings: KeyringSettings) -> Self {
        Self {
            address: settings.session_bus,
            interactive: settings.interactive,
            budget: Arc::new(Budget::new(settings.timeout)),
            link: Mutex::new(None),
        }
    }

    async fn read(
        &self,
        bus: &Bus,
        name: &Attributes<'_>,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let found = bus.search_in_session(name).await?;
        let items = self.unlocked(bus, found).await?;
        match bus.newest(&items).await? {
            Some(item) => bus.secret(&item).await,
            None => Ok(None),
        }
    }

    /// Returns the unlocked items of a search. If all are locked, unlocks them.
    async fn unlocked(&self, bus: &Bus, found: Found) -> Result<Vec<OwnedObjectPath>, Error> {
        let Found { unlocked, locked } = found;
        if !unlocked.is_empty() || locked.is_empty() {
            return Ok(unlocked);
        }
        self.unlock(bus, locked.clone()).await?;
        Ok(locked)
    }

    /// Stores a new item.
    async fn create(&self, bus: &Bus, new: &NewItem<'_>) -> Result<(), Error> {
        let collection = self
            .collection(bus, bus.default_collection().await?)
            .await?;
        let mut created = bus.create_item(&collection, new).await;
        if matches!(created, Err(Error::Locked { .. })) {
            self.unlock(bus, vec![collection.clone()]).await?;
            created = bus.create_item(&collection, new).await;
        }
        match created? {
            Some(prompt) => self.confirm(bus, &prompt).await,
            None => Ok(()),
        }
    }

    /// Erases an item, and waits for the prompt where there is one.
    async fn delete(&self, bus: &Bus, item: &OwnedObjectPath) -> Result<(), Error> {
        match bus.delete(item).await? {
            Some(prompt) => self.confirm(bus, &prompt).await,
            None => Ok(()),
        }
    }

    /// Returns the default collection; an interactive caller gets the prompt that creates it.
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

    /// Shows a prompt and waits for the person to answer it.
    async fn answer(&self, bus: &Bus, prompt: &OwnedObjectPath) -> Result<(), Error> {
        if self.interactive {
            bus.prompt(prompt, KeyringSettings::PROMPT_TIMEOUT).await
        } else {
            Err(Error::Locked {
                store: StoreKind::Keyring,
            })
        }
    }

    /// Completes the prompt of a change to an unlocked item.
    ///
    /// KeePassXC has a prompt for every change and answers it itself unless configured to ask. So
    /// a non-interactive caller shows it as well, and waits for the time that is left.
    async fn confirm(&self, bus: &Bus, prompt: &OwnedObjectPath) -> Result<(), Error> {
        if self.interactive {
            return self.answer(bus, prompt).await;
        }
        let start = Instant::now();
        let bound = self.budget.left().unwrap_or_default();
        let answer = bus.prompt(prompt, bound).await;
        self.budget.charge(start);
        match answer {
            Err(Error::TimedOut { .. }) => Err(Error::Refused {
                store: StoreKind::Keyring,
                reason: "its prompt was not answered".to_owned(),
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

    /// Runs `work` on the connection, which the first call opens.
    fn run<T: Send>(
        &self,
        work: impl AsyncFnOnce(&Bus) -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        if Handle::try_current().is_ok() {
            // A runtime cannot be entered inside another one.
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
        let runtime = ensure_spare_descriptors()
            .and_then(|()| Builder::new_current_thread().enable_all().build())
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

impl Platform for SecretService {
    /// Checks that an item can be stored now. An interactive caller gets the prompts that unlock or
    /// create the collection.
    fn probe(&self) -> Result<(), Error> {
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

    fn get(&self, item: &Item) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let account = item.account();
        self.run(async |bus| self.read(bus, &name(&account)).await)
    }

    fn put(&self, item: &Item, secret: &[u8]) -> Result<(), Error> {
        let (account, label) = (item.account(), item.label());
        let name = name(&account);
        let mut attributes = name.clone();
        attributes.extend([
            ("connection", item.connection.as_str()),
            ("origin", item.origin.as_str()),
            ("application", SERVICE),
        ]);
        let new = NewItem {
            attributes: &attributes,
            label: &label,
            secret,
        };
        self.run(async |bus| {
            let found = bus.search_in_session(&name).await?;
            let items = self.unlocked(bus, found).await?;
            let existing = bus.newest(&items).await?;
            // KeePassXC replaces an item in `CreateItem` only for the client that has created it.
            let stored = match &existing {
                Some(item) => bus.set_secret(item, secret).await,
                None => self.create(bus, &new).await,
            };
            match stored {
                Ok(()) => {}
                // The service may have stored it without an answer, or may still store it.
                Err(Error::TimedOut { .. }) => {
                    let read = self.read(bus, &name).await;
                    return match read {
                        Ok(Some(read)) if *read == secret => Ok(()),
                        _ => Err(self.in_doubt()),
                    };
                }
                Err(error) => return Err(error),
            }
            // Other tools may have created items of the same name, which could be found instead.
            for twin in items.iter().filter(|item| Some(*item) != existing.as_ref()) {
                if let Err(error) = self.delete(bus, twin).await {
                    tracing::debug!(%error, "cannot erase an older item");
                }
            }
            Ok(())
        })
    }

    /// Erases every item of this name.
    fn erase(&self, item: &Item) -> Result<bool, Error> {
        let account = item.account();
        let name = &name(&account);
        self.run(async |bus| {
            let found = bus.search(name).await?;
            if found.is_empty() {
                return Ok(false);
            }
            if !found.locked.is_empty() {
                self.unlock(bus, found.locked.clone()).await?;
            }
            for item in found.unlocked.iter().chain(&found.locked) {
                match self.delete(bus, item).await {
                    Ok(()) => {}
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

    fn accounts(&self) -> Result<Vec<String>, Error> {
        self.run(async |bus| {
            let found = bus
                .search(&Attributes::from([("service", SERVICE)]))
                .await?;
            let mut accounts = Vec::new();
            for item in found.unlocked.iter().chain(&found.locked) {
                accounts.extend(bus.attributes(item).await?.remove("username"));
            }
            Ok(accounts)
        })
    }
}

impl Drop for SecretService {
    /// Does not wait, because a runtime must not block inside another one.
    fn drop(&mut self) {
        let link = self.link.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(Link { bus, runtime }) = link.take() {
            drop(bus);
            runtime.shutdown_background();
        }
    }
}

/// Returns the attributes that find an item.
fn name(account: &str) -> Attributes<'_> {
    HashMap::from([("service", SERVICE), ("username", account)])
}
