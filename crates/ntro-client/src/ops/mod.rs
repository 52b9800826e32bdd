//! Changing what is stored: log in, log out, rename, remove.
//!
//! Each is one change of three places: the secret store, `logins.toml` and `config.toml`. It is
//! made under the one lock of the folder, from files read after taking it, and in an order that
//! leaves something usable wherever it is cut off: a key is in its store before a connection is
//! written that counts on it, and out of it before the connection goes.

pub mod children;
mod config_files;
mod error;
mod login;
mod logout;
pub mod migrate;
mod rename;
pub mod rotate;
mod safety;
mod settings;

pub(crate) use config_files::ConfigFiles;
pub use error::Error;
pub use login::{NewLogin, Replaced, Stored, replaced, store};
pub use logout::{Forgotten, logout, remove};
pub use rename::rename;
pub use safety::{has_unrecorded_safety, record_safety};
pub use settings::{
    SafetyChange, safety_of, set_admin_token_command, set_default, set_default_tenant, set_safety,
};

use crate::config::NtroDir;
use ntro_base::ConnectionName;
use rotate::Rotations;

/// Makes sure that no rotation of a connection's key is unfinished, before anything is done that
/// could not be taken back.
///
/// # Errors
///
/// Fails with [`Error::RotationUnfinished`], and when the files cannot be read.
pub fn require_settled(home: &NtroDir, name: &ConnectionName) -> Result<(), Error> {
    match Rotations::read(&home.rotations())?.get(name.as_str()) {
        None => Ok(()),
        Some(recorded) => Err(Error::RotationUnfinished {
            name: name.clone(),
            until: recorded.revoke_after,
        }),
    }
}
