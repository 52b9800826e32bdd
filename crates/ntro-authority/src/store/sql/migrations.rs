//! The schema.

/// One step of the schema, in the language of each database. A released step never changes.
pub(in crate::store) struct Migration {
    pub(in crate::store) sqlite: &'static str,
    pub(in crate::store) postgres: &'static str,
}

macro_rules! migrations {
    ($($name:literal),+ $(,)?) => {
        &[$(Migration {
            sqlite: include_str!(concat!("../sqlite/migrations/", $name, ".sql")),
            postgres: include_str!(concat!("../postgres/migrations/", $name, ".sql")),
        }),+]
    };
}

/// Every step; the number of a schema is how many of them it has.
pub(in crate::store) const MIGRATIONS: &[Migration] = migrations![
    "0001_registry",
    "0002_rotation",
    "0003_audit",
    "0004_children",
    "0005_audit_logs",
    "0006_responses",
    "0007_receipts",
    "0008_pauses",
    "0009_policies",
    "0010_owners",
    "0011_uses",
    "0012_quiet_rotation",
    "0013_expiry_warnings",
];

/// The step after which the audit logs are built. A server of an earlier version would not extend
/// them, so the step waits for its end.
pub(in crate::store) const AUDIT_LOGS: i64 = 5;
