//! What clients saw, checked against the promise of the authority.
//!
//! Not linearizability: a replica may still accept a key that another one refuses, until the
//! revocation is answered.

use std::collections::BTreeMap;

/// A time on the one clock of the clients, in nanoseconds.
pub(crate) type At = u64;

/// What a client saw.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seen {
    /// The creation of a key was answered.
    Created { key: u32, answered: At },
    /// A revocation was sent.
    Revoking { key: u32, sent: At },
    /// A revocation was answered with success.
    Revoked { key: u32, answered: At },
    /// A replica accepted or refused a key. The answer that it cannot know is not recorded.
    Verified(Verified),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Verified {
    pub(crate) key: u32,
    pub(crate) replica: usize,
    pub(crate) sent: At,
    pub(crate) answered: At,
    pub(crate) accepted: bool,
}

/// A broken promise.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "a failed test prints it")]
pub(crate) enum Violation {
    /// P1: accepted, though the request was sent after the answer to the revocation.
    Late(Verified),
    /// P2: accepted, though the request was sent after this replica had refused the key.
    TakenBack(Verified),
    /// P3: refused, though the key was created before, and its revocation was sent later.
    NotGiven(Verified),
}

/// The history of one key. Times are the earliest ones.
#[derive(Default)]
struct KeyHistory {
    created: Option<At>,
    revoking: Option<At>,
    revoked: Option<At>,
    verified: Vec<Verified>,
}

impl KeyHistory {
    fn add(&mut self, seen: Seen) {
        let earliest = |known: &mut Option<At>, at: At| *known = Some(known.unwrap_or(at).min(at));
        match seen {
            Seen::Created { answered, .. } => earliest(&mut self.created, answered),
            Seen::Revoking { sent, .. } => earliest(&mut self.revoking, sent),
            Seen::Revoked { answered, .. } => earliest(&mut self.revoked, answered),
            Seen::Verified(verified) => self.verified.push(verified),
        }
    }

    fn violations(&self) -> Vec<Violation> {
        let is_after = |sent: At, event: Option<At>| event.is_some_and(|event| event < sent);
        let mut refused = BTreeMap::new();
        for refusal in self.verified.iter().filter(|one| !one.accepted) {
            // A refusal before the creation was answered is of an unknown key.
            if is_after(refusal.sent, self.created) {
                let first = refused.entry(refusal.replica).or_insert(refusal.answered);
                *first = refusal.answered.min(*first);
            }
        }
        let mut found = Vec::new();
        for one in &self.verified {
            if one.accepted {
                if is_after(one.sent, self.revoked) {
                    found.push(Violation::Late(*one));
                }
                if is_after(one.sent, refused.get(&one.replica).copied()) {
                    found.push(Violation::TakenBack(*one));
                }
            } else if is_after(one.sent, self.created) && !is_after(one.answered, self.revoking) {
                found.push(Violation::NotGiven(*one));
            }
        }
        found
    }
}

/// Returns every broken promise.
pub(crate) fn violations(history: &[Seen]) -> Vec<Violation> {
    let mut keys: BTreeMap<u32, KeyHistory> = BTreeMap::new();
    for seen in history {
        let (Seen::Created { key, .. }
        | Seen::Revoking { key, .. }
        | Seen::Revoked { key, .. }
        | Seen::Verified(Verified { key, .. })) = seen;
        keys.entry(*key).or_default().add(*seen);
    }
    keys.values().flat_map(KeyHistory::violations).collect()
}
