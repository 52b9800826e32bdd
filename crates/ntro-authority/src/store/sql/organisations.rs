//! Organisations and their members.

use serde_json::json;
use uuid::Uuid;

use super::columns::{ORGANISATION, organisation, parsed};
use super::tenants::show_again;
use super::{Changed, SqlRow, SqlSession, values};
use crate::store::{
    AuditAction, AuditEvent, AuditTarget, MemberRecord, OrganisationRecord, StoreError,
};

pub(super) fn create(
    session: &dyn SqlSession,
    row: &OrganisationRecord,
) -> Result<Changed<()>, StoreError> {
    require_own_names(session, row)?;
    let added = session.execute(
        "INSERT INTO organisations (id, name, external_id, created_at) VALUES (?1, ?2, ?3, ?4)",
        values![row.id, &row.name, row.external_id.as_ref(), row.created_at],
    );
    added.map_err(|error| {
        error.conflict("an organisation with the external id", || {
            row.external_id.clone().unwrap_or_default()
        })
    })?;
    let event = AuditEvent {
        action: AuditAction::CreateOrganisation,
        target: AuditTarget::Organisation(row.id),
        organisation: Some(row.id),
        tenant: None,
        details: json!({"name": row.name, "external_id": row.external_id}),
    };
    Ok(Changed::audited((), event))
}

pub(super) fn rename(
    session: &dyn SqlSession,
    id: Uuid,
    name: String,
) -> Result<Changed<Option<OrganisationRecord>>, StoreError> {
    let mut all = list(session)?.into_iter();
    let Some(mut row) = all.find(|one| one.id == id) else {
        return Ok(Changed::nothing(None));
    };
    let before = std::mem::replace(&mut row.name, name);
    require_own_names(session, &row)?;
    session.execute(
        "UPDATE organisations SET name = ?2 WHERE id = ?1",
        values![id, &row.name],
    )?;
    let owned = "SELECT id FROM tenants WHERE organisation_id = ?1";
    show_again(session, owned, id)?;
    let event = AuditEvent {
        action: AuditAction::RenameOrganisation,
        target: AuditTarget::Organisation(id),
        organisation: Some(id),
        tenant: None,
        details: json!({"from": before, "to": row.name}),
    };
    Ok(Changed::audited(Some(row), event))
}

/// Returns every organisation, oldest first.
pub(super) fn list(session: &dyn SqlSession) -> Result<Vec<OrganisationRecord>, StoreError> {
    let sql = format!("SELECT {ORGANISATION} FROM organisations ORDER BY created_at, rowid");
    session.rows(&sql, values![], organisation)
}

pub(super) fn find(
    session: &dyn SqlSession,
    name: &str,
) -> Result<Option<OrganisationRecord>, StoreError> {
    let sql = format!(
        "SELECT {ORGANISATION} FROM organisations WHERE id = ?1 OR external_id = ?1 \
         ORDER BY id = ?1 DESC"
    );
    session.first(&sql, values![name], organisation)
}

pub(super) fn record_member(
    session: &dyn SqlSession,
    organisation: Uuid,
    member: MemberRecord,
) -> Result<Changed<()>, StoreError> {
    let changed = session.execute(
        "INSERT INTO members (organisation_id, user_id, role, created_at) \
         VALUES (?1, ?2, ?3, ?4) ON CONFLICT (organisation_id, user_id) \
         DO UPDATE SET role = excluded.role WHERE members.role <> excluded.role",
        values![
            organisation,
            &member.user_id,
            member.role.as_str(),
            member.created_at
        ],
    )?;
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
}

pub(super) fn members(
    session: &dyn SqlSession,
    organisation: Uuid,
) -> Result<Vec<MemberRecord>, StoreError> {
    session.rows(
        "SELECT user_id, role, created_at FROM members WHERE organisation_id = ?1 \
         ORDER BY created_at, rowid",
        values![organisation],
        member,
    )
}

/// Returns the members behind the one with the id `after`; `None` if there is no such member.
pub(super) fn member_page(
    session: &dyn SqlSession,
    organisation: Uuid,
    after: Option<&str>,
    limit: u32,
) -> Result<Option<Vec<MemberRecord>>, StoreError> {
    const THIS: &str = "members WHERE organisation_id = ?1 AND user_id = ?2";
    if let Some(after) = after
        && session.number(
            &format!("SELECT count(*) FROM {THIS}"),
            values![organisation, after],
        )? == 0
    {
        return Ok(None);
    }
    let sql = format!(
        "SELECT user_id, role, created_at FROM members WHERE organisation_id = ?1 \
         AND (CAST(?2 AS TEXT) IS NULL OR \
         (created_at, rowid) > (SELECT created_at, rowid FROM {THIS})) \
         ORDER BY created_at, rowid LIMIT ?3"
    );
    let values = values![organisation, after, limit];
    session.rows(&sql, values, member).map(Some)
}

fn member(row: &dyn SqlRow) -> Result<MemberRecord, StoreError> {
    Ok(MemberRecord {
        user_id: row.get(0)?,
        role: parsed(row, 1, "role")?,
        created_at: row.get(2)?,
    })
}

/// Fails if another organisation could be meant by the name or the external id of `row`. Names that
/// differ only in case are the same.
fn require_own_names(session: &dyn SqlSession, row: &OrganisationRecord) -> Result<(), StoreError> {
    let same = |one: &str, other: &str| one.to_lowercase() == other.to_lowercase();
    let conflict = |what, name: &str| {
        Err(StoreError::Conflict {
            what,
            name: name.to_owned(),
        })
    };
    for other in list(session)? {
        if other.id == row.id {
            continue;
        }
        let id = other.id.to_string();
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
