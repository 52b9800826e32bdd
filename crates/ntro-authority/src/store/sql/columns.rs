//! Reads rows.

use std::borrow::Cow;
use std::str::FromStr;

use super::SqlRow;
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
                   tripped_at, paused_at, owner, last_used_address, last_used_agent";
pub(super) const TRIPWIRE: &str = "hash, key_id, expires_at";

pub(super) fn organisation(row: &dyn SqlRow) -> Result<OrganisationRecord, StoreError> {
    Ok(OrganisationRecord {
        id: row.get(0)?,
        name: row.get(1)?,
        external_id: row.get(2)?,
        created_at: row.get(3)?,
    })
}

pub(super) fn tenant(row: &dyn SqlRow) -> Result<TenantRecord, StoreError> {
    let config: Option<Cow<'_, str>> = row.get(7)?;
    let config = config
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|_| StoreError::Invalid {
            what: "tenant configuration",
        })?;
    Ok(TenantRecord {
        id: row.get(0)?,
        organisation_id: row.get(1)?,
        slug: row.get(2)?,
        name: row.get(3)?,
        data_platform: parsed(row, 4, "data platform")?,
        data_platform_config_id: row.get(5)?,
        status: parsed(row, 6, "tenant status")?,
        config,
        created_at: row.get(8)?,
        updated_at: row.get(9)?,
    })
}

pub(super) fn key(row: &dyn SqlRow) -> Result<ApiKeyRecord, StoreError> {
    let prefix: Cow<'_, str> = row.get(4)?;
    Ok(ApiKeyRecord {
        id: row.get(0)?,
        tenant_id: row.get(1)?,
        provider: parsed(row, 2, "provider")?,
        name: key_name(&row.get::<Cow<'_, str>>(3)?)?,
        prefix: KeyPrefix::recorded(&prefix),
        hash: KeyHash(row.get(5)?),
        scopes: scopes(&row.get::<Cow<'_, str>>(6)?)?,
        created_at: row.get(7)?,
        created_by: row.get(8)?,
        expires_at: row.get(9)?,
        last_used_at: row.get(10)?,
        revoked_at: row.get(11)?,
        may_rotate: row.get(12)?,
        predecessor: row.get(13)?,
        is_pending: row.get(14)?,
        parent: row.get(15)?,
        tripped_at: row.get(16)?,
        paused_at: row.get(17)?,
        owner: row.get(18)?,
        last_used_address: row
            .get::<Option<Cow<'_, str>>>(19)?
            .and_then(|address| address.parse().ok()),
        last_used_agent: row.get(20)?,
    })
}

pub(super) fn tripwire(row: &dyn SqlRow) -> Result<TripwireRecord, StoreError> {
    Ok(TripwireRecord {
        hash: TokenHash(row.get(0)?),
        key: row.get(1)?,
        expires_at: row.get(2)?,
    })
}

/// Returns the name of a key. A name that an earlier version has accepted is cleaned: it must not
/// keep the server from starting.
fn key_name(text: &str) -> Result<KeyName, StoreError> {
    text.parse()
        .or_else(|_| printable(text, 255).parse())
        .or_else(|_| "unnamed".parse())
        .map_err(|_| StoreError::Invalid { what: "key name" })
}

pub(super) fn parsed<T: FromStr>(
    row: &dyn SqlRow,
    column: usize,
    what: &'static str,
) -> Result<T, StoreError> {
    let text: Cow<'_, str> = row.get(column)?;
    text.parse().map_err(|_| StoreError::Invalid { what })
}

/// Reads the names of scopes.
pub(super) fn scopes(names: &str) -> Result<Vec<Scope>, StoreError> {
    let scopes = names.split_whitespace().map(str::parse);
    scopes
        .collect::<Result<_, _>>()
        .map_err(|_| StoreError::Invalid { what: "scope" })
}

pub(super) fn scopes_text(scopes: &[Scope]) -> String {
    let names: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
    names.join(" ")
}
