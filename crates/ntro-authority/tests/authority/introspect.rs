//! `/v1/introspect`: the state of a key (RFC 7662).

use axum::http::StatusCode;
use ntro_authority::{Role, TenantStatus};
use ntro_base::{Provider, Scope};
use serde_json::{Value, json};

use crate::support::{App, Call, Reply, key, new_key, with};

fn form(app: &App, body: &str) -> Call {
    let call = app.call("POST", "/v1/introspect");
    let form = "application/x-www-form-urlencoded";
    call.plain_body(body.to_owned())
        .header("content-type", form)
}

fn ask(app: &App, token: &str) -> Call {
    form(app, &format!("token={token}&token_type_hint=access_token"))
}

async fn answer(call: Call) -> Value {
    let reply: Reply = call.expect(StatusCode::OK).await;
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    reply.body
}

fn inactive() -> Value {
    json!({"active": false})
}

#[tokio::test]
async fn live_key_is_described() {
    let app = App::start().await;
    let mut new = new_key(Provider::Ontora);
    new.scopes = vec![Scope::Exports, Scope::Mcp];
    new.expires_in_days = Some(30);
    let ontora = app.registry().create_key(&app.tenant, new).await.unwrap();
    let ntropii = app.key(Provider::Ntropii).await;
    let id = ontora.record.id.to_string();
    let token = ontora.key.expose();
    let expected = json!({
        "active": true, "iss": "urn:ntro:authority", "sub": id, "client_id": id,
        "scope": "exports mcp", "exp": ontora.record.expires_at.unwrap().as_second(),
        "tenant": "acme-fund-admin", "tenant_id": app.tenant.id.to_string(),
        "provider": "ontora",
    });
    let admin = app.admin();
    assert_eq!(answer(ask(&app, token).bearer(&admin)).await, expected);
    for asker in [&ontora, &ntropii] {
        assert_eq!(answer(ask(&app, token).key(asker)).await, expected);
    }
    let described = answer(ask(&app, ntropii.key.expose()).bearer(&admin)).await;
    assert_eq!(described["scope"], "");
    assert_eq!(described["provider"], "ntropii");
    assert_eq!(described.get("exp"), None);
}

#[tokio::test]
async fn inactive_answer_reveals_nothing() {
    let app = App::start().await;
    let (globex, theirs) = app.stranger().await;
    let foreign = key(app.registry(), &theirs, Provider::Ontora).await;
    let foreign = foreign.key.expose();
    let asker = app.key(Provider::Ontora).await;
    let revoked = app.key(Provider::Ntropii).await;
    app.registry().revoke_key(revoked.record.id).await.unwrap();
    let admin = app.admin();
    for token in ["", "x", "ont_live_x", foreign, revoked.key.expose(), &admin] {
        let by_key = answer(ask(&app, token).key(&asker)).await;
        let by_admin = answer(ask(&app, token).bearer(&admin)).await;
        assert_eq!([by_key, by_admin], [inactive(), inactive()], "{token}");
    }
    let their_admin = app.token(&globex, Role::Admin);
    let theirs = answer(ask(&app, foreign).bearer(&their_admin)).await;
    assert_eq!(theirs["active"], true);
    // The keys of a suspended tenant are of no use for now.
    let own = app.key(Provider::Ontora).await;
    let status = TenantStatus::Suspended;
    let set = app.registry().set_tenant_status(app.tenant.id, status);
    set.await.unwrap();
    let suspended = answer(ask(&app, own.key.expose()).bearer(&admin)).await;
    assert_eq!(suspended, inactive());
}

#[tokio::test]
async fn strangers_may_not_ask() {
    let app = App::start().await;
    let live = app.key(Provider::Ontora).await;
    let token = live.key.expose();
    let refused = ask(&app, token).expect(StatusCode::UNAUTHORIZED).await;
    let challenge = refused.header("www-authenticate");
    assert_eq!(challenge, Some(r#"Bearer realm="ntro""#));
    for call in [
        with(ask(&app, token), "ont_live_x"),
        ask(&app, token).bearer("a.b.c"),
    ] {
        call.expect(StatusCode::UNAUTHORIZED).await;
    }
    ask(&app, token)
        .bearer(&app.member())
        .expect_code(StatusCode::FORBIDDEN, "admin_required")
        .await;
}

#[tokio::test]
async fn malformed_form_is_refused() {
    let app = App::start().await;
    let live = app.key(Provider::Ontora).await;
    for body in ["", "Token=x", "token=x&token=x", "token_type_hint=x"] {
        let call = form(&app, body).key(&live);
        call.expect(StatusCode::BAD_REQUEST).await;
    }
    let call = app.post("/v1/introspect", &json!({"token": "x"}));
    call.key(&live)
        .expect(StatusCode::UNSUPPORTED_MEDIA_TYPE)
        .await;
    let call = app.call("POST", "/v1/introspect").plain_body("token=x");
    call.key(&live)
        .expect(StatusCode::UNSUPPORTED_MEDIA_TYPE)
        .await;
    let call = form(&app, &format!("token={}", "x".repeat(100_000)));
    call.key(&live).expect(StatusCode::PAYLOAD_TOO_LARGE).await;
    let call = app.get("/v1/introspect").key(&live);
    call.expect(StatusCode::METHOD_NOT_ALLOWED).await;
}
