use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::document::Value;
use super::error::to_text;
use super::{Error, LARGEST};
use ntro_base::{ConnectionName, TenantSlug, disk};

/// The file's name.
const NAME: &str = ".ntro.toml";

/// A project's `.ntro.toml`: the connection and tenant to use in its folder and below.
///
/// The file comes with the project, so it is untrusted: it may select one of the user's
/// connections, but never name a host or a key. A file that belongs to another user, for instance
/// in a shared folder like `/tmp`, selects nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The file.
    pub path: PathBuf,
    /// The name of a connection.
    pub connection: Option<String>,
    /// The slug or id of a tenant.
    pub tenant: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    connection: Option<String>,
    tenant: Option<String>,
}

/// The result of the search for a pin.
#[derive(Debug, Default)]
pub struct PinSearch {
    /// The nearest pin.
    pub pin: Option<Pin>,
    /// The nearest folder that the user must not look into: it may have a nearer pin.
    pub closed: Option<PathBuf>,
}

impl Pin {
    /// Finds the nearest `.ntro.toml` in `folder` or above it.
    ///
    /// Fails if that file is unreadable, not a regular file, owned by another user, or has other
    /// keys than a connection and a tenant.
    pub fn find(folder: &Path) -> Result<PinSearch, Error> {
        let mut search = PinSearch::default();
        for folder in folder.ancestors() {
            let path = folder.join(NAME);
            match disk::read_trusted(&path, LARGEST) {
                Ok(None) => {}
                Ok(Some(bytes)) => {
                    let text = to_text(&path, bytes)?;
                    search.pin = Some(Self::parse(path, &text)?);
                    break;
                }
                // Only a folder that cannot be entered hides whether the file is there.
                Err(_) if is_closed(&path) => {
                    search.closed.get_or_insert_with(|| folder.to_owned());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(search)
    }

    /// Writes the `.ntro.toml` of `folder`, and keeps the lines of an earlier one that are comments.
    /// Returns its path.
    pub fn write(
        folder: &Path,
        connection: &ConnectionName,
        tenant: Option<&TenantSlug>,
    ) -> Result<PathBuf, Error> {
        let path = folder.join(NAME);
        let mut text = String::new();
        if let Some(bytes) = disk::read_trusted(&path, LARGEST)? {
            let before = to_text(&path, bytes)?;
            // Refuses to lose other keys.
            Self::parse(path.clone(), &before)?;
            let is_comment = |line: &&str| line.trim_start().starts_with('#');
            for line in before.lines().filter(is_comment) {
                text.push_str(line);
                text.push('\n');
            }
        }
        let tenant = tenant.map(|tenant| ("tenant", tenant.as_str()));
        for (key, value) in std::iter::once(("connection", connection.as_str())).chain(tenant) {
            let value = Value::from(value).literal();
            text.push_str(&format!("{key} = {}\n", value.as_str()));
        }
        Self::parse(path.clone(), &text)?;
        disk::replace_shared(&path, text.as_bytes())?;
        Ok(path)
    }

    fn parse(path: PathBuf, text: &str) -> Result<Self, Error> {
        let wire: Wire = toml::from_str(text)
            .map_err(|error| Error::invalid(&path, text, error.span(), error.message()))?;
        Ok(Self {
            path,
            connection: wire.connection.filter(|name| !name.is_empty()),
            tenant: wire.tenant.filter(|name| !name.is_empty()),
        })
    }
}

fn is_closed(path: &Path) -> bool {
    let metadata = path.symlink_metadata();
    metadata.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_file_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("a").join("b");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::write(folder.path().join(NAME), "connection = 'far'").unwrap();
        assert_eq!(
            Pin::find(&below)
                .unwrap()
                .pin
                .unwrap()
                .connection
                .as_deref(),
            Some("far")
        );
        std::fs::write(folder.path().join("a").join(NAME), "tenant = 'near'").unwrap();
        let pin = Pin::find(&below).unwrap().pin.unwrap();
        assert_eq!(
            (pin.connection, pin.tenant.as_deref()),
            (None, Some("near"))
        );
    }

    #[test]
    fn written_pin_keeps_comments() {
        let folder = tempfile::tempdir().unwrap();
        let (acme, tenant) = ("acme".parse().unwrap(), "x".parse().unwrap());
        let path = Pin::write(folder.path(), &acme, Some(&tenant)).unwrap();
        let read = || std::fs::read_to_string(&path).unwrap();
        assert_eq!(read(), "connection = \"acme\"\ntenant = \"x\"\n");
        std::fs::write(&path, format!("# ours\n{}", read())).unwrap();
        Pin::write(folder.path(), &"b \"c".parse().unwrap(), None).unwrap();
        let pin = Pin::find(folder.path()).unwrap().pin.unwrap();
        assert_eq!(pin.connection.as_deref(), Some("b \"c"));
        assert_eq!(pin.tenant, None);
        assert!(read().starts_with("# ours\n"), "{}", read());
        std::fs::write(&path, "host = 'x'\n").unwrap();
        Pin::write(folder.path(), &acme, None).unwrap_err();
        assert_eq!(read(), "host = 'x'\n");
    }

    #[test]
    fn host_and_key_are_refused() {
        for text in [
            "host = 'https://evil.example'",
            "api_key = 'x'",
            "connection = 1",
        ] {
            let error = Pin::parse(NAME.into(), text).unwrap_err().to_string();
            assert!(error.contains("line 1, column 1"), "{error}");
        }
    }
}
