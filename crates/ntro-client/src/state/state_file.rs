use std::io;
use std::marker::PhantomData;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::{Error, read_text};
use ntro_base::disk::{self, FileLock};

/// The content of a [`StateFile`]. A missing file reads as the default.
pub(crate) trait State: Default + Serialize + DeserializeOwned {
    /// The comment on the first line: what the file is for.
    const HEAD: &'static str;

    /// Returns whether the file is removed instead of written.
    fn is_empty(&self) -> bool;
}

/// A TOML file that only `ntro` writes, always as a whole.
pub(crate) struct StateFile<'a, T> {
    path: &'a Path,
    state: PhantomData<T>,
}

impl<'a, T: State> StateFile<'a, T> {
    pub(crate) fn at(path: &'a Path) -> Self {
        Self {
            path,
            state: PhantomData,
        }
    }

    /// Reads the file. An error about its content gives the line and column, never a string.
    pub(crate) fn read(&self) -> Result<T, Error> {
        let Some(text) = read_text(self.path)? else {
            return Ok(T::default());
        };
        toml::from_str(&text)
            .map_err(|error| Error::invalid(self.path, &text, error.span(), error.message()))
    }

    /// Replaces the file, or removes it when the state is empty.
    pub(crate) fn save(&self, state: &T, lock: &FileLock) -> Result<(), Error> {
        if state.is_empty() {
            return Ok(disk::remove(self.path, lock)?);
        }
        let body = toml::to_string(state).map_err(|error| disk::Error::Io {
            action: "write",
            path: self.path.to_owned(),
            source: std::sync::Arc::new(io::Error::other(error)),
        })?;
        let text = format!("# Written by ntro: {}\n\n{body}", T::HEAD);
        Ok(disk::replace(self.path, text.as_bytes(), lock)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Counts {
        #[serde(default)]
        counts: BTreeMap<String, Count>,
    }

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Count {
        words: Vec<String>,
        number: u64,
    }

    impl State for Counts {
        const HEAD: &'static str = "counts.";

        fn is_empty(&self) -> bool {
            self.counts.is_empty()
        }
    }

    #[test]
    fn empty_state_removes_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("counts.toml");
        let lock = FileLock::acquire(&folder.path().join(".lock")).unwrap();
        let file = StateFile::<Counts>::at(&path);
        let mut state = file.read().unwrap();
        assert_eq!(state, Counts::default());
        for name in ["plain", "a.b", "a \"b\".c", "é\n", ""] {
            let count = Count {
                words: vec!["x \"y\"".into(), "'z'".into()],
                number: 7,
            };
            state.counts.insert(name.into(), count);
        }
        file.save(&state, &lock).unwrap();
        assert_eq!(file.read().unwrap(), state);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# Written by ntro: counts.\n\n[counts."));

        file.save(&Counts::default(), &lock).unwrap();
        assert!(!path.exists());
        file.save(&Counts::default(), &lock).unwrap();
    }

    #[test]
    fn unknown_keys_are_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("counts.toml");
        let text = "later = 1\n[counts.a]\nwords = []\nnumber = 1\nnew = { x = 1 }";
        std::fs::write(&path, text).unwrap();
        let state = StateFile::<Counts>::at(&path).read().unwrap();
        assert_eq!(state.counts["a"].number, 1);
    }

    #[test]
    fn damage_has_position_without_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("counts.toml");
        for (text, place) in [
            ("counts = 1", "line 1, column 10"),
            ("[counts.a]\nnumber = \"canary\"", "line 2, column 10"),
            ("[counts.a]\nwords = [\"x\"]", "line 1, column 1: missing"),
            ("\n[counts", "line 2, column"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = StateFile::<Counts>::at(&path).read().unwrap_err();
            let error = error.to_string();
            assert!(error.contains(&format!("counts.toml`, {place}")), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[derive(Default, Serialize, Deserialize)]
    struct Unwritable {
        numbers: Vec<Option<u8>>,
    }

    impl State for Unwritable {
        const HEAD: &'static str = "nothing.";

        fn is_empty(&self) -> bool {
            false
        }
    }

    #[test]
    fn failed_save_keeps_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers.toml");
        let lock = FileLock::acquire(&folder.path().join(".lock")).unwrap();
        std::fs::write(&path, "old").unwrap();
        let state = Unwritable {
            numbers: vec![None],
        };
        let error = StateFile::at(&path).save(&state, &lock).unwrap_err();
        assert!(error.to_string().starts_with("cannot write"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
    }
}
