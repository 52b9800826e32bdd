//! The database and the key material of the authority, as `serve` and `admin` take them.

use std::path::PathBuf;

use ntro_authority::{Actor, Database, KeyMaterial, Registry};
use ntro_base::env::{self, Unexpanded};

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Kind;

/// Default file name, in the folder of `ntro`.
const DEFAULT: &str = "authority.db";

#[derive(clap::Args, Debug)]
pub(crate) struct DatabaseArgs {
    /// Database of the authority: a file, or `sqlite:PATH` [env: NTRO_DATABASE] [default: authority.db in
    /// the folder of `ntro`]
    #[arg(long, value_name = "URL", global = true)]
    database: Option<Database>,
    /// Folder of the authority's pepper and signing key [env: NTRO_KEY_MATERIAL] [default: the
    /// private folder beside the database]
    #[arg(long, value_name = "DIR", global = true)]
    key_material: Option<PathBuf>,
}

impl DatabaseArgs {
    /// Returns these options, and those of `other` where neither an option nor its variable is given.
    pub(crate) fn or(self, other: Self, cx: &Context) -> Self {
        let is_set = |variable| cx.env().is_set(variable);
        let database = other.database.filter(|_| !is_set(&env::NTRO_DATABASE));
        let key_material = other.key_material;
        let key_material = key_material.filter(|_| !is_set(&env::NTRO_KEY_MATERIAL));
        Self {
            database: self.database.or(database),
            key_material: self.key_material.or(key_material),
        }
    }

    /// Returns the database that the option, the variable or the default names.
    pub(crate) fn database(&self, cx: &Context) -> Result<Database, CliError> {
        if let Some(database) = &self.database {
            return expanded(database.clone(), "--database");
        }
        let variable = &env::NTRO_DATABASE;
        let text = cx.env().text(variable);
        if let Some(text) = text.map_err(ntro_client::resolve::Error::from)? {
            let database = text.parse().map_err(|error| {
                CliError::usage(format!("the variable `{}`: {error}", variable.name))
                    .hint(format!("set `{}` to `sqlite:PATH`", variable.name))
            })?;
            return expanded(database, variable.name);
        }
        Ok(Database::Sqlite(cx.home()?.folder().join(DEFAULT)))
    }

    /// Returns the key material that the option, the variable or the default names.
    pub(crate) fn key_material(&self, cx: &Context) -> Result<KeyMaterial, CliError> {
        let variable = &env::NTRO_KEY_MATERIAL;
        if let Some(folder) = &self.key_material {
            Unexpanded::check("--key-material", folder)?;
            return Ok(KeyMaterial::Folder(folder.clone()));
        }
        Ok(match cx.env().path(variable)? {
            Some(folder) => KeyMaterial::Folder(folder),
            None => KeyMaterial::BesideDatabase,
        })
    }

    /// Opens the registry for the command line, beside a serving process or without one. Makes a
    /// missing database only with `make`: a command that reads has named the wrong one.
    pub(crate) fn registry(&self, cx: &Context, make: bool) -> Result<Registry, CliError> {
        let database = self.database(cx)?;
        if let Some(path) = database.missing_file()
            && !make
        {
            return Err(CliError::new(
                Kind::Config,
                format!("there is no database `{}`", path.display()),
            )
            .hint("name another one with `--database`, or create it with `ntro serve` or `ntro admin organisation create NAME`"));
        }
        let key_material = self.key_material(cx)?;
        Ok(Registry::open(
            &database,
            &key_material,
            Actor::CommandLine,
        )?)
    }
}

fn expanded(database: Database, source: &'static str) -> Result<Database, CliError> {
    if let Database::Sqlite(path) = &database {
        Unexpanded::check(source, path)?;
    }
    Ok(database)
}
