//! The statements of the store.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::{Value, json};
use uuid::Uuid;

use super::columns::{
    KEY, ORGANISATION, TENANT, id_text, instant, key, millis, organisation, parsed, scopes_text,
    tenant, unique,
};
use super::feed::next_epoch;
use super::idempotency::{Earlier, Undone, earlier, remember, seen, undo};
use super::{Changed, Sqlite, children, tripwires};
use crate::store::{
    ApiKeyRecord, AuditAction, AuditEvent, AuditTarget, ChildOutcome, CreateKeyOutcome,
    IdempotencyRecord, KeyFilter, MemberRecord, OrganisationRecord, Stamp, Store, StoreError,
    StoreFuture, SuccessorOutcome, TenantFilter, TenantRecord, TenantStatus, Trip, TripwireOutcome,
    TripwireRecord,
};

impl Store for Sqlite {
    fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed) && self.writer.is_alive() && self.reader.is_alive()
    }

    fn create_organisation(&self, row: OrganisationRecord, stamp: Stamp) -> StoreFuture<'_, ()> {
        self.change(false, stamp, move |connection, _| {
            require_own_names(connection, &row)?;
            let added = connection.execute(
                "INSERT INTO organisations (id, name, external_id, created_at) VALUES (?1, ?2, ?3, ?4)",
                params![id_text(row.id), row.name, row.external_id, millis(row.created_at)],
            );
            unique(added, "an organisation with the external id", || {
                row.external_id.clone().unwrap_or_default()
            })?;
            let event = AuditEvent {
                action: AuditAction::CreateOrganisation,
                target: AuditTarget::Organisation(row.id),
                organisation: Some(row.id),
                tenant: None,
                details: json!({"name": row.name, "external_id": row.external_id}),
            };
            Ok(Changed::audited((), event))
        })
    }

    fn rename_organisation(
        &self,
        id: Uuid,
        name: String,
        stamp: Stamp,
    ) -> StoreFuture<'_, Option<OrganisationRecord>> {
        self.change(false, stamp, move |connection, _| {
            let Some(mut row) = organisations(connection)?
                .into_iter()
                .find(|one| one.id == id)
            else {
                return Ok(Changed::nothing(None));
            };
            let before = std::mem::replace(&mut row.name, name);
            require_own_names(connection, &row)?;
            connection.execute(
                "UPDATE organisations SET name = ?2 WHERE id = ?1",
                params![id_text(id), row.name],
            )?;
            let owned = "SELECT id FROM tenants WHERE organisation_id = ?1";
            show_again(connection, owned, id)?;
            let event = AuditEvent {
                action: AuditAction::RenameOrganisation,
                target: AuditTarget::Organisation(id),
                organisation: Some(id),
                tenant: None,
                details: json!({"from": before, "to": row.name}),
            };
            Ok(Changed::audited(Some(row), event))
        })
    }

    fn organisations(&self) -> StoreFuture<'_, Vec<OrganisationRecord>> {
        self.read(|connection| Ok(organisations(connection)?))
    }

    fn organisation(&self, name: String) -> StoreFuture<'_, Option<OrganisationRecord>> {
        self.read(move |connection| {
            let mut row = connection.prepare_cached(&format!(
                "SELECT {ORGANISATION} FROM organisations WHERE id = ?1 OR external_id = ?1 \
                 ORDER BY id = ?1 DESC"
            ))?;
            Ok(row.query_row([name], organisation).optional()?)
        })
    }

    fn record_member(
        &self,
        organisation: Uuid,
        member: MemberRecord,
        stamp: Stamp,
    ) -> StoreFuture<'_, ()> {
        self.change(false, stamp, move |connection, _| {
            let changed = connection
                .prepare_cached(
                    "INSERT INTO members (organisation_id, user_id, role, created_at) \
                     VALUES (?1, ?2, ?3, ?4) \
                     ON CONFLICT DO UPDATE SET role = excluded.role WHERE role <> excluded.role",
                )?
                .execute(params![
                    id_text(organisation),
                    member.user_id,
                    member.role.as_str(),
                    millis(member.created_at)
                ])?;
            if changed == 0 {
                return Ok(Changed::nothing(()));
            }
            let event = AuditEvent {
                action: AuditAction::RecordMember,
                target: AuditTarget::Member(member.user_id),
                organisation: Some(organisation),
                tenant: None,
                details: json!({"role": member.role.as_str()}),
            };
            Ok(Changed::audited((), event))
        })
    }

    fn members(&self, organisation: Uuid) -> StoreFuture<'_, Vec<MemberRecord>> {
        self.read(move |connection| {
            let mut rows = connection.prepare_cached(
                "SELECT user_id, role, created_at FROM members WHERE organisation_id = ?1 \
                 ORDER BY created_at, rowid",
            )?;
            let rows = rows.query_map([id_text(organisation)], |row| {
                Ok(MemberRecord {
                    user_id: row.get(0)?,
                    role: parsed(row, 1)?,
                    created_at: instant(row, 2)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn create_tenant(&self, row: TenantRecord, stamp: Stamp) -> StoreFuture<'_, ()> {
        self.change(false, stamp, move |connection, _| {
            let changed = next_epoch(connection)?;
            let added = connection.execute(
                &format!(
                    "INSERT INTO tenants ({TENANT}, changed) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
                ),
                params![
                    id_text(row.id),
                    id_text(row.organisation_id),
                    row.slug,
                    row.name,
                    row.data_platform.as_str(),
                    row.data_platform_config_id,
                    row.status.as_str(),
                    row.config.as_ref().map(Value::to_string),
                    millis(row.created_at),
                    millis(row.updated_at),
                    changed
                ],
            );
            unique(added, "a tenant with the slug", || row.slug.clone())?;
            let details = json!({
                "slug": row.slug,
                "name": row.name,
                "data_platform": row.data_platform.as_str(),
            });
            let event = tenant_event(AuditAction::CreateTenant, row.id, details);
            Ok(Changed::audited((), event))
        })
    }

    fn tenants(&self, filter: TenantFilter) -> StoreFuture<'_, Vec<TenantRecord>> {
        self.read(move |connection| {
            let mut rows = connection.prepare_cached(&format!(
                "SELECT {TENANT} FROM tenants WHERE (?1 IS NULL OR organisation_id = ?1) \
                 AND (?2 IS NULL OR status = ?2) ORDER BY number"
            ))?;
            let rows = rows.query_map(
                params![
                    filter.organisation.map(id_text),
                    filter.status.map(TenantStatus::as_str)
                ],
                tenant,
            )?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn tenant(&self, name: String) -> StoreFuture<'_, Option<TenantRecord>> {
        self.read(move |connection| {
            let mut row = connection.prepare_cached(&format!(
                "SELECT {TENANT} FROM tenants WHERE id = ?1 OR slug = ?1"
            ))?;
            Ok(row.query_row([name], tenant).optional()?)
        })
    }

    fn rename_tenant(
        &self,
        id: Uuid,
        name: String,
        stamp: Stamp,
    ) -> StoreFuture<'_, Option<TenantRecord>> {
        self.change(false, stamp, move |connection, at| {
            let before = connection
                .prepare_cached("SELECT name FROM tenants WHERE id = ?1")?
                .query_row([id_text(id)], |row| row.get::<_, String>(0))
                .optional()?;
            let Some(before) = before else {
                return Ok(Changed::nothing(None));
            };
            let mut row = connection.prepare_cached(&format!(
                "UPDATE tenants SET name = ?2, updated_at = ?3 WHERE id = ?1 RETURNING {TENANT}"
            ))?;
            let after = row.query_row(params![id_text(id), name, millis(at)], tenant)?;
            show_again(connection, "SELECT ?1", id)?;
            let details = json!({"from": before, "to": name});
            let event = tenant_event(AuditAction::RenameTenant, id, details);
            Ok(Changed::audited(Some(after), event))
        })
    }

    fn set_tenant_status(
        &self,
        id: Uuid,
        status: TenantStatus,
        stamp: Stamp,
    ) -> StoreFuture<'_, Option<TenantRecord>> {
        self.change(true, stamp, move |connection, at| {
            let before = connection
                .prepare_cached(&format!("SELECT {TENANT} FROM tenants WHERE id = ?1"))?
                .query_row([id_text(id)], tenant)
                .optional()?;
            let Some(before) = before else {
                return Ok(Changed::nothing(None));
            };
            if before.status.is_final() && !status.is_final() {
                return Ok(Changed::nothing(Some(before)));
            }
            // A new epoch even where the status stays: the answer waits for the confirmation that an
            // earlier call may have missed.
            let changed = next_epoch(connection)?;
            let mut row = connection.prepare_cached(&format!(
                "UPDATE tenants SET status = ?2, updated_at = ?3, changed = ?4 WHERE id = ?1 \
                 RETURNING {TENANT}"
            ))?;
            let values = params![id_text(id), status.as_str(), millis(at), changed];
            let after = row.query_row(values, tenant)?;
            let details = json!({"from": before.status.as_str(), "to": status.as_str()});
            let event = tenant_event(AuditAction::SetTenantStatus, id, details);
            Ok(Changed::audited(Some(after), event))
        })
    }

    fn set_tenant_config(
        &self,
        id: Uuid,
        config: Value,
        stamp: Stamp,
    ) -> StoreFuture<'_, Option<TenantRecord>> {
        self.change(false, stamp, move |connection, at| {
            let mut row = connection.prepare_cached(&format!(
                "UPDATE tenants SET config = ?2, updated_at = ?3 WHERE id = ?1 RETURNING {TENANT}"
            ))?;
            let values = params![id_text(id), config.to_string(), millis(at)];
            let Some(after) = row.query_row(values, tenant).optional()? else {
                return Ok(Changed::nothing(None));
            };
            // The settings themselves may hold a secret.
            let event = tenant_event(AuditAction::SetTenantConfig, id, json!({}));
            Ok(Changed::audited(Some(after), event))
        })
    }

    fn create_key(
        &self,
        row: ApiKeyRecord,
        once: Option<IdempotencyRecord>,
        stamp: Stamp,
    ) -> StoreFuture<'_, CreateKeyOutcome> {
        self.change(false, stamp, move |connection, _| {
            if let Some(earlier) = earlier(connection, once.as_ref())? {
                return Ok(Changed::nothing(match earlier {
                    Earlier::Same(key) => CreateKeyOutcome::Replayed(key),
                    Earlier::Other => CreateKeyOutcome::Conflict,
                }));
            }
            let changed = next_epoch(connection)?;
            insert_key(connection, &row, changed)?;
            if let Some(once) = once {
                remember(connection, &once, row.id, row.created_at)?;
            }
            let details = json!({
                "name": row.name.as_str(),
                "prefix": row.prefix.as_str(),
                "provider": row.provider.as_str(),
                "scopes": scopes_text(&row.scopes),
                "expires_at": row.expires_at,
                "may_rotate": row.may_rotate,
            });
            let event = key_event(AuditAction::CreateKey, row.id, Some(row.tenant_id), details);
            Ok(Changed::audited(CreateKeyOutcome::New, event))
        })
    }

    fn keys(&self, filter: KeyFilter) -> StoreFuture<'_, Vec<ApiKeyRecord>> {
        self.read(move |connection| {
            let mut rows = connection.prepare_cached(&format!(
                "SELECT {KEY} FROM api_keys WHERE (?1 IS NULL OR tenant_id = ?1) \
                 AND (?2 IS NULL OR provider = ?2) ORDER BY number DESC LIMIT ?3 OFFSET ?4"
            ))?;
            let rows = rows.query_map(
                params![
                    filter.tenant.map(id_text),
                    filter.provider.map(ntro_base::Provider::as_str),
                    filter.limit,
                    i64::try_from(filter.offset).unwrap_or(i64::MAX)
                ],
                key,
            )?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn key(&self, id: Uuid) -> StoreFuture<'_, Option<ApiKeyRecord>> {
        self.read(move |connection| {
            let mut row =
                connection.prepare_cached(&format!("SELECT {KEY} FROM api_keys WHERE id = ?1"))?;
            Ok(row.query_row([id_text(id)], key).optional()?)
        })
    }

    fn create_successor(
        &self,
        successor: ApiKeyRecord,
        once: Option<IdempotencyRecord>,
        stamp: Stamp,
    ) -> StoreFuture<'_, SuccessorOutcome> {
        self.change(true, stamp, move |connection, at| {
            let Some(predecessor) = successor.predecessor else {
                return Ok(Changed::nothing(SuccessorOutcome::Gone));
            };
            let state = connection
                .prepare_cached(
                    "SELECT may_rotate, pending FROM api_keys WHERE id = ?1 AND revoked_at IS NULL",
                )?
                .query_row([id_text(predecessor)], |row| {
                    Ok((row.get::<_, bool>(0)?, row.get::<_, bool>(1)?))
                })
                .optional()?;
            match state {
                None => return Ok(Changed::nothing(SuccessorOutcome::Gone)),
                Some((false, _)) => return Ok(Changed::nothing(SuccessorOutcome::Forbidden)),
                Some((true, true)) => return Ok(Changed::nothing(SuccessorOutcome::Pending)),
                Some((true, false)) => {}
            }
            if let Some(once) = &once
                && seen(connection, once)?.is_some()
            {
                return Ok(Changed::nothing(SuccessorOutcome::Repeated));
            }
            let changed = next_epoch(connection)?;
            let replaced = revoke_pending(connection, predecessor, at, changed)?;
            insert_key(connection, &successor, changed)?;
            if let Some(once) = once {
                remember(connection, &once, successor.id, at)?;
            }
            let details = json!({
                "prefix": successor.prefix.as_str(),
                "expires_at": successor.expires_at,
                "predecessor": id_text(predecessor),
                "replaced": replaced.map(id_text),
            });
            let event = key_event(
                AuditAction::CreateSuccessor,
                successor.id,
                Some(successor.tenant_id),
                details,
            );
            Ok(Changed::audited(SuccessorOutcome::New, event))
        })
    }

    fn revoke_successor(
        &self,
        id: Uuid,
        once: Option<IdempotencyRecord>,
        stamp: Stamp,
    ) -> StoreFuture<'_, ()> {
        self.change(true, stamp, move |connection, at| {
            // A new epoch even where nothing is left to revoke: see `revoke_key`.
            let changed = next_epoch(connection)?;
            let undone = match once {
                None => revoke_pending(connection, id, at, changed)?.map(|key| Undone {
                    key,
                    cancelled: false,
                }),
                Some(once) => {
                    let relation = "predecessor = ?2 AND pending = 1";
                    undo(connection, &once, id, relation, (at, changed))?
                }
            };
            let Some(undone) = undone else {
                return Ok(Changed::nothing(()));
            };
            let event = key_event(
                AuditAction::RevokeSuccessor,
                undone.key,
                tenant_of(connection, id)?,
                json!({"predecessor": id_text(id), "cancelled": undone.cancelled}),
            );
            Ok(Changed::audited((), event))
        })
    }

    fn revoke_predecessor(&self, id: Uuid, stamp: Stamp) -> StoreFuture<'_, bool> {
        self.change(true, stamp, move |connection, at| {
            let changed = next_epoch(connection)?;
            let key = connection
                .prepare_cached(&format!(
                    "UPDATE api_keys SET pending = 0, changed = ?2 \
                     WHERE id = ?1 AND revoked_at IS NULL RETURNING {KEY}"
                ))?
                .query_row(params![id_text(id), changed], key)
                .optional()?;
            let Some(key) = key else {
                return Ok(Changed::nothing(false));
            };
            let Some(predecessor) = key.predecessor else {
                return Ok(Changed::nothing(true));
            };
            let was_live = is_live(connection, predecessor)?;
            connection
                .prepare_cached(
                    "UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?2), changed = ?3 \
                     WHERE id = ?1",
                )?
                .execute(params![id_text(predecessor), millis(at), changed])?;
            connection
                .prepare_cached("UPDATE tripwires SET key_id = ?2, changed = ?3 WHERE key_id = ?1")?
                .execute(params![id_text(predecessor), id_text(id), changed])?;
            if !was_live {
                return Ok(Changed::nothing(true));
            }
            let event = key_event(
                AuditAction::RevokePredecessor,
                predecessor,
                Some(key.tenant_id),
                json!({
                    "successor": id_text(id),
                    "children": children::ended(connection, predecessor, changed)?,
                }),
            );
            Ok(Changed::audited(true, event))
        })
    }

    fn revoke_key(&self, id: Uuid, stamp: Stamp) -> StoreFuture<'_, Option<ApiKeyRecord>> {
        self.change(true, stamp, move |connection, at| {
            // A new epoch even for a key that is revoked already: the first call may have ended
            // without confirmation, and this one waits for it.
            let changed = next_epoch(connection)?;
            let was_live = is_live(connection, id)?;
            let successor = revoke_pending(connection, id, at, changed)?;
            let mut row = connection.prepare_cached(&format!(
                "UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?2), changed = ?3 \
                 WHERE id = ?1 RETURNING {KEY}"
            ))?;
            let key = row
                .query_row(params![id_text(id), millis(at), changed], key)
                .optional()?;
            let Some(row) = key.as_ref().filter(|_| was_live) else {
                return Ok(Changed::nothing(key));
            };
            let details = json!({
                "prefix": row.prefix.as_str(),
                "successor": successor.map(id_text),
                "children": children::ended(connection, id, changed)?,
            });
            let event = key_event(AuditAction::RevokeKey, id, Some(row.tenant_id), details);
            Ok(Changed::audited(key, event))
        })
    }

    fn create_child(
        &self,
        child: ApiKeyRecord,
        once: Option<IdempotencyRecord>,
        stamp: Stamp,
    ) -> StoreFuture<'_, ChildOutcome> {
        self.change(false, stamp, move |connection, at| {
            children::create(connection, &child, once.as_ref(), at)
        })
    }

    fn cancel_child(
        &self,
        parent: Uuid,
        once: IdempotencyRecord,
        stamp: Stamp,
    ) -> StoreFuture<'_, ()> {
        self.change(true, stamp, move |connection, at| {
            children::cancel(connection, parent, &once, at)
        })
    }

    fn set_tripwire(
        &self,
        tripwire: TripwireRecord,
        stamp: Stamp,
    ) -> StoreFuture<'_, TripwireOutcome> {
        self.change(false, stamp, move |connection, at| {
            tripwires::set(connection, &tripwire, at)
        })
    }

    fn record_trip(&self, trip: Trip, stamp: Stamp) -> StoreFuture<'_, ()> {
        self.change(false, stamp, move |connection, at| {
            tripwires::record(connection, &trip, at)
        })
    }

    fn record_use(&self, used: Vec<(Uuid, Timestamp)>) -> StoreFuture<'_, ()> {
        self.write(false, move |connection| {
            let mut row = connection.prepare_cached(
                "UPDATE api_keys SET last_used_at = max(coalesce(last_used_at, 0), ?2) WHERE id = ?1",
            )?;
            for (id, at) in used {
                row.execute(params![id_text(id), millis(at)])?;
            }
            Ok(())
        })
    }
}

fn tenant_event(action: AuditAction, id: Uuid, details: Value) -> AuditEvent {
    AuditEvent {
        action,
        target: AuditTarget::Tenant(id),
        organisation: None,
        tenant: Some(id),
        details,
    }
}

pub(super) fn key_event(
    action: AuditAction,
    id: Uuid,
    tenant: Option<Uuid>,
    details: Value,
) -> AuditEvent {
    AuditEvent {
        action,
        target: AuditTarget::Key(id),
        organisation: None,
        tenant,
        details,
    }
}

fn is_live(connection: &Connection, id: Uuid) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM api_keys WHERE id = ?1 AND revoked_at IS NULL)",
        )?
        .query_row([id_text(id)], |row| row.get(0))
}

pub(super) fn tenant_of(connection: &Connection, key: Uuid) -> rusqlite::Result<Option<Uuid>> {
    connection
        .prepare_cached("SELECT tenant_id FROM api_keys WHERE id = ?1")?
        .query_row([id_text(key)], |row| parsed(row, 0))
        .optional()
}

pub(super) fn insert_key(
    connection: &Connection,
    row: &ApiKeyRecord,
    changed: i64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(&format!(
            "INSERT INTO api_keys ({KEY}, changed) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, \
             ?17, ?18)"
        ))?
        .execute(params![
            id_text(row.id),
            id_text(row.tenant_id),
            row.provider.as_str(),
            row.name.as_str(),
            row.prefix.as_str(),
            row.hash.0,
            scopes_text(&row.scopes),
            millis(row.created_at),
            row.created_by,
            row.expires_at.map(millis),
            row.last_used_at.map(millis),
            row.revoked_at.map(millis),
            row.may_rotate,
            row.predecessor.map(id_text),
            row.is_pending,
            row.parent.map(id_text),
            row.tripped_at.map(millis),
            changed
        ])?;
    Ok(())
}

/// Returns every organisation, oldest first.
fn organisations(connection: &Connection) -> rusqlite::Result<Vec<OrganisationRecord>> {
    let mut rows = connection.prepare_cached(&format!(
        "SELECT {ORGANISATION} FROM organisations ORDER BY created_at, rowid"
    ))?;
    rows.query_map([], organisation)?.collect()
}

/// Fails if another organisation could be meant by the name or the external id of `row`. Names that
/// differ only in case are the same.
fn require_own_names(connection: &Connection, row: &OrganisationRecord) -> Result<(), StoreError> {
    let same = |one: &str, other: &str| one.to_lowercase() == other.to_lowercase();
    let conflict = |what, name: &str| {
        Err(StoreError::Conflict {
            what,
            name: name.to_owned(),
        })
    };
    for other in organisations(connection)? {
        if other.id == row.id {
            continue;
        }
        let id = id_text(other.id);
        if same(&row.name, &other.name) {
            return conflict("an organisation with the name", &other.name);
        }
        if same(&row.name, &id) {
            return conflict("an organisation with the id", &id);
        }
        if let Some(theirs) = &other.external_id
            && (same(&row.name, theirs) || row.external_id.as_ref() == Some(theirs))
        {
            return conflict("an organisation with the external id", theirs);
        }
        if let Some(own) = &row.external_id {
            if same(own, &other.name) {
                return conflict("an organisation with the name", &other.name);
            }
            if same(own, &id) {
                return conflict("an organisation with the id", &id);
            }
        }
    }
    Ok(())
}

/// Begins a new epoch for the tenants that a query selects, and for their keys, whose answers repeat
/// the names of both.
fn show_again(connection: &Connection, tenants: &str, id: Uuid) -> rusqlite::Result<()> {
    let changed = next_epoch(connection)?;
    for (table, column, live) in [
        ("tenants", "id", ""),
        ("api_keys", "tenant_id", " AND revoked_at IS NULL"),
    ] {
        connection
            .prepare_cached(&format!(
                "UPDATE {table} SET changed = ?2 WHERE {column} IN ({tenants}){live}"
            ))?
            .execute(params![id_text(id), changed])?;
    }
    Ok(())
}

/// Revokes the pending successor of a key and returns its id. A pending key has no successor: see
/// [`SuccessorOutcome::Pending`].
fn revoke_pending(
    connection: &Connection,
    id: Uuid,
    at: Timestamp,
    changed: i64,
) -> rusqlite::Result<Option<Uuid>> {
    connection
        .prepare_cached(
            "UPDATE api_keys SET revoked_at = ?2, changed = ?3 \
             WHERE predecessor = ?1 AND pending = 1 AND revoked_at IS NULL RETURNING id",
        )?
        .query_row(params![id_text(id), millis(at), changed], |row| {
            parsed(row, 0)
        })
        .optional()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::actor::Actor;
    use crate::store::sqlite::SqliteFiles;
    use crate::store::{DataPlatform, KeyHash};
    use ntro_base::{KeyPrefix, Provider};

    fn key(tenant: &TenantRecord, number: u8, at: Timestamp) -> ApiKeyRecord {
        ApiKeyRecord {
            id: Uuid::new_v4(),
            tenant_id: tenant.id,
            provider: Provider::Ntropii,
            name: "CI".parse().unwrap(),
            prefix: KeyPrefix::recorded(&format!("ntro_prod_{number:012}")),
            hash: KeyHash([number; 32]),
            scopes: Vec::new(),
            created_at: at,
            created_by: None,
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
            may_rotate: true,
            predecessor: None,
            is_pending: false,
            parent: None,
            tripped_at: None,
        }
    }

    fn stamp(at: Timestamp) -> Stamp {
        Stamp {
            actor: Actor::System,
            at,
        }
    }

    #[tokio::test]
    async fn idempotency_key_lasts_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&SqliteFiles::new(&folder.path().join("registry.db"))).unwrap();
        let made: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let organisation = OrganisationRecord {
            id: Uuid::new_v4(),
            name: "Acme".to_owned(),
            external_id: None,
            created_at: made,
        };
        store
            .create_organisation(organisation.clone(), stamp(made))
            .await
            .unwrap();
        let tenant = TenantRecord {
            id: Uuid::new_v4(),
            organisation_id: organisation.id,
            slug: "acme".to_owned(),
            name: "Acme".to_owned(),
            data_platform: DataPlatform::ManagedPostgres,
            data_platform_config_id: None,
            status: TenantStatus::Active,
            config: None,
            created_at: made,
            updated_at: made,
        };
        store
            .create_tenant(tenant.clone(), stamp(made))
            .await
            .unwrap();
        let day = SignedDuration::from_hours(24);
        let millisecond = SignedDuration::from_millis(1);
        let ask = |number: u8, body: u8, at: Timestamp| {
            let once = IdempotencyRecord {
                request: [7; 32],
                body: [body; 32],
                forget_before: at - day,
            };
            store.create_key(key(&tenant, number, at), Some(once), stamp(at))
        };
        assert!(matches!(ask(1, 1, made).await, Ok(CreateKeyOutcome::New)));
        let last = made + day;
        assert!(matches!(
            ask(2, 1, last).await,
            Ok(CreateKeyOutcome::Replayed(_))
        ));
        assert!(matches!(
            ask(3, 2, last).await,
            Ok(CreateKeyOutcome::Conflict)
        ));
        assert!(matches!(
            ask(4, 2, last + millisecond).await,
            Ok(CreateKeyOutcome::New)
        ));
    }
}
