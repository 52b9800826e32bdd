//! Signed notes (`c2sp.org/signed-note`) with Ed25519 keys.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The type of the signatures.
const ED25519_TYPE: u8 = 1;

/// A public key under a name. Displays as a verifier key, the form that other programs read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoteVerifier {
    name: String,
    public: [u8; 32],
}

/// An error in the signature of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoteError {
    /// The text is no note.
    #[error("it is not a signed note")]
    Malformed,
    /// The key has not signed it.
    #[error("the key has not signed it")]
    Unsigned,
    /// The signature of the key does not match the text.
    #[error("its signature does not match")]
    Forged,
}

impl NoteVerifier {
    pub(super) fn new(name: &str, public: [u8; 32]) -> Self {
        Self {
            name: name.to_owned(),
            public,
        }
    }

    /// Returns the name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> [u8; 4] {
        let mut context = Context::new(&SHA256);
        context.update(self.name.as_bytes());
        context.update(&[b'\n', ED25519_TYPE]);
        context.update(&self.public);
        let digest = context.finish();
        let mut id = [0; 4];
        id.copy_from_slice(&digest.as_ref()[..4]);
        id
    }

    /// Returns the text of a note with a valid signature of this key.
    pub(crate) fn open<'a>(&self, note: &'a str) -> Result<&'a str, NoteError> {
        let is_control = |char: char| char < ' ' && char != '\n';
        let end = note.rfind("\n\n").ok_or(NoteError::Malformed)?;
        let (text, signatures) = (&note[..=end], &note[end + 2..]);
        if note.contains(is_control) || !signatures.ends_with('\n') {
            return Err(NoteError::Malformed);
        }
        let mut is_signed = false;
        for line in signatures.lines() {
            let fields = line
                .strip_prefix("— ")
                .and_then(|line| line.split_once(' '));
            let (name, signature) = fields.ok_or(NoteError::Malformed)?;
            let signature = STANDARD
                .decode(signature)
                .map_err(|_| NoteError::Malformed)?;
            if name != self.name || !signature.starts_with(&self.id()) {
                continue;
            }
            UnparsedPublicKey::new(&ED25519, self.public)
                .verify(text.as_bytes(), &signature[4..])
                .map_err(|_| NoteError::Forged)?;
            is_signed = true;
        }
        if is_signed {
            Ok(text)
        } else {
            Err(NoteError::Unsigned)
        }
    }

    /// Signs a text, which ends with a newline, with the private key of this one.
    pub(super) fn sign(&self, pair: &Ed25519KeyPair, text: &str) -> String {
        let mut signature = self.id().to_vec();
        signature.extend_from_slice(pair.sign(text.as_bytes()).as_ref());
        let signature = STANDARD.encode(signature);
        format!("{text}\n— {} {signature}\n", self.name)
    }
}

impl fmt::Display for NoteVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519_TYPE];
        key.extend_from_slice(&self.public);
        let id = u32::from_be_bytes(self.id());
        write!(f, "{}+{id:08x}+{}", self.name, STANDARD.encode(key))
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::KeyPair as _;

    use super::*;

    /// The example of the package `golang.org/x/mod/sumdb/note`.
    const SEED: &str = "gQoUAtUUbI2E8kQzMPVAgOv5juF9nHT2JS/F1ccoMXM=";
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                        then you don't know what your problem is.\n";
    const SIGNATURE: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    fn example() -> (Ed25519KeyPair, NoteVerifier) {
        let seed = STANDARD.decode(SEED).unwrap();
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let public = pair.public_key().as_ref().try_into().unwrap();
        (pair, NoteVerifier::new("PeterNeumann", public))
    }

    #[test]
    fn note_matches_the_go_example() {
        let (pair, verifier) = example();
        assert_eq!(verifier.to_string(), KEY);
        let note = format!("{TEXT}\n{SIGNATURE}");
        assert_eq!(verifier.sign(&pair, TEXT), note);
        assert_eq!(verifier.open(&note), Ok(TEXT));
    }

    #[test]
    fn unknown_signatures_are_ignored() {
        let (_, verifier) = example();
        let other = "— PeterNeumann AAAAAAAA\n— other x08go/ZJ\n";
        let note = format!("{TEXT}\n{other}{SIGNATURE}");
        assert_eq!(verifier.open(&note), Ok(TEXT));
        let unsigned = format!("{TEXT}\n{other}");
        assert_eq!(verifier.open(&unsigned), Err(NoteError::Unsigned));
    }

    #[test]
    fn changed_note_is_refused() {
        let (_, verifier) = example();
        let note = format!("{TEXT}\n{SIGNATURE}");
        for (from, to, error) in [
            ("answer", "Answer", NoteError::Forged),
            ("nAM=", "nAA=", NoteError::Forged),
            ("nAM=", "nA==", NoteError::Forged),
            ("nAM=\n", "nAM=", NoteError::Malformed),
            ("— ", "- ", NoteError::Malformed),
            ("answer", "ans\twer", NoteError::Malformed),
            ("\n\n", "\n", NoteError::Malformed),
            ("x08go", "y08go", NoteError::Unsigned),
        ] {
            let changed = note.replace(from, to);
            assert_eq!(verifier.open(&changed), Err(error), "{from:?} to {to:?}");
        }
    }
}
