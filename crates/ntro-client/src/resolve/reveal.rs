//! The one way by which a key leaves `ntro`.

use super::{Connection, Error};
use ntro_base::{ApiKey, ConnectionName, Policy};

impl Connection {
    /// Returns the key, to be printed, put into an environment or given to another program, as
    /// far as the policy of the connection allows that.
    ///
    /// `confirm` asks a person, and is called for the policy `confirm` alone. A key that the
    /// environment has brought is not a stored one, and no policy is about it.
    ///
    /// # Errors
    ///
    /// Fails with [`Error::Keyless`] and [`Error::NotConfirmed`], as the policy and the person say,
    /// and with [`Error::KeyElsewhere`] where the key is for another origin than the host's.
    pub fn reveal<E: From<Error>>(
        &self,
        confirm: impl FnOnce(&ConnectionName) -> Result<bool, E>,
    ) -> Result<&ApiKey, E> {
        if let Some(name) = &self.name {
            let connection = &name.value;
            match self.policy {
                Policy::Open => {}
                Policy::Keyless => {
                    let connection = connection.clone();
                    return Err(Error::Keyless { connection }.into());
                }
                Policy::Confirm if confirm(connection)? => {}
                Policy::Confirm => {
                    let connection = connection.clone();
                    return Err(Error::NotConfirmed { connection }.into());
                }
            }
        }
        let wanted = self.host.value.origin();
        self.key
            .value
            .for_origin(&wanted)
            .ok_or_else(|| Error::KeyElsewhere { wanted }.into())
    }
}
