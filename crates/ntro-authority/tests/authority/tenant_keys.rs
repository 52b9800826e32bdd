//! `/v1/workspace/tenants/{tenant}/api-keys`

use axum::http::StatusCode;
use ntro_authority::Role;
use ntro_base::Provider;
use serde_json::json;

use crate::support::App;

const PATH: &str = "/v1/workspace/tenants/acme-fund-admin/api-keys";

#[tokio::test]
async fn admin_manages_tenant_keys() {
    let app = App::start().await;
    let admin = app.admin();
    let made = app
        .post(PATH, &json!({"name": "CI", "expiresInDays": 1}))
        .bearer(&admin)
        .expect(StatusCode::CREATED)
        .await;
    let key = made.body["key"].as_str().unwrap();
    assert!(key.starts_with("ntro_prod_"));
    assert_eq!(made.body["tenantId"], app.tenant.id.to_string());
    app.get("/v1/me").bearer(key).expect(StatusCode::OK).await;

    app.key(Provider::Ontora).await;
    let list = app.get(PATH).bearer(&admin).expect(StatusCode::OK).await;
    let id = made.body["id"].as_str().unwrap();
    assert_eq!(list.each("id"), [id]);
    assert!(!list.body.to_string().contains(key));

    for _ in 0..2 {
        let revoked = app
            .delete(&format!("{PATH}/{id}"))
            .bearer(&admin)
            .expect(StatusCode::OK)
            .await;
        assert!(revoked.body["revokedAt"].is_string());
        assert!(revoked.body["lastUsedAt"].is_string());
        app.get("/v1/me")
            .bearer(key)
            .expect(StatusCode::UNAUTHORIZED)
            .await;
    }
    app.delete(&format!("{PATH}/11111111-1111-4111-8111-111111111111"))
        .bearer(&admin)
        .expect(StatusCode::NOT_FOUND)
        .await;
}

#[tokio::test]
async fn only_organisation_admins_manage_keys() {
    let app = App::start().await;
    let (globex, _) = app.stranger().await;
    let key = app.key(Provider::Ntropii).await;
    let path = format!("{PATH}/{}", key.record.id);
    let calls = || {
        [
            app.get(PATH),
            app.post(PATH, &json!({"name": "CI"})),
            app.delete(&path),
        ]
    };
    for call in calls() {
        let reply = call.key(&key).expect(StatusCode::FORBIDDEN).await;
        assert_eq!(reply.body["statusCode"], 403);
    }
    for call in calls() {
        call.bearer(&app.member())
            .expect(StatusCode::FORBIDDEN)
            .await;
    }
    for call in calls() {
        call.bearer(&app.token(&globex, Role::Admin))
            .expect(StatusCode::NOT_FOUND)
            .await;
    }
    for call in calls() {
        call.expect(StatusCode::UNAUTHORIZED).await;
    }
    let reply = app
        .post(PATH, &json!({"name": " ", "expiresInDays": 366}))
        .bearer(&app.admin())
        .expect(StatusCode::BAD_REQUEST)
        .await;
    assert_eq!(
        reply.body["message"],
        json!([
            "name: the key name is empty",
            "expiresInDays: must be an integer from 1 to 365, or null"
        ])
    );
}
