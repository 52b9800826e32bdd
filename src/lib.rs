//! Clients of the Ntropii and Ontora APIs, with the key of a named connection.
//!
//! A program that uses this crate never sees where a key is kept. It asks for a connection, and
//! gets the one that `ntro auth whoami` would use in its place: the same files, variables and
//! secret stores, in the same order.
//!
//! ```no_run
//! # async fn run() -> Result<(), ntro::Error> {
//! let me = ntro::Connection::resolve(ntro::Options::from_env())?
//!     .client()
//!     .whoami()
//!     .await?;
//! println!("{}", me.name);
//! # Ok(())
//! # }
//! ```
//!
//! # Choosing a connection
//!
//! Connections are made by `ntro auth login`. [`Options::from_env`] takes the variables of the
//! process and the `.ntro.toml` of its folder into account; the methods of [`Options`] override
//! both, as the options of the command line do:
//!
//! ```no_run
//! use ntro::{Connection, Options};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let options = Options::from_env()
//!     .connection("production".parse()?)
//!     .tenant("acme-fund-admin".parse()?);
//! let connection = Connection::resolve(options)?;
//! println!("{} with {}…", connection.host(), connection.key_prefix());
//!
//! let tenant = connection.client().active_tenant().await?;
//! println!("{}", tenant.id);
//! # Ok(())
//! # }
//! ```
//!
//! Where no connection is configured, `NTRO_HOST` and `NTRO_API_KEY` are enough:
//!
//! ```
//! use ntro::{Connection, ErrorKind, Options};
//!
//! // Nothing at all is configured here.
//! let error = Connection::resolve(Options::default()).unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::Config);
//! ```
//!
//! # Keys
//!
//! * A key is sent to the origin it was stored for, and to no other; no redirect is followed.
//! * Plain `http` reaches this machine only, unless [`Options::allow_insecure_http`] is called.
//! * [`ApiKey`] shows its prefix in `Debug`, has no `Display`, and is wiped when it is dropped.
//! * [`Connection::reveal_key`] obeys the policy of the connection: a `keyless` key is not revealed.
//!
//! # Errors
//!
//! There is one [`Error`]. Its [`ErrorKind`] says what a caller can do, its text what happened and
//! where an offending value came from.
//!
//! # Features
//!
//! The default features build the `ntro` program. Depend on the SDK alone with
//! `default-features = false`. The feature `tower` adds `authorize`, a layer for servers.

#[cfg(feature = "tower")]
pub mod authorize;
mod client;
mod connection;
mod error;
mod options;

pub use client::Client;
pub use connection::Connection;
pub use error::{Error, ErrorKind};
pub use options::Options;

#[doc(inline)]
pub use ntro_base::{
    ApiKey, ConnectionName, Host, KeyPrefix, Origin, Policy, Provider, TenantSlug,
};
#[doc(inline)]
pub use ntro_client::api::{Expiry, Identity, KeyInfo, Tenant};
