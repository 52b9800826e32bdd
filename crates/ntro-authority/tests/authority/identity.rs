//! `GET /v1/me`, `GET` and `DELETE /v1/api-keys/current`.

use axum::http::StatusCode;
use ntro_authority::{MintedKey, TenantStatus};
use ntro_base::Provider;
use serde_json::json;

use crate::support::{App, Call, new_key};

#[tokio::test]
async fn ntropii_identity_has_the_tenant() {
    let app = App::start().await;
    let minted = app.key(Provider::Ntropii).await;
    let reply = app.get("/v1/me").key(&minted).expect(StatusCode::OK).await;
    let id = minted.record.id.to_string();
    assert_eq!(
        reply.body,
        json!({
            "id": id, "email": format!("{id}@keys.invalid"), "name": "CI integration",
            "orgId": app.organisation.id.to_string(), "orgName": "Acme", "roles": ["tenant:admin"],
            "tenants": [{"id": app.tenant.id.to_string(), "slug": "acme-fund-admin", "name": "acme-fund-admin"}],
            "key": {"id": id, "prefix": minted.key.prefix().as_str(), "expiresAt": null,
                    "createdAt": minted.record.created_at.to_string()},
        })
    );
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn ontora_identity_has_the_workspace() {
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
            "workspace_name": "acme-fund-admin", "organisation_name": "Acme",
            "organisation_id": app.organisation.id.to_string(),
        })
    );
}

#[tokio::test]
async fn routes_answer_like_the_fast_path() {
    let app = App::start().await;
    for (provider, path) in [
        (Provider::Ntropii, "/v1/me"),
        (Provider::Ontora, "/v1/api-keys/current"),
    ] {
        let key = app.key(provider).await;
        let headers = ["content-type", "cache-control"];
        for call in [|call: Call, _: &MintedKey| call, Call::key] {
            let fast = call(app.get(path), &key).send().await;
            // Only `GET` takes the fast path.
            let routed = call(app.call("HEAD", path), &key).send().await;
            assert_eq!(fast.status, routed.status, "{path}");
            assert_eq!(
                headers.map(|name| fast.header(name)),
                headers.map(|name| routed.header(name)),
                "{path}"
            );
            let length = routed.header("content-length").unwrap();
            let body = fast.body.to_string();
            assert_eq!(length, body.len().to_string(), "{path}");
        }
    }
}

#[tokio::test]
async fn invalid_keys_get_the_same_401() {
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
    // The scheme is case-insensitive.
    app.get("/v1/me")
        .header("authorization", &format!("bearer {good}"))
        .expect(StatusCode::OK)
        .await;
}

#[tokio::test]
async fn key_revokes_only_itself() {
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
async fn suspended_tenant_answers_403() {
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
