//! The `command` store: any secret manager with a command line, by configured helpers.
//!
//! It is as safe as that manager: a program that can run the helper can read the keys. A helper is
//! a program and its arguments, run without a shell. It reads the key from standard input and
//! prints it on standard output; no argument or variable contains it. Its output is never shown,
//! its standard error is.
//!
//! A failing helper is an error and not an empty store, unless the failure matches the setting for
//! missing items.

mod placeholders;
mod run;
mod settings;

pub use settings::{CommandSettings, Missing};

use std::process::ExitStatus;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::{Error, HelperCall, HelperFault, Item, SecretStore, StoreKind};
use ntro_base::disk::FileLock;
use ntro_base::{ApiKey, printable, without_byte_order_mark};
use run::{Failure, Ran};

/// The length of helper messages in errors.
const SHOWN: usize = 500;

type Report = Arc<dyn Fn(&str) + Send + Sync>;

pub(super) struct CommandStore {
    settings: Option<CommandSettings>,
    report: Report,
}

/// The outcome of a helper.
enum HelperOutput {
    Done(Zeroizing<Vec<u8>>),
    Missing,
}

impl CommandStore {
    pub(super) fn new(settings: Option<CommandSettings>, report: Report) -> Self {
        Self { settings, report }
    }

    fn settings(&self) -> Result<&CommandSettings, Error> {
        let settings = self.settings.as_ref().ok_or_else(|| Error::NotConfigured {
            reason: "there is no `[stores.command]`".to_owned(),
        })?;
        settings.check()?;
        Ok(settings)
    }

    fn run(
        &self,
        call: HelperCall,
        item: Option<&Item>,
        key: Option<&ApiKey>,
    ) -> Result<HelperOutput, Error> {
        let settings = self.settings()?;
        let words: &[String] = match call {
            HelperCall::Get => &settings.get,
            HelperCall::Store => &settings.store,
            HelperCall::Erase => &settings.erase,
            HelperCall::List => settings.list.as_deref().unwrap_or_default(),
        };
        let Some((program, arguments)) = words.split_first() else {
            return Err(Error::NotConfigured {
                reason: format!("`{}` is missing", call.as_str()),
            });
        };
        let arguments: Vec<String> = arguments
            .iter()
            .map(|argument| match item {
                Some(item) => placeholders::fill(argument, item),
                None => argument.clone(),
            })
            .collect();
        tracing::debug!(program, ?call, "running a helper");
        let ran = run::run(program, &arguments, key, settings.timeout, &*self.report);
        let Ran {
            status,
            output,
            said,
        } = ran.map_err(|failure| match failure {
            Failure::Start(error) => Error::Absent {
                store: StoreKind::Command,
                reason: format!("`{program}` cannot be run: {error}"),
            },
            Failure::Late => Error::TimedOut {
                store: StoreKind::Command,
                after: settings.timeout,
                in_doubt: matches!(call, HelperCall::Store | HelperCall::Erase),
            },
            Failure::Wait(error) => Error::Unavailable {
                store: StoreKind::Command,
                reason: format!("`{program}` cannot be waited for: {error}"),
            },
        })?;
        if status.success() {
            return Ok(HelperOutput::Done(output));
        }
        let missing = |missing: &Missing| match missing {
            Missing::Code(code) => status.code() == Some(*code),
            Missing::Text(text) => !text.is_empty() && said.contains(text),
        };
        if call != HelperCall::Store && settings.missing.iter().any(missing) {
            return Ok(HelperOutput::Missing);
        }
        Err(self.fault(call, fault_of(status), &said))
    }

    fn fault(&self, call: HelperCall, fault: HelperFault, said: &str) -> Error {
        let words = self.settings.as_ref().map(|settings| match call {
            HelperCall::Get => &settings.get,
            HelperCall::Store => &settings.store,
            HelperCall::Erase => &settings.erase,
            HelperCall::List => settings.list.as_ref().unwrap_or(&settings.get),
        });
        Error::Helper {
            call,
            program: words
                .and_then(|words| words.first())
                .cloned()
                .unwrap_or_default(),
            fault,
            stderr: last_of(said),
        }
    }
}

impl SecretStore for CommandStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Command
    }

    /// Requests a nonexistent item: a locked, unreachable or hung manager then fails.
    fn probe(&self) -> Result<(), Error> {
        let nobody = Item::from_account("ntro-probe@https://ntro.invalid");
        match self.run(HelperCall::Get, nobody.as_ref(), None)? {
            HelperOutput::Missing => Ok(()),
            // A helper that finds it would return the same key for every connection.
            HelperOutput::Done(_) => Err(Error::NotConfigured {
                reason: "`get` ends well for an item that does not exist, so nothing tells whether there is a key".to_owned(),
            }),
        }
    }

    fn get(&self, item: &Item) -> Result<Option<ApiKey>, Error> {
        let HelperOutput::Done(output) = self.run(HelperCall::Get, Some(item), None)? else {
            return Ok(None);
        };
        let fault = |fault| Err(self.fault(HelperCall::Get, fault, ""));
        // Text that is not UTF-8 is not a key either, and is reported as such.
        let text =
            Zeroizing::new(String::from_utf8_lossy(without_byte_order_mark(&output)).into_owned());
        match text.trim().lines().count() {
            0 => fault(HelperFault::Nothing),
            1 => match ApiKey::from_secret(text.trim().to_owned()) {
                Ok(key) => Ok(Some(key)),
                Err(reason) => fault(HelperFault::NotAKey(reason.to_string())),
            },
            lines => fault(HelperFault::Lines(lines)),
        }
    }

    /// Reads the stored key back: helpers that ignore their input, or add a line break, succeed
    /// like others.
    fn put(&self, item: &Item, key: &ApiKey, _lock: &FileLock) -> Result<(), Error> {
        self.run(HelperCall::Store, Some(item), Some(key))?;
        match self.get(item)? {
            Some(kept) if kept == *key => Ok(()),
            _ => Err(self.fault(HelperCall::Store, HelperFault::NotKept, "")),
        }
    }

    /// Looks first, since most helpers also succeed when there is nothing to erase.
    fn erase(&self, item: &Item, _lock: &FileLock) -> Result<bool, Error> {
        if let HelperOutput::Missing = self.run(HelperCall::Get, Some(item), None)? {
            return Ok(false);
        }
        match self.run(HelperCall::Erase, Some(item), None)? {
            HelperOutput::Missing => Ok(false),
            HelperOutput::Done(_) => Ok(true),
        }
    }

    fn list(&self) -> Result<Vec<Item>, Error> {
        let HelperOutput::Done(output) = self.run(HelperCall::List, None, None)? else {
            return Ok(Vec::new());
        };
        let text = String::from_utf8_lossy(&output);
        let mut items: Vec<_> = text.lines().filter_map(placeholders::item_of).collect();
        items.sort_unstable();
        items.dedup();
        Ok(items)
    }
}

fn fault_of(status: ExitStatus) -> HelperFault {
    match status.code() {
        Some(code) => HelperFault::Failed(code),
        None => HelperFault::Ended(status.to_string()),
    }
}

/// Returns the end of a long message, which has the reason.
fn last_of(said: &str) -> String {
    let said = printable(said, usize::MAX);
    let count = said.chars().count();
    match count > SHOWN {
        true => format!(
            "…{}",
            said.chars().skip(count - SHOWN + 1).collect::<String>()
        ),
        false => said,
    }
}
