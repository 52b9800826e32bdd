//! The database and the key material of the authority, as `serve` and `admin` take them.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ntro_authority::{Actor, Database, DatabaseError, KeyMaterial, PostgresUrl, Registry};
use ntro_base::disk;
use ntro_base::env::{self, Unexpanded};
use zeroize::Zeroizing;

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Kind;

/// Default file name, in the folder of `ntro`.
const DEFAULT: &str = "authority.db";
/// The largest file with a password, in bytes.
const LARGEST: u64 = 4096;

#[derive(clap::Args, Debug)]
pub(crate) struct DatabaseArgs {
    /// Database of the authority: a file, `sqlite:PATH`, or `postgres://USER@HOST/DATABASE`
    /// [env: NTRO_DATABASE] [default: authority.db in the folder of `ntro`]
    #[arg(long, value_name = "URL", global = true)]
    database: Option<DatabaseText>,
    /// File with the password for PostgreSQL [env: PGPASSWORD for the password itself]
    #[arg(long, value_name = "FILE", global = true)]
    database_password_file: Option<PathBuf>,
    /// Folder of the authority's pepper and signing keys, required for PostgreSQL
    /// [env: NTRO_KEY_MATERIAL] [default: the private folder beside the database]
    #[arg(long, value_name = "DIR", global = true)]
    key_material: Option<PathBuf>,
}

/// The name of a database. It may hold a password, and clap prints a value that it rejects, so it is
/// parsed later.
#[derive(Clone)]
struct DatabaseText(String);

impl FromStr for DatabaseText {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for DatabaseText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseText")
    }
}

impl DatabaseArgs {
    /// Returns these options, and those of `other` where neither an option nor its variable is given.
    pub(crate) fn or(self, other: Self, cx: &Context) -> Self {
        let is_set = |variable| cx.env().is_set(variable);
        let database = other.database.filter(|_| !is_set(&env::NTRO_DATABASE));
        let password = other.database_password_file;
        let password = password.filter(|_| !is_set(&env::PGPASSWORD));
        let key_material = other.key_material;
        let key_material = key_material.filter(|_| !is_set(&env::NTRO_KEY_MATERIAL));
        Self {
            database: self.database.or(database),
            database_password_file: self.database_password_file.or(password),
            key_material: self.key_material.or(key_material),
        }
    }

    /// Returns the error of the option's value, if it has one.
    pub(crate) fn error(&self) -> Option<DatabaseError> {
        let DatabaseText(text) = self.database.as_ref()?;
        text.parse::<Database>().err()
    }

    /// Returns the database that the option, the variable or the default names.
    pub(crate) fn database(&self, cx: &Context) -> Result<Database, CliError> {
        match self.named(cx)? {
            Database::Postgres(url) => Ok(Database::Postgres(self.with_password(url, cx)?)),
            database => Ok(database),
        }
    }

    fn named(&self, cx: &Context) -> Result<Database, CliError> {
        const OPTION: &str = "--database";

        if let Some(DatabaseText(text)) = &self.database {
            let database = text
                .parse()
                .map_err(|error| CliError::usage(format!("`{OPTION}`: {error}")))?;
            if let Database::Postgres(url) = &database
                && url.has_password()
            {
                let message = "`--database` has a password, which other users of this machine can \
                               see";
                return Err(CliError::usage(message)
                    .hint("set `NTRO_DATABASE` or `PGPASSWORD`, or name a file with `--database-password-file`"));
            }
            return expanded(database, OPTION);
        }
        let variable = &env::NTRO_DATABASE;
        let text = cx.env().text(variable);
        if let Some(text) = text.map_err(ntro_client::resolve::Error::from)? {
            let database = text.parse().map_err(|error| {
                CliError::usage(format!("the variable `{}`: {error}", variable.name)).hint(format!(
                    "set `{}` to `sqlite:PATH` or `postgres://USER@HOST/DATABASE`",
                    variable.name
                ))
            })?;
            return expanded(database, variable.name);
        }
        Ok(Database::Sqlite(cx.home()?.folder().join(DEFAULT)))
    }

    /// Returns the URL with its own password, or else that of the file or the variable.
    fn with_password(&self, url: PostgresUrl, cx: &Context) -> Result<PostgresUrl, CliError> {
        if let Some(path) = &self.database_password_file {
            return Ok(url.or_password(&password(path)?));
        }
        let variable = cx.env().text(&env::PGPASSWORD);
        let password = variable.map_err(ntro_client::resolve::Error::from)?;
        Ok(match password {
            Some(password) => url.or_password(password),
            None => url,
        })
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

/// Reads a password: the first line of a file.
fn password(path: &Path) -> Result<Zeroizing<String>, CliError> {
    Unexpanded::check("--database-password-file", path)?;
    let invalid = |why: &str| {
        let path = path.display();
        CliError::new(Kind::Config, format!("the password file `{path}` {why}"))
    };
    let bytes = disk::read_bounded(path, LARGEST)?.ok_or_else(|| invalid("does not exist"))?;
    let text = String::from_utf8(bytes).map_err(|_| invalid("is not UTF-8 text"))?;
    let text = Zeroizing::new(text);
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Zeroizing::new(line.to_owned())),
        _ => Err(invalid("has no password in its first line")),
    }
}
