//! The authority: a server that issues and verifies API keys, and the books behind it.
//!
//! [`Books`] is what `ntro admin` works with. [`Authority`] is the same books, held open to be
//! served: [`router`] speaks both dialects on one listener, [`serve`] runs it. Arguments,
//! variables and sockets are the caller's business.
//!
//! * **Verification** never touches the database. A key is parsed (a wrong checksum ends it there),
//!   hashed with a secret pepper and looked up in a table in memory; its age, its tenant's status
//!   and its tenant's bucket are looked at; the answer was rendered when the key was made.
//! * **Revocation** is committed, then removed from that table, then answered. A second process
//!   that revokes beside the serving one succeeds only when that one has confirmed it.
//! * **A suspended tenant's keys answer 403**, not 401: the key is good and will be again, and its
//!   owner should not be told to throw it away.

mod api_error;
mod books;
mod connections;
mod error;
mod extract;
mod files;
mod front;
mod issuer;
mod keys;
mod limits;
mod oidc;
mod render;
mod routes;
mod server;
mod settings;
mod store;
mod table;

pub use books::{Books, NewTenant};
pub use error::Error;
pub use keys::{LONGEST_LIFE_IN_DAYS, MintedKey, NewKey};
pub use server::{Authority, router, serve};
pub use settings::{Claims, Database, DatabaseError, Issuer, KeySource, Limits, Settings};
pub use store::{
    DataPlatform, Key, KeyHash, Member, Organisation, Role, SqliteError, StoreError, Tenant,
    TenantStatus, UnknownName,
};
