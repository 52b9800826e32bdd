//! The authority: a server that issues and verifies API keys, and the registry behind it.
//!
//! [`Registry`] is what `ntro admin` works with. [`Authority`] is the same registry, held open to be
//! served: [`router`] speaks both dialects on one listener, [`serve`] runs it. Arguments,
//! variables and sockets are the caller's business.
//!
//! * **Verification** never touches the database. A key is parsed (a wrong checksum ends it there),
//!   hashed with a secret pepper and looked up in a key cache in memory; its age, its tenant's status
//!   and its tenant's bucket are looked at; the answer was rendered when the key was made.
//! * **Revocation** is committed, then removed from that key cache, then answered. A second process
//!   that revokes beside the serving one succeeds only when that one has confirmed it.
//! * **A suspended tenant's keys answer 403**, not 401: the key is good and will be again, and its
//!   owner should not be told to throw it away.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests write files of their own")
)]

mod error;
mod files;
mod http;
mod issuer;
mod key_cache;
mod keys;
mod oidc;
mod registry;
mod server;
mod settings;
mod store;
mod verify;

pub use error::Error;
pub use http::{router, serve};
pub use keys::{LONGEST_LIFE_IN_DAYS, MintedKey, NewKey};
pub use registry::{NewTenant, Registry};
pub use server::Authority;
pub use settings::{Claims, Database, DatabaseError, Issuer, JwksSource, Limits, Settings};
pub use store::{
    DataPlatform, Key, KeyHash, Member, Organisation, Role, SqliteError, StoreError, Tenant,
    TenantStatus, UnknownName,
};
