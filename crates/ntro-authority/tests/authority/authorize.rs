//! `/v1/authorize`: the questions of gateways.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use ntro_authority::MintedKey;
use ntro_base::{Provider, Scope};
use serde_json::{Value, json};

use crate::support::{App, Call, Reply, new_key};

const IDENTITY_HEADERS: [&str; 7] = [
    "x-ntro-tenant",
    "x-ntro-tenant-id",
    "x-ntro-key-id",
    "x-ntro-scopes",
    "x-ntro-provider",
    "x-ntro-expires-at",
    "x-ntro-identity",
];

/// Creates a key of Ontora with these scopes that expires.
async fn expiring(app: &App, scopes: &[Scope]) -> MintedKey {
    let mut new = new_key(Provider::Ontora);
    new.scopes = scopes.to_vec();
    new.expires_in_days = Some(30);
    app.registry().create_key(&app.tenant, new).await.unwrap()
}

fn identity(reply: &Reply) -> Vec<&str> {
    let values = IDENTITY_HEADERS.iter();
    values.map(|name| reply.header(name).unwrap()).collect()
}

/// Asks for a signed identity for `GET https://api.example.com/v1/reports?page=2`.
fn signed(app: &App, key: &MintedKey) -> Call {
    app.get("/v1/authorize?identity=signed")
        .key(key)
        .header("x-forwarded-method", "GET")
        .header("x-forwarded-host", "api.example.com")
        .header("x-forwarded-uri", "/v1/reports?page=2")
}

#[tokio::test]
async fn allowed_request_has_every_header() {
    let app = App::start().await;
    let ontora = expiring(&app, &[Scope::Exports, Scope::Interviews]).await;
    let ntropii = app.key(Provider::Ntropii).await;
    let tenant = app.tenant.id.to_string();
    for method in ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PROPFIND"] {
        let call = app.call(method, "/v1/authorize").key(&ontora);
        let reply = call.expect(StatusCode::OK).await;
        assert_eq!(
            identity(&reply),
            [
                "acme-fund-admin",
                &tenant,
                &ontora.record.id.to_string(),
                "interviews exports",
                "ontora",
                &ontora.record.expires_at.unwrap().to_string(),
                "",
            ]
        );
        assert_eq!(reply.body, Value::Null);
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.header("x-ntro-valid-for"), Some("0"));
        assert!(reply.header("x-request-id").is_some());
    }
    let reply = app.get("/v1/authorize").key(&ntropii);
    let reply = reply.expect(StatusCode::OK).await;
    let id = ntropii.record.id.to_string();
    let expected = ["acme-fund-admin", &tenant, &id, "", "ntropii", "", ""];
    assert_eq!(identity(&reply), expected);
}

#[tokio::test]
async fn refusal_speaks_both_dialects() {
    let app = App::start().await;
    let key = expiring(&app, &[Scope::Exports]).await;
    let refused = app.get("/v1/authorize").api_key("ont_live_x");
    let refused = refused.expect(StatusCode::UNAUTHORIZED).await;
    let message = "Invalid or missing API key";
    assert_eq!(
        refused.body,
        json!({
            "statusCode": 401, "message": message, "error": "Unauthorized",
            "detail": message, "code": "invalid_api_key",
        })
    );
    assert_eq!(
        refused.header("www-authenticate"),
        Some(r#"Bearer realm="ntro""#)
    );
    let message = "This API key lacks the required scope";
    let refused = app.get("/v1/authorize?scope=mcp").key(&key);
    let refused = refused.expect(StatusCode::FORBIDDEN).await;
    assert_eq!(
        refused.body,
        json!({
            "statusCode": 403, "message": message, "error": "Forbidden",
            "detail": message, "code": "insufficient_scope",
        })
    );
    for name in IDENTITY_HEADERS {
        assert_eq!(refused.header(name), None);
    }
}

#[tokio::test]
async fn conditions_are_never_ignored() {
    let app = App::start().await;
    let key = expiring(&app, &[Scope::Exports]).await;
    for query in [
        "scopes=exports",
        "Scope=exports",
        "scope=Exports",
        "scope=exports+",
        "scope=",
        "tenant=acme-fund-admin&tenant=acme-fund-admin",
        "tenant=acme-fund-admin&tenant=other",
        "identity=yes",
        "identity=signed",
        "anything",
    ] {
        let path = format!("/v1/authorize?{query}");
        let reply = app.get(&path).key(&key).send().await;
        assert_eq!(reply.status, 422, "{query}");
    }
    for (query, status) in [
        ("", 200),
        ("scope=exports&scope=exports", 200),
        ("scope=exports+exports", 200),
        ("scope=exports%20mcp", 403),
        ("scope=exports&scope=mcp", 403),
        ("tenant=", 403),
        ("tenant=ACME-FUND-ADMIN", 403),
        ("tenant=acme-fund-admin", 200),
        ("tenant=acme%2Dfund%2Dadmin", 200),
        ("tenant=acme-fund-admin%00", 403),
        // Conditions in the client's URI are not the gateway's.
        ("scope=mcp&uri=/x?scope=exports", 403),
        ("scope=exports&uri=/x?scope=mcp&tenant=other&other", 200),
        ("uri=/x?scope=mcp", 200),
    ] {
        let path = format!("/v1/authorize?{query}");
        let reply = app.get(&path).key(&key).send().await;
        assert_eq!(reply.status, status, "{query}");
    }
    for tenant in [
        app.tenant.id.to_string(),
        app.tenant.id.to_string().to_uppercase(),
        format!("ws_{}", app.tenant.id),
    ] {
        let path = format!("/v1/authorize?tenant={tenant}");
        app.get(&path).key(&key).expect(StatusCode::OK).await;
    }
}

/// A caller whose value is put into the question without encoding cannot end it early.
#[tokio::test]
async fn uri_comes_from_one_place() {
    let app = App::start().await;
    let key = expiring(&app, &[Scope::Exports]).await;
    let path = "/v1/authorize?tenant=acme-fund-admin&uri=&scope=mcp";
    for name in ["x-forwarded-uri", "x-original-uri"] {
        let call = app.get(path).key(&key).header(name, "/x");
        call.expect(StatusCode::UNPROCESSABLE_ENTITY).await;
    }
}

#[tokio::test]
async fn signed_identity_is_bound_to_request() {
    let app = App::start().await;
    let key = expiring(&app, &[Scope::Exports]).await;
    let set = app.get("/.well-known/jwks.json").expect(StatusCode::OK);
    let set: JwkSet = serde_json::from_value(set.await.body).unwrap();
    let reply = signed(&app, &key).expect(StatusCode::OK).await;
    let token = reply.header("x-ntro-identity").unwrap();
    let header = jsonwebtoken::decode_header(token).unwrap();
    assert_eq!(header.typ.as_deref(), Some("ntro-identity+jwt"));
    assert_eq!(header.alg, Algorithm::ES256);
    let jwk = set.find(header.kid.as_deref().unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_issuer(&["urn:ntro:authority"]);
    validation.set_audience(&["urn:ntro:identity"]);
    let key_of_jwk = DecodingKey::from_jwk(jwk).unwrap();
    let claims = jsonwebtoken::decode::<Value>(token, &key_of_jwk, &validation);
    let mut claims = claims.unwrap().claims;
    let issued = claims["iat"].as_i64().unwrap();
    assert_eq!(claims["exp"].as_i64().unwrap() - issued, 10);
    let claims = claims.as_object_mut().unwrap();
    claims.retain(|name, _| !matches!(name.as_str(), "iat" | "exp"));
    assert_eq!(
        Value::from(claims.clone()),
        json!({
            "iss": "urn:ntro:authority", "aud": "urn:ntro:identity",
            "sub": key.record.id.to_string(), "method": "GET", "host": "api.example.com",
            "path": "/v1/reports", "tenant": "acme-fund-admin",
            "tenant_id": app.tenant.id.to_string(), "provider": "ontora", "scope": "exports",
        })
    );
}

fn claims_of(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[tokio::test]
async fn forwarded_headers_must_agree() {
    let app = App::start().await;
    let key = app.key(Provider::Ntropii).await;
    let path = "/v1/authorize?identity=signed";
    let original = || {
        app.get(path)
            .key(&key)
            .header("x-original-method", "POST")
            .header("x-original-host", "api.example.com")
            .header("x-original-uri", "/a%2fb")
    };
    let reply = original().expect(StatusCode::OK).await;
    let claims = claims_of(reply.header("x-ntro-identity").unwrap());
    assert_eq!([&claims["method"], &claims["path"]], ["POST", "/a%2fb"]);
    // A gateway like Envoy sends the client's method and host, and appends the URI.
    let path = "/v1/authorize?identity=signed&uri=/a&b?identity=no&c";
    let call = app.call("PUT", path).key(&key).header("host", "a.example");
    let reply = call.expect(StatusCode::OK).await;
    let claims = claims_of(reply.header("x-ntro-identity").unwrap());
    let bound = [&claims["method"], &claims["host"], &claims["path"]];
    assert_eq!(bound, ["PUT", "a.example", "/a&b"]);
    for call in [
        original().header("x-forwarded-method", "GET"),
        original().header("x-forwarded-host", "other.example.com"),
        original().header("x-forwarded-uri", "/admin"),
        original().header("x-original-uri", "/a%2fb"),
        app.get(path).key(&key).header("x-forwarded-method", "GET"),
        signed(&app, &key).header("x-forwarded-uri", "/admin"),
        signed(&app, &key).header("x-original-host", "other.example.com"),
    ] {
        let reply = call.send().await;
        assert_eq!(reply.status, 422, "{}", reply.body);
    }
}

#[tokio::test]
async fn admin_verifier_refuses_signed_identity() {
    let app = App::start().await;
    let key = app.key(Provider::Ntropii).await;
    let reply = signed(&app, &key).expect(StatusCode::OK).await;
    let token = reply.header("x-ntro-identity").unwrap();
    app.get("/v1/workspaces")
        .bearer(token)
        .expect_code(StatusCode::UNAUTHORIZED, "invalid_token")
        .await;
}

#[tokio::test]
async fn identity_key_survives_restart() {
    let app = App::start().await;
    let keys = async |app: &App| app.get("/.well-known/jwks.json").send().await.body;
    let first = keys(&app).await;
    let private = app.folder.path().join("registry.db.private");
    let app = app.restart().await;
    assert_eq!(keys(&app).await, first);
    // A registry of an earlier version has no such key yet.
    std::fs::remove_file(private.join("identity.pk8")).unwrap();
    let app = app.restart().await;
    let second = keys(&app).await;
    assert_eq!(second["keys"][0], first["keys"][0]);
    assert_ne!(second["keys"][1], first["keys"][1]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;

        let mode = private
            .join("identity.pk8")
            .metadata()
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }
}
