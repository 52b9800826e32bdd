//! `ntro serve`: the authority as a process.

mod issuers;
mod listeners;
mod logs;

use std::convert::Infallible;
use std::sync::Arc;

use ntro_authority::{Authority, AuthoritySettings, Certificate, Limits, LogQueue};
use ntro_base::http::{CustomRoots, Proxies};
use serde::Serialize;

use self::issuers::IssuerArgs;
use self::listeners::{ListenArgs, Place};
use self::logs::{LogArgs, Logs};
use super::database::DatabaseArgs;
use super::listening::{at_hangup, shutdown};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Paint, Report};

/// Run the authority, the server that issues and verifies keys
///
/// Prints the addresses once it listens. Ctrl-C or SIGTERM stops it after the current requests.
#[derive(clap::Args, Debug)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    listen: ListenArgs,
    /// Region reported for Ontora keys
    #[arg(long, value_name = "REGION", default_value = "us")]
    region: String,
    /// Requests per minute for the keys of one tenant, and for the admins of one organisation; 0
    /// removes the limit. Revocations have a separate limit of the same size
    #[arg(long, value_name = "PER_MINUTE", default_value_t = Limits::default().tenant_per_minute)]
    rate_limit: u32,
    /// Failed authentications per minute from one address; 0 removes the limit
    #[arg(long, value_name = "PER_MINUTE", default_value_t = Limits::default().failures_per_minute)]
    failure_limit: u32,
    #[command(flatten)]
    logs: LogArgs,
    #[command(flatten)]
    issuers: IssuerArgs,
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
    let logs = args.logs.open(cx.global().debug)?;
    let database = args.database.database(cx)?;
    let settings = AuthoritySettings {
        key_material: args.database.key_material(cx)?,
        region: args.region,
        limits: Limits {
            tenant_per_minute: args.rate_limit,
            failures_per_minute: args.failure_limit,
        },
        issuers: args.issuers.issuers()?,
        proxies: Proxies::from_env(cx.env()),
        roots: CustomRoots::from_env(cx.env()),
        access_log: logs.access.clone(),
        ..AuthoritySettings::default()
    };
    let runtime = crate::runtime::build(&mut tokio::runtime::Builder::new_multi_thread())?;
    runtime.block_on(async {
        // Before the first answer, so that an early signal loses no request.
        let shutdown = shutdown()?;
        let bound = args.listen.bind().await?;
        let authority = Authority::open(&database, settings)?;
        let keeping = keep(bound.certificate, &logs)?;
        let metrics = bound.metrics;
        cx.printer().print(&ServeSummary {
            first: bound.places[0].clone(),
            listeners: bound.places,
            metrics: metrics.as_ref().map(|(_, url)| url.clone()),
        })?;
        let metrics = metrics.map(|(listener, _)| listener);
        tokio::select! {
            served = ntro_authority::serve_on(bound.listeners, metrics, authority, shutdown) => served?,
            never = keeping => match never {},
        }
        Ok(Exit::Success)
    })
}

/// Returns a future that never ends: it reloads the certificate when its files change, and at SIGHUP,
/// which also opens the access log again. With neither, SIGHUP ends the process.
fn keep(
    certificate: Option<Arc<Certificate>>,
    logs: &Logs,
) -> Result<impl Future<Output = Infallible> + use<>, CliError> {
    let log = logs.file();
    let hangups = match (&certificate, &log) {
        (None, None) => None,
        _ => {
            let certificate = certificate.clone();
            Some(at_hangup(move || {
                log.iter().for_each(LogQueue::reopen);
                certificate.iter().for_each(|one| one.reload());
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
