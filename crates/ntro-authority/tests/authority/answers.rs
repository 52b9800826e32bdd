//! The answers of every endpoint for every kind and state of a credential, as `docs/answers.md`
//! publishes them.

use std::fmt::Write as _;

use axum::http::StatusCode;
use ntro_authority::{MintedKey, OrganisationRecord, Role, TenantRecord, TenantStatus};
use ntro_base::{Provider, Scope};
use serde_json::{Value, json};

use crate::support::tokens::{Clerk, claims_with};
use crate::support::{App, Call, edit_key, key, new_key, status, tenant, with};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/answers.md");
const START: &str = "<!-- answers: written by `answers_of_every_endpoint_are_current` -->\n";
const END: &str = "<!-- end of the answers -->\n";
const UPDATE: &str =
    "INSTA_UPDATE=always cargo test -p ntro-authority answers_of_every_endpoint_are_current";

const ABSENT: &str = "11111111-1111-4111-8111-111111111111";

/// An authority with two organisations.
struct Stage {
    app: App,
    clerk: Clerk,
    globex: OrganisationRecord,
    theirs: TenantRecord,
    /// The number of tenants that were made.
    tenants: usize,
}

/// What an endpoint is asked about.
struct Target {
    tenant: String,
    /// A key of each provider.
    ntropii: String,
    ontora: String,
    /// A child of the caller, or else an id that does not exist.
    child: String,
}

/// A credential and what it is used on.
struct Caller {
    key: Option<String>,
    target: Target,
}

/// A request for an endpoint.
struct Endpoint {
    title: &'static str,
    ask: fn(&App, &Target) -> Call,
    /// Whether a successful request changes what other requests are answered.
    ends: bool,
}

const fn endpoint(title: &'static str, ask: fn(&App, &Target) -> Call) -> Endpoint {
    let ends = false;
    Endpoint { title, ask, ends }
}

const fn ending(title: &'static str, ask: fn(&App, &Target) -> Call) -> Endpoint {
    let ends = true;
    Endpoint { title, ask, ends }
}

fn form(app: &App, path: &str, body: &str) -> Call {
    app.call("POST", path)
        .plain_body(body.to_owned())
        .header("content-type", "application/x-www-form-urlencoded")
}

const OF_KEYS: [Endpoint; 11] = [
    endpoint("`GET /v1/me`", |app, _| app.get("/v1/me")),
    endpoint("`GET /v1/api-keys/current`", |app, _| {
        app.get("/v1/api-keys/current")
    }),
    ending("`DELETE /v1/api-keys/current`", |app, _| {
        app.delete("/v1/api-keys/current")
    }),
    ending("`POST …/current/rotate`", |app, _| {
        app.call("POST", "/v1/api-keys/current/rotate")
    }),
    ending("`DELETE …/current/successor`", |app, _| {
        app.delete("/v1/api-keys/current/successor")
    }),
    endpoint("`GET …/current/predecessor`", |app, _| {
        app.get("/v1/api-keys/current/predecessor")
    }),
    endpoint("`PUT …/current/predecessor`", |app, _| {
        let body = json!({"end_when_quiet_for_seconds": 60});
        app.call("PUT", "/v1/api-keys/current/predecessor")
            .body(&body)
    }),
    ending("`DELETE …/current/predecessor`", |app, _| {
        app.delete("/v1/api-keys/current/predecessor")
    }),
    endpoint("`POST …/current/children`", |app, _| {
        app.post(
            "/v1/api-keys/current/children",
            &json!({"expires_in_seconds": 60}),
        )
    }),
    ending("`DELETE …/current/children/{child}`", |app, target| {
        app.delete(&format!("/v1/api-keys/current/children/{}", target.child))
    }),
    endpoint("`POST …/current/tripwires`", |app, target| {
        // Another key may not have the same tripwire.
        let hash = target.tenant.replace('-', "").repeat(2);
        let body = json!({"sha256": hash, "expires_in_seconds": 60});
        app.post("/v1/api-keys/current/tripwires", &body)
    }),
];

const OF_TENANTS: [Endpoint; 10] = [
    endpoint("`GET /v1/workspace/tenants`", |app, _| {
        app.get("/v1/workspace/tenants")
    }),
    endpoint("`POST /v1/workspace/tenants`", |app, target| {
        // A name that no other request takes.
        let slug = format!("made-{}", target.tenant);
        let body = json!({"slug": slug, "name": "Made", "dataPlatform": "managed-postgres"});
        app.post("/v1/workspace/tenants", &body)
    }),
    endpoint("`GET …/tenants/{tenant}`", |app, target| {
        app.get(&tenant_path(target, ""))
    }),
    endpoint("`PATCH …/tenants/{tenant}`", |app, target| {
        let body = json!({"config": {}});
        app.call("PATCH", &tenant_path(target, "")).body(&body)
    }),
    ending("`DELETE …/tenants/{tenant}`", |app, target| {
        app.delete(&tenant_path(target, ""))
    }),
    endpoint("`GET …/{tenant}/api-keys`", |app, target| {
        app.get(&tenant_path(target, "/api-keys"))
    }),
    endpoint("`POST …/{tenant}/api-keys`", |app, target| {
        app.post(&tenant_path(target, "/api-keys"), &json!({"name": "CI"}))
    }),
    ending("`DELETE …/{tenant}/api-keys/{key}`", |app, target| {
        app.delete(&tenant_path(
            target,
            &format!("/api-keys/{}", target.ntropii),
        ))
    }),
    endpoint("`GET …/{tenant}/audit/checkpoint`", |app, target| {
        app.get(&tenant_path(target, "/audit/checkpoint"))
    }),
    endpoint("`GET /v1/workspace/audit/checkpoint`", |app, _| {
        app.get("/v1/workspace/audit/checkpoint")
    }),
];

const OF_WORKSPACES: [Endpoint; 7] = [
    endpoint("`GET /v1/api-keys`", |app, target| {
        app.get(&format!("/v1/api-keys?workspace_id={}", target.tenant))
    }),
    endpoint("`POST /v1/api-keys`", |app, target| {
        let body = json!({"name": "CI", "workspace_id": target.tenant, "scopes": ["*"]});
        app.post("/v1/api-keys", &body)
    }),
    ending("`DELETE /v1/api-keys/{key}`", |app, target| {
        app.delete(&format!("/v1/api-keys/{}", target.ontora))
    }),
    endpoint("`GET /v1/workspaces`", |app, _| app.get("/v1/workspaces")),
    endpoint("`GET /v1/workspaces/{workspace}/members`", |app, target| {
        app.get(&format!("/v1/workspaces/{}/members", target.tenant))
    }),
    endpoint("`POST /v1/introspect`", |app, _| {
        form(app, "/v1/introspect", "token=x")
    }),
    endpoint("`POST /v1/leaks`", |app, _| {
        app.post("/v1/leaks", &json!({"keys": ["x"]}))
    }),
];

/// The first six ask about a tenant.
const OF_TENANT_KEYS: [Endpoint; 7] = [
    endpoint("`GET …/{tenant}/api-keys/{key}`", |app, target| {
        app.get(&key_path(target, ""))
    }),
    endpoint("`GET …/{key}/usage`", |app, target| {
        app.get(&key_path(target, "/usage"))
    }),
    ending("`POST …/{key}/pause`", |app, target| {
        app.call("POST", &key_path(target, "/pause"))
    }),
    ending("`POST …/{key}/resume`", |app, target| {
        app.call("POST", &key_path(target, "/resume"))
    }),
    endpoint("`GET …/{tenant}/policy`", |app, target| {
        app.get(&tenant_path(target, "/policy"))
    }),
    endpoint("`PUT …/{tenant}/policy`", |app, target| {
        let path = tenant_path(target, "/policy");
        app.call("PUT", &path).body(&json!({}))
    }),
    endpoint("`DELETE …/members/{user}/api-keys`", |app, _| {
        app.delete("/v1/workspace/members/user_1/api-keys")
    }),
];

const OF_WORKSPACE_KEYS: [Endpoint; 8] = [
    endpoint("`GET /v1/revocations/{key}`", |app, target| {
        app.get(&format!("/v1/revocations/{}", target.ontora))
    }),
    endpoint("`GET /v1/api-keys/{key}`", |app, target| {
        app.get(&format!("/v1/api-keys/{}", target.ontora))
    }),
    endpoint("`GET …/{key}/usage`", |app, target| {
        app.get(&format!("/v1/api-keys/{}/usage", target.ontora))
    }),
    ending("`POST …/{key}/pause`", |app, target| {
        let path = format!("/v1/api-keys/{}/pause", target.ontora);
        app.call("POST", &path)
    }),
    ending("`POST …/{key}/resume`", |app, target| {
        let path = format!("/v1/api-keys/{}/resume", target.ontora);
        app.call("POST", &path)
    }),
    endpoint("`GET …/{workspace}/policy`", |app, target| {
        app.get(&format!("/v1/workspaces/{}/policy", target.tenant))
    }),
    endpoint("`PUT …/{workspace}/policy`", |app, target| {
        let path = format!("/v1/workspaces/{}/policy", target.tenant);
        app.call("PUT", &path).body(&json!({}))
    }),
    endpoint(
        "`DELETE …/{workspace}/members/{user}/api-keys`",
        |app, target| {
            let workspace = &target.tenant;
            let path = format!("/v1/workspaces/{workspace}/members/user_1/api-keys");
            app.delete(&path)
        },
    ),
];

fn key_path(target: &Target, below: &str) -> String {
    tenant_path(target, &format!("/api-keys/{}{below}", target.ntropii))
}

fn tenant_path(target: &Target, below: &str) -> String {
    format!("/v1/workspace/tenants/{}{below}", target.tenant)
}

#[derive(Clone, Copy)]
struct Credential {
    kind: Kind,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    None,
    Garbage,
    PartOfKey,
    Ontora(Scope),
    Ntropii,
    OntoraAsBearer,
    NtropiiAsHeader,
    Child(Provider),
    Admin,
    Member,
    ForeignAdmin,
    ExpiredToken,
    ForeignKey(Provider),
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Live,
    HasSuccessor,
    Successor,
    Replaced,
    Paused,
    Revoked,
    Expired,
    Suspended,
}

const KEYS: [Kind; 3] = [
    Kind::Ontora(Scope::All),
    Kind::Ontora(Scope::Exports),
    Kind::Ntropii,
];
const STATES: [State; 8] = [
    State::Live,
    State::HasSuccessor,
    State::Successor,
    State::Replaced,
    State::Paused,
    State::Revoked,
    State::Expired,
    State::Suspended,
];

impl Kind {
    const fn title(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Garbage => "no key",
            Self::PartOfKey => "part of a key",
            Self::Ontora(Scope::All) => "Ontora key, `*`",
            Self::Ontora(_) => "Ontora key, `exports`",
            Self::Ntropii => "Ntropii key",
            Self::OntoraAsBearer => "Ontora key as Bearer",
            Self::NtropiiAsHeader => "Ntropii key in `X-API-Key`",
            Self::Child(Provider::Ontora) => "child of an Ontora key",
            Self::Child(Provider::Ntropii) => "child of a Ntropii key",
            Self::Admin => "admin's token",
            Self::Member => "member's token",
            Self::ForeignAdmin => "token of another organisation's admin",
            Self::ExpiredToken => "admin's token, expired",
            Self::ForeignKey(Provider::Ontora) => "Ontora key of another organisation",
            Self::ForeignKey(Provider::Ntropii) => "Ntropii key of another organisation",
        }
    }
}

impl State {
    const fn title(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::HasSuccessor => "has a successor",
            Self::Successor => "successor",
            Self::Replaced => "replaced",
            Self::Paused => "paused",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Suspended => "tenant suspended",
        }
    }
}

fn credentials() -> Vec<Credential> {
    let live = |kind| Credential {
        kind,
        state: State::Live,
    };
    let without = [Kind::None, Kind::Garbage, Kind::PartOfKey].map(live);
    let keys = STATES.into_iter().flat_map(|state| {
        let in_state = move |kind| Credential { kind, state };
        KEYS.map(in_state)
    });
    let others = [
        Kind::OntoraAsBearer,
        Kind::NtropiiAsHeader,
        Kind::Child(Provider::Ontora),
        Kind::Child(Provider::Ntropii),
        Kind::ForeignKey(Provider::Ontora),
        Kind::ForeignKey(Provider::Ntropii),
        Kind::Admin,
        Kind::Member,
        Kind::ForeignAdmin,
        Kind::ExpiredToken,
    ];
    let others = others.map(live);
    without.into_iter().chain(keys).chain(others).collect()
}

impl Stage {
    async fn start() -> Self {
        let (app, clerk) = App::start_with_clerk().await;
        let (globex, theirs) = app.stranger().await;
        Self {
            app,
            clerk,
            globex,
            theirs,
            tenants: 0,
        }
    }

    /// Makes a tenant for one request, which may end it.
    async fn tenant(&mut self) -> TenantRecord {
        self.tenants += 1;
        let slug = format!("tenant-{}", self.tenants);
        tenant(self.app.registry(), &self.app.organisation, &slug).await
    }

    async fn key(&self, tenant: &TenantRecord, provider: Provider) -> MintedKey {
        key(self.app.registry(), tenant, provider).await
    }

    /// Makes a key and brings it into a state.
    async fn key_in(
        &self,
        tenant: &TenantRecord,
        provider: Provider,
        scopes: &[Scope],
        state: State,
    ) -> String {
        let app = &self.app;
        let mut new = new_key(provider);
        new.scopes = scopes.to_vec();
        let made = app.registry().create_key(tenant, new).await.unwrap();
        let text = made.key.expose().to_owned();
        match state {
            State::Live | State::Suspended => {}
            State::HasSuccessor => drop(self.successor(&text).await),
            State::Successor => return self.successor(&text).await,
            State::Replaced => {
                let successor = self.successor(&text).await;
                let end = app.delete("/v1/api-keys/current/predecessor");
                with(end, &successor).expect(StatusCode::NO_CONTENT).await;
            }
            State::Paused => drop(app.registry().pause_key(made.record.id).await.unwrap()),
            State::Revoked => drop(app.registry().revoke_key(made.record.id).await.unwrap()),
            State::Expired => {
                edit_key(app, &made.record.id.to_string(), "expires_at = 1000");
                while status(app, &text).await != 401 {
                    tokio::task::yield_now().await;
                }
            }
        }
        text
    }

    async fn successor(&self, key: &str) -> String {
        let made = with(self.app.call("POST", "/v1/api-keys/current/rotate"), key);
        member(&made.expect(StatusCode::CREATED).await.body, "key")
    }

    /// Creates a child; returns its key and its id.
    async fn child(&self, parent: &str) -> (String, String) {
        let body = json!({"expires_in_seconds": 60});
        let made = self.app.post("/v1/api-keys/current/children", &body);
        let made = with(made, parent).expect(StatusCode::CREATED).await.body;
        (member(&made, "key"), member(&made, "id"))
    }

    /// Makes the key of a credential; `None` if it has none.
    async fn key_of(&self, tenant: &TenantRecord, credential: Credential) -> Option<String> {
        let Credential { kind, state } = credential;
        let (provider, scopes) = match kind {
            Kind::PartOfKey | Kind::OntoraAsBearer | Kind::Child(Provider::Ontora) => {
                (Provider::Ontora, &[Scope::All][..])
            }
            Kind::Ontora(Scope::Exports) => (Provider::Ontora, &[Scope::Exports][..]),
            Kind::Ontora(_) => (Provider::Ontora, &[Scope::All][..]),
            Kind::Ntropii | Kind::NtropiiAsHeader | Kind::Child(Provider::Ntropii) => {
                (Provider::Ntropii, &[][..])
            }
            Kind::ForeignKey(provider) => {
                let key = self.key(&self.theirs, provider).await;
                return Some(key.key.expose().to_owned());
            }
            _ => return None,
        };
        let key = self.key_in(tenant, provider, scopes, state).await;
        Some(match kind {
            Kind::Child(_) => self.child(&key).await.0,
            _ => key,
        })
    }

    /// Adds a credential to a request.
    fn add(&self, call: Call, kind: Kind, key: Option<&str>) -> Call {
        let app = &self.app;
        let key = key.unwrap_or_default();
        match kind {
            Kind::None => call,
            Kind::Garbage => call.api_key("ont_live_x"),
            Kind::PartOfKey => call.api_key(&key[..key.len() - 1]),
            Kind::OntoraAsBearer => call.bearer(key),
            Kind::NtropiiAsHeader => call.api_key(key),
            Kind::Ontora(_) | Kind::Ntropii | Kind::Child(_) | Kind::ForeignKey(_) => {
                with(call, key)
            }
            Kind::Admin => call.bearer(&app.admin()),
            Kind::Member => call.bearer(&app.member()),
            Kind::ForeignAdmin => call.bearer(&app.token(&self.globex, Role::Admin)),
            Kind::ExpiredToken => {
                let hour_ago = jiff::Timestamp::now().as_second() - 3_600;
                call.bearer(&self.clerk.sign(&claims_with(&json!({"exp": hour_ago}))))
            }
        }
    }

    /// Makes a tenant and a credential for it.
    async fn caller(&mut self, credential: Credential) -> Caller {
        let tenant = self.tenant().await;
        let key = self.key_of(&tenant, credential).await;
        let mut target = self.target(&tenant).await;
        if let Some(key) = &key
            && credential.state == State::Live
            && matches!(credential.kind, Kind::Ontora(_) | Kind::Ntropii)
        {
            target.child = self.child(key).await.1;
        }
        if credential.state == State::Suspended {
            self.suspend(&tenant).await;
        }
        Caller { key, target }
    }

    async fn target(&self, tenant: &TenantRecord) -> Target {
        let id = |made: MintedKey| made.record.id.to_string();
        Target {
            tenant: tenant.id.to_string(),
            ntropii: id(self.key(tenant, Provider::Ntropii).await),
            ontora: id(self.key(tenant, Provider::Ontora).await),
            child: ABSENT.to_owned(),
        }
    }

    async fn suspend(&self, tenant: &TenantRecord) {
        let registry = self.app.registry();
        let set = registry.set_tenant_status(tenant.id, TenantStatus::Suspended);
        set.await.unwrap();
    }

    /// Returns the table of endpoints for every credential.
    async fn by_credential(&mut self, endpoints: &[Endpoint]) -> String {
        let mut text = heading("| credential | state |", endpoints);
        for credential in credentials() {
            let Credential { kind, state } = credential;
            let state = match key_state(kind) {
                true => format!(" {} ", state.title()),
                false => " ".to_owned(),
            };
            write!(text, "| {} |{state}|", kind.title()).unwrap();
            let common = self.caller(credential).await;
            for endpoint in endpoints {
                let caller = match endpoint.ends {
                    true => &self.caller(credential).await,
                    false => &common,
                };
                let call = (endpoint.ask)(&self.app, &caller.target);
                let answer = shown(self.add(call, kind, caller.key.as_deref())).await;
                write!(text, " {answer} |").unwrap();
            }
            text.push('\n');
        }
        text
    }

    /// Returns the table of endpoints for an admin's token and every kind of tenant.
    async fn by_tenant(&mut self, endpoints: &[Endpoint]) -> String {
        let mut text = heading("| tenant | key |", endpoints);
        let absent = || Target {
            tenant: ABSENT.to_owned(),
            ntropii: ABSENT.to_owned(),
            ontora: ABSENT.to_owned(),
            child: ABSENT.to_owned(),
        };
        for (title, of_key) in [
            ("of the organisation", "live"),
            ("of the organisation", "revoked"),
            ("of the organisation", "none"),
            ("of the organisation, suspended", "live"),
            ("of another organisation", "live"),
            ("none", "none"),
        ] {
            write!(text, "| {title} | {of_key} |").unwrap();
            for endpoint in endpoints {
                let tenant = match title {
                    "of another organisation" => self.theirs.clone(),
                    _ => self.tenant().await,
                };
                let mut target = match title {
                    "none" => absent(),
                    _ => self.target(&tenant).await,
                };
                match of_key {
                    "revoked" => {
                        for id in [&target.ntropii, &target.ontora] {
                            let id = id.parse().unwrap();
                            self.app.registry().revoke_key(id).await.unwrap();
                        }
                    }
                    "none" => {
                        let tenant = target.tenant;
                        target = Target { tenant, ..absent() };
                    }
                    _ => {}
                }
                if title == "of the organisation, suspended" {
                    self.suspend(&tenant).await;
                }
                let call = (endpoint.ask)(&self.app, &target).bearer(&self.app.admin());
                let answer = shown(call).await;
                write!(text, " {answer} |").unwrap();
            }
            text.push('\n');
        }
        text
    }
}

/// Returns whether a credential is a key, which has a state.
fn key_state(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::None
            | Kind::Garbage
            | Kind::Admin
            | Kind::Member
            | Kind::ForeignAdmin
            | Kind::ExpiredToken
    )
}

fn member(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap().to_owned()
}

/// Returns an answer as the table has it: with the code where a status has several.
async fn shown(call: Call) -> String {
    let (status, body) = call.bytes().await;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    match (status, body["code"].as_str()) {
        (403 | 409, Some(code)) => format!("{status} `{code}`"),
        _ => status.to_string(),
    }
}

fn heading(columns: &str, endpoints: &[Endpoint]) -> String {
    let mut text = columns.to_owned();
    for endpoint in endpoints {
        write!(text, " {} |", endpoint.title).unwrap();
    }
    text.push_str("\n| --- | --- |");
    text.push_str(&" --- |".repeat(endpoints.len()));
    text.push('\n');
    text
}

#[tokio::test]
async fn answers_of_every_endpoint_are_current() {
    let mut stage = Stage::start().await;
    let mut tables = String::new();
    for (title, endpoints) in [
        ("A key about itself", &OF_KEYS[..]),
        ("Tenants, in Ntropii's dialect", &OF_TENANTS),
        ("Keys and workspaces, in Ontora's dialect", &OF_WORKSPACES),
        ("One key, in Ntropii's dialect", &OF_TENANT_KEYS),
        ("One key, in Ontora's dialect", &OF_WORKSPACE_KEYS),
    ] {
        let table = stage.by_credential(endpoints).await;
        write!(tables, "### {title}\n\n{table}\n").unwrap();
    }
    for (title, endpoints) in [
        (
            "An admin and a tenant, in Ntropii's dialect",
            &OF_TENANTS[2..9],
        ),
        (
            "An admin and a workspace, in Ontora's dialect",
            &OF_WORKSPACES[..5],
        ),
        (
            "An admin and one key, in Ntropii's dialect",
            &OF_TENANT_KEYS[..6],
        ),
        (
            "An admin and one key, in Ontora's dialect",
            &OF_WORKSPACE_KEYS[..7],
        ),
    ] {
        let table = stage.by_tenant(endpoints).await;
        write!(tables, "### {title}\n\n{table}\n").unwrap();
    }

    let page = std::fs::read_to_string(PAGE).unwrap();
    let start = page.find(START).unwrap() + START.len();
    let end = page.find(END).unwrap();
    if std::env::var("INSTA_UPDATE").is_ok_and(|wish| wish == "always") {
        let page = format!("{}{tables}{}", &page[..start], &page[end..]);
        std::fs::write(PAGE, page).unwrap();
        return;
    }
    assert_eq!(&page[start..end], tables, "run {UPDATE}");
}
