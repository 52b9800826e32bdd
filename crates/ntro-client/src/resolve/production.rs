use std::fmt;

use super::Source;
use ntro_base::{ConnectionName, Host};

/// The reason why a call affects production.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Production {
    /// The connection, if there is one.
    pub connection: Option<ConnectionName>,
    /// The host to call.
    pub host: Host,
    /// The source of the decision.
    pub source: Source,
}

impl fmt::Display for Production {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.connection {
            Some(name) => write!(f, "`{name}` ({})", self.host.origin()),
            None => write!(f, "{}", self.host.origin()),
        }
    }
}
