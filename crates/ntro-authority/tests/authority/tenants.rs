//! `/v1/workspace/tenants`

use axum::http::StatusCode;
use ntro_authority::{Role, TenantStatus};
use ntro_base::Provider;
use serde_json::json;

use crate::support::{App, tenant};

#[tokio::test]
async fn key_reaches_only_its_tenant() {
    let app = App::start().await;
    let sibling = tenant(app.registry(), &app.organisation, "sibling").await;
    let (_, stranger) = app.stranger().await;
    let key = app.key(Provider::Ntropii).await;
    let list = app
        .get("/v1/workspace/tenants")
        .key(&key)
        .expect(StatusCode::OK)
        .await;
    assert_eq!(list.each("slug"), ["acme-fund-admin"]);
    assert_eq!(list.body[0]["dataPlatform"], "managed-postgres");
    assert_eq!(list.body[0]["status"], "ACTIVE");

    let id = app.tenant.id.to_string();
    for name in [
        "acme-fund-admin",
        &id,
        &id.to_uppercase(),
        &format!("ws_{id}"),
    ] {
        let own = app
            .get(&format!("/v1/workspace/tenants/{name}"))
            .key(&key)
            .expect(StatusCode::OK)
            .await;
        assert_eq!(own.body["id"], id);
    }
    let absent = json!({"statusCode": 404, "message": "Tenant not found", "error": "Not Found"});
    let other_ids = [sibling.id.to_string(), stranger.id.to_string()];
    for name in [
        "sibling",
        "globex-capital",
        "nobody",
        &other_ids[0],
        &other_ids[1],
        "%2e%2e",
        "a%00b",
        "11111111-1111-4111-8111-111111111111",
    ] {
        let path = format!("/v1/workspace/tenants/{name}");
        for method in ["GET", "DELETE"] {
            let reply = app
                .call(method, &path)
                .key(&key)
                .expect(StatusCode::NOT_FOUND)
                .await;
            assert_eq!(reply.body, absent);
        }
        app.call("PATCH", &path)
            .key(&key)
            .body(&json!({"config": {}}))
            .expect(StatusCode::NOT_FOUND)
            .await;
    }
}

#[tokio::test]
async fn list_filters_by_status() {
    let app = App::start().await;
    let key = app.key(Provider::Ntropii).await;
    let list = async |query: &str| {
        app.get(&format!("/v1/workspace/tenants?status={query}"))
            .key(&key)
            .send()
            .await
    };
    assert_eq!(list("ACTIVE").await.each("slug"), ["acme-fund-admin"]);
    assert_eq!(list("SUSPENDED").await.body, json!([]));
    let reply = list("SLEEPING").await;
    assert_eq!(reply.status, 400);
    let message = reply.body["message"][0].as_str().unwrap();
    assert!(
        message.contains("unknown tenant status `SLEEPING`"),
        "{message}"
    );
    assert_eq!(reply.body["error"], "Bad Request");
}

#[tokio::test]
async fn only_admins_create_tenants() {
    let app = App::start().await;
    let (globex, _) = app.stranger().await;
    let (admin, key) = (app.admin(), app.key(Provider::Ntropii).await);
    let body = json!({"name": "New", "slug": "new", "dataPlatform": "snowflake", "dataPlatformConfigId": "cfg"});
    app.post("/v1/workspace/tenants", &body)
        .key(&key)
        .expect(StatusCode::FORBIDDEN)
        .await;
    app.post("/v1/workspace/tenants", &body)
        .bearer(&app.member())
        .expect(StatusCode::FORBIDDEN)
        .await;
    app.post("/v1/workspace/tenants", &body)
        .expect(StatusCode::UNAUTHORIZED)
        .await;
    let made = app
        .post("/v1/workspace/tenants", &body)
        .bearer(&admin)
        .expect(StatusCode::CREATED)
        .await;
    assert_eq!(made.body["slug"], "new");
    assert_eq!(made.body["dataPlatformConfigId"], "cfg");
    let again = app
        .post("/v1/workspace/tenants", &body)
        .bearer(&admin)
        .expect(StatusCode::CONFLICT)
        .await;
    assert_eq!(again.body["error"], "Conflict");

    let list = app
        .get("/v1/workspace/tenants")
        .bearer(&admin)
        .expect(StatusCode::OK)
        .await;
    assert_eq!(list.each("slug"), ["acme-fund-admin", "new"]);
    let theirs = app
        .get("/v1/workspace/tenants")
        .bearer(&app.token(&globex, Role::Admin))
        .expect(StatusCode::OK)
        .await;
    assert_eq!(theirs.each("slug"), ["globex-capital"]);
    app.delete("/v1/workspace/tenants/globex-capital")
        .bearer(&admin)
        .expect(StatusCode::NOT_FOUND)
        .await;

    app.delete("/v1/workspace/tenants/acme-fund-admin")
        .key(&key)
        .expect(StatusCode::FORBIDDEN)
        .await;
    let gone = app
        .delete("/v1/workspace/tenants/acme-fund-admin")
        .bearer(&admin)
        .expect(StatusCode::OK)
        .await;
    assert_eq!(gone.body["status"], TenantStatus::Deprovisioning.as_str());
    app.get("/v1/me")
        .key(&key)
        .expect(StatusCode::FORBIDDEN)
        .await;
}

#[tokio::test]
async fn new_tenant_lists_every_invalid_field() {
    let app = App::start().await;
    let admin = app.admin();
    let messages = async |body: serde_json::Value| {
        let reply = app
            .post("/v1/workspace/tenants", &body)
            .bearer(&admin)
            .expect(StatusCode::BAD_REQUEST)
            .await;
        reply.body["message"].to_string()
    };
    assert_eq!(
        messages(json!({"slug": 1, "dataPlatform": "paper"})).await,
        json!([
            "name: field required",
            "slug: must be a string",
            "dataPlatform: unknown data platform `paper`: expected `managed-postgres`, `snowflake`, `microsoft-fabric`"
        ])
        .to_string()
    );
    for slug in [
        "",
        "Upper",
        "a b",
        "-a",
        "a-",
        "11111111-1111-4111-8111-111111111111",
    ] {
        let text =
            messages(json!({"name": "N", "slug": slug, "dataPlatform": "managed-postgres"})).await;
        assert!(text.contains("slug"), "{text}");
    }
    let text = messages(json!({"name": "N", "slug": "n", "dataPlatform": "snowflake"})).await;
    assert!(text.contains("dataPlatformConfigId"), "{text}");
    let text = messages(json!({"name": "N", "slug": "n", "dataPlatform": "managed-postgres", "dataPlatformConfigId": "c"})).await;
    assert!(text.contains("takes no configuration"), "{text}");
}

#[tokio::test]
async fn key_changes_only_settings() {
    let app = App::start().await;
    let key = app.key(Provider::Ntropii).await;
    let path = "/v1/workspace/tenants/acme-fund-admin";
    let patch = |body: serde_json::Value| app.call("PATCH", path).key(&key).body(&body);
    let reply = patch(json!({"config": {"ai": {"model": "m"}}}))
        .expect(StatusCode::OK)
        .await;
    assert_eq!(reply.body["config"], json!({"ai": {"model": "m"}}));
    let kept = app.get(path).key(&key).expect(StatusCode::OK).await;
    assert_eq!(kept.body["config"], json!({"ai": {"model": "m"}}));
    for body in [
        json!({}),
        json!({"config": "text"}),
        json!({"config": {}, "status": "SUSPENDED"}),
        json!([]),
    ] {
        patch(body).expect(StatusCode::BAD_REQUEST).await;
    }
}

#[tokio::test]
async fn name_may_begin_with_dash() {
    let app = App::start().await;
    let tenant = |name: &str| {
        let body = json!({"name": name, "slug": "new", "dataPlatform": "managed-postgres"});
        app.post("/v1/workspace/tenants", &body)
            .bearer(&app.admin())
    };
    let refused = tenant(" ").expect(StatusCode::BAD_REQUEST).await;
    assert_eq!(
        refused.body["message"],
        json!(["name: the tenant's name is empty"])
    );
    let made = tenant("-foo").expect(StatusCode::CREATED).await;
    assert_eq!(made.body["name"], "-foo");
    let error = app.registry().create_organisation(" ", None).await;
    let error = error.unwrap_err().to_string();
    assert_eq!(error, "the organisation's name is empty");
    let body = json!({"name": "-foo", "workspace_id": app.tenant.id.to_string(), "scopes": ["*"]});
    for (path, body) in [
        ("/v1/api-keys", body),
        (
            "/v1/workspace/tenants/acme-fund-admin/api-keys",
            json!({"name": "-foo"}),
        ),
    ] {
        let call = app.post(path, &body).bearer(&app.admin());
        let made = call.expect(StatusCode::CREATED).await;
        assert_eq!(made.body["name"], "-foo");
    }
}

#[tokio::test]
async fn platform_config_id_is_validated() {
    let app = App::start().await;
    let tenant = |id: &str| {
        let body = json!({
            "name": "New", "slug": "new", "dataPlatform": "snowflake", "dataPlatformConfigId": id,
        });
        app.post("/v1/workspace/tenants", &body)
            .bearer(&app.admin())
    };
    let long = "x".repeat(5_000);
    for (id, told) in [
        ("", "the data platform needs the id of its configuration"),
        (" ", "the data platform needs the id of its configuration"),
        ("a\0b", "contains U+0000, which is not allowed there"),
        (&long, "has 5000 characters, at most 255 are allowed"),
    ] {
        let refused = tenant(id).expect(StatusCode::BAD_REQUEST).await;
        let message = refused.body["message"][0].as_str().unwrap();
        assert!(message.starts_with("dataPlatformConfigId: "), "{message}");
        assert!(message.ends_with(told), "{message}");
    }
    let made = tenant("cfg-1").expect(StatusCode::CREATED).await;
    assert_eq!(made.body["dataPlatformConfigId"], "cfg-1");
}
