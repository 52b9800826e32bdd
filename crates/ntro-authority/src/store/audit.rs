//! The rows of the audit table.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::actor::Actor;

/// Who makes a change, and when.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    pub(crate) actor: Actor,
    pub(crate) at: Timestamp,
}

/// One row of the audit table, without its [`Stamp`].
#[derive(Debug)]
pub(crate) struct AuditEvent {
    pub(crate) action: AuditAction,
    pub(crate) target: AuditTarget,
    /// The organisation, where no tenant determines it.
    pub(crate) organisation: Option<Uuid>,
    /// The tenant, if the change belongs to one.
    pub(crate) tenant: Option<Uuid>,
    /// Further facts about the change, such as a key's prefix; never a secret.
    pub(crate) details: Value,
}

/// The changed object.
#[derive(Debug)]
pub(crate) enum AuditTarget {
    Organisation(Uuid),
    /// A user of the event's organisation.
    Member(String),
    Tenant(Uuid),
    Key(Uuid),
}

impl AuditTarget {
    /// Returns the kind, as the audit table has it.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Organisation(_) => "organisation",
            Self::Member(_) => "member",
            Self::Tenant(_) => "tenant",
            Self::Key(_) => "key",
        }
    }
}

/// The kind of a change.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AuditAction {
    CreateOrganisation,
    RenameOrganisation,
    RecordMember,
    RevokeMemberKeys,
    CreateTenant,
    RenameTenant,
    SetTenantStatus,
    SetTenantConfig,
    SetTenantPolicy,
    CreateKey,
    CreateSuccessor,
    RevokeSuccessor,
    RevokePredecessor,
    SetQuietEnd,
    RevokeKey,
    ReportLeak,
    PauseKey,
    ResumeKey,
    CreateChild,
    CancelChild,
    SetTripwire,
    TripTripwire,
}

impl AuditAction {
    /// Returns the name, as the audit table has it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::CreateOrganisation => "organisation.create",
            Self::RenameOrganisation => "organisation.rename",
            Self::RecordMember => "member.record",
            Self::RevokeMemberKeys => "member.revoke_keys",
            Self::CreateTenant => "tenant.create",
            Self::RenameTenant => "tenant.rename",
            Self::SetTenantStatus => "tenant.set_status",
            Self::SetTenantConfig => "tenant.set_config",
            Self::SetTenantPolicy => "tenant.set_policy",
            Self::CreateKey => "key.create",
            Self::CreateSuccessor => "key.create_successor",
            Self::RevokeSuccessor => "key.revoke_successor",
            Self::RevokePredecessor => "key.revoke_predecessor",
            Self::SetQuietEnd => "key.set_quiet_end",
            Self::RevokeKey => "key.revoke",
            Self::ReportLeak => "key.report_leak",
            Self::PauseKey => "key.pause",
            Self::ResumeKey => "key.resume",
            Self::CreateChild => "key.create_child",
            Self::CancelChild => "key.cancel_child",
            Self::SetTripwire => "tripwire.set",
            Self::TripTripwire => "tripwire.trip",
        }
    }
}
