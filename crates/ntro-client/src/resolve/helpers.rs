use std::time::Duration;

use crate::config::{Config, HelperEntry, MissingEntry};
use crate::secrets::{CommandSettings, Missing};
use crate::state::KeyRecords;

/// Returns the helpers of the `command` store: as `config.toml` has them, else as they were when
/// a key was last stored through them.
#[must_use]
pub fn helpers(config: &Config, records: &KeyRecords) -> Option<CommandSettings> {
    let entry = config.command.as_ref().or(records.command());
    entry.map(settings)
}

fn settings(entry: &HelperEntry) -> CommandSettings {
    let missing = |missing: &MissingEntry| match missing {
        MissingEntry::Code(code) => Missing::Code(*code),
        MissingEntry::Text(text) => Missing::Text(text.clone()),
    };
    let timeout = entry
        .timeout
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    CommandSettings {
        get: entry.get.clone(),
        store: entry.store.clone(),
        erase: entry.erase.clone(),
        list: entry.list.clone(),
        missing: entry.missing.iter().map(missing).collect(),
        timeout: timeout.unwrap_or(CommandSettings::TIMEOUT),
    }
}
