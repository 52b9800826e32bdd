use ntro_authority::Registry;
use serde::Serialize;

use crate::commands::database::DatabaseArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Done;

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct InitialRegistry {
    /// Database of the registry, without its password.
    database: String,
    /// Folder of the key material.
    key_material: String,
}

pub(super) fn run(args: &DatabaseArgs, cx: &Context) -> Result<Exit, CliError> {
    let database = args.database(cx)?;
    let key_material = args.key_material(cx)?;
    Registry::init(&database, &key_material)?;
    let folder = key_material.folder(&database)?;
    let made = InitialRegistry {
        database: database.to_string(),
        key_material: folder.display().to_string(),
    };
    cx.printer().confirm(&Done {
        text: format!(
            "the registry `{}` is ready; its key material is in `{}`",
            made.database, made.key_material
        ),
        value: made,
    })?;
    Ok(Exit::Success)
}
