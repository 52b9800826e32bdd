//! Which database the authority's registry lie in, as `serve` and `admin` take it.

use ntro_authority::{Database, Registry};
use ntro_base::env;

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Kind;

/// In the folder of `ntro`, when no database is named.
const DEFAULT: &str = "authority.db";

#[derive(clap::Args, Debug)]
pub(crate) struct DatabaseArgs {
    /// Database of the authority: `sqlite:PATH` [env: NTRO_DATABASE] [default: authority.db in
    /// the folder of `ntro`]
    #[arg(long, value_name = "URL", global = true)]
    database: Option<Database>,
}

impl DatabaseArgs {
    /// Returns the database that the option, the variable or the default names.
    pub(crate) fn database(&self, cx: &Context) -> Result<Database, CliError> {
        if let Some(database) = &self.database {
            return Ok(database.clone());
        }
        let variable = &env::NTRO_DATABASE;
        let text = cx.env().text(variable);
        if let Some(text) = text.map_err(ntro_client::resolve::Error::from)? {
            return text.parse().map_err(|error| {
                CliError::usage(format!("the variable `{}`: {error}", variable.name))
                    .hint(format!("set `{}` to `sqlite:PATH`", variable.name))
            });
        }
        Ok(Database::Sqlite(cx.home()?.folder().join(DEFAULT)))
    }

    /// Opens the registry, beside a serving process or without one. Where there are none yet they
    /// are made only if that is what is wanted: whoever reads them has named the wrong ones.
    pub(crate) fn registry(&self, cx: &Context, make: bool) -> Result<Registry, CliError> {
        let database = self.database(cx)?;
        if let Database::Sqlite(path) = &database
            && !make
            && !path.try_exists().unwrap_or(true)
        {
            return Err(CliError::new(
                Kind::Config,
                format!("there is no database `{}`", path.display()),
            )
            .hint("name another one with `--database`, or make it: `ntro serve` does, and `ntro admin organisation create NAME`"));
        }
        Ok(Registry::open(&database)?)
    }
}
