//! The process environment: every variable that `ntro` reads, and one snapshot of them.
//!
//! [`Env`] is taken once at start-up and is the only reader of the process environment, so tests
//! need not set variables.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// A variable that `ntro` reads. The reference page is generated from these.
#[derive(Debug, PartialEq, Eq)]
pub struct EnvVar {
    /// Its name.
    pub name: &'static str,
    /// Its purpose, in one sentence without a full stop.
    pub help: &'static str,
}

macro_rules! variables {
    ($($(#[doc = $help:literal])+ $constant:ident = $name:literal;)+) => {
        $(
            $(#[doc = $help])+
            pub const $constant: EnvVar = EnvVar {
                name: $name,
                help: concat!($($help),+).trim_ascii(),
            };
        )+

        /// Every variable, in the order of the reference page.
        pub const ALL: &[&EnvVar] = &[$(&$constant),+];
    };
}

variables! {
    /// Folder that holds `config.toml` and everything else of `ntro`, instead of `~/.ntro`
    NTRO_HOME = "NTRO_HOME";
    /// Connection to use
    NTRO_CONNECTION = "NTRO_CONNECTION";
    /// Connection to use, under the name that the official clients read
    NTRO_DEFAULT_CONNECTION_NAME = "NTRO_DEFAULT_CONNECTION_NAME";
    /// Base URL to use instead of the connection's host
    NTRO_HOST = "NTRO_HOST";
    /// API key to use instead of the stored one
    NTRO_API_KEY = "NTRO_API_KEY";
    /// Tenant to use instead of the connection's default tenant
    NTRO_TENANT = "NTRO_TENANT";
    /// Set to anything but `0`, refuses a variable that overrides a stored login, the configuration or a project's pin instead of warning about it
    NTRO_STRICT = "NTRO_STRICT";
    /// Admin JWT with which `ntro key` lists, makes and revokes keys, and `ntro auth rotate NAME` replaces one
    NTRO_ADMIN_TOKEN = "NTRO_ADMIN_TOKEN";
    /// Seconds that a call to a server may take in all, 30 by default
    NTRO_TIMEOUT = "NTRO_TIMEOUT";
    /// Seconds to wait for the system keyring, 3 by default
    NTRO_KEYRING_TIMEOUT = "NTRO_KEYRING_TIMEOUT";
    /// Passphrase of the encrypted key file
    NTRO_PASSPHRASE = "NTRO_PASSPHRASE";
    /// File whose first line is the passphrase of the encrypted key file
    NTRO_PASSPHRASE_FILE = "NTRO_PASSPHRASE_FILE";
    /// On Linux, time such as `15m` for which the kernel keeps a passphrase that was typed to open the encrypted key file, in the keyring of this session
    NTRO_UNLOCK_FOR = "NTRO_UNLOCK_FOR";
    /// age identity file or SSH private key that opens the encrypted key file, instead of `identity.txt` in the folder of `ntro`
    NTRO_IDENTITY_FILE = "NTRO_IDENTITY_FILE";
    /// Folder of systemd credentials: `ntro-identity` and `ntro-passphrase` in it open the encrypted key file where no other variable says how
    CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY";
    /// URL of the MCP server that `ntro helper headers` is asked for; set by Claude Code
    CLAUDE_CODE_MCP_SERVER_URL = "CLAUDE_CODE_MCP_SERVER_URL";
    /// Database of the authority, `sqlite:PATH` or `postgres://USER@HOST/DATABASE`, where `--database` is not given
    NTRO_DATABASE = "NTRO_DATABASE";
    /// Password for the authority's PostgreSQL database, where neither its URL nor `--database-password-file` has one
    PGPASSWORD = "PGPASSWORD";
    /// Folder of the authority's pepper and signing keys, where `--key-material` is not given
    NTRO_KEY_MATERIAL = "NTRO_KEY_MATERIAL";
    /// Socket on which `ntro serve` reports to systemd when it is ready, reloads and stops; set by systemd
    NOTIFY_SOCKET = "NOTIFY_SOCKET";
    /// Proxy for `https` servers; also in lower case
    HTTPS_PROXY = "HTTPS_PROXY";
    /// Proxy for `http` servers; also in lower case
    HTTP_PROXY = "HTTP_PROXY";
    /// Proxy for every server; also in lower case
    ALL_PROXY = "ALL_PROXY";
    /// Servers that are called without a proxy: domains with all below them, addresses, networks (`10.0.0.0/8`) or `*`, each also with `:PORT`; also in lower case
    NO_PROXY = "NO_PROXY";
    /// Set by web servers for CGI programs, which use no proxy: there, a request can set `HTTP_PROXY`
    REQUEST_METHOD = "REQUEST_METHOD";
    /// On Linux, file with the certificates that are trusted instead of the system's
    SSL_CERT_FILE = "SSL_CERT_FILE";
    /// On Linux, folder with the certificates that are trusted instead of the system's
    SSL_CERT_DIR = "SSL_CERT_DIR";
    /// Any value turns colour off
    NO_COLOR = "NO_COLOR";
    /// Kind of terminal; on `dumb` there is no colour
    TERM = "TERM";
    /// Width of tables where standard output is not a terminal; without it, rows are as wide as they need
    COLUMNS = "COLUMNS";
    /// Folders in which programs are found; a sealed program cannot change those in hidden folders of the home
    PATH = "PATH";
    /// Address of the session bus on which the Secret Service is found
    DBUS_SESSION_BUS_ADDRESS = "DBUS_SESSION_BUS_ADDRESS";
    /// Folder in which the session bus is looked for when its address is not set, `/run/user/UID` by default
    XDG_RUNTIME_DIR = "XDG_RUNTIME_DIR";
}

/// Variables that hold a secret. They are removed from the environment of child processes that do
/// not need a key.
pub const SECRETS: &[&EnvVar] = &[&NTRO_API_KEY, &NTRO_PASSPHRASE, &NTRO_ADMIN_TOKEN];

/// Returns the names of the variables of the process, known or not, whose values have a property.
pub fn names_where(has: impl Fn(&str) -> bool) -> Vec<OsString> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the process environment"
    )]
    let variables = std::env::vars_os();
    let found = variables.filter(|(_, value)| has(&value.to_string_lossy()));
    found.map(|(name, _)| name).collect()
}

/// A snapshot of the environment. Empty variables count as unset, and a carriage return at the end
/// of a value does not belong to it.
#[derive(Clone, Default)]
pub struct Env {
    /// Few variables are set, so searching a list is faster than building a map.
    variables: Vec<(&'static str, OsString)>,
    home: Option<PathBuf>,
}

/// A variable whose value is not Unicode text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the variable `{name}` is not valid Unicode")]
pub struct NotUnicode {
    /// Its name.
    pub name: &'static str,
}

/// A path that begins with `~`, which only a shell expands: a folder of that name is never meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` names `{}`, and `~` is not expanded there", path.display())]
pub struct Unexpanded {
    /// The variable or option.
    pub name: &'static str,
    /// Its value.
    pub path: PathBuf,
}

impl Unexpanded {
    /// Fails if the path of a variable or an option begins with `~`.
    pub fn check(name: &'static str, path: &Path) -> Result<(), Self> {
        match path.starts_with("~") {
            false => Ok(()),
            true => Err(Self {
                name,
                path: path.to_owned(),
            }),
        }
    }
}

impl Env {
    /// Returns a snapshot without variables.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            variables: Vec::new(),
            home: None,
        }
    }

    /// Takes a snapshot of the process environment.
    #[must_use]
    pub fn from_process() -> Self {
        let mut env = Self::from_lookup(|name| {
            #[expect(
                clippy::disallowed_methods,
                reason = "the one place that reads the process environment"
            )]
            std::env::var_os(name)
        });
        env.home = dirs::home_dir().map(|home| trimmed(home.into()).into());
        env
    }

    /// Makes a snapshot from a function that looks variables up.
    #[must_use]
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        let variables = ALL
            .iter()
            .filter_map(|variable| {
                let look = |name: &str| lookup(name).map(trimmed).filter(|value| !value.is_empty());
                let lower = || look(&variable.name.to_ascii_lowercase());
                // Proxy variables are read in upper and lower case.
                let value = match variable.name.ends_with("_PROXY") {
                    true => look(variable.name).or_else(lower),
                    false => look(variable.name),
                };
                Some((variable.name, value?))
            })
            .collect();
        Self {
            variables,
            home: None,
        }
    }

    /// Makes a snapshot of exactly these variables.
    #[must_use]
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a EnvVar, &'a str)>) -> Self {
        let pairs: BTreeMap<_, _> = pairs
            .into_iter()
            .map(|(variable, value)| (variable.name, OsString::from(value)))
            .collect();
        Self::from_lookup(|name| pairs.get(name).cloned())
    }

    /// Sets variables that another process has passed on. Others are ignored.
    #[must_use]
    pub fn with(mut self, variables: impl IntoIterator<Item = (String, OsString)>) -> Self {
        for (name, value) in variables {
            let Some(known) = ALL.iter().find(|known| known.name == name) else {
                continue;
            };
            self.variables.retain(|(other, _)| *other != known.name);
            self.variables.push((known.name, value));
        }
        self
    }

    /// Sets the home folder of the user.
    #[must_use]
    pub fn with_home(mut self, home: impl Into<PathBuf>) -> Self {
        self.home = Some(home.into());
        self
    }

    /// Returns the value of a variable, if it is set and not empty.
    pub fn text(&self, variable: &EnvVar) -> Result<Option<&str>, NotUnicode> {
        let name = variable.name;
        self.value(variable)
            .map(|value| value.to_str().ok_or(NotUnicode { name }))
            .transpose()
    }

    /// Returns the folders in which programs are found.
    pub fn program_folders(&self) -> impl Iterator<Item = PathBuf> {
        let path = self.value(&PATH).unwrap_or_default();
        std::env::split_paths(path)
    }

    /// Returns the value of a variable that names a file or folder. Fails if it begins with `~`.
    pub fn path(&self, variable: &EnvVar) -> Result<Option<PathBuf>, Unexpanded> {
        let Some(path) = self.value(variable).map(PathBuf::from) else {
            return Ok(None);
        };
        Unexpanded::check(variable.name, &path)?;
        Ok(Some(path))
    }

    /// Returns whether a variable is set and not empty.
    #[must_use]
    pub fn is_set(&self, variable: &EnvVar) -> bool {
        self.value(variable).is_some()
    }

    fn value(&self, variable: &EnvVar) -> Option<&OsStr> {
        let mut variables = self.variables.iter();
        let (_, value) = variables.find(|(name, _)| *name == variable.name)?;
        Some(value)
    }

    /// Returns the home folder of the user, if the system reports one.
    #[must_use]
    pub fn home(&self) -> Option<&std::path::Path> {
        self.home.as_deref()
    }
}

/// Drops the carriage returns at the end of a value, which a script with Windows line breaks leaves
/// there.
fn trimmed(value: OsString) -> OsString {
    match value.into_string() {
        Ok(text) if text.ends_with('\r') => text.trim_end_matches('\r').into(),
        Ok(text) => text.into(),
        Err(value) => value,
    }
}

impl std::fmt::Debug for Env {
    /// Lists the variables that are set, never their values: some are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.variables.iter().map(|(name, _)| name);
        f.debug_set().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_variables_count_as_unset() {
        let env = Env::from_pairs([(&NTRO_HOST, ""), (&NTRO_TENANT, "acme")]);
        assert_eq!(env.text(&NTRO_HOST), Ok(None));
        assert_eq!(env.text(&NTRO_TENANT), Ok(Some("acme")));
    }

    #[test]
    fn empty_upper_case_hides_no_lower_case() {
        for empty in ["", "\r"] {
            let env = Env::from_lookup(|name| match name {
                "HTTPS_PROXY" | "NO_PROXY" => Some(empty.into()),
                "https_proxy" | "no_proxy" => Some("lower".into()),
                _ => None,
            });
            for variable in [&HTTPS_PROXY, &NO_PROXY] {
                assert_eq!(env.text(variable), Ok(Some("lower")));
            }
            assert!(!env.is_set(&ALL_PROXY));
        }
    }

    #[test]
    fn trailing_carriage_return_is_dropped() {
        let env = Env::from_pairs([
            (&NTRO_HOME, "/srv/ntro\r"),
            (&NTRO_TIMEOUT, "5\r\r"),
            (&NTRO_TENANT, "\ra"),
            (&NTRO_HOST, "\r"),
        ]);
        assert_eq!(env.path(&NTRO_HOME), Ok(Some("/srv/ntro".into())));
        assert_eq!(env.text(&NTRO_TIMEOUT), Ok(Some("5")));
        assert_eq!(env.text(&NTRO_TENANT), Ok(Some("\ra")));
        assert!(!env.is_set(&NTRO_HOST));
    }

    #[test]
    fn debug_shows_no_value() {
        let env = Env::from_pairs([(&NTRO_API_KEY, "ntro_prod_secret")]);
        assert_eq!(format!("{env:?}"), r#"{"NTRO_API_KEY"}"#);
    }

    #[cfg(unix)]
    #[test]
    fn non_unicode_value_is_named() {
        use std::os::unix::ffi::OsStringExt as _;

        let env = Env::from_lookup(|name| {
            (name == NTRO_HOST.name).then(|| OsString::from_vec(vec![b'h', 0xff]))
        });
        assert_eq!(env.text(&NTRO_HOST), Err(NotUnicode { name: "NTRO_HOST" }));
    }

    #[test]
    fn names_and_constants_agree() {
        let mut names: Vec<_> = ALL.iter().map(|variable| variable.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
