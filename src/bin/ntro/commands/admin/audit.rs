use std::path::PathBuf;

use clap::Subcommand;
use ntro_authority::{AuditLogName, AuditLogReport, AuditReport, KeptCheckpoint, Registry};
use serde::Serialize;

use super::organisation;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
use crate::output::{Paint, Report, plain};

/// A checkpoint or a proof is far smaller.
const LARGEST: u64 = 64 * 1024;

#[derive(Subcommand, Debug)]
#[command(defer = true)]
pub(super) enum Command {
    /// Recompute the audit logs from the database, and compare them with signed checkpoints
    ///
    /// Exits with 1 if a row was changed, deleted or added, or if a log was truncated or forked. A
    /// log that was replaced together with its checkpoint is found only with a checkpoint that was
    /// kept elsewhere.
    Verify(VerifyArgs),
    /// Print the audit logs as JSON lines, in the order of each log
    ///
    /// The bytes of a line, without its newline, are the entry that the log has the hash of.
    Export(LogArgs),
    /// Print the proof that an event is in its audit log
    ///
    /// Other programs verify it without the database (c2sp.org/tlog-proof).
    Prove(ProveArgs),
    /// Print a signed checkpoint of an audit log, to keep elsewhere
    ///
    /// Its format is c2sp.org/tlog-checkpoint.
    Checkpoint(LogArgs),
}

#[derive(clap::Args, Debug)]
pub(super) struct LogArgs {
    /// Log of an organisation's events without a tenant: id, external id or name; `--tenant` names
    /// the log of a tenant [default: all logs]
    #[arg(long, value_name = "NAME")]
    organisation: Option<String>,
}

#[derive(clap::Args, Debug)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    log: LogArgs,
    /// Checkpoint or proof that was kept elsewhere; repeat it for several
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
}

#[derive(clap::Args, Debug)]
pub(super) struct ProveArgs {
    /// Id of the event, the `id` of its exported line
    id: i64,
}

impl Command {
    pub(super) fn run(self, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Verify(args) => verify(&args, registry, cx),
            Self::Export(args) => export(&args, registry, cx),
            Self::Prove(args) => prove(&args, registry, cx),
            Self::Checkpoint(args) => checkpoint(&args, registry, cx),
        }
    }
}

impl LogArgs {
    /// Returns the log that the options name, if they name one.
    async fn named(
        &self,
        registry: &Registry,
        cx: &Context,
    ) -> Result<Option<AuditLogName>, CliError> {
        match (&cx.global().tenant, &self.organisation) {
            (Some(_), Some(_)) => Err(CliError::usage(
                "give either `--tenant` or `--organisation`: each has a log of its own",
            )),
            (Some(slug), None) => {
                let tenant = registry.tenant(slug.as_str()).await?;
                Ok(Some(AuditLogName::tenant(tenant.id)))
            }
            (None, Some(name)) => {
                let organisation = organisation(registry, Some(name)).await?;
                Ok(Some(AuditLogName::organisation(organisation.id)))
            }
            (None, None) => Ok(None),
        }
    }

    /// Returns the log that the options name, or all of them.
    async fn logs(&self, registry: &Registry, cx: &Context) -> Result<Vec<AuditLogName>, CliError> {
        match self.named(registry, cx).await? {
            Some(log) => Ok(vec![log]),
            None => Ok(registry.audit_logs().await?),
        }
    }
}

/// Result of a verification.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct AuditVerification {
    /// Logs that were verified.
    logs: Vec<VerifiedLog>,
    /// Number of rows of the audit table that are in no log.
    unlogged_rows: u64,
}

/// Result for one log.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct VerifiedLog {
    /// Name of the log.
    log: String,
    /// Public key of the log, as other programs read it.
    verifier_key: String,
    /// Number of its entries.
    size: u64,
    /// Signed checkpoint of all entries; none if the log has faults.
    checkpoint: Option<String>,
    /// Proofs that the log continues the checkpoints that were kept elsewhere.
    consistency: Vec<VerifiedCheckpoint>,
    /// Differences between the log, the audit table and the checkpoints.
    faults: Vec<String>,
}

/// Proof that a log continues a checkpoint.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct VerifiedCheckpoint {
    /// File of the checkpoint.
    file: String,
    /// Number of its entries.
    old_size: u64,
    /// Number of entries of the log.
    new_size: u64,
    /// Hashes of the proof, in base64 (RFC 6962, section 2.1.2).
    path: Vec<String>,
}

fn verify(args: &VerifyArgs, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
    let mut kept = Vec::new();
    for path in &args.checkpoints {
        let name = format!("`{}`", path.display());
        let missing = || CliError::new(Kind::Failure, format!("there is no file {name}"));
        let bytes = ntro_base::disk::read_bounded(path, LARGEST)?.ok_or_else(missing)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        kept.push(KeptCheckpoint { name, text });
    }
    let report = cx.block_on(async {
        let only = args.log.named(registry, cx).await?;
        Ok::<_, CliError>(registry.verify_audit(only.as_ref(), &kept).await?)
    })??;
    let is_clean = report.is_clean();
    cx.printer().print(&AuditVerification::from(report))?;
    Ok(match is_clean {
        true => Exit::Success,
        false => Exit::Failure(Kind::Failure),
    })
}

fn export(args: &LogArgs, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
    cx.block_on(async {
        for log in args.logs(registry, cx).await? {
            let mut next = 0;
            loop {
                let mut lines = registry.audit_lines(&log, next).await?;
                if lines.is_empty() {
                    break;
                }
                next += lines.len() as u64;
                lines.push(String::new());
                if !cx.printer().stream(&lines.join("\n"))? {
                    return Ok(Exit::Success);
                }
            }
        }
        Ok(Exit::Success)
    })?
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ProvedAuditEvent {
    /// Name of the log.
    log: String,
    /// Public key of the log, as other programs read it.
    verifier_key: String,
    /// Number of entries before the event.
    index: u64,
    /// Entry of the event.
    line: String,
    /// File that other programs verify.
    proof: String,
}

fn prove(args: &ProveArgs, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
    let proved = cx.block_on(registry.prove_audit_event(args.id))??;
    cx.printer()
        .note(&format!("The key of the log is {}", proved.verifier_key));
    cx.printer().print(&ProvedAuditEvent {
        log: proved.log.to_string(),
        verifier_key: proved.verifier_key,
        index: proved.index,
        line: proved.line,
        proof: proved.proof,
    })?;
    Ok(Exit::Success)
}

/// One object for each log.
#[derive(Debug, Serialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct SignedCheckpoints(Vec<SignedCheckpoint>);

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SignedCheckpoint {
    /// Name of the log.
    log: String,
    /// Public key of the log, as other programs read it.
    verifier_key: String,
    /// Signed checkpoint.
    checkpoint: String,
}

fn checkpoint(args: &LogArgs, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
    let checkpoints = cx.block_on(async {
        let mut checkpoints = Vec::new();
        for log in args.logs(registry, cx).await? {
            checkpoints.push(SignedCheckpoint {
                verifier_key: registry.audit_verifier_key(&log),
                checkpoint: registry.audit_checkpoint(&log).await?,
                log: log.to_string(),
            });
        }
        Ok::<_, CliError>(checkpoints)
    })??;
    for signed in &checkpoints {
        cx.printer()
            .note(&format!("The key of the log is {}", signed.verifier_key));
    }
    cx.printer().print(&SignedCheckpoints(checkpoints))?;
    Ok(Exit::Success)
}

impl From<AuditReport> for AuditVerification {
    fn from(report: AuditReport) -> Self {
        Self {
            logs: report.logs.into_iter().map(VerifiedLog::from).collect(),
            unlogged_rows: report.unlogged,
        }
    }
}

impl From<AuditLogReport> for VerifiedLog {
    fn from(report: AuditLogReport) -> Self {
        let consistency = report
            .consistency
            .into_iter()
            .map(|proof| VerifiedCheckpoint {
                file: proof.checkpoint,
                old_size: proof.old_size,
                new_size: proof.new_size,
                path: proof.path,
            });
        Self {
            log: report.log.to_string(),
            verifier_key: report.verifier_key,
            size: report.size,
            checkpoint: report.checkpoint,
            consistency: consistency.collect(),
            faults: report.faults.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Report for AuditVerification {
    fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        for log in &self.logs {
            let name = plain(&log.log);
            if log.faults.is_empty() {
                let line = match log.size {
                    1 => format!("{name}: 1 entry, as signed"),
                    size => format!("{name}: {size} entries, all as signed"),
                };
                text.push_str(&paint.marked(&paint.good("✓"), &line));
            }
            for fault in &log.faults {
                let line = format!("{name}: {}", plain(fault));
                text.push_str(&paint.marked(&paint.bad("✗"), &line));
            }
            for kept in &log.consistency {
                let line = format!(
                    "it continues the {} entries of {}",
                    kept.old_size, kept.file
                );
                text.push_str(&paint.marked(" ", &line));
            }
            text.push_str(&format!("  key {}\n", plain(&log.verifier_key)));
        }
        if self.unlogged_rows > 0 {
            let line = format!(
                "{} rows of the audit table are in no log",
                self.unlogged_rows
            );
            text.push_str(&paint.marked(&paint.bad("✗"), &line));
        }
        text
    }
}

impl Report for ProvedAuditEvent {
    fn text(&self, _: Paint) -> String {
        self.proof.clone()
    }
}

impl Report for SignedCheckpoints {
    fn text(&self, _: Paint) -> String {
        let notes = self.0.iter().map(|signed| signed.checkpoint.as_str());
        notes.collect::<Vec<_>>().join("\n")
    }
}
