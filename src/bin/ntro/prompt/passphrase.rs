//! Passphrases of the encrypted key file and of SSH keys.

use ntro_client::secrets::{self, PassphraseFor};
use secrecy::{ExposeSecret as _, SecretString};

use super::{Prompter, Stop, prompter};
use crate::output::Paint;

/// Asks for a passphrase; twice for a new file. `attempt` counts from 1.
pub(crate) fn passphrase(
    purpose: PassphraseFor,
    attempt: u8,
    paint: Paint,
) -> Result<SecretString, secrets::Error> {
    let terminal = prompter(false, paint);
    let question = match (purpose, attempt) {
        (PassphraseFor::Create, _) => return new(&*terminal).map_err(stopped),
        (PassphraseFor::Open, 1) => "Passphrase of the key file",
        (PassphraseFor::Open, _) => "Wrong passphrase. Passphrase of the key file",
        (PassphraseFor::Identity, 1) => "Passphrase of the SSH key",
        (PassphraseFor::Identity, _) => "Wrong passphrase. Passphrase of the SSH key",
    };
    terminal.secret(question, &not_empty).map_err(stopped)
}

/// Asks for a new passphrase until it is typed twice in the same way.
fn new(terminal: &dyn Prompter) -> Result<SecretString, Stop> {
    let mut question = "New passphrase for the key file";
    loop {
        let first = terminal.secret(question, &not_empty)?;
        match terminal.secret("The same passphrase again", &|_| Ok(())) {
            Ok(second) if second.expose_secret() == first.expose_secret() => return Ok(first),
            Ok(_) => question = "The two differ. New passphrase for the key file",
            Err(Stop::Back) => question = "New passphrase for the key file",
            Err(stop) => return Err(stop),
        }
    }
}

fn not_empty(text: &str) -> Result<(), String> {
    match text.is_empty() {
        true => Err("a passphrase is needed".to_owned()),
        false => Ok(()),
    }
}

fn stopped(stop: Stop) -> secrets::Error {
    match stop {
        Stop::Back => secrets::Error::SteppedBack,
        Stop::Again(_) | Stop::Failed(_) => secrets::Error::Cancelled,
        #[cfg(unix)]
        Stop::Withdrawn => secrets::Error::Cancelled,
    }
}
