//! The keys in variables that the program would inherit under any name.

use std::ffi::OsString;
use std::process::Command;

use ntro_base::{ApiKey, env, printable};
use ntro_client::BoundKey;
use ntro_client::exec::{Variable, Variables};
use serde::{Deserialize, Serialize};

use crate::context::Context;

/// The names of inherited variables that contain a key.
#[derive(Default, Serialize, Deserialize)]
pub(in super::super) struct InheritedKeys(Vec<OsString>);

impl InheritedKeys {
    /// Finds the connection's key in the variables of this process, which are the program's. For a
    /// keyless program, finds everything that looks like a key.
    pub(super) fn find(key: &BoundKey, is_keyless: bool) -> Self {
        Self(env::names_where(|value| {
            key.is_in(value) || is_keyless && ApiKey::is_in(value)
        }))
    }

    /// Removes the variables, and names those whose loss is not expected. Must precede the setting
    /// of variables.
    pub(in super::super) fn remove(
        &self,
        variables: &Variables,
        command: &mut Command,
        cx: &Context,
    ) {
        for name in &self.0 {
            command.env_remove(name);
            let is_expected = Variable::names().any(|known| name == known)
                || env::SECRETS.iter().any(|known| name == known.name)
                || variables.set().any(|(known, _)| name == known);
            if !is_expected {
                let name = printable(&name.to_string_lossy(), 200);
                cx.printer().warn(&format!(
                    "the variable `{name}` contains an API key: the program runs without it"
                ));
            }
        }
    }
}
