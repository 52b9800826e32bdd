//! Systems without a supported keyring.

use zeroize::Zeroizing;

use super::super::{Error, Item, StoreKind};
use super::{KeyringSettings, Platform};

pub(super) struct NoKeyring;

impl NoKeyring {
    pub(super) fn new(_settings: KeyringSettings) -> Self {
        Self
    }
}

impl Platform for NoKeyring {
    fn probe(&self) -> Result<(), Error> {
        Err(absent())
    }

    fn get(&self, _item: &Item) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        Err(absent())
    }

    fn put(&self, _item: &Item, _secret: &[u8]) -> Result<(), Error> {
        Err(absent())
    }

    fn erase(&self, _item: &Item) -> Result<bool, Error> {
        Err(absent())
    }

    fn accounts(&self) -> Result<Vec<String>, Error> {
        Err(absent())
    }
}

fn absent() -> Error {
    Error::Absent {
        store: StoreKind::Keyring,
        reason: "this system has none that is supported".to_owned(),
    }
}
