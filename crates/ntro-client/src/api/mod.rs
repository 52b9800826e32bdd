//! The client of both public systems and of the authority.
//!
//! [`Client`] makes the calls of a key, [`AdminClient`] those of an administrator. Both are told
//! everything they need in a target, look nothing up and print nothing. [`Error`] carries what a
//! caller needs to decide what comes next.
//!
//! * A key goes to its own origin and nowhere else; no redirect is followed.
//! * Plain `http` stays on this machine, unless the target says otherwise.
//! * Idempotent requests are tried again, within one bound for the whole call.
//! * `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` are honoured, except that nothing on
//!   the loopback goes through a proxy; a proxy that cannot be understood is an error. Certificates are checked against the system's roots, or
//!   on Linux against those in `SSL_CERT_FILE` and `SSL_CERT_DIR` alone where they are set.
//!
//! ```no_run
//! use ntro_client::api::{Client, Settings, Target};
//! use ntro_client::BoundKey;
//! use ntro_base::{ApiKey, Host, Provider};
//!
//! # async fn whoami(key: ApiKey) -> Result<(), Box<dyn std::error::Error>> {
//! let host: Host = "https://api.ntropii.com/v1".parse()?;
//! let target = Target {
//!     provider: Provider::Ntropii,
//!     key: Some(BoundKey::new(key, host.origin())),
//!     host,
//!     insecure_http: false,
//! };
//! let identity = Client::new(target, Settings::default()).identity().await?;
//! # Ok(())
//! # }
//! ```

mod admin;
mod client;
mod credential;
mod error;
mod failure;
mod http;
mod identity;
mod key_info;
mod ntropii;
mod ontora;
mod path;
mod reach;
mod response;
mod retry;
mod settings;
mod tenant;
mod text;
mod transport;

pub use admin::{AdminClient, AdminTarget, AdminToken, AdminTokenError, KeyRequest};
pub use client::Client;
pub use error::{Cause, Error, InvalidResponse, Refusal};
pub use identity::Identity;
pub use key_info::{Expiry, KeyInfo, NewKey, Revocation};
pub use ntro_base::http::BadProxy;
pub use reach::Reached;
pub use settings::{Settings, Target};
pub use tenant::Tenant;
pub use transport::Transport;
