//! The tokens of a proxy as tripwires: the server reports a token that is presented to it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::Settings;
use super::keys::{KeySource, KeyUnavailable};
use crate::api::{self, Client, Target};

/// The tokens of a proxy, and the server that must not see them.
pub struct Tripwires {
    target: Target,
    keys: Arc<dyn KeySource>,
    calls: api::Settings,
    /// In hexadecimal digits.
    hashes: Vec<String>,
    life: Duration,
}

enum Failure {
    NoKey(KeyUnavailable),
    Api(api::Error),
}

impl Tripwires {
    /// Takes the tokens of a proxy, and the key to register them with: a child key has no tripwires.
    #[must_use]
    pub fn new(settings: &Settings, keys: Arc<dyn KeySource>) -> Self {
        let children = settings.children.iter();
        Self {
            target: Target {
                provider: settings.provider,
                host: settings.host.clone(),
                key: None,
                insecure_http: settings.insecure_http,
            },
            keys,
            calls: settings.calls.clone(),
            hashes: children.map(|child| digits(child.token.sha256())).collect(),
            life: settings.timeouts.tripwire,
        }
    }

    /// Registers the tokens, and renews them until this is dropped. Returns when the server has no
    /// tripwires. Calls `refused` once when it does not take them, as when the key has too many.
    pub async fn keep(self, refused: impl Fn(&api::Error)) {
        use api::Error as E;

        // The key has just been read.
        let mut reread = false;
        let mut is_refused = false;
        loop {
            match self.register(reread).await {
                Err(Failure::Api(E::NotOffered { .. } | E::Forbidden(_))) => return,
                Err(Failure::Api(error @ (E::Conflict(_) | E::Invalid(_)))) if !is_refused => {
                    is_refused = true;
                    refused(&error);
                }
                Err(Failure::Api(error)) => tracing::debug!(%error, "tokens are not registered"),
                Err(Failure::NoKey(error)) => tracing::debug!(%error, "tokens are not registered"),
                Ok(()) => {}
            }
            reread = true;
            tokio::time::sleep(self.life / 2).await;
        }
    }

    /// Registers all tokens, with a key that is read again if the server rejects the known one.
    async fn register(&self, reread: bool) -> Result<(), Failure> {
        match self.register_with(false).await {
            Err(Failure::Api(api::Error::Rejected(_))) if reread => self.register_with(true).await,
            result => result,
        }
    }

    async fn register_with(&self, reread: bool) -> Result<(), Failure> {
        let key = self.keys.key(reread).await.map_err(Failure::NoKey)?;
        let target = Target {
            key: Some(key),
            ..self.target.clone()
        };
        let client = Client::new(target, self.calls.clone());
        for hash in &self.hashes {
            let registered = client.set_tripwire(hash, self.life).await;
            registered.map_err(Failure::Api)?;
        }
        Ok(())
    }
}

fn digits(hash: [u8; 32]) -> String {
    hash.iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}
