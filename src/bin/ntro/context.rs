//! What commands work with. Nothing is read or built before it is needed.

use std::cell::OnceCell;
use std::future::Future;
use std::sync::Arc;

use jiff::Timestamp;
use ntro_base::env::Env;
use ntro_base::{ApiKey, ConnectionName, TenantSlug};
use ntro_client::api::{self, Client};
use ntro_client::config::{Config, NtroDir};
use ntro_client::resolve::{Connection, Flags, Inputs, Resolution, ResolvedValue};
use ntro_client::secrets::{SecretStore, StoreKind, Stores};
use ntro_client::session::{AskPassphrase, Notice};
use ntro_client::state::KeyRecords;
use ntro_client::{Options, Session};
use tokio::runtime::Runtime;

use crate::cli::Global;
use crate::error::CliError;
use crate::exit::Kind;
use crate::output::{self, Printer};
use crate::prompt::{self, Prompter};

pub(crate) struct Context {
    global: Global,
    env: Env,
    printer: Printer,
    prompter: OnceCell<Box<dyn Prompter>>,
    session: OnceCell<Session>,
    runtime: OnceCell<Runtime>,
}

impl Context {
    pub(crate) fn new(global: Global) -> Self {
        if global.debug {
            crate::output::debug::install();
        }
        let env = Env::from_process();
        let printer = Printer::new(&global, &env);
        Self {
            global,
            env,
            printer,
            prompter: OnceCell::new(),
            session: OnceCell::new(),
            runtime: OnceCell::new(),
        }
    }

    /// Returns a context that has read no file yet, for after a change. It shares the stores, so
    /// nobody is asked for a passphrase twice.
    #[cfg(feature = "authority")]
    pub(crate) fn fresh(&self) -> Self {
        Self {
            global: self.global.clone(),
            env: self.env.clone(),
            printer: self.printer.clone(),
            prompter: OnceCell::new(),
            session: self.session().reread().into(),
            runtime: OnceCell::new(),
        }
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

    /// Returns the files, stores and connections of this command.
    pub(crate) fn session(&self) -> &Session {
        self.session.get_or_init(|| Session::new(self.options()))
    }

    fn options(&self) -> Options {
        let colour = self.printer.stderr_colour();
        let ask = self
            .prompter()
            .is_interactive()
            .then(|| Arc::new(move |purpose| prompt::passphrase(purpose, colour)) as AskPassphrase);
        let printer = self.printer.clone();
        Options {
            flags: Flags {
                connection: self.global.connection.clone(),
                host: self.global.host.clone(),
                tenant: self.global.tenant.clone(),
                ..Flags::default()
            },
            env: self.env.clone(),
            // A folder that was removed holds no `.ntro.toml`.
            folder: std::env::current_dir().ok(),
            insecure_http: self.global.insecure_http,
            ask_passphrase: ask,
            notice: Arc::new(move |notice| match notice {
                Notice::Helper(line) => output::helper_said(printer.stderr_paint(), line),
                notice => printer.warn(&notice.to_string()),
            }),
            ..Options::default()
        }
    }

    pub(crate) fn home(&self) -> Result<&NtroDir, CliError> {
        Ok(self.session().home()?)
    }

    pub(crate) fn config(&self) -> Result<&Config, CliError> {
        Ok(self.session().config()?)
    }

    pub(crate) fn logins(&self) -> Result<&KeyRecords, CliError> {
        Ok(self.session().records()?)
    }

    /// Returns everything that values are decided from.
    pub(crate) fn inputs(&self) -> Result<Inputs<'_>, CliError> {
        Ok(self.session().inputs()?)
    }

    /// Returns every value of this call, each decided once.
    pub(crate) fn resolution(&self) -> Result<&Resolution, CliError> {
        Ok(self.session().resolution()?)
    }

    /// Returns the connection that is meant, with its key, and warns about what hides what.
    pub(crate) fn connection(&self) -> Result<Connection, CliError> {
        Ok(self.session().connection()?)
    }

    /// Warns, once each, about variables that hide some of these values. With `NTRO_STRICT` that
    /// is an error.
    pub(crate) fn tell_shadows(&self, of: &[ResolvedValue]) -> Result<(), CliError> {
        self.tell_shadows_of(self.resolution()?, of)
    }

    /// As [`Context::tell_shadows`], where another connection is meant than the active one.
    pub(crate) fn tell_shadows_of(
        &self,
        resolution: &Resolution,
        of: &[ResolvedValue],
    ) -> Result<(), CliError> {
        Ok(self.session().check_shadows(resolution, of)?)
    }

    /// Reveals the key of a connection, if its policy allows that.
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

    /// Returns the name of the connection that is meant, where a command is about a connection.
    pub(crate) fn connection_name(&self) -> Result<ConnectionName, CliError> {
        let name = self.resolution()?.name()?;
        self.tell_shadows(&[ResolvedValue::Connection])?;
        match name {
            Some(name) => Ok(name.value.clone()),
            None => Err(CliError::no_connection()),
        }
    }

    pub(crate) fn client(&self, connection: &Connection) -> Result<Client, CliError> {
        Ok(self.session().client(connection)?)
    }

    /// Returns the limits of calls.
    pub(crate) fn api_settings(&self) -> Result<&api::Settings, CliError> {
        Ok(self.session().calls()?)
    }

    pub(crate) fn store(&self, kind: StoreKind) -> Result<&dyn SecretStore, CliError> {
        Ok(self.stores()?.get(kind))
    }

    pub(crate) fn stores(&self) -> Result<&Stores, CliError> {
        Ok(self.session().stores()?)
    }

    /// Runs a future to its end, on a runtime that is made when the first one comes.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> Result<T, CliError> {
        Ok(self.runtime()?.block_on(future))
    }

    pub(crate) fn runtime(&self) -> Result<&Runtime, CliError> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| CliError::new(Kind::Failure, format!("cannot start: {error}")))?;
        Ok(self.runtime.get_or_init(|| runtime))
    }

    /// Returns another connection than the one that is meant whose default tenant this is, to name it
    /// in an error. Of the same provider: another one's tenants are others.
    pub(crate) fn connection_for(&self, tenant: &TenantSlug) -> Option<String> {
        let config = self.config().ok()?;
        let resolution = self.resolution().ok()?;
        let meant = resolution.name().ok()?;
        let meant = meant.map(|name| name.value.as_str());
        let provider = resolution.provider().ok()?.value;
        let inputs = self.inputs().ok()?;
        let is_of_provider = |name: &str| {
            let other = inputs.alone(&name.parse().ok()?);
            Some(other.provider().ok()?.value == provider)
        };
        let found = config.connections.iter().find(|(name, entry)| {
            entry.default_tenant.as_deref() == Some(tenant.as_str())
                && meant != Some(name.as_str())
                && is_of_provider(name).unwrap_or(false)
        });
        found.map(|(name, _)| name.clone())
    }
}
