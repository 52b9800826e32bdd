use std::fmt;

use ntro_base::TenantSlug;
use ntro_client::resolve::Sourced;
use ntro_client::{api, resolve};

use crate::Tenant;

/// Why a connection could not be resolved, or a call failed.
///
/// Its text holds no key.
#[derive(Debug)]
pub struct Error(Inner);

#[derive(Debug)]
enum Inner {
    Resolve(resolve::Error),
    Api(api::Error),
    Tenant(String),
}

/// The kind of an [`Error`], by what a caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration or a variable is wrong or missing: correct it.
    Config,
    /// There is no key, or the server does not accept it: log in.
    NotAuthenticated,
    /// The key is valid but does not permit this.
    Forbidden,
    /// The server does not have this.
    NotFound,
    /// The server cannot be reached, or did not answer in time: try again later.
    Unreachable,
    /// Too many calls were made: try again later.
    RateLimited,
    /// The secret store is missing, locked or does not answer.
    SecretStore,
    /// Something else is in the way: the state of the server, a refused confirmation, or a
    /// variable that `NTRO_STRICT` forbids.
    Conflict,
    /// Anything else.
    Other,
}

impl Error {
    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &self.0 {
            Inner::Resolve(error) => of_resolve(error),
            Inner::Api(error) => of_api(error),
            Inner::Tenant(_) => ErrorKind::Forbidden,
        }
    }

    /// Returns the id under which the server has logged the request, if it sent one.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        match &self.0 {
            Inner::Api(error) => error.request_id(),
            Inner::Resolve(_) | Inner::Tenant(_) => None,
        }
    }

    pub(crate) fn out_of_reach(wanted: &Sourced<TenantSlug>, tenants: &[Tenant]) -> Self {
        Self(Inner::Tenant(format!(
            "the API key does not reach the tenant `{}` (named by {}); it reaches {}",
            wanted.value,
            wanted.source,
            names(tenants)
        )))
    }

    pub(crate) fn no_tenant(tenants: &[Tenant]) -> Self {
        Self(Inner::Tenant(format!(
            "no tenant is chosen; the API key reaches {}",
            names(tenants)
        )))
    }
}

fn names(tenants: &[Tenant]) -> String {
    match tenants {
        [] => "none".to_owned(),
        tenants => {
            let names: Vec<_> = tenants.iter().map(|tenant| tenant.slug.as_str()).collect();
            names.join(", ")
        }
    }
}

fn of_resolve(error: &resolve::Error) -> ErrorKind {
    use resolve::Error as E;
    match error {
        E::NoKey { .. } | E::KeyBoundElsewhere { .. } | E::KeyElsewhere { .. } => {
            ErrorKind::NotAuthenticated
        }
        E::Keyless { .. } => ErrorKind::Forbidden,
        E::NotConfirmed { .. } | E::Strict { .. } => ErrorKind::Conflict,
        E::Store(_) => ErrorKind::SecretStore,
        _ => ErrorKind::Config,
    }
}

fn of_api(error: &api::Error) -> ErrorKind {
    use api::Error as E;
    match error {
        E::Rejected(_) => ErrorKind::NotAuthenticated,
        E::Forbidden(_) | E::OutOfReach { .. } => ErrorKind::Forbidden,
        E::NotFound(_) | E::UnknownApi(_) | E::NotOffered { .. } => ErrorKind::NotFound,
        E::Conflict(_) => ErrorKind::Conflict,
        E::RateLimited { .. } => ErrorKind::RateLimited,
        E::Unreachable { .. } | E::Unavailable { .. } => ErrorKind::Unreachable,
        E::Proxy { .. } | E::InsecureTransport { .. } | E::WrongOrigin { .. } => ErrorKind::Config,
        _ => ErrorKind::Other,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Resolve(error) => error.fmt(f),
            Inner::Api(error) => error.fmt(f),
            Inner::Tenant(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Inner::Resolve(error) => error.source(),
            Inner::Api(error) => error.source(),
            Inner::Tenant(_) => None,
        }
    }
}

impl From<resolve::Error> for Error {
    fn from(error: resolve::Error) -> Self {
        Self(Inner::Resolve(error))
    }
}

impl From<api::Error> for Error {
    fn from(error: api::Error) -> Self {
        Self(Inner::Api(error))
    }
}
