//! The layer for servers, in front of a real service and a real authority.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]
#![allow(
    unreachable_pub,
    reason = "what a module offers is clearer as `pub`, also in a test"
)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, Response};
use axum::routing::{any, get};
use axum::{Extension, Router};
use ntro::authorize::{AuthorizeLayer, AuthorizedKey};
use ntro_authority::Limits;
use ntro_base::{Provider, Scope};
use tokio::net::TcpListener;
use tower::ServiceExt as _;

#[path = "it/support/authority.rs"]
#[allow(dead_code, reason = "the tests of the program use more of it")]
mod authority;

use authority::{Authority, IssuedKey};

const TENANT: &str = "acme-fund-admin";

fn key(authority: &Authority, scopes: &[Scope]) -> IssuedKey {
    authority.key_with(Provider::Ontora, TENANT, |new| new.scopes = scopes.to_vec())
}

fn layer(origin: &str) -> AuthorizeLayer {
    AuthorizeLayer::new(origin.parse().unwrap()).unwrap()
}

/// Returns a service that describes what it gets, behind the layer.
fn service(layer: AuthorizeLayer) -> Router {
    let describe = async |Extension(key): Extension<AuthorizedKey>, headers: HeaderMap| {
        let similar = headers.keys().filter(|name| name.as_str().contains("ntro"));
        let similar: Vec<_> = similar.collect();
        format!("{key:?} {similar:?}")
    };
    Router::new().route("/", get(describe)).layer(layer)
}

fn request(headers: &[(&str, &str)]) -> Request<Body> {
    let request = Request::builder().uri("/");
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    request.body(Body::empty()).unwrap()
}

async fn send(service: &Router, headers: &[(&str, &str)]) -> Response<Body> {
    service.clone().oneshot(request(headers)).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    let body = axum::body::to_bytes(response.into_body(), 1 << 16).await;
    String::from_utf8(body.unwrap().to_vec()).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

#[test]
fn accepted_request_has_its_key() {
    let authority = Authority::start();
    let ontora = key(&authority, &[Scope::Exports, Scope::Mcp]);
    let ntropii = authority.key(Provider::Ntropii, TENANT);
    runtime().block_on(async {
        let open = service(layer(&authority.origin()));
        let response = send(&open, &[("x-api-key", &ontora.key)]).await;
        assert_eq!(response.status(), 200);
        assert_eq!(
            text(response).await,
            format!(
                r#"AuthorizedKey {{ tenant: TenantSlug("{TENANT}"), tenant_id: "{}", id: "{}", scopes: ["exports", "mcp"], provider: Ontora, expiry: Never }} []"#,
                ontora.tenant_id, ontora.id
            )
        );
        let bearer = format!("Bearer {}", ntropii.key);
        let response = send(&open, &[("authorization", &bearer)]).await;
        assert!(text(response).await.contains("scopes: [], provider: Ntropii"));
        let forged = [
            ("x-api-key", &*ontora.key),
            ("x-ntro-tenant", "evil"),
            ("X_Ntro_Tenant", "evil"),
            ("x-ntro_key-id", "evil"),
            ("x.ntro.scopes", "*"),
        ];
        assert!(text(send(&open, &forged).await).await.ends_with(" []"));
    });
}

#[test]
fn refusal_is_that_of_authority() {
    let authority = Authority::start();
    let exports = key(&authority, &[Scope::Exports]);
    let other = authority.key(Provider::Ontora, "globex-capital");
    let revoked = key(&authority, &[Scope::All]);
    authority.revoke(&revoked);
    let limited = Authority::start_with(Limits {
        tenant_per_minute: 1,
        ..Limits::OFF
    });
    let last = key(&limited, &[Scope::All]);
    runtime().block_on(async {
        let mcp = service(layer(&authority.origin()).scope("mcp").tenant(TENANT));
        for (key, status, code) in [
            (&exports.key, 403, "insufficient_scope"),
            (&other.key, 403, "workspace_forbidden"),
            (&revoked.key, 401, "invalid_api_key"),
        ] {
            let response = send(&mcp, &[("x-api-key", key)]).await;
            assert_eq!(response.status(), status);
            assert!(text(response).await.contains(code));
        }
        let response = send(&mcp, &[]).await;
        assert_eq!(response.status(), 401);
        assert_eq!(
            response.headers()["www-authenticate"],
            r#"Bearer realm="ntro""#
        );
        assert_eq!(response.headers()["content-type"], "application/json");
        let twice = [("x-api-key", &*exports.key), ("x-api-key", &*exports.key)];
        let every = service(layer(&authority.origin()));
        assert_eq!(send(&every, &twice).await.status(), 401);

        let limited = service(layer(&limited.origin()));
        assert_eq!(
            send(&limited, &[("x-api-key", &last.key)]).await.status(),
            200
        );
        let response = send(&limited, &[("x-api-key", &last.key)]).await;
        assert_eq!(response.status(), 429);
        assert!(response.headers().contains_key("retry-after"));
    });
}

/// A server with one answer, which counts the questions.
struct FixedAnswer {
    origin: String,
    asked: Arc<AtomicUsize>,
}

impl FixedAnswer {
    async fn start(status: u16, headers: &[(&'static str, &'static str)]) -> Self {
        let headers = headers.to_vec();
        let answer = async move |State(asked): State<Arc<AtomicUsize>>| {
            asked.fetch_add(1, Ordering::Relaxed);
            let response = Response::builder().status(status);
            let response = headers.iter().fold(response, |response, (name, value)| {
                response.header(*name, *value)
            });
            response.body(Body::empty()).unwrap()
        };
        let asked = Arc::<AtomicUsize>::default();
        let router = Router::new()
            .fallback(any(answer))
            .with_state(asked.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { origin, asked }
    }

    fn take(&self) -> usize {
        self.asked.swap(0, Ordering::Relaxed)
    }
}

const IDENTITY: [(&str, &str); 7] = [
    ("x-ntro-tenant", TENANT),
    ("x-ntro-tenant-id", "7"),
    ("x-ntro-key-id", "8"),
    ("x-ntro-scopes", ""),
    ("x-ntro-provider", "ntropii"),
    ("x-ntro-expires-at", "2126-01-01T00:00:00Z"),
    ("x-ntro-identity", ""),
];

#[test]
fn uncertain_answer_refuses() {
    runtime().block_on(async {
        for (status, expected) in [(200, 503), (204, 503), (302, 503), (404, 404), (500, 500)] {
            let other = FixedAnswer::start(status, &[("location", "/")]).await;
            let service = service(layer(&other.origin));
            let response = send(&service, &[("x-api-key", "x")]).await;
            assert_eq!(response.status(), expected, "{status}");
            assert_eq!(other.take(), 1);
        }
        for missing in 0..6 {
            let mut headers = IDENTITY.to_vec();
            headers.remove(missing);
            let other = FixedAnswer::start(200, &headers).await;
            let service = service(layer(&other.origin));
            let response = send(&service, &[("x-api-key", "x")]).await;
            assert_eq!(response.status(), 503, "{missing}");
            assert_eq!(response.headers()["retry-after"], "1");
        }
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", gone.local_addr().unwrap());
        drop(gone);
        let response = send(&service(layer(&origin)), &[("x-api-key", "x")]).await;
        assert_eq!(response.status(), 503);
    });
}

#[test]
fn answers_are_reused_on_request() {
    runtime().block_on(async {
        let answer = async |valid_for: &[(&'static str, &'static str)]| {
            FixedAnswer::start(200, &[&IDENTITY, valid_for].concat()).await
        };
        let asked = async |server: &FixedAnswer, layer: AuthorizeLayer| {
            let service = service(layer);
            for key in ["a", "a", "b", "a", "b"] {
                let response = send(&service, &[("x-api-key", key)]).await;
                assert_eq!(response.status(), 200);
            }
            server.take()
        };
        let long = answer(&[("x-ntro-valid-for", "9000")]).await;
        assert_eq!(asked(&long, layer(&long.origin)).await, 5);
        assert_eq!(asked(&long, layer(&long.origin).reuse_answers()).await, 2);
        for none in [
            &[][..],
            &[("x-ntro-valid-for", "0")],
            &[("x-ntro-valid-for", "-1")],
        ] {
            let server = answer(none).await;
            assert_eq!(
                asked(&server, layer(&server.origin).reuse_answers()).await,
                5
            );
        }
    });
}

/// The example as a process, stopped when this is dropped.
struct Example(Child);

impl Drop for Example {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs the example: cargo build --features tower --examples"]
fn example_greets_key_holders() {
    let authority = Authority::start();
    let folder = Path::new(env!("CARGO_BIN_EXE_ntro")).with_file_name("examples");
    let mut process = Command::new(folder.join("authorize"))
        .arg(authority.origin())
        .stdout(Stdio::piped())
        .spawn()
        .map(Example)
        .unwrap();
    let mut origin = String::new();
    let stdout = process.0.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut origin).unwrap();
    let good = key(&authority, &[Scope::Exports]);
    let poor = key(&authority, &[Scope::Mcp]);
    let greet = async |key: &IssuedKey| {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.get(origin.trim()).header("x-api-key", &key.key);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let runtime = runtime();
    let greeting = runtime.block_on(greet(&good));
    assert_eq!(greeting, (200, format!("Hello, {TENANT}\n")));
    assert_eq!(runtime.block_on(greet(&poor)).0, 403);
    authority.revoke(&good);
    assert_eq!(runtime.block_on(greet(&good)).0, 401);
}
