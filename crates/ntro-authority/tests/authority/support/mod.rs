//! An authority in a temporary folder, and a builder of requests to it.

mod served;
pub(crate) mod tls;
pub(crate) mod tokens;
pub(crate) mod wire;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use jiff::SignedDuration;
use ntro_authority::{
    Actor, Authority, AuthoritySettings, DataPlatform, Database, Error, Issuer, JwksSource,
    KeyMaterial, Limits, MintedKey, NewApiKey, NewTenant, OrganisationRecord, Registry, Role,
    TenantRecord, router,
};
use ntro_base::{Provider, Scope};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::audit::connect;
pub(crate) use served::Served;

/// An authority with the organisation Acme and its tenant `acme-fund-admin`.
pub(crate) struct App {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) authority: Authority,
    registry: Registry,
    pub(crate) router: Router,
    pub(crate) organisation: OrganisationRecord,
    pub(crate) tenant: TenantRecord,
}

impl App {
    /// Starts an authority without rate limits.
    pub(crate) async fn start() -> Self {
        Self::start_with(AuthoritySettings {
            limits: Limits::OFF,
            ..AuthoritySettings::default()
        })
        .await
    }

    pub(crate) async fn start_with(settings: AuthoritySettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::open(&database(&folder), settings).unwrap();
        let registry = authority.registry(Actor::CommandLine);
        let organisation = registry
            .create_organisation("Acme", Some("org_acme"))
            .await
            .unwrap();
        let tenant = tenant(&registry, &organisation, "acme-fund-admin").await;
        Self {
            router: router(authority.clone()),
            folder,
            registry: authority.registry(Actor::CommandLine),
            authority,
            organisation,
            tenant,
        }
    }

    /// Starts an authority with an issuer like Clerk beside the built-in one.
    pub(crate) async fn start_with_clerk() -> (Self, tokens::Clerk) {
        let clerk = tokens::Clerk::new();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jwks.json");
        std::fs::write(&path, clerk.jwks().to_string()).unwrap();
        let app = Self::start_with(AuthoritySettings {
            limits: Limits::OFF,
            issuers: vec![Issuer {
                issuer: tokens::CLERK.to_owned(),
                audience: None,
                keys: JwksSource::File(path),
                claims: ntro_authority::Claims::default(),
            }],
            ..AuthoritySettings::default()
        })
        .await;
        (app, clerk.living_in(folder))
    }

    /// Stops this authority and starts another on the same registry.
    pub(crate) async fn restart(self) -> Self {
        let Self {
            folder,
            authority,
            registry,
            router: old,
            organisation,
            tenant,
        } = self;
        drop((authority, registry, old));
        let settings = AuthoritySettings {
            limits: Limits::OFF,
            ..AuthoritySettings::default()
        };
        let authority = Authority::open(&database(&folder), settings).unwrap();
        Self {
            router: router(authority.clone()),
            folder,
            registry: authority.registry(Actor::CommandLine),
            authority,
            organisation,
            tenant,
        }
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(crate) fn database(&self) -> Database {
        database(&self.folder)
    }

    /// Creates a key of Acme's tenant; a key of Ontora has every scope.
    pub(crate) async fn key(&self, provider: Provider) -> MintedKey {
        key(self.registry(), &self.tenant, provider).await
    }

    /// Creates a tenant of another organisation.
    pub(crate) async fn stranger(&self) -> (OrganisationRecord, TenantRecord) {
        let organisation = self
            .registry()
            .create_organisation("Globex", Some("org_globex"))
            .await
            .unwrap();
        let tenant = tenant(self.registry(), &organisation, "globex-capital").await;
        (organisation, tenant)
    }

    /// Returns a token of an admin of Acme.
    pub(crate) fn admin(&self) -> String {
        self.token(&self.organisation, Role::Admin)
    }

    pub(crate) fn member(&self) -> String {
        self.token(&self.organisation, Role::Member)
    }

    pub(crate) fn token(&self, organisation: &OrganisationRecord, role: Role) -> String {
        self.registry()
            .mint_admin_token(organisation, role, "user_1", SignedDuration::from_mins(5))
            .unwrap()
            .expose_secret()
            .to_owned()
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    pub(crate) fn delete(&self, path: &str) -> Call {
        self.call("DELETE", path)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Call {
        self.call("POST", path).body(body)
    }

    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        Call {
            router: self.router.clone(),
            request: Request::builder()
                .method(method)
                .uri(path)
                .body(Body::empty())
                .unwrap(),
        }
    }
}

pub(crate) fn database(folder: &tempfile::TempDir) -> Database {
    Database::Sqlite(folder.path().join("registry.db"))
}

/// Opens a registry beside the authority, as `ntro admin` does.
pub(crate) fn open(database: &Database) -> Result<Registry, Error> {
    Registry::open(database, &KeyMaterial::default(), Actor::CommandLine)
}

pub(crate) async fn tenant(
    registry: &Registry,
    organisation: &OrganisationRecord,
    slug: &str,
) -> TenantRecord {
    let new = NewTenant {
        organisation_id: organisation.id,
        slug: slug.to_owned(),
        name: slug.to_owned(),
        data_platform: DataPlatform::ManagedPostgres,
        data_platform_config_id: None,
    };
    registry.create_tenant(new).await.unwrap()
}

pub(crate) fn new_key(provider: Provider) -> NewApiKey {
    NewApiKey {
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
    }
}

pub(crate) async fn key(
    registry: &Registry,
    tenant: &TenantRecord,
    provider: Provider,
) -> MintedKey {
    registry
        .create_key(tenant, new_key(provider))
        .await
        .unwrap()
}

/// Moves times of a key in the database, as another process would.
pub(crate) fn edit_key(app: &App, id: &str, set: &str) {
    let edit = format!(
        "BEGIN IMMEDIATE; UPDATE meta SET epoch = epoch + 1; UPDATE api_keys SET {set}, \
         changed = (SELECT epoch FROM meta) WHERE id = '{id}'; COMMIT"
    );
    connect(app).execute_batch(&edit).unwrap();
}

/// Returns the status of the answer to the key's request for its own description.
pub(crate) async fn status(app: &App, key: &str) -> u16 {
    let path = match key.starts_with("ont_") {
        true => "/v1/api-keys/current",
        false => "/v1/me",
    };
    with(app.get(path), key).send().await.status
}

/// Adds the key in the header of its provider.
pub(crate) fn with(call: Call, key: &str) -> Call {
    match key.starts_with("ont_") {
        true => call.api_key(key),
        false => call.bearer(key),
    }
}

/// A request to build and send.
#[must_use]
pub(crate) struct Call {
    router: Router,
    request: Request<Body>,
}

impl Call {
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request
            .headers_mut()
            .append(name, value.parse().unwrap());
        self
    }

    pub(crate) fn bearer(self, credential: &str) -> Self {
        self.header("authorization", &format!("Bearer {credential}"))
    }

    pub(crate) fn api_key(self, key: &str) -> Self {
        self.header("x-api-key", key)
    }

    /// Adds the key in the header of its provider.
    pub(crate) fn key(self, minted: &MintedKey) -> Self {
        with(self, minted.key.expose())
    }

    pub(crate) fn body(self, body: &Value) -> Self {
        self.raw_body(body.to_string())
    }

    pub(crate) fn raw_body(self, body: impl Into<Body>) -> Self {
        self.plain_body(body)
            .header("content-type", "application/json")
    }

    /// Sets a body without a `Content-Type`.
    pub(crate) fn plain_body(mut self, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        self
    }

    pub(crate) fn extension<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.request.extensions_mut().insert(value);
        self
    }

    pub(crate) async fn send(self) -> Reply {
        let response = self.router.oneshot(self.request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).unwrap()
        };
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }

    /// Sends the request, and returns the status and the body of any type.
    pub(crate) async fn bytes(self) -> (u16, Vec<u8>) {
        let response = self.router.oneshot(self.request).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await;
        (status, body.unwrap().to_vec())
    }

    /// Sends the request, and expects this status.
    pub(crate) async fn expect(self, status: StatusCode) -> Reply {
        let reply = self.send().await;
        assert_eq!(reply.status, status.as_u16(), "{}", reply.body);
        reply
    }

    /// Sends the request, and expects this status and this `code` in the body.
    pub(crate) async fn expect_code(self, status: StatusCode, code: &str) -> Reply {
        let reply = self.expect(status).await;
        assert_eq!(reply.body["code"], code, "{}", reply.body);
        reply
    }
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Returns the values of one field of each item of a list.
    pub(crate) fn each(&self, member: &str) -> Vec<&str> {
        let items = self.body.as_array().unwrap();
        items
            .iter()
            .map(|item| item[member].as_str().unwrap())
            .collect()
    }
}
