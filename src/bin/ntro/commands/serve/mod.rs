//! `ntro serve`: the authority as a process.

mod check;
mod expiry;
mod issuers;
mod listeners;
mod logs;
mod proxies;
mod service_manager;
mod settings_file;

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use ntro_authority::{
    Authority, AuthoritySettings, Certificate, Consistency, Database, Limits, LogQueue,
};
use ntro_base::http::{CustomRoots, Proxies};
use serde::Serialize;
use url::Url;

use self::expiry::ExpiryArgs;
use self::issuers::IssuerArgs;
use self::listeners::{ListenArgs, Place};
use self::logs::{LogArgs, Logs};
use self::proxies::ProxyArgs;
use self::service_manager::ServiceManager;
use super::database::DatabaseArgs;
use super::listening::{at_hangup, shutdown};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Paint, Report};
use crate::process::raise_descriptor_limit;

/// Where GitHub publishes the keys that sign its reports.
const GITHUB_KEYS: &str = "https://api.github.com/meta/public_keys/secret_scanning";

/// Run the authority, the server that issues and verifies keys
///
/// Prints the addresses once it listens. Ctrl-C or SIGTERM stops it after the current requests. Where
/// systemd has started it, it reports when it is ready, reloads and stops, and feeds the watchdog.
#[derive(clap::Args, Debug)]
pub(crate) struct ServeArgs {
    /// TOML file with these options by their long names; options given here and variables win.
    /// Relative paths in it are relative to the working folder
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check settings, database, key material, certificate and the key sets of issuers, print the
    /// findings as `ntro doctor` does, and exit, with 1 if there is a problem. Nothing is written
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    listen: ListenArgs,
    /// Region reported for Ontora keys [default: us]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Requests per minute for the keys of one tenant, and for the admins of one organisation; 0
    /// removes the limit. Revocations have a separate limit of the same size [default: 6000]
    #[arg(long, value_name = "PER_MINUTE")]
    rate_limit: Option<u32>,
    /// Requests per minute for one key, which count against the limit of its tenant too; 0 removes the
    /// limit [default: 0]
    #[arg(long, value_name = "PER_MINUTE")]
    key_rate_limit: Option<u32>,
    /// Failed authentications per minute from one address; 0 removes the limit [default: 60]
    #[arg(long, value_name = "PER_MINUTE")]
    failure_limit: Option<u32>,
    /// Accept GitHub's reports of leaked keys at `/v1/leaks/github`, signed by the keys at this URL
    /// [without a URL: https://api.github.com/meta/public_keys/secret_scanning]
    #[arg(long, value_name = "KEYS_URL", num_args = 0..=1, require_equals = true,
        default_missing_value = GITHUB_KEYS)]
    github_leak_reports: Option<Url>,
    /// How a server on PostgreSQL knows the latest changes: from leases, or by asking the database for
    /// each verification, which needs no clock [default: lease]
    #[arg(
        long,
        value_name = "MODE",
        value_parser = PossibleValuesParser::new(Consistency::ALL.map(Consistency::as_str))
            .map(|text| consistency(&text))
    )]
    consistency: Option<Consistency>,
    #[command(flatten)]
    proxies: ProxyArgs,
    #[command(flatten)]
    expiry: ExpiryArgs,
    #[command(flatten)]
    logs: LogArgs,
    #[command(flatten)]
    issuers: IssuerArgs,
}

fn consistency(text: &str) -> Consistency {
    let mut all = Consistency::ALL.into_iter();
    all.find(|one| one.as_str() == text).unwrap_or_default()
}

impl ServeArgs {
    /// Returns these options, and where they are missing, those of the settings file.
    fn with_file(mut self, cx: &Context) -> Result<Self, CliError> {
        let Some(path) = self.config.take() else {
            return Ok(self);
        };
        let file = settings_file::read(&path)?;
        Ok(Self {
            config: None,
            check: self.check,
            database: self.database.or(file.database, cx),
            listen: self.listen.or(file.listen),
            region: self.region.or(file.region),
            rate_limit: self.rate_limit.or(file.rate_limit),
            key_rate_limit: self.key_rate_limit.or(file.key_rate_limit),
            failure_limit: self.failure_limit.or(file.failure_limit),
            proxies: self.proxies.or(file.proxies),
            github_leak_reports: self.github_leak_reports.or(file.github_leak_reports),
            consistency: self.consistency.or(file.consistency),
            expiry: self.expiry.or(file.expiry),
            logs: self.logs.or(file.logs),
            issuers: self.issuers.or(file.issuers),
        })
    }
}

impl ServeArgs {
    fn settings(self, cx: &Context) -> Result<(Database, ListenArgs, AuthoritySettings), CliError> {
        let defaults = AuthoritySettings::default();
        let limits = defaults.limits;
        let settings = AuthoritySettings {
            key_material: self.database.key_material(cx)?,
            region: self.region.unwrap_or_else(|| defaults.region.clone()),
            limits: Limits {
                tenant_per_minute: self.rate_limit.unwrap_or(limits.tenant_per_minute),
                key_per_minute: self.key_rate_limit.unwrap_or(limits.key_per_minute),
                failures_per_minute: self.failure_limit.unwrap_or(limits.failures_per_minute),
            },
            trusted_proxies: self.proxies.trusted(),
            consistency: self.consistency.unwrap_or_default(),
            expiry_webhook: self.expiry.webhook()?,
            expiry_warnings: self.expiry.days(defaults.expiry_warnings.clone()),
            issuers: self.issuers.issuers()?,
            github_keys: self.github_leak_reports,
            proxies: Proxies::from_env(cx.env()),
            roots: CustomRoots::from_env(cx.env()),
            ..defaults
        };
        Ok((self.database.database(cx)?, self.listen, settings))
    }

    fn checked(self, cx: &Context) -> Result<Exit, CliError> {
        let (database, listen, settings) = self.settings(cx)?;
        check::run(&database, &settings, listen.certificate(), cx)
    }
}

/// Printed once the server listens.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ServeSummary {
    /// The first of the listeners.
    #[serde(flatten)]
    first: Place,
    /// All listeners.
    listeners: Vec<Place>,
    /// URL of the metrics, if they have an address of their own.
    metrics: Option<String>,
}

pub(crate) fn run(args: ServeArgs, cx: &Context) -> Result<Exit, CliError> {
    let args = args.with_file(cx)?;
    if args.check {
        return args.checked(cx);
    }
    let logs = args.logs.clone().open(cx.global().debug)?;
    let (database, listen, settings) = args.settings(cx)?;
    let settings = AuthoritySettings {
        access_log: logs.access.clone(),
        connections: connections(settings.connections, raise_descriptor_limit()),
        ..settings
    };
    let manager = ServiceManager::from_env(cx.env());
    let runtime = crate::runtime::build(&mut tokio::runtime::Builder::new_multi_thread())?;
    runtime.block_on(async {
        // Before the first answer, so that an early signal loses no request.
        let shutdown = shutdown()?;
        let bound = listen.bind().await?;
        let authority = Authority::open(&database, settings)?;
        let keeping = keep(bound.certificate, &logs, manager)?;
        let metrics = bound.metrics;
        cx.printer().print(&ServeSummary {
            first: bound.places[0].clone(),
            listeners: bound.places,
            metrics: metrics.as_ref().map(|(_, url)| url.clone()),
        })?;
        let metrics = metrics.map(|(listener, _)| listener);
        let shutdown = async {
            shutdown.await;
            manager.stopping();
        };
        manager.ready();
        tokio::select! {
            served = ntro_authority::serve_on(bound.listeners, metrics, authority, shutdown) => served?,
            never = keeping => match never {},
            never = manager.keep_alive() => match never {},
        }
        Ok(Exit::Success)
    })
}

/// Returns how many connections fit into the open files that the system permits, at most `most`.
fn connections(most: usize, open_files: Option<u64>) -> usize {
    /// The database, logs, listeners, and the connections of metrics and to issuers.
    const OTHERS: usize = 128;

    let files = open_files.map_or(usize::MAX, |files| {
        usize::try_from(files).unwrap_or(usize::MAX)
    });
    most.min(files.saturating_sub(OTHERS).max(files / 2))
}

/// Returns a future that never ends: it reloads the certificate when its files change, and at SIGHUP,
/// which also opens the access log again. With neither, and without a service manager, SIGHUP ends
/// the process.
fn keep(
    certificate: Option<Arc<Certificate>>,
    logs: &Logs,
    manager: ServiceManager,
) -> Result<impl Future<Output = Infallible> + use<>, CliError> {
    let log = logs.file();
    let hangups = match (&certificate, &log) {
        (None, None) if !manager.is_there() => None,
        _ => {
            let certificate = certificate.clone();
            Some(at_hangup(move || {
                manager.reloading();
                log.iter().for_each(LogQueue::reopen);
                certificate.iter().for_each(|one| one.reload());
                manager.ready();
            })?)
        }
    };
    Ok(async {
        let watch = async {
            match certificate {
                Some(certificate) => certificate.watch().await,
                None => std::future::pending().await,
            }
        };
        let hangups = async {
            match hangups {
                Some(hangups) => hangups.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            never = watch => never,
            never = hangups => never,
        }
    })
}

impl Report for ServeSummary {
    fn text(&self, _: Paint) -> String {
        let line = |place: &Place| format!("listening on {}\n", place.url);
        let metrics = self.metrics.iter().map(|url| format!("metrics at {url}\n"));
        self.listeners.iter().map(line).chain(metrics).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::connections;

    #[test]
    fn connections_fit_into_open_files() {
        for (open_files, expected) in [
            (None, 8_192),
            (Some(1 << 40), 8_192),
            (Some(1_024), 896),
            (Some(128), 64),
            (Some(2), 1),
        ] {
            assert_eq!(connections(8_192, open_files), expected, "{open_files:?}");
        }
    }
}
