use std::time::Duration;

use tokio::net::TcpListener;

use super::accept::{self, Bounds};
use super::router::service;
use crate::error::Error;
use crate::server::Authority;

/// How often the times of last use are written to the database.
const RECORD_USE: Duration = Duration::from_secs(30);
/// How often checkpoints of the audit logs are signed.
const SIGN: Duration = Duration::from_secs(1);

/// Serves until `shutdown` is done, then lets open requests finish, for a bounded time, and records
/// the last uses of keys.
pub async fn serve(
    listener: TcpListener,
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
                tracing::error!(%error, "the times of last use could not be written");
            }
        }
    };
    let signing = async {
        loop {
            tokio::time::sleep(SIGN).await;
            authority.sign_audit_logs().await;
        }
    };
    tokio::select! {
        () = accept::serve(listener, service(authority.clone()), bounds, shutdown) => {}
        () = recording => {}
        () = signing => {}
    }
    authority.sign_audit_logs().await;
    authority.record_use().await
}
