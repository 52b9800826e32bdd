use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use ntro_base::ConnectionName;
use ntro_base::disk::{self, FileLock};
use ntro_base::env::{self, Env};

/// The beginning of the names of files that mark a child key as in use.
const CHILD: &str = ".child-";

/// Every file in the folder that is rewritten as a whole.
const FILES: [&str; 9] = [
    "config.toml",
    "logins.toml",
    disk::KEYS,
    disk::IDENTITY,
    "migrations.toml",
    "rotations.toml",
    "children.toml",
    "dev/keys.age",
    "dev/identity.txt",
];

/// The longest part of an encoded connection name in a file name, in bytes: systems limit file
/// names to 255 bytes or less, and 64 characters of most scripts take three times as many.
const LONGEST: usize = 200;

/// The folder of `ntro`, and the files in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NtroDir {
    folder: PathBuf,
}

/// Why the folder of `ntro` is unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoHome {
    /// `NTRO_HOME` is not set and the system has no home folder.
    #[error("there is no home folder, and `NTRO_HOME` is not set")]
    Unset,
    /// The variable that decides is a relative path: keys would be stored in a folder below the
    /// working folder, perhaps in a repository.
    #[error(
        "`{variable}` is `{}`, which is not an absolute path{}",
        path.display(),
        if path.starts_with("~") { "; `~` is not expanded there" } else { "" }
    )]
    Relative {
        /// The variable.
        variable: &'static str,
        /// Its value.
        path: PathBuf,
    },
}

impl NtroDir {
    /// Finds the folder: `$NTRO_HOME`, else `~/.ntro`. It need not exist.
    ///
    /// # Errors
    ///
    /// Fails when neither is known, and when the one that decides is a relative path.
    pub fn locate(env: &Env) -> Result<Self, NoHome> {
        let relative = |variable, path| NoHome::Relative { variable, path };
        let absolute = |variable, path: &Path| match path.is_absolute() {
            true => Ok(()),
            false => Err(relative(variable, path.to_owned())),
        };
        let named = env.path(&env::NTRO_HOME);
        if let Some(folder) = named.map_err(|bad| relative(bad.name, bad.path))? {
            absolute(env::NTRO_HOME.name, &folder)?;
            return Ok(Self::at(folder));
        }
        let home = env.home().ok_or(NoHome::Unset)?;
        absolute("HOME", home)?;
        Ok(Self::at(home.join(".ntro")))
    }

    /// Takes a folder that cannot exist, for calls that need no file.
    #[must_use]
    pub fn nowhere() -> Self {
        Self::at(if cfg!(windows) {
            r"NUL\ntro"
        } else {
            "/dev/null/ntro"
        })
    }

    /// Takes this folder.
    #[must_use]
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Returns the folder itself.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the path of `config.toml`.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.join("config.toml")
    }

    /// Returns the path of `logins.toml`.
    #[must_use]
    pub fn logins(&self) -> PathBuf {
        self.folder.join("logins.toml")
    }

    /// Returns the path of the encrypted file of the `file` store.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.folder.join(disk::KEYS)
    }

    /// Returns the path of the default identity that decrypts it.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.folder.join(disk::IDENTITY)
    }

    /// Returns the folder of `ntro dev`, with an encrypted file and an identity for its keys alone.
    #[must_use]
    pub fn dev(&self) -> Self {
        Self::at(self.folder.join("dev"))
    }

    /// Returns the path of every file that `ntro` keeps in the folder, whether it exists or not.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
        FILES.iter().map(|file| self.folder.join(file))
    }

    /// Returns the temporary files of killed writers. The next writer removes them.
    pub fn leftovers(&self) -> impl Iterator<Item = PathBuf> {
        self.files().filter_map(|file| disk::leftover(&file))
    }

    /// Returns the path of `migrations.toml`.
    #[must_use]
    pub fn migrations(&self) -> PathBuf {
        self.folder.join("migrations.toml")
    }

    /// Returns the path of `rotations.toml`.
    #[must_use]
    pub fn rotations(&self) -> PathBuf {
        self.folder.join("rotations.toml")
    }

    /// Returns the path of `children.toml`.
    #[must_use]
    pub fn children(&self) -> PathBuf {
        self.folder.join("children.toml")
    }

    /// Returns the path of the file that marks a child key as in use.
    #[must_use]
    pub fn child(&self, attempt: &str) -> PathBuf {
        self.folder.join(format!("{CHILD}{attempt}"))
    }

    /// Returns the paths of all files that mark a child key as in use.
    pub fn child_marks(&self) -> impl Iterator<Item = PathBuf> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten();
        let names = entries.flatten().map(|entry| entry.file_name());
        let marks = names.filter(|name| name.as_encoded_bytes().starts_with(CHILD.as_bytes()));
        marks.map(|name| self.folder.join(name))
    }

    /// Returns the path of the log of the calls through proxies.
    #[must_use]
    pub fn proxy_log(&self) -> PathBuf {
        self.folder.join("proxy.log")
    }

    /// Returns the path of the socket of the process that approves calls through proxies.
    #[must_use]
    pub fn approver(&self) -> PathBuf {
        self.folder.join("approve.sock")
    }

    /// Returns the path of the file that marks a connection's key as being rotated.
    #[must_use]
    pub fn rotating(&self, name: &ConnectionName) -> PathBuf {
        let mut file = format!(
            ".rotating-{}",
            utf8_percent_encode(name.as_str(), NON_ALPHANUMERIC)
        );
        if file.len() > LONGEST {
            // If two names share a file, they cannot be rotated in parallel; nothing else is
            // affected.
            file.truncate(LONGEST);
            file.push_str(&format!(
                "-{:08x}",
                crc32fast::hash(name.as_str().as_bytes())
            ));
        }
        self.folder.join(file)
    }

    /// Waits for the lock of the folder, which every writer holds. Creates the folder if it is
    /// missing, and removes the temporary files of killed writers.
    ///
    /// # Errors
    ///
    /// As [`FileLock::acquire`].
    pub fn lock(&self) -> Result<FileLock, disk::Error> {
        self.lock_within(FileLock::TIMEOUT)
    }

    /// Like [`NtroDir::lock`], but waits for at most `timeout`.
    ///
    /// # Errors
    ///
    /// As [`FileLock::acquire`].
    pub fn lock_within(&self, timeout: Duration) -> Result<FileLock, disk::Error> {
        let lock = FileLock::acquire_within(&self.folder.join(".lock"), timeout)?;
        for file in FILES {
            disk::remove_leftover(&self.folder.join(file), &lock);
        }
        Ok(lock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_holder_removes_orphaned_files() {
        let folder = tempfile::tempdir().unwrap();
        let home = NtroDir::at(folder.path());
        for name in ["config.toml.tmp", "keys.age.tmp", "mine.tmp"] {
            std::fs::write(folder.path().join(name), "half").unwrap();
        }
        drop(home.lock().unwrap());
        let names = std::fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [".lock", "mine.tmp"]);
    }

    #[test]
    fn every_name_has_portable_file() {
        let home = NtroDir::at("");
        let file = |name: &str| home.rotating(&name.parse().unwrap()).into_os_string();
        assert_eq!(file("local"), ".rotating-local");
        assert_eq!(file("a/b"), ".rotating-a%2Fb");
        let long = "\u{5317}".repeat(63);
        let (first, second) = (file(&format!("{long}a")), file(&format!("{long}b")));
        assert_eq!(first, file(&format!("{long}a")));
        assert_ne!(first, second);
        assert!(first.len() < 255, "{first:?}");
        // A dash in a name is encoded.
        assert_eq!(file("a-b"), ".rotating-a%2Db");
    }

    #[test]
    fn variable_overrides_home_folder() {
        let none = Env::from_pairs([]);
        assert_eq!(NtroDir::locate(&none), Err(NoHome::Unset));
        let home = NtroDir::locate(&none.with_home("/home/ada")).unwrap();
        assert_eq!(home.config(), Path::new("/home/ada/.ntro/config.toml"));
        let env = Env::from_pairs([(&env::NTRO_HOME, "/srv/ntro")]).with_home("/home/ada");
        let home = NtroDir::locate(&env).unwrap();
        assert_eq!(home.folder(), Path::new("/srv/ntro"));
        let named = [
            home.config(),
            home.logins(),
            home.keys(),
            home.identity(),
            home.migrations(),
            home.rotations(),
            home.children(),
            home.dev().keys(),
            home.dev().identity(),
        ];
        assert!(home.files().eq(named));
    }

    #[test]
    fn relative_folder_is_refused() {
        let refusal = |env: Env| NtroDir::locate(&env).unwrap_err().to_string();
        let set = |value| Env::from_pairs([(&env::NTRO_HOME, value)]).with_home("/home/ada");
        assert_eq!(
            refusal(set("~/.ntro")),
            "`NTRO_HOME` is `~/.ntro`, which is not an absolute path; `~` is not expanded there"
        );
        for value in [" ", "rel", "./ntro", "$HOME/.ntro", "file:///home"] {
            assert_eq!(
                refusal(set(value)),
                format!("`NTRO_HOME` is `{value}`, which is not an absolute path")
            );
        }
        assert_eq!(
            refusal(Env::from_pairs([]).with_home("rel")),
            "`HOME` is `rel`, which is not an absolute path"
        );
        // `HOME` does not decide.
        let env = Env::from_pairs([(&env::NTRO_HOME, "/srv")]).with_home("rel");
        assert!(NtroDir::locate(&env).is_ok());
    }
}
