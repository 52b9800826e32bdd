//! A tower layer that lets a request through only if an authority of `ntro` accepts its key.
//!
//! For each request the layer asks `/v1/authorize` with the request's own credentials: `X-API-Key` if
//! it is present, `Authorization` otherwise. An accepted request gets an [`AuthorizedKey`] as an
//! extension. A refused one is answered by the layer, with the status and the body of the authority.
//!
//! ```
//! use ntro::authorize::{AuthorizeLayer, AuthorizedKey};
//!
//! # fn layer() -> Result<AuthorizeLayer, Box<dyn std::error::Error>> {
//! let layer = AuthorizeLayer::new("https://keys.example.com".parse()?)?
//!     .scope("exports")
//!     .tenant("acme-fund-admin");
//! # Ok(layer)
//! # }
//!
//! // In a handler of axum, `Extension(key): Extension<AuthorizedKey>`.
//! fn greet(key: &AuthorizedKey) -> String {
//!     format!("Hello, {}", key.tenant())
//! }
//! ```
//!
//! * Headers that look like the identity headers of a gateway are removed from every request.
//! * If the authority gives no valid answer, the request is refused with 503.
//! * Credentials are sent to the authority alone: no redirect is followed, and plain `http` stays on
//!   this machine with [`AuthorizeLayer::new`].
//! * The services must run in a tokio runtime.

mod asker;
mod key;
mod known;
mod layer;
mod service;

pub use key::AuthorizedKey;
pub use layer::AuthorizeLayer;
pub use service::Authorize;
