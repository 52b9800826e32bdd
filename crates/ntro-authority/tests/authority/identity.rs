//! `GET /v1/me`, `GET` and `DELETE /v1/api-keys/current`.

use axum::http::StatusCode;
use ntro_authority::TenantStatus;
use ntro_base::Provider;
use serde_json::json;

use crate::support::{App, new_key};

#[tokio::test]
async fn a_key_of_ntropii_is_introduced_with_its_tenant() {
    let app = App::start().await;
    let minted = app.key(Provider::Ntropii).await;
    let reply = app.get("/v1/me").key(&minted).expect(StatusCode::OK).await;
    let id = minted.record.id.to_string();
    assert_eq!(
        reply.body,
        json!({
            "id": id, "email": format!("{id}@keys.invalid"), "name": "CI integration",
            "orgId": app.organisation.id.to_string(), "roles": ["tenant:admin"],
            "tenants": [{"id": app.tenant.id.to_string(), "slug": "acme-fund-admin", "name": "acme-fund-admin"}],
            "key": {"id": id, "prefix": minted.key.prefix().as_str(), "expiresAt": null,
                    "createdAt": minted.record.created_at.to_string()},
        })
    );
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_key_of_ontora_is_introduced_with_its_workspace() {
    let app = App::start().await;
    let minted = app.key(Provider::Ontora).await;
    let reply = app
        .get("/v1/api-keys/current")
        .key(&minted)
        .expect(StatusCode::OK)
        .await;
    assert_eq!(
        reply.body,
        json!({
            "id": minted.record.id.to_string(), "workspace_id": app.tenant.id.to_string(),
            "name": "CI integration", "key_prefix": minted.key.prefix().as_str(),
            "scopes": ["*"], "expires_at": null, "created_at": minted.record.created_at.to_string(),
            "created_by": null, "region": "us",
        })
    );
}

#[tokio::test]
async fn whatever_is_no_good_key_gets_the_same_answer() {
    let app = App::start().await;
    let ntropii = app.key(Provider::Ntropii).await;
    let ontora = app.key(Provider::Ontora).await;
    let (good, other) = (ntropii.key.expose(), ontora.key.expose());
    let unauthorized = json!({"statusCode": 401, "message": "Invalid or missing API key", "error": "Unauthorized"});
    let unknown = {
        let elsewhere = App::start().await;
        elsewhere.key(Provider::Ntropii).await
    };
    let long = "x".repeat(8_000);
    for bad in [
        "",
        "ntro_dev_key",
        "your-api-key-here",
        &good[..good.len() - 1],
        unknown.key.expose(),
        other,
        &long,
    ] {
        let reply = app.get("/v1/me").bearer(bad).send().await;
        assert_eq!((reply.status, &reply.body), (401, &unauthorized), "{bad}");
    }
    for call in [
        app.get("/v1/me"),
        app.get("/v1/me").header("authorization", good),
        app.get("/v1/me")
            .header("authorization", &format!("Basic {good}")),
        app.get("/v1/me").api_key(good),
        app.get("/v1/me").bearer(good).bearer(good),
        app.get("/v1/me").bearer(&app.admin()),
    ] {
        let reply = call.expect(StatusCode::UNAUTHORIZED).await;
        assert_eq!(reply.body, unauthorized);
    }
    for call in [
        app.get("/v1/api-keys/current"),
        app.get("/v1/api-keys/current").api_key(good),
        app.get("/v1/api-keys/current").bearer(other),
        app.get("/v1/api-keys/current")
            .api_key("nonsense")
            .bearer(&app.admin()),
    ] {
        let reply = call.expect(StatusCode::UNAUTHORIZED).await;
        let body = json!({"detail": "Invalid or missing API key", "code": "invalid_api_key"});
        assert_eq!(reply.body, body);
    }
    // The scheme's name has no case.
    app.get("/v1/me")
        .header("authorization", &format!("bearer {good}"))
        .expect(StatusCode::OK)
        .await;
}

#[tokio::test]
async fn a_key_revokes_itself_and_nothing_else() {
    let app = App::start().await;
    for provider in Provider::ALL {
        let (own, other) = (app.key(provider).await, app.key(provider).await);
        let path = match provider {
            Provider::Ntropii => "/v1/me",
            Provider::Ontora => "/v1/api-keys/current",
        };
        app.delete("/v1/api-keys/current")
            .key(&own)
            .expect(StatusCode::NO_CONTENT)
            .await;
        app.get(path)
            .key(&own)
            .expect(StatusCode::UNAUTHORIZED)
            .await;
        app.delete("/v1/api-keys/current")
            .key(&own)
            .expect_code(StatusCode::UNAUTHORIZED, "invalid_api_key")
            .await;
        app.get(path).key(&other).expect(StatusCode::OK).await;
    }
}

#[tokio::test]
async fn keys_of_a_suspended_tenant_are_forbidden_until_it_is_resumed() {
    let app = App::start().await;
    let ntropii = app.key(Provider::Ntropii).await;
    let ontora = app.key(Provider::Ontora).await;
    let set = |status| app.registry().set_tenant_status(app.tenant.id, status);
    set(TenantStatus::Suspended).await.unwrap();
    let reply = app
        .get("/v1/me")
        .key(&ntropii)
        .expect(StatusCode::FORBIDDEN)
        .await;
    assert_eq!(reply.body["error"], "Forbidden");
    app.get("/v1/api-keys/current")
        .key(&ontora)
        .expect_code(StatusCode::FORBIDDEN, "tenant_suspended")
        .await;
    let refused = app
        .registry()
        .create_key(
            &set(TenantStatus::Suspended).await.unwrap(),
            new_key(Provider::Ontora),
        )
        .await;
    assert!(refused.unwrap_err().to_string().contains("SUSPENDED"));
    set(TenantStatus::Active).await.unwrap();
    app.get("/v1/me").key(&ntropii).expect(StatusCode::OK).await;
}
