//! Checks before a start. Nothing is made, written or served.

use std::sync::Arc;

use ntro_base::http::{CustomRoots, Proxies};
use url::Url;

use crate::admin_auth::{Fetcher, count_keys};
use crate::error::Error;
use crate::github_keys::GithubKeys;
use crate::key_material::KeyMaterial;
use crate::settings::{Database, Issuer};
use crate::store::{self, PostgresReport, StoreError};
use crate::verify::{Hasher, PEPPER_LENGTH};

/// The state of a database that can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseState {
    /// The start will make it.
    Missing,
    /// The start will change its schema, which no earlier version can read then.
    Older,
    /// It is as this version makes it.
    Current,
}

/// Checks a database, and that the pepper of the key material is the one of its keys.
pub fn check_database(
    database: &Database,
    key_material: &KeyMaterial,
) -> Result<DatabaseState, Error> {
    let files = key_material.files(database)?;
    let path = files.pepper();
    let pepper = files.read(&path)?;
    let Some(inspection) = store::inspect(database)? else {
        return Ok(DatabaseState::Missing);
    };
    match (pepper, inspection.pepper_check) {
        (None, Some(_)) => return Err(StoreError::NoPepper { path }.into()),
        (Some(pepper), check) => {
            let is_other = |check| check != Hasher::new(&pepper).pepper_check();
            if pepper.len() < PEPPER_LENGTH || check.is_some_and(is_other) {
                return Err(StoreError::WrongPepper { path }.into());
            }
        }
        (None, None) => {}
    }
    Ok(match inspection.pending_steps {
        0 => DatabaseState::Current,
        _ => DatabaseState::Older,
    })
}

/// Reports how a PostgreSQL database is reached and replicated; `None` for SQLite.
pub fn check_replication(database: &Database) -> Result<Option<PostgresReport>, Error> {
    Ok(store::report(database)?)
}

/// Fetches or reads the key set of an issuer, and returns the number of its usable keys.
pub async fn check_issuer(
    issuer: &Issuer,
    proxies: Proxies,
    roots: CustomRoots,
) -> Result<usize, String> {
    count_keys(issuer, &Arc::new(Fetcher::new(proxies, roots))).await
}

/// Fetches the keys that sign GitHub's reports of leaked keys, and returns their number.
pub async fn check_github_keys(
    url: &Url,
    proxies: Proxies,
    roots: CustomRoots,
) -> Result<usize, String> {
    let fetcher = Arc::new(Fetcher::new(proxies, roots));
    let keys = GithubKeys::new(url.clone(), fetcher);
    keys.map_err(|error| error.to_string())?.count().await
}
