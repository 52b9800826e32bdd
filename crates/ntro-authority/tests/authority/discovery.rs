//! Issuers whose key sets are found through their discovery documents.

use std::sync::{Arc, Mutex};

use axum::routing::get;
use ntro_authority::{Authority, AuthoritySettings, Claims, Error, Issuer, JwksSource, Limits};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::App;
use crate::support::tokens::{Clerk, claims_with};

/// An issuer with a discovery document and a key set.
struct IssuerServer {
    origin: String,
    keys: Clerk,
    document: Arc<Mutex<Value>>,
}

impl IssuerServer {
    async fn start() -> Self {
        let keys = Clerk::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let document = Arc::new(Mutex::new(json!({
            "issuer": origin,
            "authorization_endpoint": format!("{origin}/authorize"),
            "jwks_uri": format!("{origin}/keys"),
        })));
        let (set, shared) = (keys.jwks(), document.clone());
        let router = axum::Router::new()
            .route(
                "/.well-known/openid-configuration",
                get(async move || shared.lock().unwrap().to_string()),
            )
            .route("/keys", get(async move || set.to_string()));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            origin,
            keys,
            document,
        }
    }

    /// Changes a member of the document.
    fn set(&self, member: &str, value: impl Into<Value>) {
        self.document.lock().unwrap()[member] = value.into();
    }

    fn token(&self) -> String {
        self.keys.sign(&claims_with(&json!({"iss": self.origin})))
    }
}

fn settings(issuer: &str) -> AuthoritySettings {
    AuthoritySettings {
        limits: Limits::OFF,
        issuers: vec![Issuer {
            issuer: issuer.to_owned(),
            audience: None,
            keys: JwksSource::Discovery,
            claims: Claims::default(),
        }],
        ..AuthoritySettings::default()
    }
}

/// Presents a token of the issuer to an authority that discovers its keys.
async fn present(issuer: &str, token: &str) -> u16 {
    let app = App::start_with(settings(issuer)).await;
    app.get("/v1/workspaces").bearer(token).send().await.status
}

#[tokio::test]
async fn discovered_keys_verify_tokens() {
    let server = IssuerServer::start().await;
    assert_eq!(present(&server.origin, &server.token()).await, 200);
    let forged = Clerk::new().sign(&claims_with(&json!({"iss": server.origin})));
    assert_eq!(present(&server.origin, &forged).await, 401);
}

#[tokio::test]
async fn document_of_other_issuer_is_refused() {
    let server = IssuerServer::start().await;
    for issuer in [
        json!(format!("{}/", server.origin)),
        json!("https://id.example.test"),
        Value::Null,
    ] {
        server.set("issuer", issuer.clone());
        assert_eq!(
            present(&server.origin, &server.token()).await,
            503,
            "{issuer}"
        );
    }
}

#[tokio::test]
async fn untrustworthy_key_set_url_is_refused() {
    let server = IssuerServer::start().await;
    let port = server.origin.rsplit_once(':').unwrap().1;
    for url in [
        json!("http://id.example.test/keys"),
        json!(format!("http://me:hunter2@127.0.0.1:{port}/keys")),
        json!("/keys"),
        json!(7),
    ] {
        server.set("jwks_uri", url.clone());
        assert_eq!(present(&server.origin, &server.token()).await, 503, "{url}");
    }
}

#[tokio::test]
async fn unreachable_issuer_is_unavailable() {
    // The port is closed again, so nothing listens there.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let token = Clerk::new().sign(&claims_with(&json!({"iss": origin})));
    assert_eq!(present(&origin, &token).await, 503);
}

#[tokio::test]
async fn issuer_without_url_fails_start() {
    for issuer in ["urn:example:issuer", "http://id.example.test"] {
        let folder = tempfile::tempdir().unwrap();
        let database = crate::support::database(&folder);
        let opened = Authority::open(&database, settings(issuer)).map(drop);
        assert!(
            matches!(opened, Err(Error::DiscoveryUrl { .. })),
            "{issuer}"
        );
    }
}
