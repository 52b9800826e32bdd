use ntro_base::ParsedKey;

use super::Registry;
use crate::error::Error;
use crate::store::{LeakOutcome, LeakPlace};

/// A key that was found where others can read it.
pub(crate) struct LeakedKey<'a> {
    pub(crate) text: &'a str,
    pub(crate) place: LeakPlace,
}

impl Registry {
    /// Revokes leaked keys, together with their pending successors. Safe to repeat.
    pub(crate) async fn report_leaks(
        &self,
        leaks: Vec<LeakedKey<'_>>,
    ) -> Result<Vec<LeakOutcome>, Error> {
        // The calls queue the changes, so that the writer commits them together.
        let queued = leaks.into_iter().map(|leak| {
            ParsedKey::parse(leak.text)?;
            let hash = self.shared.hasher.hash(leak.text);
            Some(self.store().report_leak(hash, leak.place, self.stamp()))
        });
        let queued: Vec<_> = queued.collect();
        let mut outcomes = Vec::with_capacity(queued.len());
        for report in queued {
            outcomes.push(match report {
                Some(report) => report.await?,
                None => LeakOutcome::Unknown,
            });
        }
        Ok(outcomes)
    }
}
