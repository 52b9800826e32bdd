//! `/v1/leaks`: reports of keys that strangers can read.

use std::net::SocketAddr;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ntro_authority::{AuthoritySettings, Limits, TenantStatus};
use ntro_base::Provider;
use serde_json::{Value, json};

use crate::audit::{AuditRow, rows};
use crate::support::{App, Call, Reply, status};

const LEAKS: &str = "/v1/leaks";
const OF_GITHUB: &str = "/v1/leaks/github";
const KEY_ID: &str = "bcb53661c06b4728e59d897fb6165d5c9cda0fd9cdf9d09ead458168deb7518c";

/// Signs reports, and serves its public key as GitHub does.
struct Github {
    pair: EcdsaKeyPair,
    keys_url: String,
}

impl Github {
    async fn start() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            STANDARD.encode(der.as_ref())
        );
        let keys = json!({"public_keys": [
            {"key_identifier": "rsa", "key": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"},
            {"key_identifier": KEY_ID, "key": pem, "is_current": true},
        ]});
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let keys_url = format!("http://{}/keys", listener.local_addr().unwrap());
        let keys = axum::routing::get(async move || keys.to_string());
        let router = axum::Router::new().route("/keys", keys);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { pair, keys_url }
    }

    async fn app(&self) -> App {
        App::start_with(AuthoritySettings {
            limits: Limits::OFF,
            github_keys: Some(self.keys_url.parse().unwrap()),
            ..AuthoritySettings::default()
        })
        .await
    }

    fn signature(&self, body: &str) -> String {
        let signature = self.pair.sign(&SystemRandom::new(), body.as_bytes());
        STANDARD.encode(signature.unwrap())
    }

    fn report(&self, app: &App, body: &str) -> Call {
        signed(app, body, &self.signature(body))
    }
}

fn signed(app: &App, body: &str, signature: &str) -> Call {
    let call = app.call("POST", OF_GITHUB).raw_body(body.to_owned());
    call.header("github-public-key-identifier", KEY_ID)
        .header("github-public-key-signature", signature)
}

fn report(app: &App, keys: &[&str]) -> Call {
    app.post(
        LEAKS,
        &json!({"keys": keys, "url": "https://paste.example/1"}),
    )
}

fn outcomes(reply: &Reply) -> Vec<String> {
    let results = reply.body["results"].as_array().unwrap().iter();
    let outcome = |result: &Value| result["outcome"].as_str().unwrap().to_owned();
    results.map(outcome).collect()
}

fn leaks(app: &App) -> Vec<AuditRow> {
    let mut rows = rows(app);
    rows.retain(|row| row.details.get("leak").is_some());
    rows
}

#[tokio::test]
async fn github_report_revokes_keys() {
    let github = Github::start().await;
    let app = github.app().await;
    let ntropii = app.key(Provider::Ntropii).await;
    let ontora = app.key(Provider::Ontora).await;
    let kept = app.key(Provider::Ontora).await;
    let [first, second] = [&ntropii, &ontora].map(|minted| minted.key.expose().to_owned());
    let url = "https://github.com/octocat/Hello-World/blob/12345600b9cbe38a219f39a9941c9319b600c002/foo/bar.txt";
    let found = |token: &str, kind: &str| json!({"token": token, "type": kind, "url": url, "source": "content"});
    let matches = json!([
        found(&first, "ntro_api_key"),
        found(&second, "ont_api_key"),
        found("ntro_prod_not_a_key", "ntro_api_key"),
    ]);
    let call = github.report(&app, &matches.to_string());
    let reply = call.expect(StatusCode::OK).await;
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let label = |token: &str, kind: &str, label: &str| {
        let hash = digest(&SHA256, token.as_bytes());
        let hash = hash.as_ref().iter().map(|byte| format!("{byte:02x}"));
        json!({"token_hash": hash.collect::<String>(), "token_type": kind, "label": label})
    };
    assert_eq!(
        reply.body,
        json!([
            label(&first, "ntro_api_key", "true_positive"),
            label(&second, "ont_api_key", "true_positive"),
            label("ntro_prod_not_a_key", "ntro_api_key", "false_positive"),
        ])
    );
    assert_eq!(status(&app, &first).await, 401);
    assert_eq!(status(&app, &second).await, 401);
    assert_eq!(status(&app, kept.key.expose()).await, 200);
    let rows = leaks(&app);
    assert_eq!(rows.len(), 2);
    for (row, minted) in rows.iter().zip([&ntropii, &ontora]) {
        assert_eq!(row.actor.0, "leak_report");
        assert_eq!(row.action, "key.revoke");
        assert_eq!(row.target.1, minted.record.id.to_string());
        assert_eq!(
            row.details["leak"],
            json!({"url": url, "source": "content"})
        );
        assert!(!format!("{row:?}").contains(minted.key.expose()));
    }
}

#[tokio::test]
async fn repeated_report_is_recorded() {
    let github = Github::start().await;
    let app = github.app().await;
    let minted = app.key(Provider::Ontora).await;
    let token = minted.key.expose();
    for url in ["https://github.com/a", "https://github.com/b"] {
        let body = json!([{"token": token, "type": "ont_api_key", "url": url}]);
        let reply = github.report(&app, &body.to_string());
        let reply = reply.expect(StatusCode::OK).await;
        assert_eq!(reply.body[0]["label"], "true_positive");
    }
    let found: Vec<_> = leaks(&app)
        .iter()
        .map(|row| (row.action.clone(), row.details["leak"]["url"].clone()))
        .collect();
    assert_eq!(
        found,
        [
            ("key.revoke".to_owned(), "https://github.com/a".into()),
            ("key.report_leak".to_owned(), "https://github.com/b".into()),
        ]
    );
}

#[tokio::test]
async fn unsigned_report_revokes_nothing() {
    let github = Github::start().await;
    let app = github.app().await;
    let minted = app.key(Provider::Ontora).await;
    let token = minted.key.expose();
    let body = json!([{"token": token, "type": "ont_api_key", "url": "https://x.example"}]);
    let body = body.to_string();
    let other = Github::start().await;
    let good = github.signature(&body);
    let bad = StatusCode::UNAUTHORIZED;
    let code = "invalid_signature";
    let post = || app.call("POST", OF_GITHUB).raw_body(body.clone());
    post().expect_code(bad, code).await;
    post()
        .header("github-public-key-signature", &good)
        .expect_code(bad, code)
        .await;
    for (body, signature) in [
        (body.as_str(), "not Base64"),
        (&body, "AAAA"),
        (&body, ""),
        (&body, &other.signature(&body)),
        (&body, &github.signature("[]")),
        // The signature covers every byte of the body.
        (&format!("{body} "), &good),
    ] {
        signed(&app, body, signature).expect_code(bad, code).await;
    }
    post()
        .header("github-public-key-identifier", "rsa")
        .header("github-public-key-signature", &good)
        .expect_code(bad, code)
        .await;
    signed(&app, &body, &good)
        .header("github-public-key-signature", &good)
        .expect_code(bad, code)
        .await;
    assert_eq!(status(&app, token).await, 200);
    for body in ["", "{}", "[1]", "[{}]", r#"[{"token": 1}]"#] {
        let call = github.report(&app, body);
        call.expect(StatusCode::BAD_REQUEST).await;
    }
    let call = github.report(&app, &" ".repeat(1024 * 1024 + 1));
    call.expect(StatusCode::PAYLOAD_TOO_LARGE).await;
    assert_eq!(
        github.report(&app, "[]").expect(StatusCode::OK).await.body,
        json!([])
    );
}

#[tokio::test]
async fn report_needs_reachable_keys_of_github() {
    let github = Github::start().await;
    let app = App::start().await;
    github
        .report(&app, "[]")
        .expect(StatusCode::NOT_FOUND)
        .await;
    let app = App::start_with(AuthoritySettings {
        limits: Limits::OFF,
        github_keys: Some("http://127.0.0.1:1/keys".parse().unwrap()),
        ..AuthoritySettings::default()
    })
    .await;
    let reply = github
        .report(&app, "[]")
        .expect(StatusCode::SERVICE_UNAVAILABLE)
        .await;
    assert!(reply.header("retry-after").is_some());
}

#[tokio::test]
async fn finder_revokes_keys_in_any_state() {
    let app = App::start().await;
    let live = app.key(Provider::Ntropii).await;
    let revoked = app.key(Provider::Ontora).await;
    app.registry().revoke_key(revoked.record.id).await.unwrap();
    let keys = [live.key.expose(), revoked.key.expose(), "ntro_prod_x", ""];
    let reply = report(&app, &keys).expect(StatusCode::OK).await;
    assert_eq!(
        outcomes(&reply),
        ["revoked", "already_revoked", "unknown", "unknown"]
    );
    assert_eq!(status(&app, live.key.expose()).await, 401);
    let row = &leaks(&app)[0];
    assert_eq!(row.actor.0, "leak_report");
    assert_eq!(row.details["leak"]["url"], "https://paste.example/1");
    // A suspended tenant's keys work again later, so they must end as well.
    let suspended = app.key(Provider::Ontora).await;
    let status_of = |status| app.registry().set_tenant_status(app.tenant.id, status);
    status_of(TenantStatus::Suspended).await.unwrap();
    let reply = report(&app, &[suspended.key.expose()]).expect(StatusCode::OK);
    assert_eq!(outcomes(&reply.await), ["revoked"]);
    status_of(TenantStatus::Active).await.unwrap();
    assert_eq!(status(&app, suspended.key.expose()).await, 401);
}

#[tokio::test]
async fn finder_report_is_checked() {
    let app = App::start().await;
    for body in [
        json!({}),
        json!({"keys": []}),
        json!({"keys": "ntro_prod_x"}),
        json!({"keys": [1]}),
        json!({"keys": vec!["x"; 101]}),
    ] {
        let call = app.post(LEAKS, &body);
        call.expect(StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    let all = vec!["x"; 100];
    let reply = report(&app, &all).expect(StatusCode::OK).await;
    assert_eq!(outcomes(&reply).len(), 100);
}

#[tokio::test]
async fn finder_is_limited_by_address() {
    let app = App::start_with(AuthoritySettings {
        limits: Limits {
            failures_per_minute: 2,
            ..Limits::OFF
        },
        ..AuthoritySettings::default()
    })
    .await;
    let from = |address: &str| {
        let address: SocketAddr = address.parse().unwrap();
        report(&app, &["x"]).extension(ConnectInfo(address))
    };
    for _ in 0..2 {
        from("192.0.2.7:1").expect(StatusCode::OK).await;
    }
    let limited = from("192.0.2.7:2").expect(StatusCode::TOO_MANY_REQUESTS);
    assert!(limited.await.header("retry-after").is_some());
    from("192.0.2.8:1").expect(StatusCode::OK).await;
}
