//! Named connections to the Ntropii and Ontora APIs, with every key in a real secret store.
//!
//! This is the library behind the `ntro` program. It prints nothing and never ends the process.

pub use ntro_base::{ApiKey, ConnectionName, Host, Provider, TenantSlug};
pub use ntro_client::api::{Client, Identity, Tenant};
pub use ntro_client::resolve::Connection;
