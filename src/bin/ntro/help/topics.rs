use std::fmt::Write as _;

use clap::builder::StyledStr;
use ntro_base::env;

use crate::exit::Kind;

/// A table with text around it, of the whole program.
pub(crate) struct Topic {
    /// Word after `ntro help`.
    pub(crate) name: &'static str,
    /// Heading.
    pub(crate) title: &'static str,
    /// One line for a list of topics.
    pub(crate) about: &'static str,
    /// Text above the table.
    pub(crate) before: &'static str,
    /// Names of the columns; the last one holds the description.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "only the reference page has a table with a head")
    )]
    pub(crate) head: &'static [&'static str],
    pub(crate) rows: Vec<Vec<String>>,
    /// Text below the table.
    pub(crate) after: &'static str,
}

impl Topic {
    /// Returns all topics.
    pub(crate) fn all() -> [Self; 4] {
        [
            Self::environment(),
            Self::exit_codes(),
            Self::files(),
            Self::precedence(),
        ]
    }

    /// Returns the environment variables.
    pub(crate) fn environment() -> Self {
        let row = |variable: &&env::EnvVar| {
            let name = format!("`{}`", variable.name);
            vec![name, variable.help.to_owned()]
        };
        Self {
            name: "environment",
            title: "Environment variables",
            about: "Environment variables that `ntro` reads",
            before: "An empty variable counts as unset, and a carriage return at the end of a value is ignored.",
            head: &["variable", "description"],
            rows: env::ALL.iter().map(row).collect(),
            after: "",
        }
    }

    /// Returns the exit codes.
    pub(crate) fn exit_codes() -> Self {
        let row = |kind: Kind| {
            let name = format!("`{}`", kind.as_str());
            vec![kind.code().to_string(), name, kind.meaning().to_owned()]
        };
        let success = vec!["0".to_owned(), String::new(), "success".to_owned()];
        let mut rows = vec![success];
        rows.extend(Kind::ALL.map(row));
        Self {
            name: "exit-codes",
            title: "Exit codes",
            about: "Exit codes, and errors as JSON",
            before: "With `--output json`, a failure is one line on standard error: \
                `{\"error\":{\"code\",\"message\",\"hint\",\"request_id\"}}`, each of them a text, \
                the last two or null.",
            head: &["exit code", "`code`", "description"],
            rows,
            after: "",
        }
    }

    /// Returns the files.
    pub(crate) fn files() -> Self {
        let rows = [
            (
                "`~/.ntro/config.toml`",
                "Connections and settings, shared with the official clients and edited in place",
            ),
            (
                "`~/.ntro/logins.toml`",
                "Record of each login: origin, store, policy, prefix and expiry of the key; no key",
            ),
            (
                "`~/.ntro/keys.age`",
                "Keys of the `file` store, encrypted in the age format",
            ),
            (
                "`~/.ntro/identity.txt`",
                "age identity that opens `keys.age`, where one is used instead of a passphrase",
            ),
            (
                "`~/.ntro/migrations.toml`, `~/.ntro/rotations.toml`, `~/.ntro/children.toml`",
                "Records of unfinished work, which the next run completes",
            ),
            (
                "`~/.ntro/authority.db`",
                "Database of `ntro serve`, with a private folder of key material beside it",
            ),
            (
                "`~/.ntro/dev`",
                "The same for `ntro dev`, with its own `keys.age` and `identity.txt` where there is no keyring",
            ),
            (
                "`.ntro.toml`",
                "In the folder of a project or above: its `connection` and `tenant`, and nothing else",
            ),
            (
                "`~/.ontora/config.yaml`",
                "File of the official Ontora client, read by `ntro auth migrate --ontora` and `ntro doctor`",
            ),
        ];
        Self {
            name: "files",
            title: "Files",
            about: "Files that `ntro` reads and writes",
            before: "`NTRO_HOME` names another folder than `~/.ntro`. Its files are readable by their owner \
                only.",
            head: &["file", "content"],
            rows: owned(rows),
            after: "",
        }
    }

    /// Returns the sources of each value, the strongest first, as `ntro auth explain` lists them.
    pub(crate) fn precedence() -> Self {
        let rows = [
            (
                "connection",
                "`--connection` · `NTRO_CONNECTION` · `NTRO_DEFAULT_CONNECTION_NAME` · `.ntro.toml` · \
                 `default_connection_name` in `config.toml`",
            ),
            ("host", "`--host` · `NTRO_HOST` · the connection's `host`"),
            (
                "API key",
                "`NTRO_API_KEY` · the connection's secret store · the connection's `api_key`",
            ),
            (
                "tenant",
                "`--tenant` · `NTRO_TENANT` · `.ntro.toml` · the connection's `default_tenant` · the only \
                 tenant that the key reaches",
            ),
        ];
        Self {
            name: "precedence",
            title: "Precedence",
            about: "Sources of each value of a call, and which one wins",
            before: "For each value of a call, the first source that has one wins:",
            head: &["value", "sources"],
            rows: owned(rows),
            after: "An unknown name is an error and never selects another connection. A stored key is only \
                sent to the origin (scheme, name and port) that it was stored for. A project's \
                `.ntro.toml` may name a connection and a tenant, but no host and no key; a key that does \
                not reach that tenant is not used. When a variable overrides a stored login, the \
                configuration or a project's pin, `ntro` prints a warning, and with `NTRO_STRICT=1` refuses \
                the variable; options need no warning. `ntro auth explain` shows every source of the next \
                call.",
        }
    }

    /// Returns the page for a terminal; clap wraps it.
    pub(super) fn text(&self) -> StyledStr {
        let mut text = StyledStr::new();
        let heading = anstyle::Style::new().bold().underline();
        let name = anstyle::Style::new().bold();
        let _ = write!(
            text,
            "{heading}{}{heading:#}\n\n{}\n",
            self.title, self.before
        );
        for (term, description) in self.terms() {
            let _ = write!(text, "\n  {name}{term}{name:#}\n      {description}");
        }
        if !self.after.is_empty() {
            let _ = write!(text, "\n\n{}", self.after);
        }
        text
    }

    /// Returns the rows as terms without backticks, each with its description.
    pub(crate) fn terms(&self) -> impl Iterator<Item = (String, &str)> {
        self.rows.iter().filter_map(|row| {
            let (description, names) = row.split_last()?;
            let term = names.join(" ").replace('`', "");
            Some((term.trim_end().to_owned(), description.as_str()))
        })
    }
}

fn owned<const N: usize>(rows: [(&str, &str); N]) -> Vec<Vec<String>> {
    let row = |(name, description): (&str, &str)| vec![name.to_owned(), description.to_owned()];
    rows.into_iter().map(row).collect()
}
