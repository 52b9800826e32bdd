//! The object that lives as long as a command.

mod options;

pub use options::{AskPassphrase, ConfirmReveal, Notice, Options};

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ntro_base::disk;
use ntro_base::env::{self, Env, EnvVar};
use ntro_base::{ConnectionName, Period, PeriodError};
use secrecy::SecretString;

use crate::api::{self, AdminClient, Client, Transport};
use crate::config::{self, Config, NoHome, NtroDir, Pin};
use crate::ops;
use crate::resolve::{self, Connection, Error, Inputs, Resolution, ResolvedValue};
use crate::secrets::{
    ConfigKeys, Keyring, KeyringSettings, Passphrase, StoreSettings, Stores, Unlocked,
};
use crate::state::KeyRecords;

/// The files, the stores and the transport of one command.
///
/// Nothing is read, opened or built before it is needed, and nothing twice: each file is read once,
/// each store is opened once, and all calls share their connections. An operation that changes a
/// file reads it again under the lock.
pub struct Session {
    options: Options,
    home: OnceLock<NtroDir>,
    config: OnceLock<Config>,
    records: OnceLock<KeyRecords>,
    pin: OnceLock<Option<Pin>>,
    resolution: OnceLock<Resolution>,
    stores: OnceLock<Arc<Stores>>,
    calls: OnceLock<api::Settings>,
    transport: OnceLock<Transport>,
    /// Set once a notice was given about a file that is not needed.
    unread: OnceLock<()>,
    /// The variables that a notice was given about.
    shadows: Mutex<BTreeSet<&'static str>>,
}

impl Session {
    /// Makes a session. Does no I/O.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            home: OnceLock::new(),
            config: OnceLock::new(),
            records: OnceLock::new(),
            pin: OnceLock::new(),
            resolution: OnceLock::new(),
            stores: OnceLock::new(),
            calls: OnceLock::new(),
            transport: OnceLock::new(),
            unread: OnceLock::new(),
            shadows: Mutex::default(),
        }
    }

    /// Returns a session that reads the files again. It shares the stores and the transport, so a
    /// passphrase is not asked for again.
    #[must_use]
    pub fn reread(&self) -> Self {
        let fresh = Self::new(self.options.clone());
        if let Some(stores) = self.stores.get() {
            let _ = fresh.stores.set(Arc::clone(stores));
        }
        if let Some(transport) = self.transport.get() {
            let _ = fresh.transport.set(transport.clone());
        }
        // Their notices were given.
        let given = self.shadows.lock().unwrap_or_else(PoisonError::into_inner);
        *fresh.shadows.lock().unwrap_or_else(PoisonError::into_inner) = given.clone();
        drop(given);
        fresh
    }

    /// Returns the options that the session was made with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Returns the environment.
    #[must_use]
    pub fn env(&self) -> &Env {
        &self.options.env
    }

    /// Returns the folder of `ntro`.
    pub fn home(&self) -> Result<&NtroDir, Error> {
        fill(&self.home, || Ok(NtroDir::locate(self.env())?))
    }

    /// Returns `config.toml` as it was when it was first asked for.
    pub fn config(&self) -> Result<&Config, Error> {
        fill(&self.config, || {
            let Some(home) = self.home_if_needed()? else {
                return Ok(Config::default());
            };
            let path = home.config();
            let config = self.unless_needless(Config::read(&path))?;
            for path in [home.folder(), &path] {
                if let Some(owner) = disk::foreign_owner(path) {
                    self.options.notice(&Notice::ForeignOwner { path, owner });
                }
                if let Some(finding) = disk::inspect(path)
                    && (!finding.is_readonly() || config.holds_key())
                {
                    self.options.notice(&Notice::Permissions(&finding));
                }
            }
            Ok(config)
        })
    }

    /// Returns `logins.toml` as it was when it was first asked for.
    pub fn records(&self) -> Result<&KeyRecords, Error> {
        fill(&self.records, || match self.home_if_needed()? {
            Some(home) => self.unless_needless(KeyRecords::read(&home.logins())),
            None => Ok(KeyRecords::default()),
        })
    }

    /// Returns whether the environment names the key and the host, so that no file is needed.
    fn is_self_contained(&self) -> bool {
        let env = self.env();
        let has_host = self.options.flags.host.is_some() || env.is_set(&env::NTRO_HOST);
        has_host && env.is_set(&env::NTRO_API_KEY)
    }

    /// Returns the folder of `ntro`; `None` if there is none and none is needed.
    fn home_if_needed(&self) -> Result<Option<&NtroDir>, Error> {
        match self.home() {
            Err(Error::NoHome(NoHome::Unset)) if self.is_self_contained() => Ok(None),
            home => home.map(Some),
        }
    }

    fn home_or_nowhere(&self) -> Result<&NtroDir, Error> {
        static NOWHERE: LazyLock<NtroDir> = LazyLock::new(NtroDir::nowhere);
        Ok(self.home_if_needed()?.unwrap_or(&NOWHERE))
    }

    /// Returns the content of a file, or none if the file cannot be read and is not needed.
    fn unless_needless<T: Default>(&self, content: Result<T, config::Error>) -> Result<T, Error> {
        match content {
            Err(config::Error::Disk(error))
                if self.is_self_contained() && !self.env().is_set(&env::NTRO_STRICT) =>
            {
                if self.unread.set(()).is_ok() {
                    self.options.notice(&Notice::Unread(&error));
                }
                Ok(T::default())
            }
            content => Ok(content?),
        }
    }

    fn pin(&self) -> Result<Option<&Pin>, Error> {
        let pin = fill(&self.pin, || match &self.options.folder {
            Some(folder) => {
                let search = Pin::find(folder)?;
                if let Some(folder) = &search.closed {
                    self.options.notice(&Notice::ClosedFolder(folder));
                }
                Ok(search.pin)
            }
            None => Ok(None),
        })?;
        Ok(pin.as_ref())
    }

    /// Returns everything that values are decided from.
    pub fn inputs(&self) -> Result<Inputs<'_>, Error> {
        Ok(Inputs {
            flags: &self.options.flags,
            env: &self.options.env,
            pin: self.pin()?,
            config: self.config()?,
            records: self.records()?,
            home: self.home_or_nowhere()?,
        })
    }

    /// Returns every value of a call, each decided once.
    pub fn resolution(&self) -> Result<&Resolution, Error> {
        fill(&self.resolution, || Ok(self.inputs()?.resolve()))
    }

    /// Returns the connection that is meant, with its key, and gives notice of what variables hide.
    pub fn connection(&self) -> Result<Connection, Error> {
        let resolution = self.resolution()?;
        self.check_shadows(resolution, &ResolvedValue::ALL)?;
        self.record_safety();
        // An invalid setting is reported before a store is opened.
        self.calls()?;
        self.connect(resolution, |inputs| inputs.resolve())
    }

    /// Returns a connection by its name, with its stored key: variables and the pin do not count.
    pub fn stored_connection(&self, name: &ConnectionName) -> Result<Connection, Error> {
        let alone = |inputs: &Inputs<'_>| inputs.alone(name);
        self.connect(&alone(&self.inputs()?), alone)
    }

    /// Takes the key out of its store. Where it is not, another process may have moved it after the
    /// files were read: reads them again for as long as the record of the key changes.
    fn connect(
        &self,
        resolution: &Resolution,
        resolve: impl Fn(&Inputs<'_>) -> Resolution,
    ) -> Result<Connection, Error> {
        let stores = self.stores()?;
        let record = |resolution: &Resolution, records: &KeyRecords| -> Result<_, Error> {
            let name = resolution.name()?;
            Ok(name.and_then(|name| records.get(name.value.as_str()).cloned()))
        };
        let mut before = match resolution.connection(stores) {
            Err(Error::NoKey { .. }) => record(resolution, self.records()?)?,
            connection => return connection,
        };
        loop {
            let config = Config::read(&self.home()?.config())?;
            let records = KeyRecords::read(&self.home()?.logins())?;
            let resolution = resolve(&Inputs {
                config: &config,
                records: &records,
                ..self.inputs()?
            });
            let now = record(&resolution, &records)?;
            match resolution.connection(stores) {
                Err(Error::NoKey { .. }) if now != before => before = now,
                connection => return connection,
            }
        }
    }

    /// Gives notice, once for each variable, of those that hide some of these values. With
    /// `NTRO_STRICT` that is an error.
    pub fn check_shadows(
        &self,
        resolution: &Resolution,
        of: &[ResolvedValue],
    ) -> Result<(), Error> {
        for shadow in resolution.shadows()? {
            if !of.contains(&shadow.value) {
                continue;
            }
            resolution.check(shadow)?;
            let mut given = self.shadows.lock().unwrap_or_else(PoisonError::into_inner);
            if given.insert(shadow.variable) {
                self.options.notice(&Notice::Shadow(shadow));
            }
        }
        Ok(())
    }

    /// Records policies that were set with an editor, before another program drops them.
    fn record_safety(&self) {
        let (Ok(config), Ok(records), Ok(home)) = (self.config(), self.records(), self.home())
        else {
            return;
        };
        if ops::has_unrecorded_safety(config, records)
            && let Err(error) = ops::record_safety(home)
        {
            tracing::debug!(%error, "policies were not recorded");
        }
    }

    /// Returns the secret stores.
    pub fn stores(&self) -> Result<&Stores, Error> {
        let stores = fill(&self.stores, || {
            let notice = Arc::clone(&self.options.notice);
            let ask = (self.options.prompt)();
            Ok(Arc::new(Stores::new(StoreSettings {
                keyring: Keyring::new(KeyringSettings {
                    timeout: self.seconds(&env::NTRO_KEYRING_TIMEOUT, KeyringSettings::TIMEOUT)?,
                    session_bus: KeyringSettings::session_bus(self.env())
                        .or_else(KeyringSettings::usual_session_bus),
                    interactive: ask.is_some(),
                }),
                identity: self.identity()?,
                passphrase: self.passphrase(ask)?,
                command: resolve::helpers(self.config()?, self.records()?),
                report: Arc::new(move |line| notice(&Notice::Helper(line))),
                plain: Arc::new(ConfigKeys::new(self.home_or_nowhere()?.config())),
                folder: self.home_or_nowhere()?.folder().to_owned(),
            })))
        })?;
        Ok(stores)
    }

    /// Returns the limits of calls.
    pub fn calls(&self) -> Result<&api::Settings, Error> {
        fill(&self.calls, || {
            let mut settings = api::Settings::from_env(self.env());
            settings.total_timeout = self.seconds(&env::NTRO_TIMEOUT, settings.total_timeout)?;
            settings.report = self.report();
            Ok(settings)
        })
    }

    /// Returns the receiver of warnings about answers.
    #[must_use]
    pub fn report(&self) -> api::Report {
        let notice = Arc::clone(&self.options.notice);
        Arc::new(move |warning| notice(&Notice::Answer(warning)))
    }

    /// Returns the transport that all calls share.
    pub fn transport(&self) -> Result<&Transport, Error> {
        fill(&self.transport, || Ok(Transport::shared(self.calls()?)))
    }

    /// Returns the client of a connection.
    pub fn client(&self, connection: &Connection) -> Result<Client, Error> {
        self.client_of(api::Target {
            provider: connection.provider.value,
            host: connection.host.value.clone(),
            key: Some(connection.key.value.clone()),
            insecure_http: self.options.insecure_http,
        })
    }

    /// Returns a client for a target.
    pub fn client_of(&self, target: api::Target) -> Result<Client, Error> {
        let calls = self.calls()?.clone();
        Ok(Client::through(self.transport()?, target, calls))
    }

    /// Returns a client for the calls of an administrator.
    pub fn admin_client(&self, target: api::AdminTarget) -> Result<AdminClient, Error> {
        let calls = self.calls()?.clone();
        Ok(AdminClient::through(self.transport()?, target, calls))
    }

    /// Returns the timeout that a variable sets.
    fn seconds(&self, variable: &EnvVar, default: Duration) -> Result<Duration, Error> {
        let Some(text) = self.env().text(variable)? else {
            return Ok(default);
        };
        let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds > 0.0);
        let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        duration
            // A longer one means for ever, and would not fit beside today's date.
            .map(|duration| duration.min(Period::LONGEST.duration()))
            .ok_or(Error::NotSeconds {
                variable: variable.name,
            })
    }

    /// The identity that opens the encrypted file, where one is named.
    fn identity(&self) -> Result<Option<PathBuf>, Error> {
        match self.env().path(&env::NTRO_IDENTITY_FILE)? {
            Some(named) => Ok(Some(named)),
            None => self.credential("ntro-identity"),
        }
    }

    /// A credential that systemd provides to this service.
    fn credential(&self, name: &str) -> Result<Option<PathBuf>, Error> {
        let folder = self.env().path(&env::CREDENTIALS_DIRECTORY)?;
        let path = folder.map(|folder| folder.join(name));
        // Where it cannot be looked at, reading it reports why.
        Ok(path.filter(|path| path.try_exists().unwrap_or(true)))
    }

    fn passphrase(&self, ask: Option<AskPassphrase>) -> Result<Passphrase, Error> {
        if let Some(text) = self.env().text(&env::NTRO_PASSPHRASE)? {
            return Ok(Passphrase::from_value(SecretString::from(text)));
        }
        if let Some(path) = self.env().path(&env::NTRO_PASSPHRASE_FILE)? {
            return Ok(Passphrase::from_file(path));
        }
        if let Some(path) = self.credential("ntro-passphrase")? {
            return Ok(Passphrase::from_file(path));
        }
        let passphrase = match ask {
            Some(ask) => Passphrase::ask(move |purpose, attempt| ask(purpose, attempt)),
            None => Passphrase::none(),
        };
        Ok(match self.unlocked()? {
            Some(place) => {
                let notice = Arc::clone(&self.options.notice);
                passphrase.kept_in(place, move |reason| notice(&Notice::NotKept(reason)))
            }
            None => passphrase,
        })
    }

    /// Where a typed passphrase is kept.
    fn unlocked(&self) -> Result<Option<Unlocked>, Error> {
        let Some(text) = self.env().text(&env::NTRO_UNLOCK_FOR)? else {
            return Ok(None);
        };
        let invalid = |reason: String| Error::NotUnlocked {
            variable: env::NTRO_UNLOCK_FOR.name,
            reason,
        };
        let period: Period = text
            .parse()
            .map_err(|error: PeriodError| invalid(error.to_string()))?;
        if period.is_zero() {
            return Ok(None);
        }
        let place = Unlocked::new(self.home_or_nowhere()?.folder(), period.duration());
        Ok(Some(place.map_err(|error| invalid(error.to_string()))?))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("home", &self.home.get())
            .field("stores", &self.stores.get())
            .finish_non_exhaustive()
    }
}

/// Returns the value of a cell, and fills it first if it is empty.
fn fill<T>(cell: &OnceLock<T>, make: impl FnOnce() -> Result<T, Error>) -> Result<&T, Error> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    Ok(cell.get_or_init(|| value))
}
