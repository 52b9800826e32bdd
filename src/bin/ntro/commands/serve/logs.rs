//! The options of `ntro serve` for its logs.

use std::path::{Path, PathBuf};

use ntro_authority::LogQueue;

use crate::error::CliError;
use crate::exit::Kind;
use crate::output::debug::{self, Format};

#[derive(clap::Args, Clone, Debug)]
pub(super) struct LogArgs {
    /// Log each request as a line of JSON to this file, or with `-` to standard error. SIGHUP opens
    /// the file again
    #[arg(long, value_name = "FILE")]
    access_log: Option<PathBuf>,
    /// Format of the other logs, on standard error [default: text]
    #[arg(long, value_enum, value_name = "FORMAT")]
    log_format: Option<Format>,
}

/// The logs of the server. Dropping them waits for the last lines, for a bounded time.
pub(super) struct Logs {
    stderr: LogQueue,
    pub(super) access: Option<LogQueue>,
    has_file: bool,
}

impl LogArgs {
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            access_log: self.access_log.or(other.access_log),
            log_format: self.log_format.or(other.log_format),
        }
    }

    /// Starts the logs.
    pub(super) fn open(self, debug: bool) -> Result<Logs, CliError> {
        let failed = |path: &Path, error: std::io::Error| {
            let path = path.display();
            CliError::new(
                Kind::Failure,
                format!("cannot write the log `{path}`: {error}"),
            )
        };
        let stderr = LogQueue::to_stderr().map_err(|error| failed(Path::new("-"), error))?;
        debug::install_for_server(
            debug,
            self.log_format.unwrap_or(Format::Text),
            stderr.clone(),
        );
        let has_file = self
            .access_log
            .as_deref()
            .is_some_and(|path| path != Path::new("-"));
        let access = match self.access_log {
            Some(path) if has_file => {
                Some(LogQueue::to_file(path.clone()).map_err(|error| failed(&path, error))?)
            }
            Some(_) => Some(stderr.clone()),
            None => None,
        };
        Ok(Logs {
            stderr,
            access,
            has_file,
        })
    }
}

impl Logs {
    /// Returns the access log, if it is a file.
    pub(super) fn file(&self) -> Option<LogQueue> {
        self.access.clone().filter(|_| self.has_file)
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        self.stderr.flush();
        self.access.iter().for_each(LogQueue::flush);
    }
}
