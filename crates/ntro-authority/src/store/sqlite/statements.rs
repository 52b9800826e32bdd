//! What is asked of the database, and what is written into it.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::Value;
use uuid::Uuid;

use super::Sqlite;
use super::columns::{
    KEY, ORGANISATION, TENANT, id_text, instant, key, millis, organisation, parsed, scopes_text,
    tenant, unique,
};
use super::feed::next_epoch;
use crate::store::{
    Created, IdempotencyRecord, Key, KeyFilter, Member, Organisation, Store, StoreError,
    StoreFuture, SuccessorOutcome, Tenant, TenantFilter, TenantStatus,
};

impl Store for Sqlite {
    fn is_healthy(&self) -> bool {
        self.well.load(Ordering::Relaxed) && self.writer.is_alive() && self.reader.is_alive()
    }

    fn create_organisation(&self, row: Organisation) -> StoreFuture<'_, ()> {
        self.write(false, move |connection| {
            // Whoever is asked for by a name is found by either.
            let is_an_id: bool = connection
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM organisations WHERE id = ?1)")?
                .query_row([&row.external_id], |row| row.get(0))?;
            if is_an_id {
                return Err(StoreError::Conflict {
                    what: "an organisation with the id",
                    name: row.external_id.unwrap_or_default(),
                });
            }
            let added = connection.execute(
                "INSERT INTO organisations (id, name, external_id, created_at) VALUES (?1, ?2, ?3, ?4)",
                params![id_text(row.id), row.name, row.external_id, millis(row.created_at)],
            );
            unique(added, "an organisation with the external id", || {
                row.external_id.unwrap_or_default()
            })
        })
    }

    fn organisations(&self) -> StoreFuture<'_, Vec<Organisation>> {
        self.read(|connection| {
            let mut rows = connection.prepare_cached(&format!(
                "SELECT {ORGANISATION} FROM organisations ORDER BY created_at, rowid"
            ))?;
            let rows = rows.query_map([], organisation)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn organisation(&self, name: String) -> StoreFuture<'_, Option<Organisation>> {
        self.read(move |connection| {
            let mut row = connection.prepare_cached(&format!(
                "SELECT {ORGANISATION} FROM organisations WHERE id = ?1 OR external_id = ?1 \
                 ORDER BY id = ?1 DESC"
            ))?;
            Ok(row.query_row([name], organisation).optional()?)
        })
    }

    fn record_member(&self, organisation: Uuid, member: Member) -> StoreFuture<'_, ()> {
        self.write(false, move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO members (organisation_id, user_id, role, created_at) \
                     VALUES (?1, ?2, ?3, ?4) \
                     ON CONFLICT DO UPDATE SET role = excluded.role",
                )?
                .execute(params![
                    id_text(organisation),
                    member.user_id,
                    member.role.as_str(),
                    millis(member.created_at)
                ])?;
            Ok(())
        })
    }

    fn members(&self, organisation: Uuid) -> StoreFuture<'_, Vec<Member>> {
        self.read(move |connection| {
            let mut rows = connection.prepare_cached(
                "SELECT user_id, role, created_at FROM members WHERE organisation_id = ?1 \
                 ORDER BY created_at, rowid",
            )?;
            let rows = rows.query_map([id_text(organisation)], |row| {
                Ok(Member {
                    user_id: row.get(0)?,
                    role: parsed(row, 1)?,
                    created_at: instant(row, 2)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn create_tenant(&self, row: Tenant) -> StoreFuture<'_, ()> {
        self.write(false, move |connection| {
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
                    row.config.map(|config| config.to_string()),
                    millis(row.created_at),
                    millis(row.updated_at),
                    changed
                ],
            );
            unique(added, "a tenant with the slug", || row.slug)
        })
    }

    fn tenants(&self, filter: TenantFilter) -> StoreFuture<'_, Vec<Tenant>> {
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

    fn tenant(&self, name: String) -> StoreFuture<'_, Option<Tenant>> {
        self.read(move |connection| {
            let mut row = connection.prepare_cached(&format!(
                "SELECT {TENANT} FROM tenants WHERE id = ?1 OR slug = ?1"
            ))?;
            Ok(row.query_row([name], tenant).optional()?)
        })
    }

    fn set_tenant_status(
        &self,
        id: Uuid,
        status: TenantStatus,
        at: Timestamp,
    ) -> StoreFuture<'_, Option<Tenant>> {
        self.write(true, move |connection| {
            let standing = connection
                .prepare_cached(&format!("SELECT {TENANT} FROM tenants WHERE id = ?1"))?
                .query_row([id_text(id)], tenant)
                .optional()?;
            if let Some(tenant) = standing
                && tenant.status.is_final()
                && !status.is_final()
            {
                return Ok(Some(tenant));
            }
            let changed = next_epoch(connection)?;
            let mut row = connection.prepare_cached(&format!(
                "UPDATE tenants SET status = ?2, updated_at = ?3, changed = ?4 WHERE id = ?1 \
                 RETURNING {TENANT}"
            ))?;
            let values = params![id_text(id), status.as_str(), millis(at), changed];
            Ok(row.query_row(values, tenant).optional()?)
        })
    }

    fn set_tenant_config(
        &self,
        id: Uuid,
        config: Value,
        at: Timestamp,
    ) -> StoreFuture<'_, Option<Tenant>> {
        self.write(false, move |connection| {
            let mut row = connection.prepare_cached(&format!(
                "UPDATE tenants SET config = ?2, updated_at = ?3 WHERE id = ?1 RETURNING {TENANT}"
            ))?;
            let values = params![id_text(id), config.to_string(), millis(at)];
            Ok(row.query_row(values, tenant).optional()?)
        })
    }

    fn create_key(&self, row: Key, once: Option<IdempotencyRecord>) -> StoreFuture<'_, Created> {
        self.write(false, move |connection| {
            if let Some(once) = &once
                && let Some((body, id)) = seen(connection, once)?
            {
                if body != once.body {
                    return Ok(Created::Conflict);
                }
                let key = connection
                    .prepare_cached(&format!("SELECT {KEY} FROM api_keys WHERE id = ?1"))?
                    .query_row([id], key)?;
                return Ok(Created::Replayed(Box::new(key)));
            }
            let changed = next_epoch(connection)?;
            insert_key(connection, &row, changed)?;
            if let Some(once) = once {
                remember(connection, &once, row.id, row.created_at)?;
            }
            Ok(Created::New)
        })
    }

    fn keys(&self, filter: KeyFilter) -> StoreFuture<'_, Vec<Key>> {
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

    fn key(&self, id: Uuid) -> StoreFuture<'_, Option<Key>> {
        self.read(move |connection| {
            let mut row =
                connection.prepare_cached(&format!("SELECT {KEY} FROM api_keys WHERE id = ?1"))?;
            Ok(row.query_row([id_text(id)], key).optional()?)
        })
    }

    fn create_successor(
        &self,
        successor: Key,
        once: Option<IdempotencyRecord>,
    ) -> StoreFuture<'_, SuccessorOutcome> {
        self.write(true, move |connection| {
            let Some(predecessor) = successor.predecessor else {
                return Ok(SuccessorOutcome::Gone);
            };
            let standing = connection
                .prepare_cached(
                    "SELECT may_rotate, pending FROM api_keys WHERE id = ?1 AND revoked_at IS NULL",
                )?
                .query_row([id_text(predecessor)], |row| {
                    Ok((row.get::<_, bool>(0)?, row.get::<_, bool>(1)?))
                })
                .optional()?;
            match standing {
                None => return Ok(SuccessorOutcome::Gone),
                Some((false, _)) => return Ok(SuccessorOutcome::Forbidden),
                Some((true, true)) => return Ok(SuccessorOutcome::Pending),
                Some((true, false)) => {}
            }
            if let Some(once) = &once
                && seen(connection, once)?.is_some()
            {
                return Ok(SuccessorOutcome::Repeated);
            }
            let changed = next_epoch(connection)?;
            end_successor(connection, predecessor, successor.created_at, changed)?;
            insert_key(connection, &successor, changed)?;
            if let Some(once) = once {
                remember(connection, &once, successor.id, successor.created_at)?;
            }
            Ok(SuccessorOutcome::New)
        })
    }

    fn revoke_successor(
        &self,
        id: Uuid,
        once: Option<IdempotencyRecord>,
        at: Timestamp,
    ) -> StoreFuture<'_, ()> {
        self.write(true, move |connection| {
            // A new epoch also where nothing is left to revoke: see `revoke_key`.
            let changed = next_epoch(connection)?;
            let Some(once) = once else {
                return end_successor(connection, id, at, changed);
            };
            match seen(connection, &once)? {
                // Should it come yet, it was seen already.
                None => remember(connection, &once, id, at)?,
                Some((_, made)) => {
                    connection
                        .prepare_cached(
                            "UPDATE api_keys SET revoked_at = ?3, changed = ?4 WHERE id = ?1 \
                             AND predecessor = ?2 AND pending = 1 AND revoked_at IS NULL",
                        )?
                        .execute(params![made, id_text(id), millis(at), changed])?;
                }
            }
            Ok(())
        })
    }

    fn revoke_predecessor(&self, id: Uuid, at: Timestamp) -> StoreFuture<'_, bool> {
        self.write(true, move |connection| {
            let changed = next_epoch(connection)?;
            let predecessor = connection
                .prepare_cached(
                    "UPDATE api_keys SET pending = 0, changed = ?2 \
                     WHERE id = ?1 AND revoked_at IS NULL RETURNING predecessor",
                )?
                .query_row(params![id_text(id), changed], |row| {
                    row.get::<_, Option<String>>(0)
                })
                .optional()?;
            if let Some(Some(predecessor)) = &predecessor {
                connection
                    .prepare_cached(
                        "UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?2), changed = ?3 \
                         WHERE id = ?1",
                    )?
                    .execute(params![predecessor, millis(at), changed])?;
            }
            Ok(predecessor.is_some())
        })
    }

    fn revoke_key(&self, id: Uuid, at: Timestamp) -> StoreFuture<'_, Option<Key>> {
        self.write(true, move |connection| {
            // Also of a key that is revoked already: whoever asks twice may have been told
            // nothing the first time, and must wait for the same confirmation.
            let changed = next_epoch(connection)?;
            end_successor(connection, id, at, changed)?;
            let mut row = connection.prepare_cached(&format!(
                "UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?2), changed = ?3 \
                 WHERE id = ?1 RETURNING {KEY}"
            ))?;
            Ok(row
                .query_row(params![id_text(id), millis(at), changed], key)
                .optional()?)
        })
    }

    fn touch(&self, used: Vec<(Uuid, Timestamp)>) -> StoreFuture<'_, ()> {
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

/// Returns what is remembered of a request: its body and the key that it has made.
fn seen(
    connection: &Connection,
    once: &IdempotencyRecord,
) -> rusqlite::Result<Option<([u8; 32], String)>> {
    connection
        .prepare_cached("DELETE FROM idempotency WHERE created_at < ?1")?
        .execute([millis(once.forget_before)])?;
    connection
        .prepare_cached("SELECT body, key_id FROM idempotency WHERE request = ?1")?
        .query_row([once.request], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// Remembers that a request has made a key.
fn remember(
    connection: &Connection,
    once: &IdempotencyRecord,
    key: Uuid,
    at: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO idempotency (request, body, key_id, created_at) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![once.request, once.body, id_text(key), millis(at)])?;
    Ok(())
}

fn insert_key(connection: &Connection, row: &Key, changed: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(&format!(
            "INSERT INTO api_keys ({KEY}, changed) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
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
            changed
        ])?;
    Ok(())
}

/// Revokes the pending successor of a key. It can have none of its own: see [`SuccessorOutcome::Pending`].
fn end_successor(
    connection: &Connection,
    id: Uuid,
    at: Timestamp,
    changed: i64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE api_keys SET revoked_at = ?2, changed = ?3 \
             WHERE predecessor = ?1 AND pending = 1 AND revoked_at IS NULL",
        )?
        .execute(params![id_text(id), millis(at), changed])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::files::DatabaseFiles;
    use crate::store::{DataPlatform, KeyHash};
    use ntro_base::{KeyPrefix, Provider};

    fn key(tenant: &Tenant, number: u8, at: Timestamp) -> Key {
        Key {
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
        }
    }

    #[tokio::test]
    async fn an_idempotency_key_is_remembered_for_a_day_and_not_for_longer() {
        let folder = tempfile::tempdir().unwrap();
        let store =
            Sqlite::open(&DatabaseFiles::beside(&folder.path().join("registry.db"))).unwrap();
        let made: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let organisation = Organisation {
            id: Uuid::new_v4(),
            name: "Acme".to_owned(),
            external_id: None,
            created_at: made,
        };
        store
            .create_organisation(organisation.clone())
            .await
            .unwrap();
        let tenant = Tenant {
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
        store.create_tenant(tenant.clone()).await.unwrap();
        let day = SignedDuration::from_hours(24);
        let millisecond = SignedDuration::from_millis(1);
        let ask = |number: u8, body: u8, at: Timestamp| {
            let once = IdempotencyRecord {
                request: [7; 32],
                body: [body; 32],
                forget_before: at - day,
            };
            store.create_key(key(&tenant, number, at), Some(once))
        };
        assert!(matches!(ask(1, 1, made).await, Ok(Created::New)));
        let last = made + day;
        assert!(matches!(ask(2, 1, last).await, Ok(Created::Replayed(_))));
        assert!(matches!(ask(3, 2, last).await, Ok(Created::Conflict)));
        assert!(matches!(
            ask(4, 2, last + millisecond).await,
            Ok(Created::New)
        ));
    }
}
