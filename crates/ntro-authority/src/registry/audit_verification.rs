//! Verifies the audit logs: recomputes every line, hash and root from the database.

use std::collections::BTreeMap;

use super::Registry;
use super::audit_logs::{AuditLogName, LAST, PAGE, truncated};
use crate::error::Error;
use crate::store::{LogRecord, LogRow};
use crate::transparency::{AuditFault, Checkpoint, LogKey, RightEdge, TreeHash, consistency_path};

/// The most faults that are listed for one log.
const FAULTS: usize = 100;

/// A checkpoint, or a proof with one, that was kept outside of the database.
#[derive(Clone, Debug)]
pub struct KeptCheckpoint {
    /// Its name in messages.
    pub name: String,
    /// The file.
    pub text: String,
}

/// The result of a verification.
#[derive(Clone, Debug)]
pub struct AuditReport {
    /// The logs, by name.
    pub logs: Vec<AuditLogReport>,
    /// The number of rows in the audit table that are in no log.
    pub unlogged: u64,
}

impl AuditReport {
    /// Returns whether everything matches.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.unlogged == 0 && self.logs.iter().all(|log| log.faults.is_empty())
    }
}

/// The result for one log.
#[derive(Clone, Debug)]
pub struct AuditLogReport {
    /// The log.
    pub log: AuditLogName,
    /// The public key, in the form that other programs read.
    pub verifier_key: String,
    /// The number of entries.
    pub size: u64,
    /// A signed checkpoint of all entries, if the log has no faults.
    pub checkpoint: Option<String>,
    /// The proofs that the log continues the kept checkpoints.
    pub consistency: Vec<ConsistencyProof>,
    /// The differences.
    pub faults: Vec<AuditFault>,
}

/// The proof that one tree continues another one.
#[derive(Clone, Debug)]
pub struct ConsistencyProof {
    /// The name of the kept checkpoint.
    pub checkpoint: String,
    /// The number of its entries.
    pub old_size: u64,
    /// The number of entries of the log.
    pub new_size: u64,
    /// The hashes, in base64 (RFC 6962, section 2.1.2).
    pub path: Vec<String>,
}

/// A checkpoint that a log must continue.
struct Known {
    name: String,
    checkpoint: Checkpoint,
    is_kept: bool,
}

impl Registry {
    /// Verifies one audit log, or all of them, against the audit table, their last checkpoints and
    /// kept ones.
    pub async fn verify_audit(
        &self,
        only: Option<&AuditLogName>,
        kept: &[KeptCheckpoint],
    ) -> Result<AuditReport, Error> {
        let mut known: BTreeMap<AuditLogName, Vec<Known>> = BTreeMap::new();
        for kept in kept {
            let (log, kept) = self.known(kept)?;
            known.entry(log).or_default().push(kept);
        }
        let mut logs = Vec::new();
        for record in self.store().audit_logs().await? {
            let log = AuditLogName(record.name.clone());
            let kept = known.remove(&log).unwrap_or_default();
            if only.is_none_or(|only| *only == log) {
                logs.push(self.verify_log(log, &record, kept).await?);
            }
        }
        for (log, kept) in known {
            if only.is_none_or(|only| *only == log) {
                let truncated = |one: &Known| truncated(0, &one.checkpoint, &one.name);
                let faults = kept.iter().map(truncated).collect();
                logs.push(self.report(log, 0, faults));
            }
        }
        Ok(AuditReport {
            logs,
            unlogged: self.store().unlogged_audit_rows().await?,
        })
    }

    /// Reads a kept checkpoint, and the name of its log.
    fn known(&self, kept: &KeptCheckpoint) -> Result<(AuditLogName, Known), Error> {
        let refused = |why: String| Error::KeptCheckpoint {
            name: kept.name.clone(),
            why,
        };
        let note = match kept.text.split_once("\n\n") {
            Some((head, note)) if head.starts_with("c2sp.org/tlog-proof@v1\n") => note,
            _ => &kept.text,
        };
        let log = LogKey::log(Checkpoint::claimed_origin(note))
            .ok_or_else(|| refused("it is not for an audit log".to_owned()))?;
        let checkpoint = Checkpoint::open(note, &self.shared.log_key.verifier(log))
            .map_err(|error| refused(error.to_string()))?;
        let known = Known {
            name: kept.name.clone(),
            checkpoint,
            is_kept: true,
        };
        Ok((AuditLogName(log.to_owned()), known))
    }

    fn report(&self, log: AuditLogName, size: u64, faults: Vec<AuditFault>) -> AuditLogReport {
        AuditLogReport {
            verifier_key: self.audit_verifier_key(&log),
            log,
            size,
            checkpoint: None,
            consistency: Vec::new(),
            faults,
        }
    }

    async fn verify_log(
        &self,
        log: AuditLogName,
        record: &LogRecord,
        mut known: Vec<Known>,
    ) -> Result<AuditLogReport, Error> {
        let mut faults = Vec::new();
        if let Some(signed) = &record.signed {
            let verifier = self.shared.log_key.verifier(&record.name);
            match Checkpoint::open(&signed.note, &verifier) {
                Ok(checkpoint) => known.push(Known {
                    name: LAST.to_owned(),
                    checkpoint,
                    is_kept: false,
                }),
                Err(error) => faults.push(error.into()),
            }
        }
        let leaves = self.verify_entries(&log, record.size, &mut faults).await?;
        let tree = self.verify_tree(&log, record, &leaves).await?;
        faults.extend(tree);
        for Known {
            name, checkpoint, ..
        } in &known
        {
            let first = usize::try_from(checkpoint.size).ok();
            match first.and_then(|first| leaves.get(..first)) {
                None => faults.push(truncated(leaves.len() as u64, checkpoint, name)),
                Some(first) if edge_of(first).root() != checkpoint.root => {
                    faults.push(AuditFault::Forked {
                        signed: checkpoint.size,
                        checkpoint: name.clone(),
                    });
                }
                Some(_) => {}
            }
        }
        faults.truncate(FAULTS);
        let mut report = self.report(log, record.size, faults);
        if report.faults.is_empty() {
            report.checkpoint = Some(self.sign(record).await?);
            let kept = known.into_iter().filter(|known| known.is_kept);
            report.consistency = kept.map(|known| consistency(known, &leaves)).collect();
        }
        Ok(report)
    }

    /// Compares the rows of the audit table with the entries; returns the hashes of the entries.
    async fn verify_entries(
        &self,
        log: &AuditLogName,
        size: u64,
        faults: &mut Vec<AuditFault>,
    ) -> Result<Vec<TreeHash>, Error> {
        let mut leaves = Vec::new();
        let mut next = 0;
        loop {
            let rows = self.store().audit_rows(log.0.clone(), next, PAGE).await?;
            let Some(last) = rows.last() else { break };
            let end = last.index + 1;
            for LogRow { index, hash, entry } in rows {
                if index >= size {
                    // A running server appends meanwhile.
                    if self.audit_log(log).await?.size <= index {
                        faults.push(AuditFault::EntryBeyond { index });
                    }
                    return Ok(leaves);
                }
                let fault = match entry {
                    _ if index != next => Some(AuditFault::EntryMissing { index: next }),
                    None => Some(AuditFault::RowMissing { index }),
                    Some(entry) => {
                        let line = entry.line(index);
                        let is_same =
                            entry.log() == log.0 && TreeHash::leaf(line.as_bytes()) == hash;
                        (!is_same).then_some(AuditFault::RowChanged {
                            index,
                            id: entry.id,
                        })
                    }
                };
                if faults.len() < FAULTS {
                    faults.extend(fault);
                }
                leaves.push(hash);
                next = index + 1;
            }
            next = end;
        }
        if next < size {
            faults.push(AuditFault::EntryMissing { index: next });
        }
        Ok(leaves)
    }

    /// Compares the tree with the hashes of the entries.
    async fn verify_tree(
        &self,
        log: &AuditLogName,
        record: &LogRecord,
        leaves: &[TreeHash],
    ) -> Result<Option<AuditFault>, Error> {
        let mut edge = RightEdge::default();
        let mut inner: BTreeMap<u8, Vec<TreeHash>> = BTreeMap::new();
        for leaf in leaves {
            for added in edge.push(*leaf).into_iter().skip(1) {
                inner.entry(added.level).or_default().push(added.hash);
            }
        }
        let mut is_same = record.edge.as_ref() == Some(&edge);
        for (level, hashes) in inner {
            let wanted = u32::try_from(hashes.len()).unwrap_or(u32::MAX);
            let found = self.store().audit_hashes(log.0.clone(), level, 0, wanted);
            is_same &= found.await? == hashes;
        }
        Ok((!is_same).then_some(AuditFault::Tree))
    }
}

fn edge_of(leaves: &[TreeHash]) -> RightEdge {
    let mut edge = RightEdge::default();
    for leaf in leaves {
        edge.push(*leaf);
    }
    edge
}

fn consistency(known: Known, leaves: &[TreeHash]) -> ConsistencyProof {
    let old = usize::try_from(known.checkpoint.size).unwrap_or(usize::MAX);
    let path = match old {
        0 => Vec::new(),
        old => consistency_path(leaves, old),
    };
    ConsistencyProof {
        checkpoint: known.name,
        old_size: known.checkpoint.size,
        new_size: leaves.len() as u64,
        path: path.iter().map(TreeHash::to_string).collect(),
    }
}
