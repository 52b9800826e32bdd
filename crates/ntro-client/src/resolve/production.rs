use std::fmt;

use super::Source;
use ntro_base::{ConnectionName, Host};

/// That a call is about production, where a mistake costs more than elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Production {
    /// The connection, where there is one.
    pub connection: Option<ConnectionName>,
    /// The host that is called.
    pub host: Host,
    /// What says that it is production.
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
