use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::to_text;
use super::{Error, LARGEST};
use ntro_base::disk;

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
