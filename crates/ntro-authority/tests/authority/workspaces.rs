//! `/v1/workspaces`

use axum::http::StatusCode;
use ntro_authority::Role;
use ntro_base::Provider;

use crate::support::App;

#[tokio::test]
async fn user_sees_organisation_workspaces() {
    let app = App::start().await;
    let (globex, theirs) = app.stranger().await;
    for (token, role) in [(app.admin(), "admin"), (app.member(), "member")] {
        let list = app
            .get("/v1/workspaces")
            .bearer(&token)
            .expect(StatusCode::OK)
            .await;
        assert_eq!(list.each("id"), [app.tenant.id.to_string()]);
        assert_eq!(list.each("role"), [role]);
    }
    let list = app
        .get("/v1/workspaces")
        .bearer(&app.token(&globex, Role::Member))
        .expect(StatusCode::OK)
        .await;
    assert_eq!(list.each("id"), [theirs.id.to_string()]);
    app.get("/v1/workspaces")
        .key(&app.key(Provider::Ontora).await)
        .expect_code(StatusCode::FORBIDDEN, "jwt_required")
        .await;
    app.get("/v1/workspaces")
        .expect_code(StatusCode::UNAUTHORIZED, "invalid_api_key")
        .await;
}

#[tokio::test]
async fn members_are_authenticated_users() {
    let app = App::start().await;
    let (globex, _) = app.stranger().await;
    let path = format!("/v1/workspaces/{}/members", app.tenant.id);
    let list = app
        .get(&path)
        .bearer(&app.admin())
        .expect(StatusCode::OK)
        .await;
    assert_eq!(list.each("user_id"), ["user_1"]);
    assert_eq!(list.each("role"), ["admin"]);
    app.get(&path)
        .bearer(&app.token(&globex, Role::Admin))
        .expect_code(StatusCode::FORBIDDEN, "workspace_forbidden")
        .await;
    app.get("/v1/workspaces/here/members")
        .bearer(&app.admin())
        .expect(StatusCode::UNPROCESSABLE_ENTITY)
        .await;
}

#[tokio::test]
async fn failed_member_record_is_retried() {
    let app = App::start().await;
    let beside = rusqlite::Connection::open(app.folder.path().join("registry.db")).unwrap();
    let admin = app.admin();
    let list = || app.get("/v1/workspaces").bearer(&admin);
    let members = async || app.registry().members(app.organisation.id).await.unwrap();
    let full = "CREATE TRIGGER full BEFORE INSERT ON members BEGIN SELECT raise(FAIL, 'full'); END";
    beside.execute_batch(full).unwrap();
    let listed = list().expect(StatusCode::OK).await;
    assert_eq!(listed.each("id"), [app.tenant.id.to_string()]);
    assert_eq!(members().await, []);
    beside.execute_batch("DROP TRIGGER full").unwrap();
    list().expect(StatusCode::OK).await;
    assert_eq!(members().await[0].user_id, "user_1");
}
