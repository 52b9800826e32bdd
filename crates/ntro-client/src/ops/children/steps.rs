use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Runtime;

use super::Error;
use super::journal::{ChildKeys, ChildRecord};
use crate::BoundKey;
use crate::api::{self, ChildRequest, Client, KeyInfo, Settings, Target};
use crate::config::NtroDir;
use crate::session::Session;
use ntro_base::disk::Claim;
use ntro_base::{ApiKey, Origin};

/// How long a command waits for the server to revoke a child of another one.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A child key, and the claim on its record. Dropping it revokes nothing: the record is then left
/// over.
#[derive(Debug)]
pub struct ChildKey {
    target: Target,
    attempt: String,
    key: ApiKey,
    info: KeyInfo,
    claim: Claim,
}

impl ChildKey {
    /// Creates a child of the key of a target.
    ///
    /// # Errors
    ///
    /// Fails when the server does not create it. If the server may have created it all the same, it
    /// is revoked, or stays recorded so that a later command revokes it.
    pub fn mint(
        session: &Session,
        runtime: &Runtime,
        target: &Target,
        request: &ChildRequest,
    ) -> Result<Self, Error> {
        let home = session.home()?;
        let client = session.client_of(target.clone())?;
        let (attempt, claim) = loop {
            let attempt = uuid::Uuid::new_v4().simple().to_string();
            if let Some(claim) = Claim::take(&home.child(&attempt))? {
                break (attempt, claim);
            }
        };
        let now = Timestamp::now();
        let mut record = ChildRecord {
            origin: target.host.origin().to_string(),
            parent: target.parent(),
            id: None,
            expires_at: now.checked_add(request.life).unwrap_or(Timestamp::MAX),
        };
        ChildKeys::record(home, &attempt, &record)?;
        let made = match runtime.block_on(client.create_child(request, &attempt)) {
            Ok(made) => made,
            Err(error) => {
                let is_settled = error.is_without_effect()
                    || runtime
                        .block_on(hasty_client(session, target)?.cancel_child(&attempt))
                        .is_ok();
                if is_settled {
                    ChildKeys::end(home, &attempt)?;
                }
                return Err(error.into());
            }
        };
        let child = Self {
            target: Target {
                key: Some(BoundKey::new(made.key.clone(), target.host.origin())),
                ..target.clone()
            },
            attempt,
            key: made.key,
            info: made.info,
            claim,
        };
        // The server forgets the attempt before a long life ends.
        record.id = child.info.id.clone();
        if let Err(error) = ChildKeys::record(home, &child.attempt, &record) {
            child.revoke(session, runtime)?;
            return Err(error.into());
        }
        Ok(child)
    }

    /// Returns the key.
    #[must_use]
    pub fn key(&self) -> &ApiKey {
        &self.key
    }

    /// Returns the server's description of the key.
    #[must_use]
    pub fn info(&self) -> &KeyInfo {
        &self.info
    }

    /// Revokes the key with itself, and removes its record. A key that the server refuses has ended
    /// before.
    ///
    /// # Errors
    ///
    /// Fails when the server does not answer. The record is then left over.
    pub fn revoke(self, session: &Session, runtime: &Runtime) -> Result<(), Error> {
        let client = session.client_of(self.target)?;
        match runtime.block_on(client.revoke_current()) {
            Ok(_) | Err(api::Error::Rejected(_)) => {}
            Err(error) => return Err(error.into()),
        }
        ChildKeys::end(session.home()?, &self.attempt)?;
        drop(self.claim);
        Ok(())
    }
}

/// Revokes the children of a target's key whose processes were killed, and forgets the children that
/// have expired. Returns how many were revoked.
///
/// Without a record this reads one file, which does not exist.
///
/// # Errors
///
/// Fails when the server does not answer soon. The records are then left for the next command.
pub fn revoke_leftover(
    session: &Session,
    runtime: &Runtime,
    target: &Target,
) -> Result<usize, Error> {
    let home = session.home()?;
    let recorded = ChildKeys::read(&home.children())?;
    let origin = target.host.origin();
    let mut revoked = 0;
    for (attempt, record) in recorded.iter() {
        let has_expired = record.expires_at <= Timestamp::now();
        if !has_expired && !record.is_of_target(&origin, target) {
            continue;
        }
        let Some(claim) = Claim::take(&home.child(attempt))? else {
            continue;
        };
        if !has_expired && is_recorded(home, attempt)? {
            let client = hasty_client(session, target)?;
            runtime.block_on(async {
                match &record.id {
                    Some(id) => client.revoke_child(id).await,
                    None => client.cancel_child(attempt).await,
                }
            })?;
            revoked += 1;
        }
        ChildKeys::end(home, attempt)?;
        drop(claim);
    }
    for mark in home.child_marks() {
        // Dropping the claim removes the file. One without a process is of no use.
        drop(Claim::take(&mark)?);
    }
    Ok(revoked)
}

/// Returns whether the process of an attempt has not removed its record meanwhile.
fn is_recorded(home: &NtroDir, attempt: &str) -> Result<bool, Error> {
    let recorded = ChildKeys::read(&home.children())?;
    Ok(recorded.iter().any(|(one, _)| one == attempt))
}

/// Returns a client that waits at most [`LONGEST_WAIT`].
fn hasty_client(session: &Session, target: &Target) -> Result<Client, Error> {
    let calls = session.calls()?.clone();
    let settings = Settings {
        connect_timeout: calls.connect_timeout.min(LONGEST_WAIT),
        total_timeout: calls.total_timeout.min(LONGEST_WAIT),
        ..calls
    };
    let transport = session.transport()?;
    Ok(Client::through(transport, target.clone(), settings))
}

impl Target {
    /// Returns the displayable prefix of the key, as records have it.
    fn parent(&self) -> String {
        let key = self.key.as_ref();
        key.map_or_else(String::new, |key| key.prefix().to_string())
    }
}

impl ChildRecord {
    fn is_of_target(&self, origin: &Origin, target: &Target) -> bool {
        let key = target.key.as_ref();
        key.is_some_and(|key| self.is_of(origin, &key.prefix()))
    }
}
