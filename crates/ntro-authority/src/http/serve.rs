use std::time::Duration;

use super::accept::{self, Bounds};
use super::listener::Listener;
use super::own::metrics_service;
use super::router::service;
use crate::error::Error;
use crate::server::Authority;

/// Connections of the listener for metrics.
const SCRAPES: usize = 16;
/// How often the uses of keys are written to the database.
const RECORD_USE: Duration = Duration::from_secs(30);
/// How often keys that expire soon are counted and warned of.
const WARN: Duration = Duration::from_secs(60);
/// How often checkpoints of the audit logs are signed.
const SIGN: Duration = Duration::from_secs(1);

/// Serves on one listener: see [`serve_on`].
pub async fn serve(
    listener: impl Into<Listener>,
    authority: Authority,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    serve_on(vec![listener.into()], None, authority, shutdown).await
}

/// Serves until `shutdown` is done, then lets open requests finish, for a bounded time, and records
/// the last uses of keys. Without a listener for them, metrics are for callers on this machine.
pub async fn serve_on(
    listeners: Vec<Listener>,
    metrics: Option<Listener>,
    authority: Authority,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let settings = authority.settings();
    let bounds = Bounds {
        connections: settings.connections,
        head: settings.timeout,
        drain: settings.drain,
    };
    let shutdown = async {
        shutdown.await;
        authority.start_draining();
    };
    let recording = async {
        loop {
            tokio::time::sleep(RECORD_USE).await;
            if let Err(error) = authority.record_use().await {
                tracing::error!(%error, "the uses of keys could not be written");
                continue;
            }
            if let Err(error) = authority.end_quiet_predecessors().await {
                tracing::error!(%error, "replaced keys could not be revoked");
            }
        }
    };
    let signing = async {
        loop {
            tokio::time::sleep(SIGN).await;
            authority.sign_audit_logs().await;
        }
    };
    let warning = async {
        loop {
            if let Err(error) = authority.warn_of_expiry().await {
                tracing::error!(%error, "keys that expire soon could not be looked up");
            }
            tokio::time::sleep(WARN).await;
        }
    };
    let service = service(authority.clone(), metrics.is_none());
    let scraping = async {
        let metrics = metrics.into_iter().collect();
        let service = metrics_service(&authority);
        accept::serve(
            metrics,
            service,
            Bounds {
                connections: SCRAPES,
                ..bounds
            },
            std::future::pending(),
        )
        .await;
    };
    tokio::select! {
        () = accept::serve(listeners, service, bounds, shutdown) => {}
        () = scraping => {}
        () = recording => {}
        () = signing => {}
        () = warning => {}
    }
    authority.sign_audit_logs().await;
    authority.record_use().await
}
