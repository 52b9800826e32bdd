//! `Idempotency-Key` on requests that create something but a key: the others are beside their
//! endpoints.

use axum::http::StatusCode;
use ntro_base::Provider;
use serde_json::json;

use crate::audit::{connect, rows};
use crate::support::{App, Call, Reply};

fn is_replay(reply: &Reply) -> bool {
    reply.header("idempotency-replayed") == Some("true")
}

/// Returns the number of answers that the registry keeps.
fn kept(app: &App) -> i64 {
    let count = "SELECT count(*) FROM responses";
    connect(app).query_row(count, [], |row| row.get(0)).unwrap()
}

fn new_tenant(app: &App, slug: &str) -> Call {
    let body = json!({"name": "New", "slug": slug, "dataPlatform": "managed-postgres"});
    app.post("/v1/workspace/tenants", &body)
        .bearer(&app.admin())
}

#[tokio::test]
async fn tenant_is_created_once() {
    let app = App::start().await;
    let create = |slug: &str, key: &str| new_tenant(&app, slug).header("idempotency-key", key);
    let made = create("new", "one").expect(StatusCode::CREATED).await;
    assert!(!is_replay(&made));
    let path = "/v1/workspace/tenants/new";
    let config = json!({"config": {"ai": true}});
    app.call("PATCH", path)
        .body(&config)
        .bearer(&app.admin())
        .expect(StatusCode::OK)
        .await;
    let before = rows(&app).len();
    for _ in 0..2 {
        let replayed = create("new", "one").expect(StatusCode::CREATED).await;
        assert!(is_replay(&replayed));
        assert_eq!(replayed.body, made.body);
        assert_eq!(replayed.header("content-type"), Some("application/json"));
    }
    assert_eq!(rows(&app).len(), before);
    let conflict = create("other", "one").expect(StatusCode::CONFLICT).await;
    assert_eq!(
        conflict.body["message"],
        "The idempotency key was used for another request"
    );
    app.get("/v1/workspace/tenants/other")
        .bearer(&app.admin())
        .expect(StatusCode::NOT_FOUND)
        .await;
    // Another idempotency key is another request, which fails, and is not remembered.
    create("new", "two").expect(StatusCode::CONFLICT).await;
    let other = create("other", "two").expect(StatusCode::CREATED).await;
    assert!(!is_replay(&other));
    for key in ["", &"k".repeat(256)] {
        create("third", key).expect(StatusCode::BAD_REQUEST).await;
    }
}

#[tokio::test]
async fn callers_have_separate_keys() {
    let app = App::start().await;
    let (globex, _) = app.stranger().await;
    let made = new_tenant(&app, "new").header("idempotency-key", "one");
    made.expect(StatusCode::CREATED).await;
    let body = json!({"name": "New", "slug": "theirs", "dataPlatform": "managed-postgres"});
    let token = app.token(&globex, ntro_authority::Role::Admin);
    let theirs = app
        .post("/v1/workspace/tenants", &body)
        .bearer(&token)
        .header("idempotency-key", "one")
        .expect(StatusCode::CREATED)
        .await;
    assert!(!is_replay(&theirs));
}

#[tokio::test]
async fn tripwire_is_set_once() {
    let app = App::start().await;
    let key = app.key(Provider::Ontora).await;
    let set = |digit: &str, seconds: u32, name: &str| {
        let body = json!({"sha256": digit.repeat(64), "expires_in_seconds": seconds});
        app.post("/v1/api-keys/current/tripwires", &body)
            .key(&key)
            .header("idempotency-key", name)
    };
    let made = set("a", 60, "one").expect(StatusCode::CREATED).await;
    let replayed = set("a", 60, "one").expect(StatusCode::CREATED).await;
    assert_eq!((is_replay(&made), is_replay(&replayed)), (false, true));
    assert_eq!(replayed.body, made.body);
    for (digit, seconds) in [("a", 61), ("b", 60)] {
        set(digit, seconds, "one")
            .expect_code(StatusCode::CONFLICT, "idempotency_conflict")
            .await;
    }
    let longer = set("a", 600, "two").expect(StatusCode::CREATED).await;
    assert_ne!(longer.body["expires_at"], made.body["expires_at"]);
    let other = app.key(Provider::Ontora).await;
    let body = json!({"sha256": "c".repeat(64), "expires_in_seconds": 60});
    let theirs = app
        .post("/v1/api-keys/current/tripwires", &body)
        .key(&other)
        .header("idempotency-key", "one")
        .expect(StatusCode::CREATED)
        .await;
    assert!(!is_replay(&theirs));
}

#[tokio::test]
async fn answers_are_forgotten_after_a_day() {
    let app = App::start().await;
    let create = |slug: &str, key: &str| new_tenant(&app, slug).header("idempotency-key", key);
    let first = create("new", "one").expect(StatusCode::CREATED).await.body;
    let age = |hours: i64| {
        let edit = format!("UPDATE responses SET created_at = created_at - {hours} * 3600000");
        connect(&app).execute(&edit, []).unwrap();
    };
    age(23);
    assert_eq!(
        create("new", "one").expect(StatusCode::CREATED).await.body,
        first
    );
    assert_eq!(kept(&app), 1);
    age(2);
    create("third", "one").expect(StatusCode::CREATED).await;
    assert_eq!(kept(&app), 1);
}
