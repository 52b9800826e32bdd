//! `/v1/api-keys`

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use ntro_authority::Role;
use ntro_base::Provider;
use serde_json::{Value, json};

use crate::support::{App, Reply};

fn body(app: &App) -> Value {
    json!({
        "name": "CI integration", "workspace_id": app.tenant.id.to_string(),
        "scopes": ["interviews", "exports", "webhooks"], "expires_in_days": 90,
    })
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn admin_creates_key_shown_once() {
    let app = App::start().await;
    let reply = app
        .post("/v1/api-keys", &body(&app))
        .bearer(&app.admin())
        .expect(StatusCode::CREATED)
        .await;
    let made = &reply.body;
    let key = made["key"].as_str().unwrap();
    let prefix = made["key_prefix"].as_str().unwrap();
    assert!(key.starts_with("ont_live_") && key.starts_with(prefix) && key != prefix);
    assert_eq!(
        time(&made["expires_at"]).duration_since(time(&made["created_at"])),
        SignedDuration::from_hours(90 * 24)
    );
    assert_eq!(made["created_by"], "user_1");
    assert_eq!(made["region"], "us");
    assert_eq!(reply.header("cache-control"), Some("no-store"));

    let current = app
        .get("/v1/api-keys/current")
        .api_key(key)
        .expect(StatusCode::OK)
        .await;
    assert_eq!(current.body["id"], made["id"]);
    let list = app
        .get(&format!("/v1/api-keys?workspace_id={}", app.tenant.id))
        .bearer(&app.member())
        .expect(StatusCode::OK)
        .await;
    assert_eq!(list.each("id"), [made["id"].as_str().unwrap()]);
    assert!(list.body[0].get("key").is_none());
    assert!(list.body[0]["last_used_at"].is_string(), "{}", list.body);
    assert!(!list.body.to_string().contains(key));
}

#[tokio::test]
async fn refusals_name_their_reason() {
    let app = App::start().await;
    let (globex, theirs) = app.stranger().await;
    let key = app.key(Provider::Ontora).await;
    let path = format!("/v1/api-keys/{}", key.record.id);
    let calls = || {
        [
            app.post("/v1/api-keys", &body(&app)),
            app.delete(&path),
            app.get(&format!("/v1/api-keys?workspace_id={}", app.tenant.id)),
        ]
    };
    for (index, call) in calls().into_iter().enumerate() {
        let member = call.bearer(&app.member());
        if index < 2 {
            member
                .expect_code(StatusCode::FORBIDDEN, "admin_required")
                .await;
        } else {
            member.expect(StatusCode::OK).await;
        }
    }
    for call in calls() {
        call.api_key(key.key.expose())
            .expect_code(StatusCode::FORBIDDEN, "jwt_required")
            .await;
    }
    // A key is the only credential, even beside a valid token.
    for call in calls() {
        call.api_key("ont_live_nonsense")
            .bearer(&app.admin())
            .expect_code(StatusCode::UNAUTHORIZED, "invalid_api_key")
            .await;
    }
    for call in calls() {
        call.expect_code(StatusCode::UNAUTHORIZED, "invalid_api_key")
            .await;
    }
    for call in calls() {
        call.bearer(key.key.expose())
            .expect_code(StatusCode::UNAUTHORIZED, "invalid_api_key")
            .await;
    }
    for call in calls() {
        call.bearer(&app.token(&globex, Role::Admin))
            .expect_code(StatusCode::FORBIDDEN, "workspace_forbidden")
            .await;
    }
    let mut elsewhere = body(&app);
    elsewhere["workspace_id"] = theirs.id.to_string().into();
    app.post("/v1/api-keys", &elsewhere)
        .bearer(&app.admin())
        .expect_code(StatusCode::FORBIDDEN, "workspace_forbidden")
        .await;
}

#[tokio::test]
async fn new_key_lists_every_invalid_field() {
    let app = App::start().await;
    let admin = app.admin();
    let places = async |change: Value| {
        let mut body = body(&app);
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let reply = app
            .post("/v1/api-keys", &body)
            .bearer(&admin)
            .expect(StatusCode::UNPROCESSABLE_ENTITY)
            .await;
        let faults = reply.body["detail"].as_array().unwrap().clone();
        Value::from_iter(faults.iter().map(|fault| fault["loc"].clone()))
    };
    assert_eq!(
        places(json!({"name": null})).await,
        json!([["body", "name"]])
    );
    assert_eq!(
        places(json!({"name": "x".repeat(256)})).await,
        json!([["body", "name"]])
    );
    for days in [json!(0), json!(366), json!(-1), json!(1.5), json!("90")] {
        let place = places(json!({"expires_in_days": days})).await;
        assert_eq!(place, json!([["body", "expires_in_days"]]));
    }
    assert_eq!(
        places(json!({"scopes": ["interviews", "root", 7]})).await,
        json!([["body", "scopes", 1], ["body", "scopes", 2]])
    );
    assert_eq!(
        places(json!({"scopes": []})).await,
        json!([["body", "scopes"]])
    );
    assert_eq!(
        places(json!({"workspace_id": "here", "name": "", "scopes": null})).await,
        json!([
            ["body", "name"],
            ["body", "workspace_id"],
            ["body", "scopes"]
        ])
    );
    for raw in ["", "{", "[]", "null"] {
        app.call("POST", "/v1/api-keys")
            .bearer(&admin)
            .raw_body(raw)
            .expect_code(StatusCode::BAD_REQUEST, "malformed_request")
            .await;
    }
    app.call("POST", "/v1/api-keys")
        .bearer(&admin)
        .raw_body("x".repeat(1 << 20))
        .expect_code(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large")
        .await;
}

#[tokio::test]
async fn duplicate_scopes_collapse() {
    let app = App::start().await;
    let mut body = body(&app);
    body["scopes"] = json!(["exports", "exports", "interviews"]);
    body["expires_in_days"] = Value::Null;
    body["workspace_id"] = format!("ws_{}", app.tenant.id).into();
    let reply = app
        .post("/v1/api-keys", &body)
        .bearer(&app.admin())
        .expect(StatusCode::CREATED)
        .await;
    assert_eq!(reply.body["scopes"], json!(["interviews", "exports"]));
    assert_eq!(reply.body["expires_at"], Value::Null);
}

#[tokio::test]
async fn list_is_paged_newest_first() {
    let app = App::start().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.insert(0, app.key(Provider::Ontora).await.record.id.to_string());
    }
    app.key(Provider::Ntropii).await;
    app.delete(&format!("/v1/api-keys/key_{}", ids[1]))
        .bearer(&app.admin())
        .expect(StatusCode::NO_CONTENT)
        .await;
    let list = async |query: &str| -> Reply {
        app.get(&format!(
            "/v1/api-keys?workspace_id={}{query}",
            app.tenant.id
        ))
        .bearer(&app.admin())
        .send()
        .await
    };
    let all = list("").await;
    assert_eq!(all.each("id"), ids);
    assert!(all.body[1]["revoked_at"].is_string());
    assert!(all.body[0]["revoked_at"].is_null());
    assert_eq!(list("&limit=2&offset=1").await.each("id"), ids[1..3]);
    assert_eq!(list("&offset=9").await.body, json!([]));
    for bad in ["&limit=0", "&limit=501", "&limit=x", "&offset=-1"] {
        assert_eq!(list(bad).await.status, 422, "{bad}");
    }
    app.get("/v1/api-keys")
        .bearer(&app.admin())
        .expect(StatusCode::UNPROCESSABLE_ENTITY)
        .await;
}

#[tokio::test]
async fn revocation_is_idempotent() {
    let app = App::start().await;
    let admin = app.admin();
    let key = app.key(Provider::Ontora).await;
    let path = format!("/v1/api-keys/{}", key.record.id);
    for _ in 0..2 {
        let reply = app.delete(&path).bearer(&admin).send().await;
        assert_eq!((reply.status, reply.body), (204, Value::Null));
    }
    app.get("/v1/api-keys/current")
        .key(&key)
        .expect_code(StatusCode::UNAUTHORIZED, "invalid_api_key")
        .await;
    let ntropii = app.key(Provider::Ntropii).await.record.id.to_string();
    for id in ["11111111-1111-4111-8111-111111111111", &ntropii] {
        app.delete(&format!("/v1/api-keys/{id}"))
            .bearer(&admin)
            .expect_code(StatusCode::NOT_FOUND, "not_found")
            .await;
    }
    app.delete("/v1/api-keys/seven")
        .bearer(&admin)
        .expect(StatusCode::UNPROCESSABLE_ENTITY)
        .await;
}

#[tokio::test]
async fn idempotency_key_creates_one_key() {
    let app = App::start().await;
    let admin = app.admin();
    let send = async |body: &Value, token: &str, key: &str| {
        app.post("/v1/api-keys", body)
            .bearer(token)
            .header("idempotency-key", key)
            .send()
            .await
    };
    let body_1 = body(&app);
    let (first, second) =
        tokio::join!(send(&body_1, &admin, "once"), send(&body_1, &admin, "once"));
    let (made, replayed) = if first.body.get("key").is_some() {
        (first, second)
    } else {
        (second, first)
    };
    assert_eq!((made.status, replayed.status), (201, 201));
    assert_eq!(made.header("idempotency-replayed"), None);
    assert_eq!(replayed.header("idempotency-replayed"), Some("true"));
    let mut expected = made.body.clone();
    expected.as_object_mut().unwrap().remove("key").unwrap();
    assert_eq!(replayed.body, expected);

    // The record survives a restart and the key's revocation.
    let app = app.restart().await;
    let send = async |body: &Value, token: &str, key: &str| {
        app.post("/v1/api-keys", body)
            .bearer(token)
            .header("idempotency-key", key)
            .send()
            .await
    };
    let again = send(&body(&app), &admin, "once").await;
    assert_eq!((again.status, &again.body), (201, &expected));

    let mut other = body(&app);
    other["name"] = "Another".into();
    let conflict = send(&other, &admin, "once").await;
    assert_eq!(conflict.status, 409);
    assert_eq!(conflict.body["code"], "idempotency_conflict");
    let third = send(&other, &admin, "twice").await;
    assert!(third.body["key"].is_string());
    for bad in ["", &"x".repeat(256)] {
        assert_eq!(send(&other, &admin, bad).await.status, 422);
    }
    let keys = app
        .registry()
        .keys(Some(app.tenant.id), None)
        .await
        .unwrap();
    assert_eq!(keys.len(), 2);
}

#[tokio::test]
async fn revoked_key_keeps_last_use() {
    let app = App::start().await;
    let (used, unused) = (
        app.key(Provider::Ontora).await,
        app.key(Provider::Ontora).await,
    );
    let current = app.get("/v1/api-keys/current");
    current.key(&used).expect(StatusCode::OK).await;
    for key in [&used, &unused] {
        app.registry().revoke_key(key.record.id).await.unwrap();
    }
    let was_used = async |app: &App| {
        let list = format!("/v1/api-keys?workspace_id={}", app.tenant.id);
        let listed = app.get(&list).bearer(&app.admin()).send().await;
        let row = |index: usize| listed.body[index]["last_used_at"].is_string();
        (row(1), row(0))
    };
    assert_eq!(was_used(&app).await, (true, false));
    app.authority.record_use().await.unwrap();
    assert_eq!(was_used(&app).await, (true, false));
    assert_eq!(was_used(&app.restart().await).await, (true, false));
}

#[tokio::test]
async fn unknown_fields_are_refused() {
    let app = App::start().await;
    let mut body = body(&app);
    body["expiresInDays"] = json!(3);
    body["note"] = json!("for the nightly build");
    let refused = app
        .post("/v1/api-keys", &body)
        .bearer(&app.admin())
        .expect(StatusCode::UNPROCESSABLE_ENTITY)
        .await;
    let told = |name: &str| json!({"loc": ["body", name], "msg": "unknown field", "type": "extra_forbidden"});
    assert_eq!(
        refused.body["detail"],
        json!([told("expiresInDays"), told("note")])
    );
    let tenant_keys = "/v1/workspace/tenants/acme-fund-admin/api-keys";
    let refused = app
        .post(tenant_keys, &json!({"name": "x", "expires_in_days": 3}))
        .bearer(&app.admin())
        .expect(StatusCode::BAD_REQUEST)
        .await;
    assert_eq!(
        refused.body["message"],
        json!(["expires_in_days: unknown field"])
    );
    assert_eq!(app.registry().keys(None, None).await.unwrap(), []);
    // Clients send null for optional fields that they do not set.
    app.post(tenant_keys, &json!({"name": "x", "scopes": null}))
        .bearer(&app.admin())
        .expect(StatusCode::CREATED)
        .await;
}
