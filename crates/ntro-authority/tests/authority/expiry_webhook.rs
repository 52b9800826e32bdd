//! Warnings of keys that expire soon: the webhook and the metric.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use axum::extract::ConnectInfo;
use ntro_authority::{AuthoritySettings, Error, ExpiryWebhook, Limits, MintedKey, NewApiKey};
use ntro_base::Provider;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::audit::connect;
use crate::support::{App, new_key};

const SECRET: &str = "a secret of the webhook";

/// A request that the webhook got.
#[derive(Clone)]
struct Delivery {
    head: String,
    body: Vec<u8>,
}

impl Delivery {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| *found == name).unwrap().1
    }

    fn is_signed(&self) -> bool {
        let text = self.header("x-ntro-signature").strip_prefix("sha256=");
        let digits = text.unwrap().as_bytes().chunks(2);
        let tag: Vec<_> = digits
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        hmac::verify(&key, &self.body, &tag).is_ok()
    }
}

/// A webhook that answers with these statuses, the last one for ever.
struct Webhook {
    url: String,
    deliveries: Arc<Mutex<Vec<Delivery>>>,
}

impl Webhook {
    async fn answering(statuses: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?team=7", listener.local_addr().unwrap());
        let deliveries = Arc::new(Mutex::new(Vec::new()));
        let kept = deliveries.clone();
        tokio::spawn(async move {
            let mut statuses = statuses.iter();
            let mut status = "200 OK";
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut bytes = Vec::new();
                let delivery = loop {
                    let mut buffer = [0; 4096];
                    let read = stream.read(&mut buffer).await.unwrap();
                    bytes.extend_from_slice(&buffer[..read]);
                    let text = String::from_utf8_lossy(&bytes);
                    let Some((head, body)) = text.split_once("\r\n\r\n") else {
                        continue;
                    };
                    let delivery = Delivery {
                        head: head.to_owned(),
                        body: body.as_bytes().to_vec(),
                    };
                    let length: usize = delivery.header("content-length").parse().unwrap();
                    if delivery.body.len() >= length {
                        break delivery;
                    }
                };
                kept.lock().unwrap().push(delivery);
                status = statuses.next().copied().unwrap_or(status);
                let answer = format!(
                    "HTTP/1.1 {status}\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\
                     connection: close\r\n\r\n"
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { url, deliveries }
    }

    fn taken(&self) -> Vec<Delivery> {
        std::mem::take(&mut *self.deliveries.lock().unwrap())
    }
}

async fn app(webhook: &Webhook) -> App {
    let url = webhook.url.parse().unwrap();
    App::start_with(AuthoritySettings {
        limits: Limits::OFF,
        expiry_webhook: Some(ExpiryWebhook::new(url, SECRET.to_owned().into()).unwrap()),
        ..AuthoritySettings::default()
    })
    .await
}

async fn expiring(app: &App, days: u32) -> MintedKey {
    let new = NewApiKey {
        expires_in_days: Some(days),
        ..new_key(Provider::Ontora)
    };
    app.registry().create_key(&app.tenant, new).await.unwrap()
}

async fn metrics(app: &App) -> String {
    let address: SocketAddr = "127.0.0.1:40000".parse().unwrap();
    let call = app.get("/metrics").extension(ConnectInfo(address));
    String::from_utf8(call.bytes().await.1).unwrap()
}

#[tokio::test]
async fn expiring_key_is_announced_once() {
    let webhook = Webhook::answering(&["200 OK"]).await;
    let app = app(&webhook).await;
    let (soon, later) = (expiring(&app, 2).await, expiring(&app, 10).await);
    expiring(&app, 30).await;
    app.key(Provider::Ontora).await;
    let revoked = expiring(&app, 1).await;
    app.registry().revoke_key(revoked.record.id).await.unwrap();
    app.authority.warn_of_expiry().await.unwrap();
    let taken = webhook.taken();
    let shown: Vec<_> = taken
        .iter()
        .map(|one| {
            (
                one.json()["key"]["id"].clone(),
                one.json()["within_days"].clone(),
            )
        })
        .collect();
    let id = |key: &MintedKey| Value::from(key.record.id.to_string());
    assert_eq!(shown, [(id(&soon), 3.into()), (id(&later), 14.into())]);
    for delivery in &taken {
        assert!(delivery.head.starts_with("POST /hook?team=7 HTTP/1.1"));
        assert!(delivery.is_signed());
        let body = delivery.json();
        assert_eq!(delivery.header("x-ntro-delivery-id"), body["delivery_id"]);
        assert_eq!(body["type"], "key.expiring");
        assert_eq!(body["key"]["tenant"], "acme-fund-admin");
        let text = String::from_utf8_lossy(&delivery.body);
        for key in [&soon, &later] {
            assert!(!text.contains(key.key.expose()));
        }
    }
    app.authority.warn_of_expiry().await.unwrap();
    assert!(webhook.taken().is_empty());
    // The next, shorter time is announced too.
    let set = format!(
        "UPDATE api_keys SET expires_at = expires_at - 8 * 86400000 WHERE id = '{}'",
        later.record.id
    );
    connect(&app).execute_batch(&set).unwrap();
    app.authority.warn_of_expiry().await.unwrap();
    assert_eq!(webhook.taken()[0].json()["within_days"], 3);
}

#[tokio::test]
async fn failed_delivery_is_repeated() {
    let webhook = Webhook::answering(&["500 Oops", "302 Found", "204 No Content"]).await;
    let app = app(&webhook).await;
    expiring(&app, 1).await;
    app.authority.warn_of_expiry().await.unwrap();
    let taken = webhook.taken();
    assert_eq!(taken.len(), 3);
    let ids: Vec<_> = taken
        .iter()
        .map(|one| one.header("x-ntro-delivery-id").to_owned())
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert!(taken.iter().all(|one| one.head.starts_with("POST /hook")));
    app.authority.warn_of_expiry().await.unwrap();
    assert!(webhook.taken().is_empty());
}

#[tokio::test]
async fn undelivered_warning_waits() {
    let webhook = Webhook::answering(&["500 Oops", "500 Oops", "500 Oops", "200 OK"]).await;
    let app = app(&webhook).await;
    expiring(&app, 1).await;
    for expected in [3, 0] {
        app.authority.warn_of_expiry().await.unwrap();
        assert_eq!(webhook.taken().len(), expected);
    }
    connect(&app)
        .execute_batch("UPDATE api_keys SET warn_after = 0")
        .unwrap();
    for expected in [1, 0] {
        app.authority.warn_of_expiry().await.unwrap();
        assert_eq!(webhook.taken().len(), expected);
    }
}

#[tokio::test]
async fn metric_counts_expiring_keys() {
    let app = App::start().await;
    expiring(&app, 2).await;
    expiring(&app, 10).await;
    expiring(&app, 40).await;
    app.authority.warn_of_expiry().await.unwrap();
    let page = metrics(&app).await;
    for line in [
        "ntro_keys_expiring{within_days=\"3\"} 1",
        "ntro_keys_expiring{within_days=\"14\"} 2",
    ] {
        assert!(page.lines().any(|one| one == line), "{page}");
    }
}

#[test]
fn webhook_is_safe_to_reach() {
    let new = |url: &str, secret: &str| {
        ExpiryWebhook::new(url.parse().unwrap(), secret.to_owned().into())
    };
    for url in [
        "http://example.com/hook",
        "https://user:hunter2@example.com/",
        "ftp://localhost/",
    ] {
        let refused = new(url, SECRET).unwrap_err();
        assert!(matches!(refused, Error::WebhookUrl { .. }), "{url}");
        assert!(!refused.to_string().contains("hunter2"), "{refused}");
    }
    assert!(matches!(
        new("https://example.com/", "too short").unwrap_err(),
        Error::WebhookSecret
    ));
    let webhook = new("https://example.com/hook?key=1", SECRET).unwrap();
    assert!(!format!("{webhook:?}").contains(SECRET));
}
