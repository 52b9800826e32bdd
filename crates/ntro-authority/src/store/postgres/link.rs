//! A connection to the primary, and what the server sends on it unasked.

use std::future::{Future, poll_fn};
use std::io::BufReader;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio_postgres::error::Severity;
use tokio_postgres::{AsyncMessage, Client, Connection, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::PostgresError;
use super::cluster::Cluster;
use super::url::{Encryption, PostgresUrl};

/// How long connecting may take, and one step of a statement.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// A connection to the primary. A task of the runtime in which it was opened drives it. Dropping it
/// closes it, also in the middle of a statement, whose outcome is then unknown.
pub(super) struct Link {
    pub(super) client: Client,
    pub(super) cluster: Cluster,
    signals: Arc<Signals>,
    driver: AbortHandle,
}

/// What the server sends unasked.
#[derive(Default)]
struct Signals {
    /// A warning came.
    warned: AtomicBool,
    /// A notification came, or the connection has ended.
    notified: Notify,
    ended: AtomicBool,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Link {
    /// Connects, and refuses a server that is no primary.
    pub(super) async fn open(url: &PostgresUrl) -> Result<Self, PostgresError> {
        let mut config = url.config.clone();
        if config.get_application_name().is_none() {
            config.application_name("ntro");
        }
        config
            .connect_timeout(DEADLINE / 2)
            .tcp_user_timeout(DEADLINE)
            .keepalives_idle(DEADLINE);
        let signals = Arc::new(Signals::default());
        let connecting = async {
            Ok(match &url.encryption {
                Encryption::Off => {
                    let (client, connection) = config.connect(NoTls).await?;
                    (client, tokio::spawn(drive(connection, signals.clone())))
                }
                Encryption::Verified { roots } => {
                    let tls = MakeRustlsConnect::new(tls_config(roots.as_deref())?);
                    let (client, connection) = config.connect(tls).await?;
                    (client, tokio::spawn(drive(connection, signals.clone())))
                }
            })
        };
        let (client, driver) = bounded(connecting).await?;
        let mut link = Self {
            client,
            cluster: Cluster::default(),
            signals,
            driver: driver.abort_handle(),
        };
        link.cluster = Cluster::read(&link).await?;
        Ok(link)
    }

    /// Runs several statements, in one message; returns the first column of every row.
    pub(super) async fn script(&self, sql: &str) -> Result<Vec<String>, PostgresError> {
        let messages = bounded(async { Ok(self.client.simple_query(sql).await?) }).await?;
        let first = |message: &SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
            _ => None,
        };
        Ok(messages.iter().filter_map(first).collect())
    }

    /// Runs statements in a transaction of their own, with a synchronous commit whatever the
    /// server's settings say. A warning counts as an error: the commit may stand on this server
    /// alone.
    pub(super) async fn transaction(&self, sql: &str) -> Result<Vec<String>, PostgresError> {
        self.forget_warnings();
        let sql = format!("BEGIN; {SYNCHRONOUS}; {sql}; COMMIT");
        let mut rows = self.script(&sql).await?;
        if self.has_warned() {
            return Err(PostgresError::connection(
                "PostgreSQL has warned about the commit",
            ));
        }
        match rows.is_empty() || rows.remove(0) != "on" {
            true => Err(PostgresError::connection(
                "`synchronous_commit` cannot be set",
            )),
            false => Ok(rows),
        }
    }

    /// Returns whether the connection has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed() || self.signals.ended.load(Ordering::Relaxed)
    }

    /// Forgets the warnings so far.
    pub(super) fn forget_warnings(&self) {
        self.signals.warned.store(false, Ordering::Relaxed);
    }

    /// Returns whether a warning came since they were last forgotten.
    pub(super) fn has_warned(&self) -> bool {
        self.signals.warned.load(Ordering::Relaxed)
    }

    /// Waits for a notification, or the end of the connection. What came since the last wait counts.
    pub(super) async fn notified(&self) {
        self.signals.notified.notified().await;
    }
}

/// Makes the commit of a transaction synchronous, and shows it.
pub(super) const SYNCHRONOUS: &str = "SET LOCAL synchronous_commit = on; SHOW synchronous_commit";

/// Makes the commit of a transaction wait for the standbys, if there are any, as that of a write
/// does: a deposed primary cannot answer it then. Returns a row.
pub(super) const BARRIER: &str = "SELECT CASE \
    WHEN current_setting('synchronous_standby_names') <> '' \
    THEN CAST(pg_logical_emit_message(true, 'ntro', '') AS TEXT) END";

/// Ends a future that takes too long. The outcome of its statement is unknown then.
pub(super) async fn bounded<T>(
    future: impl Future<Output = Result<T, PostgresError>>,
) -> Result<T, PostgresError> {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(result) => result,
        Err(_) => Err(PostgresError::connection(format!(
            "PostgreSQL has not answered within {} seconds",
            DEADLINE.as_secs()
        ))),
    }
}

/// Reads and writes the connection until it ends. Sees a notice before the client gets the answer
/// that follows it.
async fn drive<S, T>(mut connection: Connection<S, T>, signals: Arc<Signals>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut messages = pin!(poll_fn(|cx| connection.poll_message(cx)));
    loop {
        match messages.as_mut().await {
            Some(Ok(AsyncMessage::Notice(notice))) => {
                let harmless = matches!(
                    notice.parsed_severity(),
                    Some(Severity::Notice | Severity::Debug | Severity::Info | Severity::Log)
                );
                if !harmless {
                    tracing::warn!(
                        code = notice.code().code(),
                        "PostgreSQL: {}",
                        notice.message()
                    );
                    signals.warned.store(true, Ordering::Relaxed);
                }
            }
            Some(Ok(AsyncMessage::Notification(_))) => signals.notified.notify_one(),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => break,
        }
    }
    signals.ended.store(true, Ordering::Relaxed);
    signals.notified.notify_one();
}

fn tls_config(file: Option<&std::path::Path>) -> Result<ClientConfig, PostgresError> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(path) => {
            let unreadable = |error: &dyn std::fmt::Display| {
                PostgresError::connection(format!("cannot read `{}`: {error}", path.display()))
            };
            let file = std::fs::File::open(path).map_err(|error| unreadable(&error))?;
            for certificate in CertificateDer::pem_reader_iter(BufReader::new(file)) {
                let certificate = certificate.map_err(|error| unreadable(&error))?;
                roots.add(certificate).map_err(|error| unreadable(&error))?;
            }
        }
        None => {
            let system = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(system.certs);
        }
    }
    if roots.is_empty() {
        return Err(PostgresError::connection(
            "no certificate of an authority was found to check the server with",
        ));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| PostgresError::connection(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
