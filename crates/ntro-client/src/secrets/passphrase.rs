use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use jiff::Timestamp;

use super::{Error, NotKept, Unlocked};
use ntro_base::disk;
use ntro_base::without_byte_order_mark;

/// The purpose of a passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassphraseFor {
    /// Open an existing file. Asked once.
    Open,
    /// Create a file. Asked twice, since a typing error would be found only later.
    Create,
    /// Unlock the SSH key that opens the file. Asked once.
    Identity,
}

/// The times that a person may type a passphrase.
const ATTEMPTS: u8 = 3;

type Ask = dyn Fn(PassphraseFor, u8) -> Result<SecretString, Error> + Send + Sync;

enum PassphraseSource {
    None,
    Value(SecretString),
    File(PathBuf),
    Ask(Box<Ask>),
}

/// A passphrase that was read.
struct Known {
    passphrase: SecretString,
    origin: Origin,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// A person typed it to open the file.
    Typed,
    /// The kernel kept it.
    Kept,
    Other,
}

/// Where a typed passphrase is kept, and the receiver of the reason if it cannot be.
struct KeptFor {
    place: Unlocked,
    report: Box<dyn Fn(&NotKept) + Send + Sync>,
}

/// The passphrase of the encrypted file, read when it is first needed and at most once.
#[derive(Clone)]
pub struct Passphrase(Arc<Shared>);

struct Shared {
    source: PassphraseSource,
    known: Mutex<Option<Known>>,
    unlocked: Option<KeptFor>,
    /// The number of the next attempt to ask for it.
    attempt: AtomicU8,
}

impl Passphrase {
    /// Returns a passphrase without a source.
    #[must_use]
    pub fn none() -> Self {
        Self::from_source(PassphraseSource::None)
    }

    /// Returns a known passphrase.
    #[must_use]
    pub fn from_value(passphrase: SecretString) -> Self {
        Self::from_source(PassphraseSource::Value(passphrase))
    }

    /// Returns a passphrase that is the first line of a file.
    #[must_use]
    pub fn from_file(path: PathBuf) -> Self {
        Self::from_source(PassphraseSource::File(path))
    }

    /// Returns a passphrase that `ask` prompts for; `ask` returns [`Error::Cancelled`] if the user
    /// declines. It gets the number of the attempt, which is above 1 after a wrong passphrase.
    #[must_use]
    pub fn ask(
        ask: impl Fn(PassphraseFor, u8) -> Result<SecretString, Error> + Send + Sync + 'static,
    ) -> Self {
        Self::from_source(PassphraseSource::Ask(Box::new(ask)))
    }

    /// Keeps a passphrase that a person types to open the file, and uses the kept one first.
    #[must_use]
    pub fn kept_in(
        self,
        place: Unlocked,
        report: impl Fn(&NotKept) + Send + Sync + 'static,
    ) -> Self {
        match Arc::try_unwrap(self.0) {
            Ok(shared) => Self(Arc::new(Shared {
                unlocked: Some(KeptFor {
                    place,
                    report: Box::new(report),
                }),
                ..shared
            })),
            // It is in use already.
            Err(shared) => Self(shared),
        }
    }

    /// Returns when the kept passphrase is erased, if one is kept.
    #[must_use]
    pub fn kept_until(&self) -> Option<Timestamp> {
        let kept = self.0.unlocked.as_ref()?.place.get()?;
        Some(kept.until)
    }

    /// Returns whether getting it would prompt the user, or is impossible.
    pub(super) fn needs_a_person(&self) -> bool {
        match self.0.source {
            PassphraseSource::Value(_) | PassphraseSource::File(_) => false,
            PassphraseSource::None | PassphraseSource::Ask(_) => {
                self.known().is_none() && self.kept_until().is_none()
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn from_source(source: PassphraseSource) -> Self {
        Self(Arc::new(Shared {
            source,
            known: Mutex::new(None),
            unlocked: None,
            attempt: AtomicU8::new(1),
        }))
    }

    /// Opens something with the passphrase. A person is asked again for a wrong one.
    pub(super) fn open<T>(&self, open: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
        let asks = matches!(self.0.source, PassphraseSource::Ask(_));
        let mut attempt = 1;
        loop {
            self.0.attempt.store(attempt, Ordering::Relaxed);
            match open() {
                Err(Error::WrongPassphrase { .. }) if self.forget_kept() => {}
                Ok(done) => {
                    self.keep_typed();
                    return Ok(done);
                }
                Err(error @ Error::WrongPassphrase { .. }) if asks => {
                    *self.known() = None;
                    if attempt == ATTEMPTS {
                        return Err(error);
                    }
                    attempt += 1;
                }
                done => return done,
            }
        }
    }

    /// Forgets a kept passphrase that turned out to be wrong. Returns whether it was the one in use.
    fn forget_kept(&self) -> bool {
        let mut known = self.known();
        let is_kept = known
            .as_ref()
            .is_some_and(|known| known.origin == Origin::Kept);
        if is_kept {
            *known = None;
            if let Some(KeptFor { place, .. }) = &self.0.unlocked {
                place.forget();
            }
        }
        is_kept
    }

    /// Keeps a passphrase that a person has typed and that opened the file.
    fn keep_typed(&self) {
        let Some(KeptFor { place, report }) = &self.0.unlocked else {
            return;
        };
        if let Some(known) = &mut *self.known()
            && known.origin == Origin::Typed
        {
            known.origin = Origin::Other;
            if let Err(reason) = place.keep(&known.passphrase) {
                report(&reason);
            }
        }
    }

    /// Returns the kept passphrase, if it is needed.
    fn kept(&self, purpose: PassphraseFor) -> Option<SecretString> {
        let KeptFor { place, .. } = self.0.unlocked.as_ref()?;
        match (&self.0.source, purpose) {
            (PassphraseSource::None | PassphraseSource::Ask(_), PassphraseFor::Open) => {
                Some(place.get()?.passphrase)
            }
            _ => None,
        }
    }

    /// Returns the passphrase for the encrypted file at `path`.
    pub(super) fn get(&self, purpose: PassphraseFor, path: &Path) -> Result<SecretString, Error> {
        // Locked during the prompt, so that two threads do not ask twice.
        let mut known = self.known();
        if let Some(known) = &*known {
            return Ok(known.passphrase.clone());
        }
        if let Some(passphrase) = self.kept(purpose) {
            *known = Some(Known {
                passphrase: passphrase.clone(),
                origin: Origin::Kept,
            });
            return Ok(passphrase);
        }
        let passphrase = match &self.0.source {
            PassphraseSource::None => {
                return Err(Error::PassphraseRequired {
                    path: path.to_owned(),
                    purpose,
                });
            }
            PassphraseSource::Value(passphrase) => passphrase.clone(),
            PassphraseSource::File(path) => first_line(path)?,
            PassphraseSource::Ask(ask) => ask(purpose, self.0.attempt.load(Ordering::Relaxed))?,
        };
        if passphrase.expose_secret().is_empty() {
            return Err(Error::BadPassphrase {
                reason: "it is empty".to_owned(),
            });
        }
        let origin = match (&self.0.source, purpose) {
            (PassphraseSource::Ask(_), PassphraseFor::Open) => Origin::Typed,
            _ => Origin::Other,
        };
        *known = Some(Known {
            passphrase: passphrase.clone(),
            origin,
        });
        Ok(passphrase)
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.source {
            PassphraseSource::None => "Passphrase(none)",
            PassphraseSource::Value(_) => "Passphrase(value)",
            PassphraseSource::File(_) => "Passphrase(file)",
            PassphraseSource::Ask(_) => "Passphrase(ask)",
        })
    }
}

fn first_line(path: &Path) -> Result<SecretString, Error> {
    /// Longer than any typed passphrase, and cheap to read from a wrong path.
    const LONGEST: u64 = 4_096;

    let bad = |what: &str| Error::BadPassphrase {
        reason: format!("the file `{}` {what}", path.display()),
    };
    let bytes = disk::read_bounded(path, LONGEST)?.ok_or_else(|| bad("does not exist"))?;
    let bytes = Zeroizing::new(bytes);
    let text =
        std::str::from_utf8(without_byte_order_mark(&bytes)).map_err(|_| bad("is not text"))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(SecretString::from(line)),
        _ => Err(bad("begins with an empty line")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[test]
    fn clones_prompt_only_once() {
        let asked = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&asked);
        let passphrase = Passphrase::ask(move |_, _| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(SecretString::from("open sesame"))
        });
        let path = Path::new("keys.age");
        for passphrase in [&passphrase, &passphrase.clone()] {
            let got = passphrase.get(PassphraseFor::Open, path).unwrap();
            assert_eq!(got.expose_secret(), "open sesame");
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn first_line_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        let get = || Passphrase::from_file(path.clone()).get(PassphraseFor::Open, &path);
        assert!(get().unwrap_err().to_string().contains("does not exist"));
        for text in ["two words\r\nignored\n", "\u{feff}two words\n"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(get().unwrap().expose_secret(), "two words");
        }
        for text in ["", "\n", "\nx"] {
            std::fs::write(&path, text).unwrap();
            assert!(get().unwrap_err().to_string().contains("empty line"));
        }
        std::fs::write(&path, "x".repeat(5_000)).unwrap();
        assert!(matches!(get(), Err(Error::Disk(_))));
    }

    #[test]
    fn debug_hides_passphrase() {
        let passphrase = Passphrase::from_value(SecretString::from("open sesame"));
        assert_eq!(format!("{passphrase:?}"), "Passphrase(value)");
    }
}
