//! The settings file of `ntro serve`: its options by their long names, in TOML.

use std::fmt::Display;
use std::path::Path;

use clap::error::{ContextKind, ContextValue};
use clap::{Args as _, Command, FromArgMatches as _};
use ntro_base::disk;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use url::Url;

use super::ServeArgs;
use crate::error::CliError;
use crate::exit::Kind;

const LARGEST: u64 = 1024 * 1024;
/// The options that choose the file and its use.
const NOT_IN_FILE: [&str; 2] = ["config", "check"];

/// Reads the options in a settings file, by the rules of the command line.
pub(super) fn read(path: &Path) -> Result<ServeArgs, CliError> {
    let bytes = disk::read_bounded(path, LARGEST)?.ok_or_else(|| {
        let path = path.display();
        CliError::new(Kind::Config, format!("there is no settings file `{path}`"))
    })?;
    parse(path, &String::from_utf8_lossy(&bytes))
}

fn parse(path: &Path, text: &str) -> Result<ServeArgs, CliError> {
    let file = SettingsFile { path, text };
    let table = DeTable::parse(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        file.error(start, error.message())
    })?;
    let command = ServeArgs::augment_args(Command::new("serve"))
        .no_binary_name(true)
        .disable_help_flag(true);
    let mut arguments = Vec::new();
    let mut starts = Vec::new();
    for (name, value) in table.get_ref() {
        let (start, name) = (name.span().start, &**name.get_ref());
        let mut options = command.get_arguments().filter_map(clap::Arg::get_long);
        if NOT_IN_FILE.contains(&name) || !options.any(|option| option == name) {
            return Err(file
                .error(start, format!("unknown setting `{name}`"))
                .hint("the settings are the options of `ntro serve --help` without the dashes"));
        }
        for value in file.values(name, value)? {
            arguments.push(format!("--{name}={value}"));
        }
        starts.push((format!("--{name}"), start));
    }
    let matches = command.try_get_matches_from(arguments);
    let parsed = matches.and_then(|matches| ServeArgs::from_arg_matches(&matches));
    let start = |option: &str| {
        let start = starts.iter().find(|(name, _)| name == option);
        start.map_or(0, |(_, start)| *start)
    };
    let args = parsed.map_err(|error| {
        let option = match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::String(option)) => option.as_str(),
            _ => "",
        };
        let option = option.split([' ', '=']).next().unwrap_or_default();
        let message = error.to_string();
        let message = message.lines().next().unwrap_or_default();
        let message = message.strip_prefix("error: ").unwrap_or(message);
        file.error(start(option), message)
    })?;
    match args.database.error() {
        Some(error) => Err(file.error(start("--database"), format!("`database`: {error}"))),
        None => Ok(args),
    }
}

struct SettingsFile<'a> {
    path: &'a Path,
    text: &'a str,
}

impl SettingsFile<'_> {
    fn error(&self, start: usize, message: impl Display) -> CliError {
        let line = self.text[..start].matches('\n').count() + 1;
        let path = self.path.display();
        CliError::new(Kind::Config, format!("`{path}`, line {line}: {message}"))
    }

    /// Returns the values of a setting: several for a list.
    fn values(&self, name: &str, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, CliError> {
        let values = match value.get_ref() {
            DeValue::Array(values) => values.iter().collect(),
            _ => vec![value],
        };
        let values = values.into_iter().map(|value| {
            let start = value.span().start;
            let text = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
                other => {
                    let kind = other.type_str();
                    let message = format!("`{name}` takes a text or a number, and no {kind}");
                    return Err(self.error(start, message));
                }
            };
            if has_password(&text) {
                let message =
                    format!("`{name}` has a password, which does not belong in this file");
                return Err(self.error(start, message).hint(
                    "name a file with `database-password-file`, such as a credential of systemd",
                ));
            }
            Ok(text)
        });
        values.collect()
    }
}

fn has_password(text: &str) -> bool {
    text.parse::<Url>().is_ok_and(|url| {
        url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(Path::new("serve.toml"), text).unwrap_err().message
    }

    #[test]
    fn file_has_options_of_command_line() {
        let text = "rate-limit = 7\nregion = \"eu\"\nlisten = [\"8080\", \"[::1]:80\"]\n";
        let args = parse(Path::new("serve.toml"), text).unwrap();
        assert_eq!(args.rate_limit, Some(7));
        assert_eq!(args.region.as_deref(), Some("eu"));
        assert_eq!(args.failure_limit, None);
        assert!(parse(Path::new("serve.toml"), "").is_ok());
    }

    #[test]
    fn error_names_the_line() {
        for (text, expected) in [
            (
                "\nrate_limit = 1",
                "`serve.toml`, line 2: unknown setting `rate_limit`",
            ),
            (
                "config = \"x\"",
                "`serve.toml`, line 1: unknown setting `config`",
            ),
            (
                "check = true",
                "`serve.toml`, line 1: unknown setting `check`",
            ),
            (
                "# x\n\n[serve]\nlisten = 1",
                "`serve.toml`, line 3: unknown setting `serve`",
            ),
            (
                "region = \"eu\"\nrate-limit = -1",
                "`serve.toml`, line 2: invalid value '-1'",
            ),
            (
                "region = \"eu\"\nlisten = \"host:1\"",
                "`serve.toml`, line 2: invalid value 'host:1'",
            ),
            (
                "region = true",
                "line 1: `region` takes a text or a number, and no boolean",
            ),
            ("region = \"eu\"\nregion = \"us\"", "line 2: duplicate key"),
            ("region = \"eu", "line 1: "),
            (
                "database = \"postgres://ntro:hunter2@db/ntro\"",
                "line 1: `database` has a password",
            ),
            (
                "region = \"eu\"\ndatabase = \"postgres://ntro:hunter2@db:port/ntro\"",
                "line 2: `database`: the URL of PostgreSQL is invalid",
            ),
        ] {
            let message = refused(text);
            assert!(message.contains(expected), "{text}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
