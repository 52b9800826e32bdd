//! The settings of an authority, already parsed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ntro_base::env::Env;
use ntro_base::http::{CustomRoots, Proxies};
use url::Url;

use crate::expiry_webhook::ExpiryWebhook;
use crate::key_material::KeyMaterial;
use crate::log_queue::LogQueue;
use crate::store::{PostgresUrl, PostgresUrlError};
use crate::trusted_proxies::TrustedProxies;

/// The database that holds the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Database {
    /// A SQLite file; made when it is missing.
    Sqlite(PathBuf),
    /// A PostgreSQL database, which [`Registry::init`](crate::Registry::init) makes ready.
    Postgres(PostgresUrl),
}

/// An error in the name of a database. Never holds a part of it, which may be a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// Neither `sqlite:` nor `postgres:` nor a path.
    #[error(
        "unknown database: expected `sqlite:PATH`, a path such as `./ntro.db`, or \
         `postgres://USER@HOST/DATABASE`"
    )]
    Unknown,
    /// A path that the shell has not expanded.
    #[error("`~` is not expanded there: write the whole path")]
    Tilde,
    /// `sqlite:` without a path.
    #[error("`sqlite:` needs the path of a file")]
    NoPath,
    /// A URL of PostgreSQL that cannot be used.
    #[error(transparent)]
    Postgres(#[from] PostgresUrlError),
}

impl Database {
    /// Returns the path of the database's file, if it has one and the file does not exist.
    #[must_use]
    pub fn missing_file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => (!path.try_exists().unwrap_or(true)).then_some(path),
            Self::Postgres(_) => None,
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

impl FromStr for Database {
    type Err = DatabaseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = match text.split_once(':') {
            // `sqlite:///var/x.db` is how other tools write `sqlite:/var/x.db`.
            Some(("sqlite", path)) => path.strip_prefix("//").unwrap_or(path),
            Some(("postgres" | "postgresql", _)) => return Ok(Self::Postgres(text.parse()?)),
            // A path has a separator or an extension; a word alone is more likely a mistake.
            _ if is_path(text) => text,
            _ => return Err(DatabaseError::Unknown),
        };
        if path.trim().is_empty() || path == ":memory:" {
            return Err(DatabaseError::NoPath);
        }
        if path.starts_with('~') {
            return Err(DatabaseError::Tilde);
        }
        Ok(Self::Sqlite(PathBuf::from(path)))
    }
}

/// Returns whether `text` is a path, and not the URL of another database.
fn is_path(text: &str) -> bool {
    let path = Path::new(text);
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    let is_url = scheme.len() > 1 && !scheme.contains(std::path::is_separator);
    !is_url && (path.components().count() > 1 || path.extension().is_some())
}

/// How a server on PostgreSQL makes sure that it answers with the latest changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Consistency {
    /// From memory while it has a lease; otherwise as [`Self::Barrier`].
    #[default]
    Lease,
    /// It asks the database after each request has come; simultaneous requests share the questions.
    /// This needs no clock.
    Barrier,
}

impl Consistency {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Lease, Self::Barrier];

    /// Returns the name in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lease => "lease",
            Self::Barrier => "barrier",
        }
    }
}

/// How an authority behaves.
#[derive(Clone, Debug)]
pub struct AuthoritySettings {
    /// Where the pepper and the issuer's signing key are.
    pub key_material: KeyMaterial,
    /// The `region` of every Ontora key.
    pub region: String,
    /// The reverse proxies that name the client's address. By default there are none.
    pub trusted_proxies: TrustedProxies,
    /// The rate limits.
    pub limits: Limits,
    /// How a server on PostgreSQL makes sure that it answers with the latest changes.
    pub consistency: Consistency,
    /// The trusted OpenID Connect issuers, beside the built-in one.
    pub issuers: Vec<Issuer>,
    /// Where the public keys of GitHub's secret scanning are; without them, its reports of leaked
    /// keys are not accepted.
    pub github_keys: Option<Url>,
    /// The proxies to the key sets. By default there are none.
    pub proxies: Proxies,
    /// The certificates that are trusted for key sets. By default, the system's.
    pub roots: CustomRoots,
    /// The most connections at one time; for further ones, idle ones are closed.
    pub connections: usize,
    /// The timeout for a request's head, for its body, and for an idle connection.
    pub timeout: Duration,
    /// How long shutdown waits for the requests under way.
    pub drain: Duration,
    /// The log of all requests.
    pub access_log: Option<LogQueue>,
    /// How many days before the expiry of a key its expiry is announced, by the metrics and the
    /// webhook.
    pub expiry_warnings: Vec<u32>,
    /// The webhook that is warned of keys that expire soon.
    pub expiry_webhook: Option<ExpiryWebhook>,
}

impl Default for AuthoritySettings {
    fn default() -> Self {
        Self {
            key_material: KeyMaterial::default(),
            region: "us".to_owned(),
            trusted_proxies: TrustedProxies::default(),
            limits: Limits::default(),
            consistency: Consistency::default(),
            issuers: Vec::new(),
            github_keys: None,
            proxies: Proxies::from_env(&Env::empty()),
            roots: CustomRoots::default(),
            connections: 8_192,
            timeout: Duration::from_secs(30),
            drain: Duration::from_secs(10),
            access_log: None,
            expiry_warnings: vec![14, 3],
            expiry_webhook: None,
        }
    }
}

/// Rate limits, in requests a minute, all of which may come together. 0 is no limit. The replicas of
/// a registry share them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests of one tenant's keys, and of one organisation's users. Revocations have a separate
    /// limit of the same size.
    pub tenant_per_minute: u32,
    /// Requests of one key, which count against its tenant's limit too.
    pub key_per_minute: u32,
    /// Failed authentications from one source address. Requests with a live key never count.
    pub failures_per_minute: u32,
}

impl Limits {
    /// No limits.
    pub const OFF: Self = Self {
        tenant_per_minute: 0,
        key_per_minute: 0,
        failures_per_minute: 0,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tenant_per_minute: 6_000,
            key_per_minute: 0,
            failures_per_minute: 60,
        }
    }
}

/// An OpenID Connect issuer of admin tokens.
///
/// Every trusted issuer may name every organisation: trust only issuers whose users cannot choose
/// the organisation claim.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The exact `iss` of its tokens.
    pub issuer: String,
    /// The `aud` that its tokens must have; `None` for an issuer without one, such as Clerk.
    pub audience: Option<String>,
    /// Where its public keys are.
    pub keys: JwksSource,
    /// The claims that name organisation and role.
    pub claims: Claims,
}

/// Where an issuer's JSON Web Key Set is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum JwksSource {
    /// A file, read for every token.
    File(PathBuf),
    /// A URL, fetched when first needed, and again for an unknown key or after ten minutes.
    Url(Url),
    /// The `jwks_uri` of the discovery document below the issuer's own URL, fetched as [`Self::Url`].
    Discovery,
}

/// Paths of claims, with dots between members; the first one present wins.
///
/// The default covers two versions of one issuer's tokens. The role is read from the version that
/// names the organisation: a token may have the claims of both, for different organisations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The organisation's id.
    pub organisation: Vec<String>,
    /// The role in it, with or without the prefix `org:`.
    pub role: Vec<String>,
}

impl Default for Claims {
    /// Returns the paths of Clerk's tokens, version 2 and version 1.
    fn default() -> Self {
        let paths = |paths: [&str; 2]| paths.map(str::to_owned).to_vec();
        Self {
            organisation: paths(["o.id", "org_id"]),
            role: paths(["o.rol", "org_role"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_names_the_database() {
        for (text, path) in [
            ("sqlite:ntro.db", "ntro.db"),
            ("sqlite:/var/lib/ntro.db", "/var/lib/ntro.db"),
            ("sqlite:///var/lib/ntro.db", "/var/lib/ntro.db"),
            ("/x.db", "/x.db"),
            ("/var/lib/registry", "/var/lib/registry"),
            ("./registry", "./registry"),
            ("ntro.db", "ntro.db"),
            ("data/a:b.db", "data/a:b.db"),
        ] {
            assert_eq!(text.parse(), Ok(Database::Sqlite(path.into())));
        }
        let error = |text: &str| text.parse::<Database>().unwrap_err();
        assert_eq!(error("sqlite:"), DatabaseError::NoPath);
        assert_eq!(error("sqlite::memory:"), DatabaseError::NoPath);
        for url in ["postgres://db/ntro", "postgresql://db/ntro"] {
            let database = url.parse::<Database>().unwrap();
            assert_eq!(database.to_string(), "postgres://db:5432/ntro");
        }
        let invalid = PostgresUrlError::NoDatabase.into();
        assert_eq!(error("postgres://ntro:s3cr3t@db"), invalid);
        assert_eq!(error("sqlite: "), DatabaseError::NoPath);
        assert_eq!(error("sqlite:~/t.db"), DatabaseError::Tilde);
        assert_eq!(error("~/t.db"), DatabaseError::Tilde);
        for unknown in ["", "registry", "mysql://db/ntro", "mysql:ntro.db", "/", "."] {
            assert_eq!(error(unknown), DatabaseError::Unknown, "{unknown}");
        }
    }
}
