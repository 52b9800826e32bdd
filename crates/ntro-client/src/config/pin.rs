use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::to_text;
use super::{Error, LARGEST};
use ntro_base::disk;

/// The file's name.
const NAME: &str = ".ntro.toml";

/// A project's `.ntro.toml`: which connection and tenant are meant in this folder and below.
///
/// It comes with the project, so from somebody else: it may choose among the connections that the
/// user has, and never name a host or a key. One that another user of the machine has laid into a
/// folder that both can write to, such as `/tmp`, chooses nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The file.
    pub path: PathBuf,
    /// Name of a connection.
    pub connection: Option<String>,
    /// Slug or id of a tenant.
    pub tenant: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    connection: Option<String>,
    tenant: Option<String>,
}

impl Pin {
    /// Finds the nearest `.ntro.toml` in `folder` or above it.
    ///
    /// # Errors
    ///
    /// Fails when the nearest one cannot be read, is no file or another user's, or says more than a
    /// connection and a tenant.
    pub fn find(folder: &Path) -> Result<Option<Self>, Error> {
        for folder in folder.ancestors() {
            let path = folder.join(NAME);
            if let Some(bytes) = disk::read_trusted(&path, LARGEST)? {
                let text = to_text(&path, bytes)?;
                return Self::parse(path, &text).map(Some);
            }
        }
        Ok(None)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_file_up_the_tree_counts() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("a").join("b");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::write(folder.path().join(NAME), "connection = 'far'").unwrap();
        assert_eq!(
            Pin::find(&below).unwrap().unwrap().connection.as_deref(),
            Some("far")
        );
        std::fs::write(folder.path().join("a").join(NAME), "tenant = 'near'").unwrap();
        let pin = Pin::find(&below).unwrap().unwrap();
        assert_eq!(
            (pin.connection, pin.tenant.as_deref()),
            (None, Some("near"))
        );
    }

    #[test]
    fn a_host_or_a_key_is_refused() {
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
