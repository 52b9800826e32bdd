//! The client of both public systems and of the authority.
//!
//! [`Client`] makes the calls of a key, [`AdminClient`] those of an administrator. A target holds
//! everything that they need: they read no configuration and print nothing.
//!
//! * A key is sent to its own origin only; no redirect is followed.
//! * Plain `http` stays on this machine, unless the target allows otherwise.
//! * Idempotent requests are retried, within one timeout for the whole call.
//! * Proxies, certificates and names follow the rules of [`ntro_base::http`].
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
mod children;
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
mod tls;
mod transport;
mod whoami;

pub use admin::{AdminClient, AdminTarget, AdminToken, AdminTokenError, KeyRequest};
pub use children::ChildRequest;
pub use client::Client;
pub use error::{Cause, Error, Expected, InvalidResponse, Refusal};
pub use identity::Identity;
pub(crate) use identity::identity_path;
pub use key_info::{Expiry, KeyInfo, NewKey, Revocation};
pub use ntro_base::http::BadProxy;
pub use reach::Reached;
pub use settings::{Report, Settings, Target};
pub use tenant::Tenant;
pub use transport::Transport;
pub use whoami::Whoami;
