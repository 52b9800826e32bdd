//! The key that signs checkpoints.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

use super::checkpoint::Checkpoint;
use super::note::NoteVerifier;
use crate::error::Error;
use crate::key_material::KeyFiles;

/// The name of every log begins with it.
const NAMESPACE: &str = "ntro-audit";

/// Signs the checkpoints of all logs of an authority.
pub(crate) struct LogKey {
    pair: Ed25519KeyPair,
    public: [u8; 32],
}

impl LogKey {
    /// Reads the key; makes one if there is none yet.
    pub(crate) fn open(files: &KeyFiles) -> Result<Self, Error> {
        let path = files.audit();
        let pkcs8 = files.ed25519(&path)?;
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8)
            .map_err(|_| Error::AuditKey { path: path.clone() })?;
        let public = pair.public_key().as_ref().try_into();
        let public = public.map_err(|_| Error::AuditKey { path })?;
        Ok(Self { pair, public })
    }

    /// Returns the public key, as it signs the log `log`.
    pub(crate) fn verifier(&self, log: &str) -> NoteVerifier {
        NoteVerifier::new(&Self::origin(log), self.public)
    }

    /// Signs a checkpoint.
    pub(crate) fn sign(&self, checkpoint: &Checkpoint) -> String {
        NoteVerifier::new(&checkpoint.origin, self.public).sign(&self.pair, &checkpoint.to_string())
    }

    /// Returns the origin of a log.
    pub(crate) fn origin(log: &str) -> String {
        format!("{NAMESPACE}/{log}")
    }

    /// Returns the log that has an origin.
    pub(crate) fn log(origin: &str) -> Option<&str> {
        origin.strip_prefix(NAMESPACE)?.strip_prefix('/')
    }

    /// Returns the public key.
    pub(crate) fn public(&self) -> &[u8; 32] {
        &self.public
    }
}
