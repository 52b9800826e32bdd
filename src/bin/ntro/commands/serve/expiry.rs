//! The options of `ntro serve` about keys that expire soon.

use std::path::PathBuf;

use ntro_authority::{ExpiryWebhook, LONGEST_LIFE_IN_DAYS};
use ntro_base::disk;
use secrecy::SecretString;
use url::Url;
use zeroize::Zeroizing;

use crate::error::CliError;
use crate::exit::Kind;

/// A secret is far smaller.
const LARGEST: u64 = 4 * 1024;

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Keys that expire soon")]
pub(super) struct ExpiryArgs {
    /// Days before the expiry of a key at which it is announced; repeat it, or separate several with
    /// commas [default: 14,3]
    #[arg(
        long = "expiry-warning",
        value_name = "DAYS",
        value_delimiter = ',',
        value_parser = clap::value_parser!(u32).range(1..=i64::from(LONGEST_LIFE_IN_DAYS))
    )]
    warnings: Vec<u32>,
    /// URL that gets a POST for each key that expires soon: https, or on this machine
    #[arg(long, value_name = "URL", requires = "expiry_webhook_secret")]
    expiry_webhook: Option<Url>,
    /// File with the secret that signs these requests, at least 16 bytes
    #[arg(long, value_name = "FILE")]
    expiry_webhook_secret: Option<PathBuf>,
}

impl ExpiryArgs {
    /// Returns these options, and those of `other` where they are missing.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            warnings: match self.warnings.is_empty() {
                true => other.warnings,
                false => self.warnings,
            },
            expiry_webhook: self.expiry_webhook.or(other.expiry_webhook),
            expiry_webhook_secret: self.expiry_webhook_secret.or(other.expiry_webhook_secret),
        }
    }

    pub(super) fn days(&self, defaults: Vec<u32>) -> Vec<u32> {
        let mut days = match self.warnings.is_empty() {
            true => defaults,
            false => self.warnings.clone(),
        };
        days.sort_unstable();
        days.dedup();
        days
    }

    pub(super) fn webhook(&self) -> Result<Option<ExpiryWebhook>, CliError> {
        let (Some(url), Some(path)) = (&self.expiry_webhook, &self.expiry_webhook_secret) else {
            return Ok(None);
        };
        let missing = || {
            let message = format!("there is no file `{}`", path.display());
            CliError::new(Kind::Config, message).hint("check `--expiry-webhook-secret`")
        };
        let bytes = Zeroizing::new(disk::read_bounded(path, LARGEST)?.ok_or_else(missing)?);
        let secret = std::str::from_utf8(&bytes).map_err(|_| {
            let message = format!("`{}` is not text", path.display());
            CliError::new(Kind::Config, message)
        })?;
        let secret = SecretString::from(secret.trim());
        Ok(Some(ExpiryWebhook::new(url.clone(), secret)?))
    }
}
