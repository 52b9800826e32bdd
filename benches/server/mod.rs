//! An authority in this process, with a number of keys.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark stops where something is wrong"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use ntro_authority::{
    Actor, Authority, AuthoritySettings, DataPlatform, Database, Limits, NewApiKey, NewTenant,
    serve,
};
use ntro_base::{ApiKey, Provider, Scope};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// An authority in this process, and its keys.
pub(crate) struct Server {
    _runtime: Runtime,
    pub(crate) address: SocketAddr,
    pub(crate) keys: Vec<ApiKey>,
}

impl Server {
    /// Starts an authority with this many keys of a provider, with every scope.
    pub(crate) fn start(database: &Path, provider: Provider, count: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let settings = AuthoritySettings {
            limits: Limits::OFF,
            ..AuthoritySettings::default()
        };
        let database = Database::Sqlite(database.to_owned());
        let (listener, served, keys) = runtime.block_on(async {
            let served = Authority::open(&database, settings).unwrap();
            let registry = served.registry(Actor::CommandLine);
            let organisation = registry.create_organisation("Acme", None).await.unwrap();
            let tenant = NewTenant {
                organisation_id: organisation.id,
                slug: "acme".to_owned(),
                name: "Acme".to_owned(),
                data_platform: DataPlatform::ManagedPostgres,
                data_platform_config_id: None,
            };
            let tenant = registry.create_tenant(tenant).await.unwrap();
            let mut keys = Vec::new();
            for _ in 0..count {
                let new = NewApiKey {
                    provider,
                    environment: None,
                    name: "bench".parse().unwrap(),
                    scopes: match provider {
                        Provider::Ontora => vec![Scope::All],
                        Provider::Ntropii => Vec::new(),
                    },
                    expires_in_days: None,
                    created_by: None,
                    owner: None,
                    may_rotate: true,
                };
                keys.push(registry.create_key(&tenant, new).await.unwrap().key);
            }
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            (listener, served, keys)
        });
        let address = listener.local_addr().unwrap();
        runtime.spawn(serve(listener, served, std::future::pending()));
        Self {
            _runtime: runtime,
            address,
            keys,
        }
    }
}
