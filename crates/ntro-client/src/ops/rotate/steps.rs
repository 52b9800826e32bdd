use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use tokio::runtime::Runtime;

use super::admin;
use super::journal::{Method, Rotations, Unfinished};
use super::reach::Reach;
use super::stored_location::StoredLocation;
use super::{Error, Next};
use crate::BoundKey;
use crate::api::{self, AdminClient, AdminTarget, AdminToken, Client, KeyInfo, Target};
use crate::config::NtroDir;
use crate::secrets::StoreKind;
use crate::session::Session;
use crate::state::KeyRecords;
use ntro_base::disk::Claim;
use ntro_base::{ApiKey, ConnectionName, Host, KeyPrefix, Provider};

/// The rotation of one connection's key. While it exists, no other process can start one.
pub struct Rotation<'a> {
    session: &'a Session,
    runtime: &'a Runtime,
    name: ConnectionName,
    place: StoredLocation,
    /// The stored key.
    key: ApiKey,
    /// The server's description of the stored key.
    reach: Option<Reach>,
    recorded: Option<Unfinished>,
    /// How long the old key must be unused before the server revokes it.
    quiet: Duration,
    /// The key that this run has recorded in `logins.toml`.
    on_record: Option<KeyPrefix>,
    _claim: Claim,
}

/// A new key that is checked but not stored yet.
#[derive(Debug)]
struct Made {
    key: ApiKey,
    info: KeyInfo,
}

/// Removes the record of an unfinished rotation and returns it. The caller decides which of its
/// keys to revoke.
///
/// # Errors
///
/// Fails when another process is rotating the key, and when the file cannot be written.
pub fn abandon(home: &NtroDir, name: &ConnectionName) -> Result<Option<Unfinished>, Error> {
    let _claim = claim(home, name)?;
    let lock = home.lock()?;
    Ok(Rotations::end(home, name.as_str(), &lock)?)
}

fn claim(home: &NtroDir, name: &ConnectionName) -> Result<Claim, Error> {
    Claim::take(&home.rotating(name))?.ok_or_else(|| Error::Busy { name: name.clone() })
}

impl<'a> Rotation<'a> {
    /// Reads the state of the rotation of a connection's key. Sends no request.
    ///
    /// # Errors
    ///
    /// Fails when another process is rotating the key, when no key is stored, and when a file or
    /// the store cannot be read.
    pub fn open(
        session: &'a Session,
        name: &ConnectionName,
        runtime: &'a Runtime,
    ) -> Result<Self, Error> {
        let home = session.home()?;
        let claim = claim(home, name)?;
        let (mut place, mut key) = StoredLocation::find(session, name)?;
        if place.kind == StoreKind::Plaintext {
            // Another process may have rotated the key after `config.toml` was read and before the
            // claim was taken.
            (place, key, _) = StoredLocation::find_again(session, name)?;
        }
        let recorded = Rotations::read(&home.rotations())?
            .get(name.as_str())
            .cloned();
        Ok(Self {
            session,
            runtime,
            name: name.clone(),
            place,
            key,
            reach: None,
            quiet: Duration::ZERO,
            recorded,
            on_record: None,
            _claim: claim,
        })
    }

    /// Returns the next step.
    #[must_use]
    pub fn next(&self) -> Next {
        Next::of(self.recorded.as_ref(), &self.key.prefix())
    }

    /// Returns the record of an unfinished rotation.
    #[must_use]
    pub fn recorded(&self) -> Option<&Unfinished> {
        self.recorded.as_ref()
    }

    /// Returns the displayable prefix of the stored key.
    #[must_use]
    pub fn stored(&self) -> KeyPrefix {
        self.key.prefix()
    }

    /// Returns the provider of the key.
    #[must_use]
    pub fn provider(&self) -> Provider {
        self.place.provider
    }

    /// Returns the base URL of the connection.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.place.host
    }

    /// Returns the store that holds the key.
    #[must_use]
    pub fn store(&self) -> StoreKind {
        self.place.kind
    }

    /// Requests the description of the stored key from the server.
    ///
    /// # Errors
    ///
    /// Fails when the server rejects the key or does not answer.
    pub fn inspect(&mut self) -> Result<&KeyInfo, Error> {
        Ok(&self.reach()?.key)
    }

    /// Returns the description and permissions of the stored key; requests them once.
    fn reach(&mut self) -> Result<&Reach, Error> {
        let reach = match self.reach.take() {
            Some(reach) => reach,
            None => self.ask(&self.key)?,
        };
        Ok(self.reach.insert(reach))
    }

    /// Rolls back an unfinished rotation: revokes every key created to replace the stored one.
    ///
    /// # Errors
    ///
    /// Fails when the server cannot be reached, or when an administrator's token is needed. Nothing
    /// has changed then.
    pub fn roll_back(&mut self, token: Option<&AdminToken>) -> Result<(), Error> {
        let Some(recorded) = self.recorded.clone() else {
            return Ok(());
        };
        match recorded.method {
            Method::Itself => {
                match self.run(self.client(&self.key)?.revoke_successor(&recorded.nonce)) {
                    // A server without this function has created no key.
                    Ok(()) | Err(api::Error::NotOffered { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Method::Admin => {
                let admin = self.admin(token)?;
                self.run(admin::take_back(&admin, &recorded))
                    .map_err(Error::of_admin)?;
            }
            Method::Walkthrough => {}
        }
        self.end()
    }

    /// Lets the key create its successor, and stores that in its place.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_offered`] when the server lacks the function, or refuses it to this key.
    /// After any error the old key is stored, unless [`Rotation::next`] says otherwise. A new key
    /// is revoked, or recorded so that the next run revokes it.
    pub fn by_itself(&mut self, grace: Duration) -> Result<(), Error> {
        self.inspect()?;
        self.begin(Method::Itself, grace)?;
        let attempt = self.attempt();
        let client = self.client(&self.key)?;
        let mut minted = self.run(client.rotate_current(&attempt));
        if let Err(api::Error::Conflict(refusal)) = &minted
            && refusal.code.as_deref() == Some("rotation_pending")
        {
            // The key comes from a rotation whose record was lost, and must first revoke its
            // predecessor.
            minted = self
                .run(client.revoke_predecessor())
                .and_then(|()| self.run(client.rotate_current(&attempt)));
        }
        match minted {
            Ok(new) => self.replace(
                Made {
                    key: new.key,
                    info: new.info,
                },
                None,
            ),
            Err(error @ api::Error::NotOffered { .. }) => {
                self.end()?;
                Err(error.into())
            }
            // The server may have created the key despite the error.
            Err(error) => Err(self.take_back(error.into(), None)),
        }
    }

    /// Lets an administrator create a key like the stored one, and stores that in its place.
    ///
    /// # Errors
    ///
    /// As [`Rotation::by_itself`].
    pub fn by_admin(&mut self, token: &AdminToken, grace: Duration) -> Result<(), Error> {
        let reach = self.reach()?.clone();
        let admin = self.admin(Some(token))?;
        let nonce = nonce();
        let described = admin::Old::describe(&admin, &self.name, &self.key, &reach, &nonce);
        let old = match self.run(described) {
            // Ntropii itself does not manage keys; only an authority does.
            Err(Error::Api(error))
                if self.place.provider == Provider::Ntropii
                    && matches!(*error, api::Error::NotFound(_)) =>
            {
                return Err(Error::Api(Box::new(api::Error::NotOffered {
                    origin: error.origin().clone(),
                    what: "the management of keys",
                })));
            }
            old => old.map_err(Error::of_admin)?,
        };
        self.begin(Method::Admin, grace)?;
        if let Some(recorded) = &mut self.recorded {
            recorded.nonce = nonce;
            recorded.tenant = Some(old.tenant.to_string());
            recorded.asked = Some(old.asked());
            recorded.old_id = Some(old.id.clone());
        }
        self.record()?;
        let made = self.run(admin.create_key_once(&old.request, &self.attempt()));
        match made {
            Ok((info, Some(key))) => self.replace(Made { key, info }, Some(token)),
            // The first response was lost, and the repeated response omits the secret.
            Ok((_, None)) => {
                let origin = self.place.item.origin.clone();
                Err(self.take_back(Error::AnswerLost { origin }, Some(token)))
            }
            Err(error) => Err(self.take_back(Error::from(error).of_admin(), Some(token))),
        }
    }

    /// Replaces the stored key with a key that a person has created.
    ///
    /// # Errors
    ///
    /// Fails when the key is the stored one, or has fewer permissions. The old key is then stored,
    /// unless [`Rotation::next`] says otherwise.
    pub fn with_key(&mut self, key: ApiKey) -> Result<(), Error> {
        if key == self.key {
            return Err(Error::SameKey);
        }
        self.inspect()?;
        let new = self.ask(&key)?;
        self.covers(&new)?;
        self.begin(Method::Walkthrough, Duration::ZERO)?;
        self.replace(Made { key, info: new.key }, None)
    }

    /// Returns the time at which the old key may be revoked.
    #[must_use]
    pub fn revoke_after(&self) -> Option<Timestamp> {
        self.recorded
            .as_ref()
            .and_then(|recorded| recorded.revoke_after)
    }

    /// Sets how long from now the old key remains valid.
    ///
    /// # Errors
    ///
    /// Fails when the time cannot be recorded.
    pub fn set_grace(&mut self, grace: Duration) -> Result<(), Error> {
        if let Some(recorded) = &mut self.recorded {
            recorded.grace = grace.as_secs();
            recorded.quiet = 0;
            recorded.revoke_after = Some(later(Timestamp::now(), grace.as_secs()));
            self.record()?;
        }
        Ok(())
    }

    /// Checks that the server accepts the stored new key, and updates the record of the login.
    ///
    /// # Errors
    ///
    /// Fails when the server rejects the key or does not answer. Nothing has changed then.
    pub fn confirm(&mut self) -> Result<(), Error> {
        self.inspect()?;
        let expires_at = self.reach.as_ref().and_then(|reach| reach.key.expires.at());
        if self.on_record != Some(self.key.prefix()) {
            let home = self.session.home()?;
            let lock = home.lock()?;
            let records = KeyRecords::read(&home.logins())?;
            let now = Timestamp::now();
            self.place
                .record(self.session, records, &self.key, expires_at, now, &lock)?;
        }
        match &mut self.recorded {
            Some(recorded) if recorded.revoke_after.is_none() => {
                recorded.revoke_after = Some(later(Timestamp::now(), recorded.grace));
                // Without a grace period nothing is recorded: the next run computes the same time.
                match recorded.grace {
                    0 => Ok(()),
                    _ => self.record(),
                }
            }
            _ => Ok(()),
        }
    }

    /// Leaves the end of the old key to the server: once it was not used for so long. Must come before
    /// [`Rotation::by_itself`].
    pub fn end_when_quiet(&mut self, quiet: Duration) {
        self.quiet = quiet;
    }

    /// Revokes the old key after the new one is stored and accepted, or leaves that to the server, and
    /// ends the rotation.
    ///
    /// # Errors
    ///
    /// Fails when the server cannot be reached, or when an administrator's token is needed. The new
    /// key remains stored, and the next run tries again.
    pub fn complete(&mut self, token: Option<&AdminToken>) -> Result<(), Error> {
        let Some(recorded) = self.recorded.clone() else {
            return Ok(());
        };
        if recorded.grace > 0 {
            // The stored key may have changed during the grace period.
            let (place, key, _) = StoredLocation::find_again(self.session, &self.name)?;
            if place != self.place || key != self.key {
                return Err(Error::Changed {
                    name: self.name.clone(),
                });
            }
            self.reach = None;
        }
        self.inspect()?;
        match recorded.method {
            Method::Itself if recorded.quiet > 0 => {
                let client = self.client(&self.key)?;
                self.run(client.end_predecessor_when_quiet(recorded.quiet))?;
            }
            Method::Itself => self.run(self.client(&self.key)?.revoke_predecessor())?,
            Method::Admin => {
                let admin = self.admin(token)?;
                self.run(admin::revoke_old(&admin, &recorded))
                    .map_err(Error::of_admin)?;
                if let Some(new) = &recorded.new_id {
                    self.run(admin::revoke_marked(&admin, &recorded, Some(new)))
                        .map_err(Error::of_admin)?;
                }
            }
            Method::Walkthrough => {}
        }
        self.end()
    }

    /// Checks a new key, stores it, and checks it again as read from the store.
    fn replace(&mut self, made: Made, token: Option<&AdminToken>) -> Result<(), Error> {
        if made.key == self.key || made.key.prefix() == self.key.prefix() && token.is_some() {
            // After a kill the next run could not distinguish the two keys.
            return Err(self.take_back(Error::SameKey, token));
        }
        if let Some(recorded) = &mut self.recorded {
            recorded.new_prefix = Some(made.key.prefix().to_string());
            recorded.new_id = made.info.id.clone();
        }
        if let Err(error) = self.record() {
            return Err(self.take_back(error, token));
        }
        let checked = self.ask(&made.key).and_then(|new| {
            self.covers(&new)?;
            Ok(new)
        });
        let reach = match checked {
            Ok(reach) => reach,
            Err(error) => return Err(self.take_back(error, token)),
        };
        let expires_at = reach.key.expires.at();
        let old = self.key.clone();
        if let Err(error) = self.exchange([&old, &made.key], expires_at) {
            // Most errors leave a known key stored; after the others the store is read.
            match StoredLocation::find_again(self.session, &self.name) {
                Ok((_, key, _)) if key == old => return Err(self.take_back(error, token)),
                Ok((_, key, _)) => self.key = key,
                Err(_) => {}
            }
            return Err(error);
        }
        self.check_through_store(&old, &made.key, token)
    }

    fn check_through_store(
        &mut self,
        old: &ApiKey,
        new: &ApiKey,
        token: Option<&AdminToken>,
    ) -> Result<(), Error> {
        let stored = match self.place.get(self.session) {
            Ok(Some(key)) => key,
            // The key was moved to another store meanwhile.
            _ => StoredLocation::find_again(self.session, &self.name)?.1,
        };
        let changed = stored != *new;
        self.key = stored;
        self.reach = None;
        if changed {
            return Err(Error::Changed {
                name: self.name.clone(),
            });
        }
        match self.confirm() {
            Err(Error::Api(error))
                if matches!(*error, api::Error::Rejected(_) | api::Error::Forbidden(_)) =>
            {
                // The server accepted the key before and refuses it now. The old key is still in
                // memory.
                self.ask(old)?;
                self.exchange([new, old], None)?;
                self.key = old.clone();
                self.reach = None;
                Err(self.take_back(Error::Api(error), token))
            }
            answer => answer,
        }
    }

    fn covers(&self, new: &Reach) -> Result<(), Error> {
        match &self.reach {
            Some(old) => old.covered_by(new),
            None => Ok(()),
        }
    }

    /// Rolls back the rotation after an error, and returns that error.
    fn take_back(&mut self, first: Error, token: Option<&AdminToken>) -> Error {
        match self.roll_back(token) {
            Ok(()) => first,
            Err(second) => Error::NotRolledBack {
                first: Box::new(first),
                second: Box::new(second),
            },
        }
    }

    fn exchange(&mut self, keys: [&ApiKey; 2], expires_at: Option<Timestamp>) -> Result<(), Error> {
        self.on_record = None;
        let now = Timestamp::now();
        self.place.exchange(self.session, keys, expires_at, now)?;
        self.on_record = Some(keys[1].prefix());
        Ok(())
    }

    fn begin(&mut self, method: Method, grace: Duration) -> Result<(), Error> {
        self.recorded = Some(Unfinished {
            method,
            provider: self.place.provider.to_string(),
            origin: self.place.item.origin.to_string(),
            store: self.place.kind.to_string(),
            nonce: nonce(),
            tenant: None,
            asked: None,
            old_prefix: self.key.prefix().to_string(),
            old_id: self.reach.as_ref().and_then(|reach| reach.key.id.clone()),
            new_prefix: None,
            new_id: None,
            started_at: Timestamp::now(),
            grace: grace.as_secs(),
            quiet: self.quiet.as_secs(),
            revoke_after: None,
        });
        match method {
            // The caller records it together with the requested key properties.
            Method::Admin => Ok(()),
            // `replace` records it together with the prefix of the new key.
            Method::Walkthrough => Ok(()),
            Method::Itself => self.record(),
        }
    }

    /// Returns the id of the attempt for the server.
    fn attempt(&self) -> String {
        let recorded = self.recorded.as_ref();
        recorded.map_or_else(nonce, |recorded| recorded.nonce.clone())
    }

    fn record(&self) -> Result<(), Error> {
        let Some(recorded) = &self.recorded else {
            return Ok(());
        };
        let home = self.session.home()?;
        let lock = home.lock()?;
        Ok(Rotations::record(
            home,
            self.name.as_str(),
            recorded,
            &lock,
        )?)
    }

    fn end(&mut self) -> Result<(), Error> {
        let home = self.session.home()?;
        let lock = home.lock()?;
        Rotations::end(home, self.name.as_str(), &lock)?;
        self.recorded = None;
        Ok(())
    }

    fn ask(&self, key: &ApiKey) -> Result<Reach, Error> {
        Ok(self.run(Reach::ask(&self.client(key)?))?)
    }

    fn run<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }

    fn client(&self, key: &ApiKey) -> Result<Client, Error> {
        let target = Target {
            provider: self.place.provider,
            host: self.place.host.clone(),
            key: Some(BoundKey::new(key.clone(), self.place.item.origin.clone())),
            insecure_http: self.session.options().insecure_http,
        };
        Ok(self.session.client_of(target)?)
    }

    fn admin(&self, token: Option<&AdminToken>) -> Result<AdminClient, Error> {
        let token = token.ok_or_else(|| Error::AdminNeeded {
            name: self.name.clone(),
        })?;
        let target = AdminTarget {
            provider: self.place.provider,
            host: self.place.host.clone(),
            token: token.clone(),
            insecure_http: self.session.options().insecure_http,
        };
        Ok(self.session.admin_client(target)?)
    }
}

fn later(now: Timestamp, seconds: u64) -> Timestamp {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    now.checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX)
}

/// Returns sixteen random hexadecimal digits that identify a rotation.
fn nonce() -> String {
    let mut text = uuid::Uuid::new_v4().simple().to_string();
    text.truncate(16);
    text
}
