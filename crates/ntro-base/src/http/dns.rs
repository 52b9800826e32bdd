use std::error::Error as StdError;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tower_service::Service;

use super::loopback_addresses;

/// Resolves loopback names to this machine and asks the system for all others.
///
/// The system's resolver runs on a dedicated thread. The runtime's blocking threads would keep the
/// process alive until the resolver returns, long after the call has timed out.
#[derive(Clone)]
pub(super) struct Resolver;

/// The system's resolver found no address.
///
/// A separate type, so that it can be found in a chain of errors.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DnsFailure(String);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        look_up(name.as_str().to_owned())
    }
}

impl Service<dns::Name> for Resolver {
    type Response = Addrs;
    type Error = Box<dyn StdError + Send + Sync>;
    type Future = Resolving;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: dns::Name) -> Resolving {
        look_up(name.as_str().to_owned())
    }
}

fn look_up(name: String) -> Resolving {
    Box::pin(async move {
        if let Some(addresses) = loopback_addresses(&name) {
            let addresses: Addrs = Box::new(addresses.map(|ip| SocketAddr::new(ip, 0)).into_iter());
            return Ok(addresses);
        }
        let (sender, receiver) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name("resolver".to_owned())
            .spawn(move || {
                let found = (name.as_str(), 0)
                    .to_socket_addrs()
                    .map(Iterator::collect::<Vec<_>>);
                // The receiver is gone when the call has timed out.
                let _ = sender.send(found);
            })
            .map_err(|error| DnsFailure(error.to_string()))?;
        let found = receiver
            .await
            .map_err(|_| DnsFailure("the resolver stopped".to_owned()))?
            .map_err(|error| DnsFailure(error.to_string()))?;
        let addresses: Addrs = Box::new(found.into_iter());
        Ok(addresses)
    })
}
