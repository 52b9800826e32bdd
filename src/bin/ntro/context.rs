//! State shared by all commands, read and built on first use.

use std::cell::{OnceCell, RefCell};
use std::ffi::OsString;
use std::future::Future;
use std::sync::Arc;

use jiff::Timestamp;
use ntro_base::env::Env;
use ntro_base::{ApiKey, ConnectionName, TenantSlug};
use ntro_client::api::{self, Client};
use ntro_client::config::{Config, NtroDir};
use ntro_client::ops::children;
use ntro_client::resolve::{
    Connection, Flags, Inputs, KeySource, Resolution, ResolvedValue, Source, Sourced,
};
use ntro_client::secrets::{SecretStore, StoreKind, Stores};
use ntro_client::session::{AskPassphrase, Notice};
use ntro_client::state::KeyRecords;
use ntro_client::{Options, Session};
use tokio::runtime::{Builder, Runtime};

use crate::cli::Global;
use crate::error::CliError;
use crate::exit::Kind;
use crate::output::{self, Printer};
use crate::prompt::{self, Prompter};
use crate::runtime;
use crate::suggest;

pub(crate) struct Context {
    global: Global,
    env: Env,
    printer: Printer,
    prompter: OnceCell<Box<dyn Prompter>>,
    session: OnceCell<Session>,
    runtime: OnceCell<Runtime>,
    /// The connection that the command is about, if it is not the active one.
    subject: RefCell<Option<ConnectionName>>,
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
            subject: RefCell::default(),
        }
    }

    /// Returns a context that rereads the files after a change. It shares the stores, so a
    /// passphrase is not asked for again.
    #[cfg(feature = "authority")]
    pub(crate) fn fresh(&self) -> Self {
        Self {
            session: self.session().reread().into(),
            ..self.anew(self.global.clone(), self.env.clone())
        }
    }

    /// Returns a context with variables that another process has passed on.
    pub(crate) fn with_variables(
        &self,
        variables: impl IntoIterator<Item = (String, OsString)>,
    ) -> Self {
        self.anew(self.global.clone(), self.env.clone().with(variables))
    }

    /// Returns a context of another connection.
    pub(crate) fn with_connection(&self, name: ConnectionName) -> Self {
        let mut global = self.global.clone();
        global.connection = Some(name);
        self.anew(global, self.env.clone())
    }

    fn anew(&self, global: Global, env: Env) -> Self {
        Self {
            global,
            env,
            printer: self.printer.clone(),
            prompter: OnceCell::new(),
            session: OnceCell::new(),
            runtime: OnceCell::new(),
            subject: RefCell::default(),
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
            prompt::prompter(self.global.no_interactive, self.printer.stderr_paint())
        })
    }

    /// Returns the session of this command: its files, stores and connections.
    pub(crate) fn session(&self) -> &Session {
        self.session.get_or_init(|| Session::new(self.options()))
    }

    fn options(&self) -> Options {
        let paint = self.printer.stderr_paint();
        let no_interactive = self.global.no_interactive;
        let ask = move || -> AskPassphrase {
            Arc::new(move |purpose, attempt| prompt::passphrase(purpose, attempt, paint))
        };
        let printer = self.printer.clone();
        Options {
            flags: Flags {
                connection: self.global.connection.clone(),
                host: self.global.host.clone(),
                tenant: self.global.tenant.clone(),
                ..Flags::default()
            },
            env: self.env.clone(),
            // A deleted working directory has no `.ntro.toml`.
            folder: std::env::current_dir().ok(),
            insecure_http: self.global.insecure_http,
            prompt: Arc::new(move || prompt::is_interactive(no_interactive).then(ask)),
            notice: Arc::new(move |notice| match notice {
                Notice::Helper(line) => output::print_helper_line(printer.stderr_paint(), line),
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

    /// Returns the inputs of all decisions.
    pub(crate) fn inputs(&self) -> Result<Inputs<'_>, CliError> {
        Ok(self.session().inputs()?)
    }

    /// Returns the resolved values of this call, each resolved once.
    pub(crate) fn resolution(&self) -> Result<&Resolution, CliError> {
        Ok(self.session().resolution()?)
    }

    /// Returns the active connection with its key, and warns about variables that override it.
    pub(crate) fn connection(&self) -> Result<Connection, CliError> {
        Ok(self.session().connection()?)
    }

    /// Warns once about each variable that overrides one of these values. With `NTRO_STRICT` that
    /// is an error.
    pub(crate) fn check_shadows(&self, of: &[ResolvedValue]) -> Result<(), CliError> {
        self.check_shadows_of(self.resolution()?, of)
    }

    /// Like [`Context::check_shadows`], for a connection other than the active one.
    pub(crate) fn check_shadows_of(
        &self,
        resolution: &Resolution,
        of: &[ResolvedValue],
    ) -> Result<(), CliError> {
        Ok(self.session().check_shadows(resolution, of)?)
    }

    /// Reveals the key of a connection if its policy allows it.
    pub(crate) fn reveal<'c>(&self, connection: &'c Connection) -> Result<&'c ApiKey, CliError> {
        connection.reveal(|name| {
            if !self.prompter().is_interactive() {
                return Err(CliError::new(
                    Kind::Forbidden,
                    format!("the policy of `{name}` is `confirm`, and nobody can be asked"),
                )
                .hint("run the command on a terminal, without `--no-interactive`"));
            }
            let question = format!("Reveal the API key of `{name}`?");
            Ok(self.prompter().confirm(&question)?)
        })
    }

    /// Returns the name of the active connection, for a command that requires one.
    pub(crate) fn connection_name(&self) -> Result<ConnectionName, CliError> {
        let name = self.resolution()?.name()?;
        self.check_shadows(&[ResolvedValue::Connection])?;
        match name {
            Some(name) => Ok(name.value.clone()),
            None => Err(CliError::no_connection()),
        }
    }

    /// Returns a client of a connection, after revoking child keys that killed programs have left at
    /// its server.
    pub(crate) fn client(&self, connection: &Connection) -> Result<Client, CliError> {
        self.revoke_leftover(&self.target(connection));
        Ok(self.session().client(connection)?)
    }

    /// Returns the server and the key of a connection.
    pub(crate) fn target(&self, connection: &Connection) -> api::Target {
        api::Target {
            provider: connection.provider.value,
            host: connection.host.value.clone(),
            key: Some(connection.key.value.clone()),
            insecure_http: self.global.insecure_http,
        }
    }

    /// Revokes the child keys that killed programs have left at a server. A failure is left to the
    /// next command.
    pub(crate) fn revoke_leftover(&self, target: &api::Target) {
        let is_there = |home: &NtroDir| home.children().exists();
        if !self.home().is_ok_and(is_there) {
            return;
        }
        let Ok(runtime) = self.runtime() else { return };
        match children::revoke_leftover(self.session(), runtime, target) {
            Ok(0) => {}
            Ok(count) => {
                let plural = if count == 1 { "" } else { "s" };
                self.printer.note(&format!(
                    "Revoked {count} child key{plural} of killed programs."
                ));
            }
            Err(error) => tracing::debug!(%error, "child keys of killed programs are left"),
        }
    }

    /// Returns the timeouts and limits of calls.
    pub(crate) fn api_settings(&self) -> Result<&api::Settings, CliError> {
        Ok(self.session().calls()?)
    }

    pub(crate) fn store(&self, kind: StoreKind) -> Result<&dyn SecretStore, CliError> {
        Ok(self.stores()?.get(kind))
    }

    pub(crate) fn stores(&self) -> Result<&Stores, CliError> {
        Ok(self.session().stores()?)
    }

    /// Runs a future to completion, on a runtime that is created on first use.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> Result<T, CliError> {
        Ok(self.runtime()?.block_on(future))
    }

    pub(crate) fn runtime(&self) -> Result<&Runtime, CliError> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let runtime = runtime::build(&mut Builder::new_current_thread())?;
        Ok(self.runtime.get_or_init(|| runtime))
    }

    /// Sets the connection that the command is about, for the hints of errors.
    pub(crate) fn set_subject(&self, name: &ConnectionName) {
        self.subject.replace(Some(name.clone()));
    }

    /// Makes the commands in a hint act on the connection of this command.
    pub(crate) fn acting(&self, hint: &str) -> String {
        let is_command = |group: &str| hint.contains(&format!("`ntro {group} "));
        if !["auth", "key", "tenant"].into_iter().any(is_command) {
            return hint.to_owned();
        }
        if let Some(name) = &*self.subject.borrow() {
            return suggest::acting_on(hint, name.as_str(), false);
        }
        let name = self.resolution().ok().and_then(|it| it.name().ok()?);
        match name {
            Some(Sourced { value, source }) => {
                let is_found = !matches!(source, Source::Flag(_));
                suggest::acting_on(hint, value.as_str(), is_found)
            }
            None => hint.to_owned(),
        }
    }

    /// Returns an error as it is reported: with the source of a rejected key, and with hints for the
    /// connection of this command.
    pub(crate) fn explained(&self, error: CliError) -> CliError {
        let error = self.with_key_source(error);
        let hint = error.hint.as_deref().map(|hint| self.acting(hint));
        CliError { hint, ..error }
    }

    /// Adds to the rejection of a key where the key is from, if people forget that, and what is odd
    /// about it.
    fn with_key_source(&self, error: CliError) -> CliError {
        if !error.is_key_rejected {
            return error;
        }
        let key = self.resolution().ok().and_then(|it| it.key().ok());
        let Some(Sourced { value, source }) = key else {
            return error;
        };
        let odd = match value {
            KeySource::Given(key) => key.oddity(),
            KeySource::Stored(_) => None,
        };
        match (source, odd) {
            (source, Some(odd)) => {
                let message = format!("{}; the key from {source} {odd}", error.message);
                CliError { message, ..error }.hint("take the key alone, and nothing else")
            }
            (Source::Variable(name), None) => {
                let message = format!("{}; the key is from the variable `{name}`", error.message);
                CliError { message, ..error }.hint(format!(
                    "it may be revoked, expired or for another server: set `{name}` to another key, or unset it to use a stored one"
                ))
            }
            _ => error,
        }
    }

    /// Returns another connection of the same provider with this default tenant, to name it in an
    /// error: one of the same server, if there is one. Tenants of other providers are unrelated.
    pub(crate) fn connection_for(&self, tenant: &TenantSlug) -> Option<String> {
        let config = self.config().ok()?;
        let resolution = self.resolution().ok()?;
        let meant = resolution.name().ok()?;
        let meant = meant.map(|name| name.value.as_str());
        let provider = resolution.provider().ok()?.value;
        let origin = resolution.host().ok().map(|host| host.value.origin());
        let inputs = self.inputs().ok()?;
        let mut elsewhere = None;
        for (name, entry) in &config.connections {
            if entry.default_tenant.as_deref() != Some(tenant.as_str())
                || meant == Some(name.as_str())
            {
                continue;
            }
            let Ok(parsed) = name.parse() else { continue };
            let other = inputs.alone(&parsed);
            if !other.provider().is_ok_and(|found| found.value == provider) {
                continue;
            }
            if other.host().ok().map(|host| host.value.origin()) == origin {
                return Some(name.clone());
            }
            elsewhere = elsewhere.or_else(|| Some(name.clone()));
        }
        elsewhere
    }
}
