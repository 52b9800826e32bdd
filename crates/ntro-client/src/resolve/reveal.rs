//! Reveals a key; the only way out of `ntro`.

use super::{Connection, Error};
use ntro_base::{ApiKey, ConnectionName, Policy};

impl Connection {
    /// Returns the key for printing, for an environment or for another program, if the policy of
    /// the connection allows it.
    ///
    /// `confirm` asks the user, and is called only for the policy `confirm`. A key from the
    /// environment is not stored, so no policy applies to it.
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
