//! Keys that are paused and resumed.

use axum::http::StatusCode;
use ntro_authority::{MintedKey, Role, TenantStatus};
use ntro_base::Provider;
use serde_json::{Value, json};

use crate::audit::rows;
use crate::support::{App, Call, open, status, with};

/// Returns the path of a change of a key.
fn path(app: &App, key: &MintedKey, change: &str) -> String {
    let id = key.record.id;
    match key.record.provider {
        Provider::Ontora => format!("/v1/api-keys/{id}/{change}"),
        Provider::Ntropii => {
            let slug = &app.tenant.slug;
            format!("/v1/workspace/tenants/{slug}/api-keys/{id}/{change}")
        }
    }
}

/// Makes a change of a key as an admin.
fn change(app: &App, key: &MintedKey, change: &str) -> Call {
    app.call("POST", &path(app, key, change))
        .bearer(&app.admin())
}

/// Returns when the answer says that the key was paused.
fn paused_at(key: &Value) -> &Value {
    match key.get("paused_at") {
        Some(at) => at,
        None => &key["pausedAt"],
    }
}

#[tokio::test]
async fn paused_key_is_refused_until_resumed() {
    let app = App::start().await;
    for provider in Provider::ALL {
        let key = app.key(provider).await;
        let text = key.key.expose();
        assert_eq!(status(&app, text).await, 200);
        let mut first = Value::Null;
        for _ in 0..2 {
            let paused = change(&app, &key, "pause").expect(StatusCode::OK).await;
            let at = paused_at(&paused.body);
            assert!(at.is_string(), "{}", paused.body);
            assert!(first.is_null() || first == *at);
            first = at.clone();
            assert_eq!(status(&app, text).await, 403);
        }
        with(app.get("/v1/authorize"), text)
            .expect_code(StatusCode::FORBIDDEN, "key_paused")
            .await;
        for (method, path) in [
            ("POST", "/v1/api-keys/current/rotate"),
            ("DELETE", "/v1/api-keys/current"),
        ] {
            with(app.call(method, path), text)
                .expect_code(StatusCode::FORBIDDEN, "key_paused")
                .await;
        }
        for _ in 0..2 {
            let resumed = change(&app, &key, "resume").expect(StatusCode::OK).await;
            assert!(paused_at(&resumed.body).is_null(), "{}", resumed.body);
            assert_eq!(status(&app, text).await, 200);
        }
    }
    let changes = rows(&app).into_iter().map(|row| row.action);
    let changes: Vec<_> = changes.filter(|one| !one.ends_with(".create")).collect();
    let once = ["key.pause", "key.resume"];
    assert_eq!(
        changes,
        ["member.record"]
            .into_iter()
            .chain(once)
            .chain(once)
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn pause_survives_restart() {
    let app = App::start().await;
    let key = app.key(Provider::Ontora).await;
    change(&app, &key, "pause").expect(StatusCode::OK).await;
    let app = app.restart().await;
    app.get("/v1/api-keys/current")
        .key(&key)
        .expect_code(StatusCode::FORBIDDEN, "key_paused")
        .await;
    let list = format!("/v1/api-keys?workspace_id={}", app.tenant.id);
    let list = app.get(&list).bearer(&app.member()).send().await;
    assert!(list.body[0]["paused_at"].is_string(), "{}", list.body);
    assert!(list.body[0]["revoked_at"].is_null());
}

#[tokio::test]
async fn pause_needs_an_admin_in_reach() {
    let app = App::start().await;
    let (globex, _) = app.stranger().await;
    for provider in Provider::ALL {
        let key = app.key(provider).await;
        for change in ["pause", "resume"] {
            let call = || app.call("POST", &path(&app, &key, change));
            assert_eq!(call().send().await.status, 401);
            assert_eq!(call().key(&key).send().await.status, 403);
            assert_eq!(call().bearer(&app.member()).send().await.status, 403);
            let foreign = call().bearer(&app.token(&globex, Role::Admin)).send().await;
            let hidden = match provider {
                Provider::Ontora => 403,
                Provider::Ntropii => 404,
            };
            assert_eq!(foreign.status, hidden, "{}", foreign.body);
        }
        assert_eq!(status(&app, key.key.expose()).await, 200);
    }
    for path in [
        "/v1/api-keys/11111111-1111-4111-8111-111111111111/pause",
        "/v1/workspace/tenants/acme-fund-admin/api-keys/11111111-1111-4111-8111-111111111111/pause",
        "/v1/workspace/tenants/acme-fund-admin/api-keys/x/pause",
    ] {
        let call = app.call("POST", path).bearer(&app.admin());
        assert_eq!(call.send().await.status, 404, "{path}");
    }
    let call = app
        .call("POST", "/v1/api-keys/x/pause")
        .bearer(&app.admin());
    assert_eq!(call.send().await.status, 422);
}

#[tokio::test]
async fn revoked_key_is_not_paused() {
    let app = App::start().await;
    let key = app.key(Provider::Ontora).await;
    change(&app, &key, "pause").expect(StatusCode::OK).await;
    app.registry().revoke_key(key.record.id).await.unwrap();
    for which in ["pause", "resume"] {
        change(&app, &key, which)
            .expect_code(StatusCode::CONFLICT, "key_revoked")
            .await;
    }
    assert_eq!(status(&app, key.key.expose()).await, 401);
}

async fn made(app: &App, path: &str, key: &str, body: &Value) -> (String, String) {
    let made = with(app.post(path, body), key)
        .expect(StatusCode::CREATED)
        .await;
    let text = |member: &str| made.body[member].as_str().unwrap().to_owned();
    (text("id"), text("key"))
}

#[tokio::test]
async fn pause_reaches_dependent_keys() {
    let app = App::start().await;
    let child = json!({"expires_in_seconds": 60});
    let children = "/v1/api-keys/current/children";
    for provider in Provider::ALL {
        let key = app.key(provider).await;
        let text = key.key.expose();
        let rotate = "/v1/api-keys/current/rotate";
        let (_, successor) = made(&app, rotate, text, &Value::Null).await;
        let (own_id, own) = made(&app, children, text, &child).await;
        let (_, other) = made(&app, children, text, &child).await;
        let (_, grandchild) = made(&app, children, &successor, &child).await;
        let id = own_id.parse().unwrap();
        app.registry().pause_key(id).await.unwrap();
        assert_eq!(status(&app, &own).await, 403);
        assert_eq!(status(&app, &other).await, 200);

        change(&app, &key, "pause").expect(StatusCode::OK).await;
        for one in [&successor, &own, &other, &grandchild] {
            assert_eq!(status(&app, one).await, 403);
        }
        with(app.delete("/v1/api-keys/current/predecessor"), &successor)
            .expect_code(StatusCode::FORBIDDEN, "key_paused")
            .await;
        change(&app, &key, "resume").expect(StatusCode::OK).await;
        for one in [text, &successor, &other, &grandchild] {
            assert_eq!(status(&app, one).await, 200);
        }
        // It was paused by itself before.
        assert_eq!(status(&app, &own).await, 403);
        app.registry().resume_key(id).await.unwrap();
        assert_eq!(status(&app, &own).await, 200);

        // A child is not resumed without its parent, but can be paused beyond that.
        change(&app, &key, "pause").expect(StatusCode::OK).await;
        let refused = app.registry().resume_key(id).await.unwrap_err();
        assert!(refused.to_string().contains("resume that one"), "{refused}");
        assert_eq!(status(&app, &own).await, 403);
        app.registry().pause_key(id).await.unwrap();
        change(&app, &key, "resume").expect(StatusCode::OK).await;
        assert_eq!(status(&app, &own).await, 403);
        assert_eq!(status(&app, &other).await, 200);
    }
}

#[tokio::test]
async fn paused_key_is_not_active() {
    let app = App::start().await;
    let asker = app.key(Provider::Ontora).await;
    let key = app.key(Provider::Ontora).await;
    let active = async || {
        let form = format!("token={}", key.key.expose());
        let call = app.call("POST", "/v1/introspect").plain_body(form);
        let call = call.header("content-type", "application/x-www-form-urlencoded");
        call.key(&asker).send().await.body["active"].clone()
    };
    assert_eq!(active().await, true);
    change(&app, &key, "pause").expect(StatusCode::OK).await;
    assert_eq!(active().await, false);
}

#[tokio::test]
async fn pause_outlasts_a_suspension() {
    let app = App::start().await;
    let key = app.key(Provider::Ontora).await;
    let set = |status| app.registry().set_tenant_status(app.tenant.id, status);
    set(TenantStatus::Suspended).await.unwrap();
    change(&app, &key, "pause").expect(StatusCode::OK).await;
    set(TenantStatus::Active).await.unwrap();
    app.get("/v1/api-keys/current")
        .key(&key)
        .expect_code(StatusCode::FORBIDDEN, "key_paused")
        .await;
}

#[tokio::test]
async fn pause_beside_server_takes_effect() {
    let app = App::start().await;
    let key = app.key(Provider::Ntropii).await;
    let beside = open(&app.database()).unwrap();
    for _ in 0..20 {
        beside.pause_key(key.record.id).await.unwrap();
        assert_eq!(status(&app, key.key.expose()).await, 403);
        beside.resume_key(key.record.id).await.unwrap();
        assert_eq!(status(&app, key.key.expose()).await, 200);
    }
}
