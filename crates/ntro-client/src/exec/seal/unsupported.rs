use super::{Barrier, Gap, SealError, SealFiles, SealLevel, Sealed};

const REASON: &str = "only Linux can seal a child";

/// Other systems have no seal.
#[derive(Debug)]
pub struct Plan {
    level: SealLevel,
}

impl Plan {
    /// Fails where a level was named.
    ///
    /// # Errors
    ///
    /// Fails for each level but `off`, if it was named.
    pub fn new(level: SealLevel, _files: SealFiles, named: bool) -> Result<Self, SealError> {
        if named && level != SealLevel::Off {
            return Err(SealError::Unavailable {
                level,
                gap: gap(Barrier::Files),
            });
        }
        Ok(Self { level })
    }

    /// Reports that nothing holds.
    ///
    /// # Errors
    ///
    /// None: the counterpart can fail.
    #[expect(clippy::unnecessary_wraps, reason = "the counterpart can fail")]
    pub fn enter(self) -> Result<Sealed, SealError> {
        let mut sealed = Sealed::off();
        if self.level != SealLevel::Off {
            let barriers = Barrier::ALL.into_iter();
            sealed.not_held = barriers
                .filter(|barrier| *barrier != Barrier::Network)
                .map(gap)
                .collect();
        }
        Ok(sealed)
    }
}

fn gap(barrier: Barrier) -> Gap {
    Gap {
        barrier,
        reason: REASON.to_owned(),
    }
}
