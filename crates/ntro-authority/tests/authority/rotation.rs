//! `/v1/api-keys/current/rotate`, `successor` and `predecessor`: a key acts on itself.

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use ntro_authority::{ApiKeyRecord, MintedKey, TenantStatus};
use ntro_base::{Provider, Scope};
use serde_json::{Value, json};

use crate::support::{App, Call, edit_key, new_key, status, with};

const ROTATE: &str = "/v1/api-keys/current/rotate";
const SUCCESSOR: &str = "/v1/api-keys/current/successor";
const PREDECESSOR: &str = "/v1/api-keys/current/predecessor";

async fn rotate(app: &App, key: &str) -> Value {
    let reply = with(app.call("POST", ROTATE), key)
        .expect(StatusCode::CREATED)
        .await;
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    reply.body
}

async fn end(app: &App, path: &str, key: &str) {
    with(app.delete(path), key)
        .expect(StatusCode::NO_CONTENT)
        .await;
}

async fn works(app: &App, key: &str) -> bool {
    match status(app, key).await {
        200 => true,
        401 => false,
        other => panic!("status {other}"),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

async fn record(app: &App, id: &str) -> ApiKeyRecord {
    let keys = app.registry().keys(None, None).await.unwrap();
    let found = keys.into_iter().find(|key| key.id.to_string() == id);
    found.unwrap()
}

#[tokio::test]
async fn successor_equals_its_predecessor() {
    let app = App::start().await;
    for provider in Provider::ALL {
        let mut new = new_key(provider);
        new.environment = Some("staging".parse().unwrap());
        new.expires_in_days = Some(30);
        if provider == Provider::Ontora {
            new.scopes = vec![Scope::Interviews, Scope::Mcp];
        }
        let old = app.registry().create_key(&app.tenant, new).await.unwrap();
        let made = rotate(&app, old.key.expose()).await;
        let key = text(&made["key"]);
        let marker = provider.key_marker();
        assert!(key.starts_with(&format!("{marker}staging_")), "{provider}");
        assert!(works(&app, &key).await && works(&app, old.key.expose()).await);

        let new = record(&app, made["id"].as_str().unwrap()).await;
        assert_eq!(new.name, old.record.name);
        assert_eq!(new.tenant_id, old.record.tenant_id);
        assert_eq!(new.scopes, old.record.scopes);
        assert_eq!(new.created_by, Some(format!("key {}", old.record.name)));
        let life = |key: &ApiKeyRecord| key.expires_at.unwrap().duration_since(key.created_at);
        assert_eq!(life(&new), SignedDuration::from_hours(30 * 24));
        assert!(new.created_at >= old.record.created_at);
        // The body is in the provider's dialect.
        let member = match provider {
            Provider::Ntropii => "keyPrefix",
            Provider::Ontora => "key_prefix",
        };
        assert_eq!(made[member], new.prefix.to_string());
    }
}

#[tokio::test]
async fn successor_revokes_its_predecessor() {
    let app = App::start().await;
    for provider in Provider::ALL {
        let old = app.key(provider).await;
        let made = rotate(&app, old.key.expose()).await;
        let new = text(&made["key"]);
        for _ in 0..2 {
            end(&app, PREDECESSOR, &new).await;
            assert!(!works(&app, old.key.expose()).await);
            assert!(works(&app, &new).await);
        }
        // Revoking the predecessor again revokes nothing else.
        app.registry().revoke_key(old.record.id).await.unwrap();
        assert!(works(&app, &new).await);
        // One key has no predecessor, the other no successor.
        let other = app.key(provider).await;
        end(&app, PREDECESSOR, other.key.expose()).await;
        end(&app, SUCCESSOR, other.key.expose()).await;
        assert!(works(&app, other.key.expose()).await);
        // The successor rotates in turn.
        let made = rotate(&app, &new).await;
        end(&app, PREDECESSOR, made["key"].as_str().unwrap()).await;
        assert!(!works(&app, &new).await);
    }
}

#[tokio::test]
async fn completed_rotation_records_use() {
    let app = App::start().await;
    let old = app.key(Provider::Ontora).await;
    let made = rotate(&app, old.key.expose()).await;
    end(&app, PREDECESSOR, made["key"].as_str().unwrap()).await;
    let list = format!("/v1/api-keys?workspace_id={}", app.tenant.id);
    let listed = app.get(&list).bearer(&app.admin()).send().await;
    assert_eq!(listed.body[0]["id"], made["id"]);
    assert!(
        listed.body[0]["last_used_at"].is_string(),
        "{}",
        listed.body
    );
}

#[tokio::test]
async fn key_has_one_pending_successor() {
    let app = App::start().await;
    for provider in Provider::ALL {
        let old = app.key(provider).await;
        let old = old.key.expose();
        let mut made = Vec::new();
        for _ in 0..3 {
            made.push(text(&rotate(&app, old).await["key"]));
        }
        assert!(!works(&app, &made[0]).await && !works(&app, &made[1]).await);
        assert!(works(&app, &made[2]).await);
        for _ in 0..2 {
            end(&app, SUCCESSOR, old).await;
            assert!(!works(&app, &made[2]).await && works(&app, old).await);
        }
        // A revoked successor cannot revoke its predecessor.
        with(app.delete(PREDECESSOR), &made[2])
            .expect_code(StatusCode::UNAUTHORIZED, "invalid_api_key")
            .await;
        assert!(works(&app, old).await);
    }
}

#[tokio::test]
async fn pending_successor_cannot_rotate() {
    let app = App::start().await;
    let old = app.key(Provider::Ontora).await;
    let new = text(&rotate(&app, old.key.expose()).await["key"]);
    with(app.call("POST", ROTATE), &new)
        .expect_code(StatusCode::CONFLICT, "rotation_pending")
        .await;
    app.delete(&format!("/v1/api-keys/{}", old.record.id))
        .bearer(&app.admin())
        .expect(StatusCode::NO_CONTENT)
        .await;
    assert!(!works(&app, &new).await, "it outlives a revocation");

    // The old key revokes itself.
    let old = app.key(Provider::Ntropii).await;
    let new = text(&rotate(&app, old.key.expose()).await["key"]);
    end(&app, "/v1/api-keys/current", old.key.expose()).await;
    assert!(!works(&app, &new).await);
    // Revoking the successor leaves the predecessor live.
    let old = app.key(Provider::Ntropii).await;
    let new = text(&rotate(&app, old.key.expose()).await["key"]);
    end(&app, "/v1/api-keys/current", &new).await;
    assert!(works(&app, old.key.expose()).await);
}

#[tokio::test]
async fn pending_successor_survives_expiry() {
    let app = App::start().await;
    for provider in Provider::ALL {
        let old = app.key(provider).await;
        let new = text(&rotate(&app, old.key.expose()).await["key"]);
        let now = Timestamp::now().as_millisecond();
        let id = old.record.id.to_string();
        edit_key(&app, &id, &format!("expires_at = {now}"));
        while works(&app, old.key.expose()).await {
            tokio::task::yield_now().await;
        }
        // The client may have stored the successor, so it can complete the rotation.
        assert!(works(&app, &new).await);
        end(&app, PREDECESSOR, &new).await;
        rotate(&app, &new).await;
    }
}

#[tokio::test]
async fn rotation_can_be_disabled() {
    let app = App::start().await;
    for provider in Provider::ALL {
        let mut new = new_key(provider);
        new.may_rotate = false;
        let key = app.registry().create_key(&app.tenant, new).await.unwrap();
        let refused = with(app.call("POST", ROTATE), key.key.expose())
            .expect_code(StatusCode::FORBIDDEN, "rotation_off")
            .await;
        assert!(refused.body.get("key").is_none());
        end(&app, SUCCESSOR, key.key.expose()).await;
        end(&app, PREDECESSOR, key.key.expose()).await;
        assert!(works(&app, key.key.expose()).await);
    }
    // Only a key that may not rotate has the field.
    let mut body = json!({
        "name": "CI", "workspace_id": app.tenant.id.to_string(), "scopes": ["exports"],
        "may_rotate": false,
    });
    let made = app
        .post("/v1/api-keys", &body)
        .bearer(&app.admin())
        .expect(StatusCode::CREATED)
        .await;
    assert_eq!(made.body["may_rotate"], false);
    let key = text(&made.body["key"]);
    let current = app.get("/v1/api-keys/current").api_key(&key);
    assert_eq!(current.send().await.body["may_rotate"], false);
    with(app.call("POST", ROTATE), &key)
        .expect_code(StatusCode::FORBIDDEN, "rotation_off")
        .await;
    body["may_rotate"] = true.into();
    let made = app.post("/v1/api-keys", &body).bearer(&app.admin());
    assert!(made.send().await.body.get("may_rotate").is_none());
    body["may_rotate"] = "no".into();
    app.post("/v1/api-keys", &body)
        .bearer(&app.admin())
        .expect(StatusCode::UNPROCESSABLE_ENTITY)
        .await;
    let path = "/v1/workspace/tenants/acme-fund-admin/api-keys";
    let made = app
        .post(path, &json!({"name": "CI", "mayRotate": false}))
        .bearer(&app.admin())
        .expect(StatusCode::CREATED)
        .await;
    assert_eq!(made.body["mayRotate"], false);
}

#[tokio::test]
async fn rotation_needs_a_valid_key() {
    let app = App::start().await;
    let key = app.key(Provider::Ontora).await;
    app.registry().revoke_key(key.record.id).await.unwrap();
    for (method, path) in [
        ("POST", ROTATE),
        ("DELETE", SUCCESSOR),
        ("DELETE", PREDECESSOR),
    ] {
        for call in [
            app.call(method, path),
            app.call(method, path).api_key(key.key.expose()),
            app.call(method, path).bearer("ntro_prod_nonsense"),
            app.call(method, path).bearer(&app.admin()),
        ] {
            call.expect_code(StatusCode::UNAUTHORIZED, "invalid_api_key")
                .await;
        }
    }
    let key: MintedKey = app.key(Provider::Ontora).await;
    app.registry()
        .set_tenant_status(app.tenant.id, TenantStatus::Suspended)
        .await
        .unwrap();
    with(app.call("POST", ROTATE), key.key.expose())
        .expect_code(StatusCode::FORBIDDEN, "tenant_suspended")
        .await;
    assert_eq!(app.registry().keys(None, None).await.unwrap().len(), 2);
}

#[tokio::test]
async fn rotation_survives_restart() {
    let app = App::start().await;
    let old = app.key(Provider::Ntropii).await;
    let first = text(&rotate(&app, old.key.expose()).await["key"]);
    let second = text(&rotate(&app, old.key.expose()).await["key"]);
    let app = app.restart().await;
    assert!(!works(&app, &first).await && works(&app, &second).await);
    with(app.call("POST", ROTATE), &second)
        .expect_code(StatusCode::CONFLICT, "rotation_pending")
        .await;
    end(&app, PREDECESSOR, &second).await;
    let app = app.restart().await;
    assert!(!works(&app, old.key.expose()).await && works(&app, &second).await);
    let created = record(&app, &old.record.id.to_string()).await.revoked_at;
    assert!(created.is_some_and(|at| at <= Timestamp::now()));
}

/// The request that undoes a rotation may arrive before the rotation.
#[tokio::test]
async fn undone_rotation_stays_undone() {
    let app = App::start().await;
    for provider in Provider::ALL {
        let old = app.key(provider).await;
        let old = old.key.expose();
        let named = |call: Call, name| with(call, old).header("idempotency-key", name);
        let take_back = async |name| {
            named(app.delete(SUCCESSOR), name)
                .expect(StatusCode::NO_CONTENT)
                .await;
        };
        let ask = |name| named(app.call("POST", ROTATE), name);

        // The rotation arrives late.
        take_back("first").await;
        take_back("first").await;
        ask("first")
            .expect_code(StatusCode::CONFLICT, "idempotency_conflict")
            .await;
        // The rotation arrives twice.
        let made = ask("second").expect(StatusCode::CREATED).await;
        let new = text(&made.body["key"]);
        ask("second")
            .expect_code(StatusCode::CONFLICT, "idempotency_conflict")
            .await;
        // The request that undoes another rotation arrives late.
        take_back("first").await;
        assert!(works(&app, &new).await);
        take_back("second").await;
        assert!(!works(&app, &new).await);
        // A completed rotation cannot be undone.
        let made = ask("third").expect(StatusCode::CREATED).await;
        let new = text(&made.body["key"]);
        let late = named(app.delete(SUCCESSOR), "third");
        end(&app, PREDECESSOR, &new).await;
        late.expect(StatusCode::UNAUTHORIZED).await;
        assert!(works(&app, &new).await);
    }
}
