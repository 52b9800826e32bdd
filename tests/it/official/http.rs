//! The authority over HTTP, following the `curl` examples of the documentation.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use ntro_base::Provider;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::tokens::{CLERK, Clerk, KEY_ID, claims, claims_with};
use super::{IssuedKey, Served, only};

/// Sends requests.
pub(super) struct Requests {
    runtime: Runtime,
    client: Client,
}

impl Requests {
    pub(super) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { runtime, client }
    }

    pub(super) fn get(&self, url: &str) -> Request<'_> {
        self.request(Method::GET, url)
    }

    pub(super) fn post(&self, url: &str, body: &Value) -> Request<'_> {
        let Request { runtime, request } = self.request(Method::POST, url);
        let request = request
            .header("content-type", "application/json")
            .body(body.to_string());
        Request { runtime, request }
    }

    pub(super) fn delete(&self, url: &str) -> Request<'_> {
        self.request(Method::DELETE, url)
    }

    fn request(&self, method: Method, url: &str) -> Request<'_> {
        Request {
            runtime: &self.runtime,
            request: self.client.request(method, url),
        }
    }
}

/// A request under construction.
#[must_use]
pub(super) struct Request<'a> {
    runtime: &'a Runtime,
    request: RequestBuilder,
}

impl Request<'_> {
    pub(super) fn header(self, name: &str, value: &str) -> Self {
        let request = self.request.header(name, value);
        Self { request, ..self }
    }

    pub(super) fn bearer(self, credential: &str) -> Self {
        self.header("authorization", &format!("Bearer {credential}"))
    }

    pub(super) fn api_key(self, key: &str) -> Self {
        self.header("x-api-key", key)
    }

    /// Sends the request, and asserts the status.
    #[track_caller]
    pub(super) fn expect(self, status: u16) -> Answer {
        let answer = self.send();
        assert_eq!(answer.status, status, "{}", answer.body);
        answer
    }

    #[track_caller]
    fn send(self) -> Answer {
        let (status, headers, body) = self.runtime.block_on(async {
            let response = self.request.send().await.unwrap();
            let (status, headers) = (response.status(), response.headers().clone());
            (status, headers, response.bytes().await.unwrap())
        });
        let body = match &body[..] {
            b"" => Value::Null,
            body => serde_json::from_slice(body).unwrap(),
        };
        Answer {
            status: status.as_u16(),
            headers,
            body,
        }
    }
}

/// A response. An empty body is `null`.
pub(super) struct Answer {
    pub(super) status: u16,
    headers: reqwest::header::HeaderMap,
    pub(super) body: Value,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Asserts that the body is an Ontora error with this code.
    #[track_caller]
    fn code(self, code: &str) -> Self {
        assert_eq!(self.body["code"], code, "{}", self.body);
        assert!(self.body["detail"].is_string(), "{}", self.body);
        self
    }
}

/// An authority with a workspace, and a client for it.
struct Api {
    authority: Served,
    requests: Requests,
    /// A key of the workspace.
    key: IssuedKey,
}

impl Api {
    fn new() -> Self {
        Self::of(Served::start())
    }

    fn of(authority: Served) -> Self {
        let key = authority.key(Provider::Ontora, "acme-fund-admin");
        Self {
            authority,
            requests: Requests::new(),
            key,
        }
    }

    /// An authority that trusts an issuer like Clerk, with the key set in this folder.
    fn with_clerk(folder: &Path) -> (Self, Clerk) {
        let clerk = Clerk::new();
        let keys = folder.join("jwks.json");
        std::fs::write(&keys, clerk.jwks().to_string()).unwrap();
        let authority = Served::start_with(&["--issuer", CLERK, "--jwks", keys.to_str().unwrap()]);
        (Self::of(authority), clerk)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.authority.origin())
    }

    fn keys(&self) -> String {
        self.url("/v1/api-keys")
    }

    fn admin(&self) -> String {
        self.authority.token("admin")
    }

    fn member(&self) -> String {
        self.authority.token("member")
    }

    /// The body of the documentation's example.
    fn new_key(&self) -> Value {
        json!({
            "name": "CI integration",
            "workspace_id": self.key.tenant_id,
            "scopes": ["interviews", "exports", "webhooks"],
            "expires_in_days": 90,
        })
    }

    /// Creates a key as an admin.
    fn create(&self, body: &Value) -> Request<'_> {
        self.requests.post(&self.keys(), body).bearer(&self.admin())
    }

    fn list(&self) -> Value {
        let url = format!("{}?workspace_id={}", self.keys(), self.key.tenant_id);
        self.requests
            .get(&url)
            .bearer(&self.admin())
            .expect(200)
            .body
    }

    /// Asks for the description of a key, with the key itself.
    fn current(&self, key: &str) -> Request<'_> {
        let url = self.url("/v1/api-keys/current");
        self.requests.get(&url).api_key(key)
    }
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// D.6 1 and 2.
#[test]
fn admin_creates_key_shown_once() {
    let api = Api::new();
    let made = api.create(&api.new_key()).expect(201).body;
    let (key, prefix) = (
        made["key"].as_str().unwrap(),
        made["key_prefix"].as_str().unwrap(),
    );
    assert!(key.starts_with(prefix) && key.len() > prefix.len());
    assert_eq!(made.to_string().matches(key).count(), 1);
    assert_eq!(
        time(&made["expires_at"]).duration_since(time(&made["created_at"])),
        SignedDuration::from_hours(90 * 24)
    );

    let list = api.list();
    let listed = list.as_array().unwrap();
    assert_eq!(listed.len(), 2);
    // The newest is first, and identical except for the key.
    assert_eq!(listed[0]["id"], made["id"]);
    assert!(
        listed.iter().all(|item| item.get("key").is_none()),
        "{list}"
    );
    assert!(!list.to_string().contains(key));
    let current = api.current(key).expect(200).body;
    assert_eq!(current["id"], made["id"]);
    assert!(current.get("key").is_none());
}

/// D.6 3.
#[test]
fn workspaces_are_listed_for_people_only() {
    let api = Api::new();
    let url = api.url("/v1/workspaces");
    for (token, role) in [(api.admin(), "admin"), (api.member(), "member")] {
        let list = api.requests.get(&url).bearer(&token).expect(200).body;
        let workspace = only(list.as_array().unwrap());
        assert_eq!(
            (&workspace["id"], &workspace["role"]),
            (&json!(api.key.tenant_id), &json!(role))
        );
    }
    let refused = api.requests.get(&url).api_key(&api.key.key).expect(403);
    refused.code("jwt_required");
}

/// D.6 4.
#[test]
fn only_admin_creates_keys() {
    let api = Api::new();
    let body = api.new_key();
    let post = || api.requests.post(&api.keys(), &body);
    post()
        .bearer(&api.member())
        .expect(403)
        .code("admin_required");
    post()
        .api_key(&api.key.key)
        .expect(403)
        .code("jwt_required");
    post().expect(401).code("invalid_api_key");
    assert_eq!(api.list().as_array().unwrap().len(), 1);
}

/// D.6 5.
#[test]
fn invalid_key_request_names_field() {
    let api = Api::new();
    for (member, value, place) in [
        (
            "expires_in_days",
            json!(0),
            json!(["body", "expires_in_days"]),
        ),
        (
            "expires_in_days",
            json!(366),
            json!(["body", "expires_in_days"]),
        ),
        (
            "scopes",
            json!(["interviews", "everything"]),
            json!(["body", "scopes", 1]),
        ),
        ("name", Value::Null, json!(["body", "name"])),
    ] {
        let mut body = api.new_key();
        match value {
            Value::Null => body.as_object_mut().unwrap().remove(member),
            value => body
                .as_object_mut()
                .unwrap()
                .insert(member.to_owned(), value),
        };
        let refused = api.create(&body).expect(422).body;
        let fault = only(refused["detail"].as_array().unwrap());
        assert_eq!(fault["loc"], place, "{refused}");
        assert!(
            fault["msg"].is_string() && fault["type"].is_string(),
            "{refused}"
        );
    }
    assert_eq!(api.list().as_array().unwrap().len(), 1);
}

/// D.6 6.
#[test]
fn invalid_tokens_create_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let (api, clerk) = Api::with_clerk(folder.path());
    let body = api.new_key();
    let post = |token: &str| api.requests.post(&api.keys(), &body).bearer(token);
    let ago = Timestamp::now().as_second() - 60;

    let unsigned = {
        use base64::Engine as _;
        let part = |value: &Value| {
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string())
        };
        let head = json!({"alg": "none", "typ": "JWT", "kid": KEY_ID});
        format!("{}.{}.", part(&head), part(&claims()))
    };
    let confused = {
        let mut head = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
        head.kid = Some(KEY_ID.to_owned());
        let public = jsonwebtoken::EncodingKey::from_secret(&clerk.public_der);
        jsonwebtoken::encode(&head, &claims(), &public).unwrap()
    };
    for token in [
        clerk.sign(&claims_with(&json!({"exp": ago}))),
        clerk.sign(&claims_with(&json!({"iss": "https://other.example.test"}))),
        unsigned,
        confused,
    ] {
        post(&token).expect(401).code("invalid_token");
    }

    // Two other organisations: one known to the authority, one unknown.
    let organisation = "organisation create Globex --external-id org_globex";
    api.authority.admin(organisation);
    for organisation in ["org_globex", "org_nobody_knows"] {
        let token = clerk.sign(&claims_with(&json!({"org_id": organisation})));
        post(&token).expect(403).code("workspace_forbidden");
    }
    assert_eq!(api.list().as_array().unwrap().len(), 1);
    post(&clerk.sign(&claims())).expect(201);
}

/// D.6 7.
#[test]
fn both_keys_work_until_deletion() {
    let api = Api::new();
    let made = api.create(&api.new_key()).expect(201).body;
    let new = made["key"].as_str().unwrap();
    let works = |key: &str| {
        api.current(key).expect(200);
    };
    works(&api.key.key);
    works(new);
    let url = format!("{}/{}", api.keys(), api.key.id);
    let delete = || api.requests.delete(&url).bearer(&api.admin()).expect(204);
    assert_eq!(delete().body, Value::Null);
    api.current(&api.key.key)
        .expect(401)
        .code("invalid_api_key");
    works(new);
    delete();
    works(new);
}

/// D.6 8.
#[test]
fn repeated_request_creates_one_key() {
    let api = Api::new();
    let body = api.new_key();
    let post = |body: &Value| api.create(body).header("idempotency-key", "deploy-17");
    let first = post(&body).expect(201);
    let second = post(&body).expect(201);
    assert_eq!(first.header("idempotency-replayed"), None);
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    let mut described = first.body.clone();
    assert!(described.as_object_mut().unwrap().remove("key").is_some());
    assert_eq!(second.body, described);
    assert_eq!(api.list().as_array().unwrap().len(), 2);

    let mut other = body.clone();
    other["name"] = json!("Another");
    post(&other).expect(409).code("idempotency_conflict");
    assert_eq!(api.list().as_array().unwrap().len(), 2);
}
