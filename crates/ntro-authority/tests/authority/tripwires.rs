//! `/v1/api-keys/current/tripwires`: one-off tokens that must not reach the authority.

use std::convert::Infallible;
use std::net::SocketAddr;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use ntro_authority::{AuthoritySettings, Limits, MintedKey, TrustedProxies};
use ntro_base::{IssuedKey, KeyEnvironment, Provider};
use serde_json::{Value, json};

use crate::audit::{AuditRow, connect, rows};
use crate::support::{App, Call};

const TRIPWIRES: &str = "/v1/api-keys/current/tripwires";

/// Returns a token as a proxy makes it; each seed makes another.
fn token_in(provider: Provider, environment: &KeyEnvironment, seed: u64) -> String {
    let mut state = seed;
    let fill = |bytes: &mut [u8]| {
        for byte in bytes {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(99);
            *byte = state.to_be_bytes()[0];
        }
        Ok::<(), Infallible>(())
    };
    let Ok(issued) = IssuedKey::generate(provider, environment, fill);
    issued.key.expose().to_owned()
}

fn token(provider: Provider, seed: u64) -> String {
    token_in(provider, &KeyEnvironment::one_off(), seed)
}

fn sha256(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    let digits = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}

fn ask(app: &App, key: &MintedKey, token: &str, seconds: u32) -> Call {
    let body = json!({"sha256": sha256(token), "expires_in_seconds": seconds});
    app.post(TRIPWIRES, &body).key(key)
}

async fn set(app: &App, key: &MintedKey, token: &str) {
    ask(app, key, token, 60).expect(StatusCode::CREATED).await;
}

/// Presents a token in the headers of both providers.
fn presented(app: &App, token: &str) -> Vec<Call> {
    vec![
        app.get("/v1/me").bearer(token),
        app.get("/v1/api-keys/current").api_key(token),
        app.get("/v1/api-keys/current").bearer(token),
        app.get("/v1/workspaces").bearer(token),
        app.get("/v1/workspace/tenants").bearer(token),
        app.delete("/v1/api-keys/current").bearer(token),
    ]
}

/// Returns the records of presented tokens, once there are `count`.
async fn trips(app: &App, count: usize) -> Vec<AuditRow> {
    loop {
        let mut rows = rows(app);
        rows.retain(|row| row.action == "tripwire.trip");
        if rows.len() >= count {
            return rows;
        }
        tokio::task::yield_now().await;
    }
}

/// Returns when a tripwire of the key was last presented, according to the endpoint of the key.
async fn tripped_at(app: &App, key: &MintedKey) -> Value {
    let (path, member) = match key.record.provider {
        Provider::Ntropii => ("/v1/me", "/key/trippedAt"),
        Provider::Ontora => ("/v1/api-keys/current", "/tripped_at"),
    };
    let told = app.get(path).key(key).expect(StatusCode::OK).await;
    told.body.pointer(member).cloned().unwrap_or_default()
}

#[tokio::test]
async fn record_has_the_address_behind_the_proxy() {
    let app = App::start_with(AuthoritySettings {
        limits: Limits::OFF,
        trusted_proxies: TrustedProxies {
            proxies: vec!["10.0.0.0/8".parse().unwrap()],
            header: None,
        },
        ..AuthoritySettings::default()
    })
    .await;
    let key = app.key(Provider::Ntropii).await;
    for (seed, peer, recorded) in [
        (100, "10.0.0.1:1", "192.0.2.7"),
        (101, "203.0.113.1:1", "203.0.113.1"),
    ] {
        let token = token(Provider::Ntropii, seed);
        set(&app, &key, &token).await;
        let before = trips(&app, 0).await.len();
        app.get("/v1/me")
            .bearer(&token)
            .header("x-forwarded-for", "198.51.100.1, 192.0.2.7")
            .extension(ConnectInfo(peer.parse::<SocketAddr>().unwrap()))
            .expect(StatusCode::UNAUTHORIZED)
            .await;
        let rows = trips(&app, before + 1).await;
        assert_eq!(rows[before].details["address"], recorded);
    }
}

#[tokio::test]
async fn presented_token_is_recorded() {
    let app = App::start().await;
    for (seed, provider) in (1..).zip(Provider::ALL) {
        let key = app.key(provider).await;
        let other = app.key(provider).await;
        let token = token(provider, seed);
        set(&app, &key, &token).await;
        assert_eq!(tripped_at(&app, &key).await, Value::Null);
        let before = trips(&app, 0).await.len();
        let address: SocketAddr = "192.0.2.7:1".parse().unwrap();
        for call in presented(&app, &token) {
            let refused = call
                .extension(ConnectInfo(address))
                .expect(StatusCode::UNAUTHORIZED)
                .await;
            assert!(refused.body.get("key").is_none());
        }
        // One record a minute, however often the token comes.
        let recorded = trips(&app, before + 1).await.split_off(before);
        assert_eq!(recorded.len(), 1);
        let row = &recorded[0];
        assert_eq!(row.actor.0, "system");
        assert_eq!(row.target.1, key.record.id.to_string());
        assert_eq!(row.details["address"], "192.0.2.7");
        assert_eq!(row.details["times"], 1);
        let prefix = row.details["token"].as_str().unwrap();
        assert!(
            token.starts_with(prefix) && prefix.contains("px_"),
            "{prefix}"
        );
        assert!(!format!("{row:?}").contains(&token));
        while tripped_at(&app, &key).await.is_null() {
            tokio::task::yield_now().await;
        }
        assert_eq!(tripped_at(&app, &other).await, Value::Null);
    }
}

#[tokio::test]
async fn other_tokens_are_plain_401() {
    let app = App::start().await;
    let key = app.key(Provider::Ntropii).await;
    let known = token(Provider::Ntropii, 1);
    let unknown = token(Provider::Ntropii, 2);
    let ordinary = token_in(Provider::Ntropii, &"prod".parse().unwrap(), 3);
    let expired = token(Provider::Ntropii, 4);
    set(&app, &key, &known).await;
    // The hash of a text that is no proxy's token does nothing.
    set(&app, &key, &ordinary).await;
    set(&app, &key, &expired).await;
    let expire = "UPDATE tripwires SET expires_at = 1 WHERE lower(hex(hash)) = ?1";
    let count = connect(&app).execute(expire, [sha256(&expired)]).unwrap();
    assert_eq!(count, 1);
    let app = app.restart().await;
    let mut broken = known.clone();
    broken.replace_range(30..31, if &known[30..31] == "a" { "b" } else { "a" });
    for text in [
        &unknown,
        &ordinary,
        &expired,
        &broken,
        &known[..40].to_owned(),
    ] {
        for call in presented(&app, text) {
            call.expect(StatusCode::UNAUTHORIZED).await;
        }
    }
    assert!(trips(&app, 0).await.is_empty());
    assert_eq!(tripped_at(&app, &key).await, Value::Null);
}

#[tokio::test]
async fn tripwire_shadows_no_key() {
    let app = App::start().await;
    for provider in Provider::ALL {
        let owner = app.key(provider).await;
        let key = app.key(provider).await;
        set(&app, &owner, key.key.expose()).await;
        assert_eq!(tripped_at(&app, &key).await, Value::Null);
        assert!(trips(&app, 0).await.is_empty());
    }
}

#[tokio::test]
async fn malformed_tripwire_answers_422() {
    let app = App::start().await;
    let key = app.key(Provider::Ontora).await;
    let hash = "0".repeat(64);
    for body in [
        json!({}),
        json!({"sha256": hash}),
        json!({"expires_in_seconds": 60}),
        json!({"sha256": hash, "expires_in_seconds": 0}),
        json!({"sha256": hash, "expires_in_seconds": 2_592_001}),
        json!({"sha256": hash, "expires_in_seconds": "60"}),
        json!({"sha256": &hash[1..], "expires_in_seconds": 60}),
        json!({"sha256": format!("{hash}0"), "expires_in_seconds": 60}),
        json!({"sha256": "g".repeat(64), "expires_in_seconds": 60}),
        json!({"sha256": "é".repeat(32), "expires_in_seconds": 60}),
        json!({"sha256": 7, "expires_in_seconds": 60}),
        json!({"sha256": hash, "expires_in_seconds": 60, "token": "x"}),
    ] {
        app.post(TRIPWIRES, &body)
            .key(&key)
            .expect(StatusCode::UNPROCESSABLE_ENTITY)
            .await;
    }
    let body = json!({"sha256": "AB".repeat(32), "expires_in_seconds": 60});
    app.post(TRIPWIRES, &body)
        .key(&key)
        .expect(StatusCode::CREATED)
        .await;
    app.post(TRIPWIRES, &body)
        .expect_code(StatusCode::UNAUTHORIZED, "invalid_api_key")
        .await;
}

#[tokio::test]
async fn key_has_at_most_100_tripwires() {
    let app = App::start().await;
    let key = app.key(Provider::Ntropii).await;
    let other = app.key(Provider::Ntropii).await;
    for seed in 0..100 {
        set(&app, &key, &token(Provider::Ntropii, seed)).await;
    }
    let next = token(Provider::Ntropii, 100);
    ask(&app, &key, &next, 60)
        .expect_code(StatusCode::CONFLICT, "too_many_tripwires")
        .await;
    set(&app, &other, &next).await;
    // One that is set again takes no room, and belongs to the key that set it.
    let first = token(Provider::Ntropii, 0);
    set(&app, &key, &first).await;
    ask(&app, &other, &first, 60)
        .expect_code(StatusCode::CONFLICT, "already_exists")
        .await;
    connect(&app)
        .execute("UPDATE tripwires SET expires_at = 1 WHERE hash = (SELECT hash FROM tripwires WHERE key_id = ?1 LIMIT 1)", [key.record.id.to_string()])
        .unwrap();
    set(&app, &key, &token(Provider::Ntropii, 101)).await;
    ask(&app, &key, &token(Provider::Ntropii, 102), 60)
        .expect_code(StatusCode::CONFLICT, "too_many_tripwires")
        .await;
}

#[tokio::test]
async fn tripwires_survive_restart_and_rotation() {
    let app = App::start().await;
    let key = app.key(Provider::Ntropii).await;
    let token = token(Provider::Ntropii, 1);
    set(&app, &key, &token).await;
    let app = app.restart().await;
    let made = app.call("POST", "/v1/api-keys/current/rotate").key(&key);
    let made = made.expect(StatusCode::CREATED).await;
    let new = made.body["key"].as_str().unwrap().to_owned();
    app.delete("/v1/api-keys/current/predecessor")
        .bearer(&new)
        .expect(StatusCode::NO_CONTENT)
        .await;
    app.get("/v1/me")
        .bearer(&token)
        .expect(StatusCode::UNAUTHORIZED)
        .await;
    let recorded = trips(&app, 1).await;
    assert_eq!(recorded[0].target.1, made.body["id"].as_str().unwrap());
    loop {
        let told = app.get("/v1/me").bearer(&new).send().await;
        if told.body["key"]["trippedAt"].is_string() {
            break;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn tripped_token_counts_as_failure() {
    let app = App::start_with(AuthoritySettings {
        limits: Limits {
            failures_per_minute: 3,
            ..Limits::OFF
        },
        ..AuthoritySettings::default()
    })
    .await;
    let key = app.key(Provider::Ontora).await;
    let token = token(Provider::Ontora, 1);
    set(&app, &key, &token).await;
    let address: SocketAddr = "192.0.2.7:1".parse().unwrap();
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let call = app.get("/v1/api-keys/current").api_key(&token);
        let reply = call.extension(ConnectInfo(address)).send().await;
        statuses.push(reply.status);
    }
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
    assert_eq!(trips(&app, 1).await.len(), 1);
}
