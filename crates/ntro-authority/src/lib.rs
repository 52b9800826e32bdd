//! The authority: a server that issues and verifies API keys, and its registry.
//!
//! [`Registry`] is the interface of `ntro admin`. [`Authority`] is the same registry, open to be
//! served: [`router`] answers both dialects on one listener, [`serve`] runs it. The caller brings
//! arguments, variables and sockets.
//!
//! * **Verification** never touches the database. A key is parsed (a wrong checksum refuses it
//!   there), hashed with a secret pepper and looked up in a cache in memory. Then its expiry, its
//!   tenant's status and its tenant's rate limit are checked. The answer was rendered when the key
//!   was created.
//! * **Revocation** is committed, then removed from that cache, then answered. A second process that
//!   revokes beside the serving one succeeds only with the confirmation of the serving one.
//! * **Keys of a suspended tenant answer 403**, not 401: they work again when the tenant is resumed,
//!   and their owners must not throw them away.
//! * **A child key** ends with the key that created it: a trigger of the database revokes both in one
//!   step. **A tripwire** is looked up only for a text that looks like a proxy's token and is no key.
//! * **Every change has an [`Actor`]**, and a row in the audit table, written in its transaction.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests write files of their own")
)]

mod actor;
mod admin_auth;
mod checkup;
mod error;
mod expiry_webhook;
mod github_keys;
mod http;
mod identity_key;
mod key_material;
mod lease;
mod log_queue;
mod metrics;
mod registry;
mod server;
mod settings;
mod store;
mod transparency;
mod trusted_proxies;
mod verify;

pub use actor::{Actor, LeakReporter};
pub use checkup::{
    DatabaseState, check_database, check_github_keys, check_issuer, check_replication,
};
pub use error::Error;
pub use expiry_webhook::ExpiryWebhook;
pub use http::{Certificate, CertificateError, Listener, router, serve, serve_on};
pub use key_material::KeyMaterial;
pub use log_queue::LogQueue;
pub use registry::{
    AuditLogName, AuditLogReport, AuditReport, ConsistencyProof, KeptCheckpoint,
    LONGEST_LIFE_IN_DAYS, MintedKey, NewApiKey, NewTenant, ProvedEvent, Registry,
};
pub use server::Authority;
pub use settings::{
    AuthoritySettings, Claims, Consistency, Database, DatabaseError, Issuer, JwksSource, Limits,
};
pub use store::{
    ApiKeyRecord, DataPlatform, Excess, KeyHash, KeyPolicy, MemberRecord, OrganisationRecord,
    PolicyViolation, PolicyViolations, PostgresError, PostgresReport, PostgresUrl,
    PostgresUrlError, Role, SqliteError, Standbys, StoreError, TenantRecord, TenantStatus,
    UnknownName,
};
pub use transparency::AuditFault;
pub use trusted_proxies::{ForwardedHeader, TrustedProxies, TrustedProxy, TrustedProxyError};
