//! The Secret Service as a store of `keyring_core`, with a bound on every wait.
//!
//! Secrets travel in a plain session: the peer is a Unix socket of the same user, who could ask
//! the service for them himself, and the encrypted session of the protocol costs three times what
//! everything else does. A bus that is not a Unix socket is therefore not used.

mod bus;
mod service;

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use keyring_core::api::{CredentialApi, CredentialStoreApi};
use keyring_core::{Credential, CredentialStore, Entry};
use zeroize::Zeroizing;

use super::super::Error;
use super::{Call, KeyringSettings, SERVICE};
use service::SecretService;

/// The bus name and, with a version, the identity of the store.
const VENDOR: &str = "Secret Service, https://specifications.freedesktop.org/secret-service/";

pub(super) struct Platform {
    store: Arc<Store>,
}

impl Platform {
    /// Our store keeps what an item is described by as its attributes, and shows its label.
    pub(super) const MODIFIERS: bool = true;

    pub(super) fn new(settings: KeyringSettings) -> Self {
        let service = Arc::new(SecretService::new(settings));
        Self {
            store: Arc::new(Store { service }),
        }
    }

    pub(super) fn ours() -> HashMap<&'static str, &'static str> {
        HashMap::from([("service", SERVICE)])
    }

    pub(super) fn probe(&self) -> Result<(), Error> {
        self.store.service.probe()
    }

    #[expect(clippy::unnecessary_wraps, reason = "the counterparts can fail")]
    pub(super) fn store(&self) -> Result<Arc<CredentialStore>, Error> {
        Ok(Arc::clone(&self.store) as _)
    }

    /// Makes a call, which gives up by itself.
    #[expect(clippy::unused_self, reason = "the counterpart bounds it")]
    pub(super) fn run<T: Send + 'static>(
        &self,
        _call: Call,
        work: impl FnOnce() -> keyring_core::Result<T> + Send + 'static,
    ) -> keyring_core::Result<T> {
        work()
    }
}

struct Store {
    service: Arc<SecretService>,
}

impl CredentialStoreApi for Store {
    fn vendor(&self) -> String {
        VENDOR.to_owned()
    }

    fn id(&self) -> String {
        format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
    }

    /// The modifier `label` names the item; all others become attributes of it.
    fn build(
        &self,
        service: &str,
        user: &str,
        modifiers: Option<&HashMap<&str, &str>>,
    ) -> keyring_core::Result<Entry> {
        let mut attributes = HashMap::new();
        let mut label = format!("{user}@{service}");
        for (&name, &value) in modifiers.into_iter().flatten() {
            if name == "label" {
                value.clone_into(&mut label);
            } else {
                attributes.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(Entry::new_with_credential(Arc::new(StoredItem {
            service: Arc::clone(&self.service),
            name: ItemName::new(service, user),
            label,
            attributes,
        })))
    }

    fn search(&self, spec: &HashMap<&str, &str>) -> keyring_core::Result<Vec<Entry>> {
        let found = self.service.search(spec).map_err(wrap)?;
        let entry = |mut attributes: HashMap<String, String>| {
            let (service, user) = (
                attributes.remove("service")?,
                attributes.remove("username")?,
            );
            let modifiers = attributes.iter().map(|(k, v)| (k.as_str(), v.as_str()));
            self.build(&service, &user, Some(&modifiers.collect())).ok()
        };
        Ok(found.into_iter().filter_map(entry).collect())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What an item is found by.
struct ItemName {
    service: String,
    user: String,
}

impl ItemName {
    fn new(service: &str, user: &str) -> Self {
        Self {
            service: service.to_owned(),
            user: user.to_owned(),
        }
    }

    fn attributes(&self) -> HashMap<&str, &str> {
        HashMap::from([
            ("service", self.service.as_str()),
            ("username", self.user.as_str()),
        ])
    }
}

struct StoredItem {
    service: Arc<SecretService>,
    name: ItemName,
    label: String,
    attributes: HashMap<String, String>,
}

impl CredentialApi for StoredItem {
    fn set_secret(&self, secret: &[u8]) -> keyring_core::Result<()> {
        let name = self.name.attributes();
        let mut attributes = name.clone();
        attributes.extend(
            self.attributes
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        self.service
            .put(&name, &attributes, &self.label, secret)
            .map_err(wrap)
    }

    fn get_secret(&self) -> keyring_core::Result<Vec<u8>> {
        let found = self.service.get(&self.name.attributes()).map_err(wrap)?;
        let mut secret: Zeroizing<Vec<u8>> = found.ok_or(keyring_core::Error::NoEntry)?;
        Ok(std::mem::take(&mut *secret))
    }

    fn delete_credential(&self) -> keyring_core::Result<()> {
        match self.service.erase(&self.name.attributes()).map_err(wrap)? {
            true => Ok(()),
            false => Err(keyring_core::Error::NoEntry),
        }
    }

    fn get_credential(&self) -> keyring_core::Result<Option<Arc<Credential>>> {
        match self
            .service
            .contains(&self.name.attributes())
            .map_err(wrap)?
        {
            // This is the wrapper of what is stored already.
            true => Ok(None),
            false => Err(keyring_core::Error::NoEntry),
        }
    }

    fn get_specifiers(&self) -> Option<(String, String)> {
        Some((self.name.service.clone(), self.name.user.clone()))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn wrap(error: Error) -> keyring_core::Error {
    match error {
        Error::Locked { .. } => keyring_core::Error::NoStorageAccess(Box::new(error)),
        error => keyring_core::Error::PlatformFailure(Box::new(error)),
    }
}
