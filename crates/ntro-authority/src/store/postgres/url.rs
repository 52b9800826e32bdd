//! The URL of a PostgreSQL database.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// How to reach a PostgreSQL database. Neither `Debug` nor `Display` shows the password.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    pub(super) config: Box<Config>,
    pub(super) encryption: Encryption,
}

/// Whether connections are encrypted. There is nothing between the two: encryption without a check
/// of the server lets another server answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    /// None, by default within this machine.
    Off,
    /// TLS to a server with a certificate for its name.
    Verified {
        /// The trusted certificates; the system's by default.
        roots: Option<PathBuf>,
    },
}

/// An error in the URL of a PostgreSQL database. Never holds a part of the URL, which may be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresUrlError {
    /// No URL, or an unknown option.
    #[error(
        "the URL of PostgreSQL is invalid: expected `postgres://USER@HOST/DATABASE`, with special \
         characters in the password as `%40` and so on"
    )]
    Invalid,
    /// No database in the URL.
    #[error("the URL of PostgreSQL names no database: expected `postgres://USER@HOST/DATABASE`")]
    NoDatabase,
    /// `sslmode` is unknown, or encrypts without a check of the server.
    #[error(
        "`sslmode` must be `verify-full` or `disable`: `allow`, `prefer`, `require` and `verify-ca` \
         let another server answer"
    )]
    SslMode,
    /// `sslrootcert` without encryption.
    #[error("`sslrootcert` needs `sslmode=verify-full`")]
    UnusedRoots,
}

impl PostgresUrl {
    /// Returns whether the URL has a password.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// Returns the URL with this password, unless it has one.
    #[must_use]
    pub fn or_password(mut self, password: &str) -> Self {
        if self.config.get_password().is_none() {
            self.config.password(password);
        }
        self
    }
}

impl FromStr for PostgresUrl {
    type Err = PostgresUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A password may have question marks.
        let host = text.rfind('@').unwrap_or(0);
        let options = text[host..].find('?').map(|at| host + at);
        let (base, options) = match options {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text, ""),
        };
        let (mut mode, mut roots, mut rest) = (None, None, Vec::new());
        for option in options.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value),
                Some(("sslrootcert", value)) => roots = Some(PathBuf::from(value)),
                _ => rest.push(option),
            }
        }
        let mut config: Config = match &*rest.join("&") {
            "" => base.parse(),
            options => format!("{base}?{options}").parse(),
        }
        .map_err(|_| PostgresUrlError::Invalid)?;
        if config.get_dbname().is_none() {
            return Err(PostgresUrlError::NoDatabase);
        }
        let encryption = match mode {
            Some("disable") => Encryption::Off,
            Some("verify-full") => Encryption::Verified { roots: None },
            Some(_) => return Err(PostgresUrlError::SslMode),
            None if roots.is_none() && is_local(&config) => Encryption::Off,
            None => Encryption::Verified { roots: None },
        };
        let encryption = match (encryption, roots) {
            (Encryption::Verified { .. }, roots) => Encryption::Verified { roots },
            (Encryption::Off, None) => Encryption::Off,
            (Encryption::Off, Some(_)) => return Err(PostgresUrlError::UnusedRoots),
        };
        config.ssl_mode(match encryption {
            Encryption::Off => SslMode::Disable,
            Encryption::Verified { .. } => SslMode::Require,
        });
        // Of several hosts, the primary.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        Ok(Self {
            config: Box::new(config),
            encryption,
        })
    }
}

/// Returns whether every host is this machine.
fn is_local(config: &Config) -> bool {
    let names = config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse()
                    .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    });
    names
        && config
            .get_hostaddrs()
            .iter()
            .all(std::net::IpAddr::is_loopback)
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match host {
                Host::Tcp(name) => f.write_str(name)?,
                #[cfg(unix)]
                Host::Unix(folder) => write!(f, "{}", folder.display())?,
            }
            let ports = self.config.get_ports();
            if let Some(port) = ports.get(index).or(ports.first()) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_is_never_shown() {
        let url: PostgresUrl = "postgres://ntro:s3cr3t@db.example.com:5433/registry"
            .parse()
            .unwrap();
        assert_eq!(
            url.to_string(),
            "postgres://ntro@db.example.com:5433/registry"
        );
        assert!(!format!("{url:?}").contains("s3cr3t"));
        let url: PostgresUrl = "postgres://u:a?b@h/d?sslmode=disable".parse().unwrap();
        assert_eq!(url.encryption, Encryption::Off);
        for wrong in [
            "postgres://ntro:s3cr3t@db:port/registry",
            "postgres://ntro:s3cr3t@db/registry?s3cr3t",
            "postgres://ntro:s3cr3t@db",
            "postgres://ntro:s3cr3t@db/x?sslmode=s3cr3t",
        ] {
            let error = wrong.parse::<PostgresUrl>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{wrong}");
        }
    }

    #[test]
    fn remote_server_is_verified() {
        let encryption = |text: &str| text.parse::<PostgresUrl>().map(|url| url.encryption);
        let verified = Ok(Encryption::Verified { roots: None });
        for local in ["localhost", "127.0.0.1", "[::1]"] {
            let url = format!("postgres://u@{local}/d");
            assert_eq!(encryption(&url), Ok(Encryption::Off), "{local}");
        }
        assert_eq!(
            encryption("postgres:///d?host=/run/postgresql"),
            Ok(Encryption::Off)
        );
        assert_eq!(encryption("postgres://u@db/d"), verified);
        assert_eq!(encryption("postgres://u@localhost,db/d"), verified);
        assert_eq!(
            encryption("postgres://u@db/d?sslmode=disable"),
            Ok(Encryption::Off)
        );
        assert_eq!(
            encryption("postgres://u@db/d?sslrootcert=/ca.pem"),
            Ok(Encryption::Verified {
                roots: Some("/ca.pem".into())
            })
        );
        for weak in ["allow", "prefer", "require", "verify-ca", ""] {
            let url = format!("postgres://u@db/d?sslmode={weak}");
            assert_eq!(encryption(&url), Err(PostgresUrlError::SslMode));
        }
        assert_eq!(
            encryption("postgres://u@db/d?sslmode=disable&sslrootcert=/ca.pem"),
            Err(PostgresUrlError::UnusedRoots)
        );
    }
}
