//! Ntropii: its paths, and what its answers mean.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::error::Error;
use super::http::Answer;
use super::identity::Identity;
use super::key_info::{Expiry, KeyInfo, moment};
use super::tenant::Tenant;
use crate::domain::{Host, KeyPrefix, TenantSlug, printable};
use crate::wire::ntropii as wire;

/// What may stand in a segment of a path as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The longest name that is passed on.
const LONGEST_NAME: usize = 255;

pub(super) fn me(host: &Host) -> String {
    host.join("/me")
}

pub(super) fn tenants(host: &Host) -> String {
    host.join("/workspace/tenants")
}

pub(super) fn tenant(host: &Host, slug: &TenantSlug) -> String {
    host.join(&format!("/workspace/tenants/{}", segment(slug.as_str())))
}

/// The authority's own endpoint for a tenant's keys.
pub(super) fn tenant_keys(host: &Host, slug: &TenantSlug) -> String {
    format!("{}/api-keys", tenant(host, slug))
}

pub(super) fn tenant_key(host: &Host, slug: &TenantSlug, id: &str) -> String {
    format!("{}/{}", tenant_keys(host, slug), segment(id))
}

/// The authority's own endpoint for the presented key. Ntropii's hosts end in `/v1` already.
pub(super) fn current_key(host: &Host) -> String {
    if host.as_str().ends_with("/v1") {
        host.join("/api-keys/current")
    } else {
        host.join("/v1/api-keys/current")
    }
}

/// Encodes a text as one segment of a path. `.` and `..` cannot be one: a URL would resolve them.
pub(super) fn segment(text: &str) -> String {
    match text {
        "." | ".." => text.replace('.', "%252e"),
        _ => utf8_percent_encode(text, SEGMENT).to_string(),
    }
}

pub(super) fn identity(answer: &Answer) -> Result<Identity, Error> {
    let value = answer.value()?;
    let key = value
        .get("key")
        .filter(|key| !key.is_null())
        .map(|key| key_ref(answer, key))
        .transpose()?;
    let profile: wire::UserProfile = answer.shaped(value)?;
    let tenants = profile
        .tenants
        .map(|tenants| {
            tenants
                .into_iter()
                .map(|tenant| {
                    Ok(Tenant {
                        name: text(&tenant.name),
                        ..bare_tenant(answer, &tenant.id, &tenant.slug)?
                    })
                })
                .collect::<Result<Vec<_>, Error>>()
        })
        .transpose()?;
    Ok(Identity {
        id: printable(&profile.id, LONGEST_NAME),
        name: printable(&profile.name, LONGEST_NAME),
        email: text(&profile.email),
        organisation: text(&profile.org_id),
        roles: texts(&profile.roles),
        key,
        tenants,
        region: None,
    })
}

fn key_ref(answer: &Answer, value: &Value) -> Result<KeyInfo, Error> {
    let expires = Expiry::read(value.get("expiresAt"))
        .map_err(|error| answer.misshapen(&error.to_string()))?;
    let key: wire::KeyRef = answer.shaped(value.clone())?;
    Ok(KeyInfo {
        id: text(&key.id),
        prefix: prefix(&key.prefix),
        expires,
        ..KeyInfo::default()
    })
}

pub(super) fn tenant_list(answer: &Answer) -> Result<Vec<Tenant>, Error> {
    let list: wire::List<wire::Tenant> = answer.json()?;
    list.into_items()
        .into_iter()
        .map(|tenant| tenant_of(answer, &tenant))
        .collect()
}

pub(super) fn one_tenant(answer: &Answer) -> Result<Tenant, Error> {
    tenant_of(answer, &answer.json()?)
}

fn tenant_of(answer: &Answer, tenant: &wire::Tenant) -> Result<Tenant, Error> {
    Ok(Tenant {
        name: text(&tenant.name),
        status: text(&tenant.status),
        data_platform: text(&tenant.data_platform),
        entity_count: Some(tenant.entity_count),
        created_at: tenant.created_at.as_deref().and_then(|at| moment(at).ok()),
        ..bare_tenant(answer, &tenant.id, &tenant.slug)?
    })
}

/// Returns a tenant of which nothing more is told than what it is called.
pub(super) fn bare_tenant(answer: &Answer, id: &str, slug: &str) -> Result<Tenant, Error> {
    let id = printable(id, LONGEST_NAME);
    let slug = printable(slug, LONGEST_NAME)
        .parse()
        .or_else(|_| id.parse())
        .map_err(|_| answer.misshapen("a tenant in it has no usable id"))?;
    Ok(Tenant {
        id,
        slug,
        name: None,
        status: None,
        data_platform: None,
        entity_count: None,
        role: None,
        created_at: None,
    })
}

pub(super) fn key_list(answer: &Answer) -> Result<Vec<KeyInfo>, Error> {
    items(answer)?
        .into_iter()
        .map(|key| tenant_key_of(answer, key))
        .collect()
}

/// Returns the members of a list in either shape, with their `null`s.
pub(super) fn items(answer: &Answer) -> Result<Vec<Value>, Error> {
    match answer.value()? {
        Value::Array(items) => Ok(items),
        Value::Object(mut page) => match page.remove("items") {
            Some(Value::Array(items)) => Ok(items),
            _ => Err(answer.misshapen("it is not a list")),
        },
        _ => Err(answer.misshapen("it is not a list")),
    }
}

pub(super) fn tenant_key_of(answer: &Answer, value: Value) -> Result<KeyInfo, Error> {
    let expires = Expiry::read(value.get("expiresAt"))
        .map_err(|error| answer.misshapen(&error.to_string()))?;
    let key: wire::TenantKey = answer.shaped(value)?;
    Ok(KeyInfo {
        id: text(&key.id),
        prefix: prefix(&key.key_prefix),
        name: text(&key.name),
        tenant: text(&key.tenant_id),
        scopes: None,
        expires,
        created_at: moment(&key.created_at).ok(),
        last_used_at: key.last_used_at.and_then(|at| moment(&at).ok()),
        created_by: key.created_by.as_deref().and_then(text),
        revoked_at: revoked(answer, key.revoked_at.as_deref())?,
        region: None,
    })
}

/// A key that was revoked must never look live for want of a readable time.
pub(super) fn revoked(answer: &Answer, at: Option<&str>) -> Result<Option<jiff::Timestamp>, Error> {
    at.map(moment)
        .transpose()
        .map_err(|error| answer.misshapen(&error.to_string()))
}

/// Returns a server's text, cleaned, or nothing if there is none.
pub(super) fn text(text: &str) -> Option<String> {
    let clean = printable(text, LONGEST_NAME);
    (!clean.is_empty()).then_some(clean)
}

pub(super) fn texts(names: &[String]) -> Vec<String> {
    names.iter().filter_map(|name| text(name)).collect()
}

pub(super) fn prefix(text: &str) -> Option<KeyPrefix> {
    let prefix = KeyPrefix::recorded(text);
    (!prefix.as_str().is_empty()).then_some(prefix)
}
