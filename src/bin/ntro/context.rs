//! What commands work with. Nothing is read or built before it is asked for.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ntro_base::disk;
use ntro_base::env::{self, Env};
use ntro_base::{ApiKey, ConnectionName, Period, TenantSlug};
use ntro_client::api::{self, Client};
use ntro_client::config::{Config, KeyRecords, NtroDir, Pin};
use ntro_client::ops;
use ntro_client::resolve::{self, Connection, Flags, ResolvedValue, Resolver};
use ntro_client::secrets::{
    ConfigKeys, Keyring, KeyringSettings, Passphrase, SecretStore, StoreKind, StoreSettings, Stores,
};
use secrecy::SecretString;
use tokio::runtime::Runtime;

use crate::cli::Global;
use crate::error::CliError;
use crate::exit::Kind;
use crate::output::{self, Printer};
use crate::prompt::{self, Prompter};

pub(crate) struct Context {
    global: Global,
    env: Env,
    flags: Flags,
    printer: Printer,
    prompter: OnceCell<Box<dyn Prompter>>,
    home: OnceCell<NtroDir>,
    config: OnceCell<Config>,
    records: OnceCell<KeyRecords>,
    pin: OnceCell<Option<Pin>>,
    stores: OnceCell<Arc<Stores>>,
    runtime: OnceCell<Runtime>,
    /// The variables of which people were warned that they hide something.
    warned: RefCell<BTreeSet<&'static str>>,
}

impl Context {
    pub(crate) fn new(global: Global) -> Self {
        if global.debug {
            crate::output::debug::install();
        }
        Self::with(global, Env::from_process())
    }

    fn with(global: Global, env: Env) -> Self {
        let printer = Printer::new(&global, &env);
        Self {
            flags: Flags {
                connection: global.connection.clone(),
                host: global.host.clone(),
                tenant: global.tenant.clone(),
                ..Flags::default()
            },
            global,
            env,
            printer,
            prompter: OnceCell::new(),
            home: OnceCell::new(),
            config: OnceCell::new(),
            records: OnceCell::new(),
            pin: OnceCell::new(),
            stores: OnceCell::new(),
            runtime: OnceCell::new(),
            warned: RefCell::default(),
        }
    }

    /// Returns a context that has read nothing yet, for after a change. What opens the stores stays,
    /// so that nobody is asked for a passphrase twice.
    #[cfg(feature = "authority")]
    pub(crate) fn fresh(&self) -> Self {
        let fresh = Self::with(self.global.clone(), self.env.clone());
        if let Some(stores) = self.stores.get() {
            let _ = fresh.stores.set(Arc::clone(stores));
        }
        fresh
    }

    pub(crate) fn global(&self) -> &Global {
        &self.global
    }

    pub(crate) fn env(&self) -> &Env {
        &self.env
    }

    pub(crate) fn printer(&self) -> &Printer {
        &self.printer
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    pub(crate) fn prompter(&self) -> &dyn Prompter {
        &**self.prompter.get_or_init(|| {
            prompt::prompter(self.global.no_interactive, self.printer.stderr_colour())
        })
    }

    pub(crate) fn home(&self) -> Result<&NtroDir, CliError> {
        fill(&self.home, || Ok(NtroDir::locate(&self.env)?))
    }

    pub(crate) fn config(&self) -> Result<&Config, CliError> {
        fill(&self.config, || {
            let path = self.home()?.config();
            let config = Config::read(&path)?;
            for path in [self.home()?.folder(), &path] {
                self.report_permissions(path);
            }
            Ok(config)
        })
    }

    pub(crate) fn logins(&self) -> Result<&KeyRecords, CliError> {
        fill(&self.records, || {
            Ok(KeyRecords::read(&self.home()?.logins())?)
        })
    }

    fn pin(&self) -> Result<Option<&Pin>, CliError> {
        let pin = fill(&self.pin, || match std::env::current_dir() {
            Ok(folder) => Ok(Pin::find(&folder)?),
            // A folder that was removed holds no file.
            Err(_) => Ok(None),
        })?;
        Ok(pin.as_ref())
    }

    /// Decides connection, host, key and tenant.
    pub(crate) fn resolver(&self) -> Result<Resolver<'_>, CliError> {
        Ok(Resolver {
            flags: &self.flags,
            env: &self.env,
            pin: self.pin()?,
            config: self.config()?,
            records: self.logins()?,
            home: self.home()?,
        })
    }

    /// Returns the connection that is meant, with its key, and tells what hides what.
    pub(crate) fn connection(&self) -> Result<Connection, CliError> {
        let resolver = self.resolver()?;
        self.tell_shadows(&ResolvedValue::ALL)?;
        self.record_safety();
        // What is wrong with a setting is warned before a store is opened.
        self.api_settings()?;
        match resolver.connection(self.stores()?) {
            Err(resolve::Error::NoKey { .. }) => self.second_look(&resolver),
            connection => Ok(connection?),
        }
    }

    /// Tells which variables hide what of the values that matter to a command, once each. With
    /// `NTRO_STRICT` that is refused.
    pub(crate) fn tell_shadows(&self, of: &[ResolvedValue]) -> Result<(), CliError> {
        self.tell_shadows_of(&self.resolver()?, of)
    }

    /// As [`Context::tell_shadows`], where another connection is meant than the active one.
    pub(crate) fn tell_shadows_of(
        &self,
        resolver: &Resolver<'_>,
        of: &[ResolvedValue],
    ) -> Result<(), CliError> {
        for shadow in resolver.shadows()? {
            if !of.contains(&shadow.value) {
                continue;
            }
            resolver.check(&shadow)?;
            if self.warned.borrow_mut().insert(shadow.variable) {
                self.printer.warn(&shadow.to_string());
            }
        }
        Ok(())
    }

    /// Notes policies that were set with an editor, before another program drops them.
    fn record_safety(&self) {
        let (Ok(config), Ok(records), Ok(home)) = (self.config(), self.logins(), self.home())
        else {
            return;
        };
        if ops::has_unrecorded_safety(config, records)
            && let Err(error) = ops::record_safety(home)
        {
            tracing::debug!(%error, "policies were not noted");
        }
    }

    /// Returns the key of a connection for whoever is to have it, if its policy allows that.
    pub(crate) fn reveal<'c>(&self, connection: &'c Connection) -> Result<&'c ApiKey, CliError> {
        connection.reveal(|name| {
            if !self.prompter().is_interactive() {
                return Err(CliError::new(
                    Kind::Forbidden,
                    format!("the policy of `{name}` is `confirm`, and nobody can be asked"),
                )
                .hint("run the command on a terminal, without `--no-interactive`"));
            }
            let question = format!("Hand over the API key of `{name}`?");
            self.prompter().confirm(&question, false)
        })
    }

    /// Looks again for a key that is not where the files said: another process may have moved it
    /// after they were read. It is given up when what they say of it stays the same.
    fn second_look(&self, resolver: &Resolver<'_>) -> Result<Connection, CliError> {
        let stores = self.stores()?;
        let said = |resolver: &Resolver<'_>| -> Result<_, CliError> {
            Ok(match resolver.name()? {
                Some(name) => resolver.login(&name.value).cloned(),
                None => None,
            })
        };
        let mut before = said(resolver)?;
        loop {
            let config = Config::read(&self.home()?.config())?;
            let records = KeyRecords::read(&self.home()?.logins())?;
            let resolver = Resolver {
                config: &config,
                records: &records,
                ..*resolver
            };
            let now = said(&resolver)?;
            match resolver.connection(stores) {
                Err(resolve::Error::NoKey { .. }) if now != before => before = now,
                connection => return Ok(connection?),
            }
        }
    }

    /// Returns the name of the connection that is meant, where a command is about a connection.
    pub(crate) fn connection_name(&self) -> Result<ConnectionName, CliError> {
        let name = self.resolver()?.name()?;
        self.tell_shadows(&[ResolvedValue::Connection])?;
        match name {
            Some(name) => Ok(name.value),
            None => Err(CliError::no_connection()),
        }
    }

    pub(crate) fn client(&self, connection: &Connection) -> Result<Client, CliError> {
        let target = api::Target {
            provider: connection.provider.value,
            host: connection.host.value.clone(),
            key: Some(connection.key.value.clone()),
            insecure_http: self.global.insecure_http,
        };
        Ok(Client::new(target, self.api_settings()?))
    }

    /// Returns how patient calls are.
    pub(crate) fn api_settings(&self) -> Result<api::Settings, CliError> {
        let mut settings = api::Settings::from_env(&self.env);
        settings.total_timeout = self.seconds(&env::NTRO_TIMEOUT, settings.total_timeout)?;
        Ok(settings)
    }

    pub(crate) fn store(&self, kind: StoreKind) -> Result<&dyn SecretStore, CliError> {
        Ok(self.stores()?.get(kind))
    }

    pub(crate) fn stores(&self) -> Result<&Stores, CliError> {
        let stores = fill(&self.stores, || {
            Ok(Arc::new(Stores::new(StoreSettings {
                folder: self.home()?.folder().to_owned(),
                keyring: Keyring::new(KeyringSettings {
                    timeout: self.seconds(&env::NTRO_KEYRING_TIMEOUT, KeyringSettings::TIMEOUT)?,
                    session_bus: KeyringSettings::session_bus(&self.env),
                    interactive: self.prompter().is_interactive(),
                }),
                identity: self.identity(),
                passphrase: self.passphrase()?,
                command: resolve::helpers(self.config()?, self.logins()?),
                report: {
                    let paint = self.printer.stderr_paint();
                    Arc::new(move |line| output::helper_said(paint, line))
                },
                plain: Arc::new(ConfigKeys::new(self.home()?.config())),
            })))
        })?;
        Ok(stores)
    }

    /// Returns the time that a variable names.
    fn seconds(&self, variable: &env::EnvVar, default: Duration) -> Result<Duration, CliError> {
        let Some(text) = self.env.text(variable)? else {
            return Ok(default);
        };
        let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds > 0.0);
        let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        duration
            // What is longer is for ever, and would not fit beside today's date.
            .map(|duration| duration.min(Period::LONGEST.duration()))
            .ok_or_else(|| {
                CliError::usage(format!(
                    "the variable `{}` is not a number of seconds above 0",
                    variable.name
                ))
                .hint("set it to, for instance, `10`")
            })
    }

    /// The identity that opens the encrypted file, where one is named.
    fn identity(&self) -> Option<PathBuf> {
        self.env
            .path(&env::NTRO_IDENTITY_FILE)
            .or_else(|| self.credential("ntro-identity"))
    }

    /// A credential that systemd has put there for this service.
    fn credential(&self, name: &str) -> Option<PathBuf> {
        let path = self.env.path(&env::CREDENTIALS_DIRECTORY)?.join(name);
        // One that cannot be looked at is there; reading it tells what is the matter.
        path.try_exists().unwrap_or(true).then_some(path)
    }

    fn passphrase(&self) -> Result<Passphrase, CliError> {
        if let Some(text) = self.env.text(&env::NTRO_PASSPHRASE)? {
            return Ok(Passphrase::from_value(SecretString::from(text)));
        }
        if let Some(path) = self.env.path(&env::NTRO_PASSPHRASE_FILE) {
            return Ok(Passphrase::from_file(path));
        }
        if let Some(path) = self.credential("ntro-passphrase") {
            return Ok(Passphrase::from_file(path));
        }
        if !self.prompter().is_interactive() {
            return Ok(Passphrase::none());
        }
        let colour = self.printer.stderr_colour();
        Ok(Passphrase::ask(move |purpose| {
            prompt::passphrase(purpose, colour)
        }))
    }

    /// Runs a future to its end, on a runtime that is made when the first one comes.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> Result<T, CliError> {
        Ok(self.runtime()?.block_on(future))
    }

    pub(crate) fn runtime(&self) -> Result<&Runtime, CliError> {
        fill(&self.runtime, || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| CliError::new(Kind::Failure, format!("cannot start: {error}")))
        })
    }

    /// Returns another connection than the one that is meant whose default tenant this is, to name it
    /// in an error. Of the same provider: another one's tenants are others.
    pub(crate) fn connection_for(&self, tenant: &TenantSlug) -> Option<String> {
        let config = self.config().ok()?;
        let resolver = self.resolver().ok()?;
        let meant = resolver.name().ok()?;
        let meant = meant.as_ref().map(|name| name.value.as_str());
        let provider = resolver.provider().ok()?.value;
        let is_of_provider = |name: &str| {
            let flags = Flags::of_connection(name.parse().ok()?);
            let other = resolver.alone(&flags).provider().ok()?;
            Some(other.value == provider)
        };
        let found = config.connections.iter().find(|(name, entry)| {
            entry.default_tenant.as_deref() == Some(tenant.as_str())
                && meant != Some(name.as_str())
                && is_of_provider(name).unwrap_or(false)
        });
        found.map(|(name, _)| name.clone())
    }

    fn report_permissions(&self, path: &std::path::Path) {
        if let Some(owner) = disk::foreign_owner(path) {
            self.printer.warn(&format!(
                "`{}` belongs to another user (number {owner}), who can change it at any time",
                path.display()
            ));
        }
        if let Some(finding) = disk::inspect(path) {
            self.printer.warn(&format!(
                "`{}` has the permissions {:04o} and should have {:04o}; the next change fixes it",
                finding.path.display(),
                finding.mode,
                finding.expected
            ));
        }
    }
}

/// Returns what the cell holds, filling it first if it is empty.
fn fill<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T, CliError>) -> Result<&T, CliError> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    Ok(cell.get_or_init(|| value))
}
