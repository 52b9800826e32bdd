use std::sync::Arc;

use aws_lc_rs::rand;
use zeroize::Zeroizing;

use super::issuer::SigningKey;
use super::{Registry, Shared};
use crate::actor::Actor;
use crate::error::Error;
use crate::identity_key::IdentityKey;
use crate::key_material::{KeyFiles, KeyMaterial};
use crate::lease::Lease;
use crate::settings::Database;
use crate::store::{self, Store, StoreError, Subscriber};
use crate::transparency::LogKey;
use crate::verify::{Hasher, PEPPER_LENGTH};

impl Registry {
    /// Opens the registry without serving it; makes database and key material if they are missing.
    ///
    /// Another process may serve it meanwhile.
    pub fn open(
        database: &Database,
        key_material: &KeyMaterial,
        actor: Actor,
    ) -> Result<Self, Error> {
        let files = key_material.files(database)?;
        let hasher = open_hasher(database, &files)?;
        Self::over(store::open(database)?, hasher, &files, actor)
    }

    /// Makes the registry and its key material, where they are missing.
    pub fn init(database: &Database, key_material: &KeyMaterial) -> Result<(), Error> {
        let files = key_material.files(database)?;
        store::init(database)?;
        open_hasher(database, &files)?;
        SigningKey::open(&files)?;
        IdentityKey::open(&files)?;
        Ok(())
    }

    /// Opens the registry to serve it. `subscriber` makes the memory of verification, which gets
    /// every key before this returns.
    pub(crate) fn serve<S: Subscriber + 'static>(
        database: &Database,
        key_material: &KeyMaterial,
        actor: Actor,
        subscriber: impl FnOnce(Hasher, Option<Arc<Lease>>) -> S,
    ) -> Result<(Self, Arc<S>), Error> {
        let files = key_material.files(database)?;
        let hasher = open_hasher(database, &files)?;
        let (store, subscriber) =
            store::serve(database, |lease| subscriber(hasher.clone(), lease))?;
        Ok((Self::over(store, hasher, &files, actor)?, subscriber))
    }

    fn over(
        store: Arc<dyn Store>,
        hasher: Hasher,
        files: &KeyFiles,
        actor: Actor,
    ) -> Result<Self, Error> {
        let issuer = SigningKey::open(files)?;
        let shared = Shared {
            store,
            hasher,
            issuer,
            log_key: LogKey::open(files)?,
        };
        Ok(Self {
            shared: Arc::new(shared),
            actor,
        })
    }
}

/// Reads the pepper and proves that it is the one of the database. Makes one if the database has
/// none yet.
fn open_hasher(database: &Database, files: &KeyFiles) -> Result<Hasher, Error> {
    let check = store::pepper_check(database)?;
    let path = files.pepper();
    let pepper = match files.read(&path)? {
        Some(pepper) => pepper,
        None if check.is_some() => return Err(StoreError::NoPepper { path }.into()),
        None => {
            let mut made = Zeroizing::new(vec![0; PEPPER_LENGTH]);
            rand::fill(&mut made).map_err(|_| Error::NoRandomness)?;
            files.keep(&path, made)?
        }
    };
    let hasher = Hasher::new(&pepper);
    let own = hasher.pepper_check();
    if pepper.len() < PEPPER_LENGTH || check.is_some_and(|check| check != own) {
        return Err(StoreError::WrongPepper { path }.into());
    }
    if check.is_none() {
        store::set_pepper_check(database, own)?;
    }
    Ok(hasher)
}
