use std::error::Error as StdError;
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use tokio::net::TcpStream;
use tower_service::Service as _;
use url::{Position, Url};

use super::Proxies;
use super::dns::Resolver;

/// Opens connections to a server that is called by plain `http` and without a proxy.
pub struct PlainConnector {
    server: Url,
    timeout: Duration,
    connector: HttpConnector<Resolver>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It was not established in time.
    #[error("the connection was not established in time")]
    TimedOut,
    /// The name has no address, or none accepts connections.
    #[error(transparent)]
    Failed(Box<dyn StdError + Send + Sync>),
}

impl PlainConnector {
    /// Makes a connector to a server; `None` if calls to it need TLS or a proxy.
    #[must_use]
    pub fn new(server: &Url, timeout: Duration, proxies: &Proxies) -> Option<Self> {
        if server.scheme() != "http" || !matches!(proxies.find(server), Ok(None)) {
            return None;
        }
        // The limits of reqwest, which makes all other connections.
        let mut connector = HttpConnector::new_with_resolver(Resolver);
        connector.set_nodelay(true);
        connector.set_keepalive(Some(Duration::from_secs(15)));
        connector.set_keepalive_interval(Some(Duration::from_secs(15)));
        connector.set_keepalive_retries(Some(3));
        #[cfg(target_os = "linux")]
        connector.set_tcp_user_timeout(Some(Duration::from_secs(30)));
        Some(Self {
            server: server.clone(),
            timeout,
            connector,
        })
    }

    /// Returns the server's name and port, as the `Host` header has them.
    #[must_use]
    pub fn authority(&self) -> String {
        self.server[Position::BeforeHost..Position::AfterPort].to_owned()
    }

    /// Opens a connection.
    ///
    /// # Errors
    ///
    /// Returns an error when the server cannot be reached.
    pub async fn connect(&self) -> Result<TcpStream, ConnectError> {
        let server = self.server.as_str().parse();
        let server = server.map_err(|error| ConnectError::Failed(Box::new(error)))?;
        let connecting = self.connector.clone().call(server);
        match tokio::time::timeout(self.timeout, connecting).await {
            Ok(Ok(stream)) => Ok(stream.into_inner()),
            Ok(Err(error)) => Err(ConnectError::Failed(Box::new(error))),
            Err(_) => Err(ConnectError::TimedOut),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::{ALL_PROXY, Env, EnvVar, HTTP_PROXY};

    #[test]
    fn plain_server_needs_neither_tls_nor_proxy() {
        let authority = |server: &str, variables: &[(&EnvVar, &str)]| {
            let proxies = Proxies::from_env(&Env::from_pairs(variables.iter().copied()));
            let server = server.parse().unwrap();
            let connector = PlainConnector::new(&server, Duration::from_secs(1), &proxies);
            connector.map(|connector| connector.authority())
        };
        let plain = |authority: &str| Some(authority.to_owned());
        assert_eq!(authority("http://a.example/v1", &[]), plain("a.example"));
        assert_eq!(authority("http://a.example:80", &[]), plain("a.example"));
        assert_eq!(authority("http://[::1]:8080", &[]), plain("[::1]:8080"));
        assert_eq!(authority("https://a.example", &[]), None);
        for proxy in [(&HTTP_PROXY, "http://proxy:1"), (&ALL_PROXY, ":::bad")] {
            assert_eq!(authority("http://a.example", &[proxy]), None);
            let own = authority("http://127.0.0.1:1", &[proxy]);
            assert_eq!(own, plain("127.0.0.1:1"));
        }
    }
}
