use crate::config::{self, Config, Document, NtroDir};
use crate::resolve::{Inputs, StoredKey};
use crate::state::KeyRecords;
use ntro_base::ConnectionName;

use super::{Error, safety};

/// The contents of `config.toml` and `logins.toml`. The records include the safety settings of
/// `config.toml`; saving them keeps both files in step.
pub(crate) struct ConfigFiles {
    pub(crate) config: Config,
    pub(crate) records: KeyRecords,
    /// Whether the records lacked any of those settings.
    pub(crate) recorded: bool,
}

impl ConfigFiles {
    /// Reads both files, and brings the records up to date with `config.toml`.
    pub(crate) fn read(home: &NtroDir) -> Result<Self, Error> {
        let mut files = Self::read_only(home)?;
        // The records keep how the `command` store is reached now.
        if let Some(command) = &files.config.command {
            files.records.set_command(command.clone());
        }
        files.recorded = safety::record(&files.config, &mut files.records);
        Ok(files)
    }

    /// Reads both files as they are.
    pub(crate) fn read_only(home: &NtroDir) -> Result<Self, config::Error> {
        Ok(Self {
            config: Config::read(&home.config())?,
            records: KeyRecords::read(&home.logins())?,
            recorded: false,
        })
    }

    /// Reads `config.toml` for an edit, and restores recorded safety settings that another program
    /// has dropped from it.
    pub(crate) fn document(&self, home: &NtroDir) -> Result<Document, Error> {
        let mut document = Document::read(&home.config())?;
        safety::put_back(&self.config, &self.records, &mut document)?;
        Ok(document)
    }

    /// Writes the recorded safety settings of a connection into its new entry. Without them, the
    /// new entry would mean that the connection has no policy.
    pub(crate) fn guard_new(&self, name: &str, document: &mut Document) -> Result<(), Error> {
        match self.config.connections.contains_key(name) {
            true => Ok(()),
            false => safety::write(self.records.safety(name), name, document),
        }
    }

    /// Returns the inputs of both files alone.
    pub(crate) fn inputs<'a>(&'a self, home: &'a NtroDir) -> Inputs<'a> {
        Inputs::of_files(&self.config, &self.records, home)
    }

    /// Returns the place of the key of a connection.
    pub(crate) fn stored_key(
        &self,
        home: &NtroDir,
        name: &ConnectionName,
    ) -> Result<StoredKey, Error> {
        Ok(self.inputs(home).facts(name).stored()?.clone())
    }

    pub(crate) fn require(&self, name: &ConnectionName) -> Result<(), Error> {
        if self.config.connections.contains_key(name.as_str()) {
            return Ok(());
        }
        Err(Error::UnknownConnection {
            name: name.clone(),
            known: self.config.names().map(str::to_owned).collect(),
        })
    }
}
