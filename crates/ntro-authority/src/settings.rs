//! What the authority needs to know, already parsed.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

/// Where the registry lie.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Database {
    /// A SQLite file; made when it is missing.
    Sqlite(PathBuf),
}

/// Why a text names no database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// Neither `sqlite:` nor `postgres:`.
    #[error("unknown database: expected `sqlite:PATH`")]
    Unknown,
    /// `sqlite:` with nothing behind it.
    #[error("`sqlite:` needs the path of a file")]
    NoPath,
    /// A database that this version cannot use.
    #[error("PostgreSQL is not supported yet: use `sqlite:PATH`")]
    Postgres,
}

impl FromStr for Database {
    type Err = DatabaseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            // `sqlite:///var/x.db` is how other tools write `sqlite:/var/x.db`.
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path == ":memory:" {
                return Err(DatabaseError::NoPath);
            }
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if text.starts_with("postgres:") || text.starts_with("postgresql:") {
            return Err(DatabaseError::Postgres);
        }
        Err(DatabaseError::Unknown)
    }
}

/// How the authority behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The `region` of every Ontora key.
    pub region: String,
    /// How often callers may ask.
    pub limits: Limits,
    /// The OpenID Connect issuers whose tokens are trusted, beside the built-in one.
    pub issuers: Vec<Issuer>,
    /// Connections at one time; more wait until one of these ends.
    pub connections: usize,
    /// How long a request may take to arrive, head and body each, and a connection be idle.
    pub timeout: Duration,
    /// How long requests under way may take after shutdown was asked for.
    pub drain: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            region: "us".to_owned(),
            limits: Limits::default(),
            issuers: Vec::new(),
            connections: 8_192,
            timeout: Duration::from_secs(30),
            drain: Duration::from_secs(10),
        }
    }
}

/// Token buckets: so many requests a minute, all of which may come at once. 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests of one tenant's keys, and of one organisation's people. Whoever ends keys has as
    /// many more for that alone.
    pub tenant_per_minute: u32,
    /// Failed authentications from one source address. Requests with a good key never count.
    pub failures_per_minute: u32,
}

impl Limits {
    /// No limits at all.
    pub const OFF: Self = Self {
        tenant_per_minute: 0,
        failures_per_minute: 0,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tenant_per_minute: 6_000,
            failures_per_minute: 60,
        }
    }
}

/// An OpenID Connect issuer whose tokens make admins.
///
/// Every trusted issuer may speak for every organisation: trust only issuers that do not let
/// their users choose the organisation claim.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The exact `iss` of its tokens.
    pub issuer: String,
    /// The `aud` that its tokens must carry; `None` where they carry none, as Clerk's.
    pub audience: Option<String>,
    /// Where its public keys are found.
    pub keys: JwksSource,
    /// Where its tokens say who is who.
    pub claims: Claims,
}

/// Where an issuer's JSON Web Key Set is found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum JwksSource {
    /// A file, read for every token.
    File(PathBuf),
    /// A URL, fetched when first needed, and again when an unknown key is named or when what was
    /// fetched is ten minutes old.
    Url(Url),
}

/// Paths of claims, dots between members, the first one present wins.
///
/// The default is two versions of one issuer's tokens. There the role is that of the version which
/// names the organisation: a token may have members of both, each of another organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The organisation's id.
    pub organisation: Vec<String>,
    /// The role in it; `org:` in service of it is dropped.
    pub role: Vec<String>,
}

impl Default for Claims {
    /// Those of Clerk's tokens, version 2 and version 1.
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
    fn databases_are_named_by_url() {
        for (text, path) in [
            ("sqlite:ntro.db", "ntro.db"),
            ("sqlite:/var/lib/ntro.db", "/var/lib/ntro.db"),
            ("sqlite:///var/lib/ntro.db", "/var/lib/ntro.db"),
        ] {
            assert_eq!(text.parse(), Ok(Database::Sqlite(path.into())));
        }
        let error = |text: &str| text.parse::<Database>().unwrap_err();
        assert_eq!(error("sqlite:"), DatabaseError::NoPath);
        assert_eq!(error("sqlite::memory:"), DatabaseError::NoPath);
        assert_eq!(error("postgres://db/ntro"), DatabaseError::Postgres);
        assert_eq!(error("ntro.db"), DatabaseError::Unknown);
    }
}
