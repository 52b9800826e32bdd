//! A real authority in this process, on a free port.

use std::net::{Ipv4Addr, SocketAddr};

use jiff::SignedDuration;
use ntro_authority::{
    Actor, ApiKeyRecord, Authority as Served, AuthoritySettings, DataPlatform, Database, Limits,
    NewApiKey, NewTenant, OrganisationRecord, Registry, Role, TenantRecord, serve,
};
use ntro_base::{Provider, Scope};
use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// An authority with a new database, served until this is dropped.
///
/// It starts with the organisation `Acme`, no tenants and no keys, and has no limits.
pub struct Authority {
    runtime: Runtime,
    served: Served,
    address: SocketAddr,
    organisation: OrganisationRecord,
    _folder: TempDir,
}

/// A key that the authority has issued.
pub struct IssuedKey {
    /// The key itself.
    pub key: String,
    /// The displayable part.
    pub prefix: String,
    /// The id for revoking it.
    pub id: String,
    /// Slug of its tenant.
    pub tenant: String,
    /// Id of its tenant.
    pub tenant_id: String,
}

impl Authority {
    /// Starts an authority. Its port is bound when this returns, so it accepts connections.
    pub fn start() -> Self {
        Self::start_with(Limits::OFF)
    }

    /// Starts an authority with limits.
    pub fn start_with(limits: Limits) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let folder = tempfile::Builder::new()
            .prefix("ntro-authority-")
            .tempdir()
            .unwrap();
        let settings = AuthoritySettings {
            limits,
            ..AuthoritySettings::default()
        };
        let database = Database::Sqlite(folder.path().join("registry.db"));
        let (served, organisation, listener) = runtime.block_on(async {
            let served = Served::open(&database, settings).unwrap();
            let organisation = served
                .registry(Actor::CommandLine)
                .create_organisation("Acme", Some("org_acme"))
                .await
                .unwrap();
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            (served, organisation, listener)
        });
        let address = listener.local_addr().unwrap();
        runtime.spawn(serve(listener, served.clone(), std::future::pending()));
        Self {
            runtime,
            served,
            address,
            organisation,
            _folder: folder,
        }
    }

    /// Returns the address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its origin, such as `http://127.0.0.1:41234`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the base URL for connections of this provider.
    pub fn host(&self, provider: Provider) -> String {
        match provider {
            Provider::Ntropii => format!("{}/v1", self.origin()),
            Provider::Ontora => self.origin(),
        }
    }

    /// Issues a key for a tenant, creating the tenant if it is missing. Ontora keys get every
    /// scope.
    pub fn key(&self, provider: Provider, tenant: &str) -> IssuedKey {
        self.key_with(provider, tenant, |_| {})
    }

    /// Issues a key, changing the request first.
    pub fn key_with(
        &self,
        provider: Provider,
        tenant: &str,
        change: impl FnOnce(&mut NewApiKey),
    ) -> IssuedKey {
        let tenant = self.tenant(tenant);
        let mut new = NewApiKey {
            provider,
            environment: None,
            name: "CI integration".parse().unwrap(),
            scopes: match provider {
                Provider::Ntropii => Vec::new(),
                Provider::Ontora => vec![Scope::All],
            },
            expires_in_days: None,
            created_by: None,
            owner: None,
            may_rotate: true,
        };
        change(&mut new);
        let minted = self
            .runtime
            .block_on(self.registry().create_key(&tenant, new))
            .unwrap();
        IssuedKey {
            key: minted.key.expose().to_owned(),
            prefix: minted.record.prefix.to_string(),
            id: minted.record.id.to_string(),
            tenant: tenant.slug,
            tenant_id: tenant.id.to_string(),
        }
    }

    /// Revokes a key.
    pub fn revoke(&self, key: &IssuedKey) {
        let id = key.id.parse().unwrap();
        self.runtime
            .block_on(self.registry().revoke_key(id))
            .unwrap();
    }

    /// Revokes the children of a key, and returns their number.
    pub fn revoke_children(&self, key: &IssuedKey) -> usize {
        let children = self.children(key);
        for child in &children {
            self.runtime
                .block_on(self.registry().revoke_key(child.id))
                .unwrap();
        }
        children.len()
    }

    /// Returns the children of a key, revoked ones included.
    pub fn children(&self, key: &IssuedKey) -> Vec<ApiKeyRecord> {
        let parent = key.id.parse().unwrap();
        let tenant = key.tenant_id.parse().unwrap();
        let registry = self.registry();
        let keys = registry.keys(Some(tenant), None);
        let mut keys = self.runtime.block_on(keys).unwrap();
        keys.retain(|key| key.parent == Some(parent));
        keys
    }

    /// Returns the prefixes of a tenant's keys that are not revoked, newest first.
    pub fn live_keys(&self, tenant: &str) -> Vec<String> {
        let keys = self.runtime.block_on(async {
            let tenant = self.registry().tenant(tenant).await.unwrap();
            self.registry().keys(Some(tenant.id), None).await.unwrap()
        });
        let live = keys.iter().filter(|key| key.revoked_at.is_none());
        live.map(|key| key.prefix.to_string()).collect()
    }

    /// Returns an admin token of its organisation, valid for some minutes.
    pub fn admin_token(&self) -> String {
        self.admin_token_for(SignedDuration::from_mins(5))
    }

    /// Returns an admin token of its organisation.
    pub fn admin_token_for(&self, life: SignedDuration) -> String {
        self.registry()
            .mint_admin_token(&self.organisation, Role::Admin, "user_1", life)
            .unwrap()
            .expose_secret()
            .to_owned()
    }

    /// Returns a token of a member of its organisation who is not an admin.
    pub fn member_token(&self) -> String {
        let life = SignedDuration::from_mins(5);
        self.registry()
            .mint_admin_token(&self.organisation, Role::Member, "user_2", life)
            .unwrap()
            .expose_secret()
            .to_owned()
    }

    fn registry(&self) -> Registry {
        self.served.registry(Actor::CommandLine)
    }

    fn tenant(&self, slug: &str) -> TenantRecord {
        self.runtime.block_on(async {
            if let Ok(tenant) = self.registry().tenant(slug).await {
                return tenant;
            }
            let new = NewTenant {
                organisation_id: self.organisation.id,
                slug: slug.to_owned(),
                name: slug.to_owned(),
                data_platform: DataPlatform::ManagedPostgres,
                data_platform_config_id: None,
            };
            self.registry().create_tenant(new).await.unwrap()
        })
    }
}
