//! Every response: its request id, and the error body of its dialect.

use axum::http::StatusCode;
use ntro_base::Provider;
use serde_json::json;

use crate::support::App;

#[tokio::test]
async fn errors_have_the_dialects_shape() {
    let app = App::start().await;
    let merged = json!({
        "statusCode": 404, "message": "Not found", "error": "Not Found",
        "detail": "Not found", "code": "not_found",
    });
    for path in ["/", "/v1", "/v2/me", "/v1/interviews", "/v1/mean"] {
        let reply = app.get(path).expect(StatusCode::NOT_FOUND).await;
        assert_eq!(reply.body, merged, "{path}");
    }
    for path in ["/v1/me/", "/v1/workspace/entities", "/v1/workspace"] {
        let reply = app.get(path).expect(StatusCode::NOT_FOUND).await;
        assert_eq!(
            reply.body,
            json!({"statusCode": 404, "message": "Not found", "error": "Not Found"})
        );
    }
    for path in ["/v1/api-keys/", "/v1/workspaces/x"] {
        let reply = app.get(path).send().await;
        assert_eq!(
            (reply.status, reply.body),
            (404, json!({"detail": "Not found", "code": "not_found"})),
            "{path}"
        );
    }
    let reply = app
        .call("PUT", "/v1/me")
        .expect(StatusCode::METHOD_NOT_ALLOWED)
        .await;
    assert_eq!(reply.body["statusCode"], 405);
    for (path, allowed) in [
        ("/v1/me", "GET,HEAD"),
        ("/v1/api-keys", "GET,HEAD,POST"),
        ("/v1/api-keys/current/rotate", "POST"),
        (
            "/v1/workspace/tenants/acme-fund-admin",
            "GET,HEAD,PATCH,DELETE",
        ),
    ] {
        let reply = app
            .call("PUT", path)
            .expect(StatusCode::METHOD_NOT_ALLOWED)
            .await;
        assert_eq!(reply.header("allow"), Some(allowed), "{path}");
    }
}

#[tokio::test]
async fn malformed_paths_and_queries_answer_400() {
    let app = App::start().await;
    let admin = app.admin();
    for path in [
        "/v1/workspace/tenants/%FF",
        "/v1/workspace/tenants/%FF/api-keys",
        "/v1/workspace/tenants?status=ACTIVE&status=ACTIVE",
    ] {
        let reply = app.get(path).bearer(&admin).expect(StatusCode::BAD_REQUEST);
        assert_eq!(reply.await.body["statusCode"], 400, "{path}");
    }
    for path in ["/v1/workspaces/%FF/members", "/v1/api-keys?limit=1&limit=2"] {
        app.get(path)
            .bearer(&admin)
            .expect_code(StatusCode::BAD_REQUEST, "malformed_request")
            .await;
    }
}

#[tokio::test]
async fn every_response_has_a_request_id() {
    let app = App::start().await;
    let key = app.key(Provider::Ntropii).await;
    let mut seen = std::collections::HashSet::new();
    for call in [
        app.get("/v1/me").key(&key),
        app.get("/v1/me"),
        app.get("/nowhere"),
        app.get("/healthz"),
        app.get("/healthz")
            .header("x-request-id", "not sound: spaces"),
        app.get("/healthz").header("x-request-id", &"x".repeat(129)),
    ] {
        let reply = call.send().await;
        let id = reply.header("x-request-id").unwrap().to_owned();
        assert!(id.len() == 32 && seen.insert(id));
    }
    let reply = app
        .get("/v1/me")
        .header("x-request-id", "req-7.A_b")
        .send()
        .await;
    assert_eq!(reply.header("x-request-id"), Some("req-7.A_b"));
}

#[tokio::test]
async fn get_accepts_a_json_content_type() {
    let app = App::start().await;
    let key = app.key(Provider::Ntropii).await;
    app.get("/v1/me")
        .key(&key)
        .header("content-type", "application/json")
        .expect(StatusCode::OK)
        .await;
}

#[tokio::test]
async fn health_endpoints_report_ready() {
    let app = App::start().await;
    assert_eq!(app.get("/healthz").send().await.body["status"], "ok");
    assert_eq!(app.get("/readyz").send().await.body["status"], "ready");
    let set = app.get("/.well-known/jwks.json").send().await;
    assert_eq!(set.body["keys"][0]["alg"], "EdDSA");
    assert!(set.body["keys"][0].get("d").is_none());
}

#[tokio::test]
async fn unauthenticated_response_has_a_challenge() {
    let app = App::start().await;
    let other = App::start().await;
    let challenge = |reply: &crate::support::Reply| {
        assert_eq!(reply.status, 401);
        reply.header("www-authenticate").map(str::to_owned)
    };
    for call in [
        app.get("/v1/me"),
        app.call("HEAD", "/v1/me"),
        app.get("/v1/api-keys/current"),
        app.get("/v1/api-keys/current").api_key("nonsense"),
        app.get("/v1/workspace/tenants"),
        app.delete("/v1/api-keys/current"),
    ] {
        let reply = call.send().await;
        let expected = "Bearer realm=\"ntro\"";
        assert_eq!(challenge(&reply).as_deref(), Some(expected));
    }
    for path in ["/v1/workspaces", "/v1/workspace/tenants"] {
        let reply = app.get(path).bearer(&other.admin()).send().await;
        let expected = "Bearer realm=\"ntro\", error=\"invalid_token\"";
        assert_eq!(challenge(&reply).as_deref(), Some(expected));
    }
    let key = app.key(Provider::Ontora).await;
    for call in [app.get("/v1/workspaces").key(&key), app.get("/nowhere")] {
        assert_eq!(call.send().await.header("www-authenticate"), None);
    }
}

#[tokio::test]
async fn other_content_types_are_refused() {
    let app = App::start().await;
    let admin = app.admin();
    let path = "/v1/workspace/tenants/acme-fund-admin";
    let post = |content_types: &[&str]| {
        let mut call = app.call("POST", &format!("{path}/api-keys")).bearer(&admin);
        call = call.plain_body(r#"{"name": "CI"}"#);
        content_types
            .iter()
            .fold(call, |call, value| call.header("content-type", value))
    };
    for wrong in [
        &["text/plain"][..],
        &["application/x-www-form-urlencoded"],
        &["multipart/form-data; boundary=x"],
        &["application/jsonp"],
        &["application/json; charset=utf-16"],
        &["application/xml"],
        &["json"],
        &[""],
        &["*/*"],
        &["application/json", "text/plain"],
        &["application/json, text/plain"],
    ] {
        let reply = post(wrong).send().await;
        assert_eq!(reply.status, 415, "{wrong:?}: {}", reply.body);
        assert_eq!(reply.body["error"], "Unsupported Media Type");
    }
    for good in [
        &["application/json"][..],
        &["Application/JSON"],
        &["application/json;charset=UTF-8"],
        &["application/json; charset=\"utf-8\""],
        &["application/merge-patch+json"],
        &[],
    ] {
        let reply = post(good).send().await;
        assert_eq!(reply.status, 201, "{good:?}: {}", reply.body);
    }
    app.call("PATCH", path)
        .bearer(&admin)
        .plain_body(r#"{"config": {}}"#)
        .header("content-type", "text/plain")
        .expect(StatusCode::UNSUPPORTED_MEDIA_TYPE)
        .await;
    app.call("POST", "/v1/api-keys")
        .bearer(&admin)
        .plain_body("{}")
        .header("content-type", "text/plain")
        .expect_code(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
        .await;
}

#[tokio::test]
async fn body_may_have_byte_order_mark() {
    let app = App::start().await;
    app.call("POST", "/v1/workspace/tenants/acme-fund-admin/api-keys")
        .bearer(&app.admin())
        .raw_body("\u{feff}{\"name\": \"CI\"}")
        .expect(StatusCode::CREATED)
        .await;
}
