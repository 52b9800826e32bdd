//! The transparency logs of the audit table: lines, checkpoints and proofs.

use std::fmt;

use uuid::Uuid;

use super::Registry;
use crate::error::Error;
use crate::store::{LogRecord, LogRow, SignedRecord};
use crate::transparency::{
    AuditFault, Checkpoint, LogProof, RightEdge, TreeHash, inclusion_path, root,
};

/// The entries that are read with one query.
pub(super) const PAGE: u32 = 1_000;
/// The hashes that are read with one query.
const HASHES: u32 = 65_536;
/// The most logs that are signed in one go.
const LOGS: u32 = 256;
/// The name of the checkpoint in the database.
pub(super) const LAST: &str = "its last checkpoint";

/// The name of an audit log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditLogName(pub(super) String);

impl AuditLogName {
    /// Returns the log of a tenant's events.
    #[must_use]
    pub fn tenant(id: Uuid) -> Self {
        Self(format!("tenant/{id}"))
    }

    /// Returns the log of an organisation's events that belong to no tenant.
    #[must_use]
    pub fn organisation(id: Uuid) -> Self {
        Self(format!("organisation/{id}"))
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AuditLogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The proof that an event is in its log.
#[derive(Clone, Debug)]
pub struct ProvedEvent {
    /// The log.
    pub log: AuditLogName,
    /// The number of entries before the event.
    pub index: u64,
    /// The public key, in the form that other programs read.
    pub verifier_key: String,
    /// The line of the event.
    pub line: String,
    /// The file that other programs verify.
    pub proof: String,
}

impl Registry {
    /// Returns the names of all audit logs.
    pub async fn audit_logs(&self) -> Result<Vec<AuditLogName>, Error> {
        let logs = self.store().audit_logs().await?;
        Ok(logs.into_iter().map(|log| AuditLogName(log.name)).collect())
    }

    /// Returns the public key of an audit log, in the form that other programs read.
    #[must_use]
    pub fn audit_verifier_key(&self, log: &AuditLogName) -> String {
        self.shared.log_key.verifier(&log.0).to_string()
    }

    /// Returns lines of an audit log from an index on; none at its end.
    pub async fn audit_lines(&self, log: &AuditLogName, from: u64) -> Result<Vec<String>, Error> {
        let rows = self.store().audit_rows(log.0.clone(), from, PAGE).await?;
        let line = |LogRow { index, entry, .. }| match entry {
            Some(entry) => Ok(entry.line(index)),
            None => Err(fault_of(log, AuditFault::RowMissing { index })),
        };
        rows.into_iter().map(line).collect()
    }

    /// Returns a signed checkpoint of all entries of an audit log.
    pub async fn audit_checkpoint(&self, log: &AuditLogName) -> Result<String, Error> {
        let record = self.audit_log(log).await?;
        self.sign(&record).await
    }

    /// Proves that an event is in its log.
    pub async fn prove_audit_event(&self, id: i64) -> Result<ProvedEvent, Error> {
        let found = self.store().audit_event(id).await?;
        let entry = found.ok_or(Error::NoAuditEvent { id })?;
        let log = AuditLogName(entry.log());
        let record = self.audit_log(&log).await?;
        let checkpoint = self.sign(&record).await?;
        let index = self.store().audit_index(log.0.clone(), id).await?;
        let index = index
            .filter(|index| *index < record.size)
            .ok_or(Error::NoAuditEvent { id })?;
        let line = entry.line(index);
        let hashes = self.audit_hashes(&log, 0, record.size).await?;
        let position = usize::try_from(index).unwrap_or(usize::MAX);
        if hashes.get(position) != Some(&TreeHash::leaf(line.as_bytes())) {
            return Err(fault_of(&log, AuditFault::RowChanged { index, id }));
        }
        if record.edge.map(|edge| edge.root()) != Some(root(&hashes)) {
            return Err(fault_of(&log, AuditFault::Tree));
        }
        let proof = LogProof {
            entry: line.clone(),
            index,
            path: inclusion_path(&hashes, position),
            checkpoint,
        };
        Ok(ProvedEvent {
            verifier_key: self.audit_verifier_key(&log),
            index,
            line,
            proof: proof.to_string(),
            log,
        })
    }

    /// Signs checkpoints of the logs that have grown since their last one; returns what went wrong.
    pub(crate) async fn sign_audit_logs(&self) -> Result<Vec<Error>, Error> {
        let mut errors = Vec::new();
        for record in self.store().unsigned_audit_logs(LOGS).await? {
            errors.extend(self.sign(&record).await.err());
        }
        Ok(errors)
    }

    /// Returns the record of an audit log.
    pub(super) async fn audit_log(&self, log: &AuditLogName) -> Result<LogRecord, Error> {
        let found = self.store().audit_log(log.0.clone()).await?;
        found.ok_or_else(|| Error::NoAuditLog { log: log.0.clone() })
    }

    /// Returns the hashes of the entries of a log between two indices.
    pub(super) async fn audit_hashes(
        &self,
        log: &AuditLogName,
        from: u64,
        to: u64,
    ) -> Result<Vec<TreeHash>, Error> {
        let mut hashes = Vec::new();
        loop {
            let index = from + hashes.len() as u64;
            let wanted = u32::try_from(to.saturating_sub(index)).unwrap_or(HASHES);
            if wanted == 0 {
                return Ok(hashes);
            }
            let page = self
                .store()
                .audit_hashes(log.0.clone(), 0, index, wanted.min(HASHES))
                .await?;
            if page.is_empty() {
                return Err(fault_of(log, AuditFault::EntryMissing { index }));
            }
            hashes.extend(page);
        }
    }

    /// Signs a checkpoint of a log, and keeps it as the last one. The log must continue the tree of
    /// its last checkpoint: a log never signs two histories.
    pub(super) async fn sign(&self, record: &LogRecord) -> Result<String, Error> {
        let log = AuditLogName(record.name.clone());
        let fault = |fault| fault_of(&log, fault);
        let edge = record.edge.as_ref().ok_or(fault(AuditFault::Tree))?;
        let verifier = self.shared.log_key.verifier(&record.name);
        let mut grown = RightEdge::default();
        if let Some(signed) = &record.signed {
            let last =
                Checkpoint::open(&signed.note, &verifier).map_err(|error| fault(error.into()))?;
            let forked = AuditFault::Forked {
                signed: last.size,
                checkpoint: LAST.to_owned(),
            };
            if last.size > record.size {
                return Err(fault(truncated(record.size, &last, LAST)));
            }
            let is_its_tree =
                |tree: &&RightEdge| tree.size() == last.size && tree.root() == last.root;
            let tree = signed.edge.as_ref().filter(is_its_tree);
            grown = tree.ok_or(fault(forked))?.clone();
            if &grown == edge {
                return Ok(signed.note.clone());
            }
        }
        let before = grown.size();
        for hash in self.audit_hashes(&log, before, record.size).await? {
            grown.push(hash);
        }
        if &grown != edge {
            return Err(fault(AuditFault::Tree));
        }
        let checkpoint = Checkpoint {
            origin: verifier.name().to_owned(),
            size: edge.size(),
            root: edge.root(),
        };
        let note = self.shared.log_key.sign(&checkpoint);
        let signed = SignedRecord {
            note: note.clone(),
            edge: Some(grown),
        };
        let kept = self
            .store()
            .sign_audit_log(record.name.clone(), before, signed);
        kept.await?;
        Ok(note)
    }
}

/// Names the log of a fault.
pub(super) fn fault_of(log: &AuditLogName, fault: AuditFault) -> Error {
    Error::AuditLog {
        log: log.0.clone(),
        fault,
    }
}

/// Returns the fault of a log with fewer entries than a checkpoint.
pub(super) fn truncated(size: u64, checkpoint: &Checkpoint, name: &str) -> AuditFault {
    AuditFault::Truncated {
        size,
        signed: checkpoint.size,
        checkpoint: name.to_owned(),
    }
}
