//! Reads rows, and writes their values as the database has them.

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::Type;
use uuid::Uuid;

use crate::store::{
    ApiKeyRecord, KeyHash, OrganisationRecord, StoreError, TenantRecord, TokenHash, TripwireRecord,
};
use ntro_base::{KeyName, KeyPrefix, Scope, printable};

/// The columns, in the order in which the functions below read them.
pub(super) const ORGANISATION: &str = "id, name, external_id, created_at";
pub(super) const TENANT: &str = "id, organisation_id, slug, name, data_platform, data_platform_config_id, \
                      status, config, created_at, updated_at";
pub(super) const KEY: &str = "id, tenant_id, provider, name, prefix, hash, scopes, created_at, created_by, \
                   expires_at, last_used_at, revoked_at, may_rotate, predecessor, pending, parent, \
                   tripped_at";

pub(super) fn organisation(row: &Row<'_>) -> rusqlite::Result<OrganisationRecord> {
    Ok(OrganisationRecord {
        id: parsed(row, 0)?,
        name: row.get(1)?,
        external_id: row.get(2)?,
        created_at: instant(row, 3)?,
    })
}

pub(super) fn tenant(row: &Row<'_>) -> rusqlite::Result<TenantRecord> {
    let config: Option<String> = row.get(7)?;
    let config = config
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| invalid(7, error))?;
    Ok(TenantRecord {
        id: parsed(row, 0)?,
        organisation_id: parsed(row, 1)?,
        slug: row.get(2)?,
        name: row.get(3)?,
        data_platform: parsed(row, 4)?,
        data_platform_config_id: row.get(5)?,
        status: parsed(row, 6)?,
        config,
        created_at: instant(row, 8)?,
        updated_at: instant(row, 9)?,
    })
}

pub(super) fn key(row: &Row<'_>) -> rusqlite::Result<ApiKeyRecord> {
    let scopes: String = row.get(6)?;
    let scopes = scopes
        .split_whitespace()
        .map(|scope| scope.parse::<Scope>().map_err(|error| invalid(6, error)))
        .collect::<Result<_, _>>()?;
    let prefix: String = row.get(4)?;
    Ok(ApiKeyRecord {
        id: parsed(row, 0)?,
        tenant_id: parsed(row, 1)?,
        provider: parsed(row, 2)?,
        name: key_name(row, 3)?,
        prefix: KeyPrefix::recorded(&prefix),
        hash: KeyHash(row.get(5)?),
        scopes,
        created_at: instant(row, 7)?,
        created_by: row.get(8)?,
        expires_at: optional_instant(row, 9)?,
        last_used_at: optional_instant(row, 10)?,
        revoked_at: optional_instant(row, 11)?,
        may_rotate: row.get(12)?,
        predecessor: optional_id(row, 13)?,
        is_pending: row.get(14)?,
        parent: optional_id(row, 15)?,
        tripped_at: optional_instant(row, 16)?,
    })
}

/// The columns of a tripwire.
pub(super) const TRIPWIRE: &str = "hash, key_id, expires_at";

pub(super) fn tripwire(row: &Row<'_>) -> rusqlite::Result<TripwireRecord> {
    Ok(TripwireRecord {
        hash: TokenHash(row.get(0)?),
        key: parsed(row, 1)?,
        expires_at: instant(row, 2)?,
    })
}

/// Returns the name of a key. A name that an earlier version has accepted is cleaned: it must not
/// keep the server from starting.
fn key_name(row: &Row<'_>, column: usize) -> rusqlite::Result<KeyName> {
    let text: String = row.get(column)?;
    text.parse()
        .or_else(|_| printable(&text, 255).parse())
        .or_else(|_| "unnamed".parse())
        .map_err(|error| invalid(column, error))
}

pub(super) fn parsed<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|error| invalid(column, error))
}

pub(super) fn instant(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let millis = row.get(column)?;
    Timestamp::from_millisecond(millis).map_err(|error| invalid(column, error))
}

fn optional_id(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Uuid>> {
    row.get::<_, Option<String>>(column)?
        .map(|text| text.parse().map_err(|error| invalid(column, error)))
        .transpose()
}

fn optional_instant(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)?
        .map(|millis| Timestamp::from_millisecond(millis).map_err(|error| invalid(column, error)))
        .transpose()
}

fn invalid(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

pub(super) fn id_text(id: Uuid) -> String {
    id.hyphenated().to_string()
}

pub(super) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

pub(super) fn scopes_text(scopes: &[Scope]) -> String {
    let names: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
    names.join(" ")
}

pub(super) fn unique(
    added: rusqlite::Result<usize>,
    what: &'static str,
    name: impl FnOnce() -> String,
) -> Result<(), StoreError> {
    match added {
        Ok(_) => Ok(()),
        Err(rusqlite::Error::SqliteFailure(failure, _))
            if failure.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE =>
        {
            Err(StoreError::Conflict { what, name: name() })
        }
        Err(error) => Err(error.into()),
    }
}
