//! Checkpoints (`c2sp.org/tlog-checkpoint`).

use std::fmt;

use super::merkle::TreeHash;
use super::note::{NoteError, NoteVerifier};

/// The state of a log at one size. Displays as the text that is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// The name of the log.
    pub(crate) origin: String,
    /// The number of its entries.
    pub(crate) size: u64,
    /// The root of its tree.
    pub(crate) root: TreeHash,
}

impl Checkpoint {
    /// Reads a checkpoint that the log's key has signed.
    pub(crate) fn open(note: &str, verifier: &NoteVerifier) -> Result<Self, NoteError> {
        Self::parse(verifier.open(note)?)
            .filter(|checkpoint| checkpoint.origin == verifier.name())
            .ok_or(NoteError::Malformed)
    }

    /// Returns the origin that a note claims. The signature is not verified.
    pub(crate) fn claimed_origin(note: &str) -> &str {
        note.split('\n').next().unwrap_or_default()
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let origin = lines.next().filter(|line| !line.is_empty())?;
        let size = lines.next()?;
        let root = TreeHash::parse(lines.next()?)?;
        let number = size.parse::<u64>().ok()?;
        // Extension lines are allowed, and have no meaning here.
        let is_valid = number.to_string() == size && lines.all(|line| !line.is_empty());
        is_valid.then(|| Self {
            origin: origin.to_owned(),
            size: number,
            root,
        })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoint_reads_the_specification_example() {
        let text = "example.com/behind-the-sofa\n20852163\n\
                    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let read = Checkpoint::parse(text).unwrap();
        assert_eq!(read.origin, "example.com/behind-the-sofa");
        assert_eq!(read.size, 20_852_163);
        assert_eq!(read.to_string(), text);
        let extended = format!("{text}an extension\n");
        assert_eq!(Checkpoint::parse(&extended), Some(read));
        for (from, to) in [
            ("2085", "+2085"),
            ("2085", "02085"),
            ("2085", "-2085"),
            ("q2I=\n", "q2I=\n\n"),
            ("q2I=\n", "q2I="),
            ("CsUY", "Cs"),
            ("example.com/behind-the-sofa", ""),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_eq!(Checkpoint::parse(&changed), None, "{changed:?}");
        }
    }
}
