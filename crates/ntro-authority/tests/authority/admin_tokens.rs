//! Tokens of other issuers, and forged tokens.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::support::App;
use crate::support::tokens::{Clerk, KEY_ID, claims, claims_with};

fn new_key(app: &App) -> Value {
    json!({"name": "CI", "workspace_id": app.tenant.id.to_string(), "scopes": ["*"]})
}

#[tokio::test]
async fn both_clerk_versions_make_admins() {
    let (app, clerk) = App::start_with_clerk().await;
    let version_2 = json!({
        "v": 2, "org_id": null, "org_slug": null, "org_role": null,
        "o": {"id": "org_acme", "slg": "acme", "rol": "admin"},
    });
    for claims in [claims(), claims_with(&version_2)] {
        let reply = app
            .post("/v1/api-keys", &new_key(&app))
            .bearer(&clerk.sign(&claims))
            .expect(StatusCode::CREATED)
            .await;
        assert_eq!(reply.body["created_by"], "user_clerk");
    }
    for change in [
        json!({"org_role": "org:member"}),
        json!({"org_role": "org:owner"}),
        json!({"org_role": null}),
    ] {
        app.post("/v1/api-keys", &new_key(&app))
            .bearer(&clerk.sign(&claims_with(&change)))
            .expect_code(StatusCode::FORBIDDEN, "admin_required")
            .await;
    }
    for change in [
        json!({"org_id": "org_globex"}),
        json!({"org_id": null}),
        json!({"org_id": 7}),
    ] {
        app.post("/v1/api-keys", &new_key(&app))
            .bearer(&clerk.sign(&claims_with(&change)))
            .expect_code(StatusCode::FORBIDDEN, "workspace_forbidden")
            .await;
    }
}

#[tokio::test]
async fn token_of_other_type_is_refused() {
    let (app, clerk) = App::start_with_clerk().await;
    for (name, status) in [
        (None, 200),
        (Some("JWT"), 200),
        (Some("jwt"), 200),
        (Some("at+jwt"), 200),
        (Some("application/at+jwt"), 200),
        (Some("ntro-identity+jwt"), 401),
        (Some("logout+jwt"), 401),
        (Some(""), 401),
    ] {
        let token = clerk.sign_as(name, &claims());
        let reply = app.get("/v1/workspaces").bearer(&token).send().await;
        assert_eq!(reply.status, status, "{name:?}");
    }
}

#[tokio::test]
async fn forged_and_stale_tokens_are_refused() {
    let (app, clerk) = App::start_with_clerk().await;
    let now = jiff::Timestamp::now().as_second();
    let json_part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let good = clerk.sign(&claims());
    let (head, signature) = (
        &good[..good.rfind('.').unwrap()],
        &good[good.rfind('.').unwrap() + 1..],
    );
    let unsigned = |alg: &str| {
        format!(
            "{}.{}.",
            json_part(&json!({"alg": alg, "typ": "JWT", "kid": KEY_ID})),
            json_part(&claims())
        )
    };
    let shared = |secret: &[u8]| {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(KEY_ID.to_owned());
        jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(secret)).unwrap()
    };
    let swapped = format!(
        "{}.{}.{signature}",
        head.split('.').next().unwrap(),
        json_part(&claims_with(&json!({"sub": "user_root"})))
    );
    let critical = format!(
        "{}.{}.{signature}",
        json_part(&json!({"alg": "RS256", "kid": KEY_ID, "crit": ["b64"], "b64": false})),
        json_part(&claims())
    );
    let tokens = [
        clerk.sign(&claims_with(&json!({"exp": now - 60}))),
        clerk.sign(&claims_with(&json!({"exp": null}))),
        clerk.sign(&claims_with(&json!({"nbf": now + 60}))),
        clerk.sign(&claims_with(&json!({"iss": "https://evil.example.test"}))),
        clerk.sign(&claims_with(&json!({"iss": "urn:ntro:authority"}))),
        clerk.sign(&claims_with(&json!({"iss": null}))),
        clerk.sign(&claims_with(&json!({"sub": null}))),
        Clerk::new().sign(&claims()),
        unsigned("none"),
        unsigned("None"),
        unsigned("RS256"),
        unsigned("ES256"),
        shared(&clerk.public_der),
        shared(b""),
        swapped,
        critical,
        format!("{head}.{}", URL_SAFE_NO_PAD.encode([0; 256])),
        "a.b.c".to_owned(),
        "..".to_owned(),
    ];
    for token in tokens {
        let reply = app
            .post("/v1/api-keys", &new_key(&app))
            .bearer(&token)
            .send()
            .await;
        assert_eq!(reply.status, 401, "{token}");
        let refusal = json!({"detail": "Invalid or expired token", "code": "invalid_token"});
        assert_eq!(reply.body, refusal);
    }
    assert_eq!(app.registry().keys(None, None).await.unwrap(), []);
    app.post("/v1/api-keys", &new_key(&app))
        .bearer(&good)
        .expect(StatusCode::CREATED)
        .await;
}

#[tokio::test]
async fn withdrawn_key_loses_trust() {
    let (app, clerk) = App::start_with_clerk().await;
    let token = clerk.sign(&claims());
    let get = || app.get("/v1/workspaces").bearer(&token);
    get().expect(StatusCode::OK).await;
    let path = clerk.folder().join("jwks.json");
    std::fs::write(&path, Clerk::new().jwks().to_string()).unwrap();
    get().expect(StatusCode::UNAUTHORIZED).await;
    std::fs::remove_file(&path).unwrap();
    get()
        .expect_code(StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        .await;
}

#[tokio::test]
async fn foreign_authority_token_is_refused() {
    let (app, other) = (App::start().await, App::start().await);
    app.get("/v1/workspaces")
        .bearer(&other.admin())
        .expect(StatusCode::UNAUTHORIZED)
        .await;
}

#[tokio::test]
async fn role_belongs_to_named_organisation() {
    let (app, clerk) = App::start_with_clerk().await;
    app.stranger().await;
    for change in [
        json!({"o": {"id": "org_acme"}, "org_id": "org_globex", "org_role": "org:admin"}),
        json!({"o": {"id": "org_acme", "rol": "member"}, "org_role": "org:admin"}),
        json!({"o": {"rol": "admin"}, "org_id": "org_acme", "org_role": "org:member"}),
        json!({"o": {"rol": "admin"}, "org_id": "org_acme", "org_role": null}),
    ] {
        app.post("/v1/api-keys", &new_key(&app))
            .bearer(&clerk.sign(&claims_with(&change)))
            .expect_code(StatusCode::FORBIDDEN, "admin_required")
            .await;
    }
}

#[tokio::test]
async fn key_for_other_operations_is_refused() {
    let (app, clerk) = App::start_with_clerk().await;
    let token = clerk.sign(&claims());
    let path = clerk.folder().join("jwks.json");
    for (operations, expected) in [
        (json!(["encrypt"]), StatusCode::UNAUTHORIZED),
        (json!(["sign"]), StatusCode::UNAUTHORIZED),
        (json!([]), StatusCode::UNAUTHORIZED),
        (
            json!(["wrapKey", "something new"]),
            StatusCode::UNAUTHORIZED,
        ),
        (json!("verify"), StatusCode::UNAUTHORIZED),
        (json!(["verify"]), StatusCode::OK),
        (json!(["encrypt", "verify"]), StatusCode::OK),
        (Value::Null, StatusCode::OK),
    ] {
        let mut set = clerk.jwks();
        set["keys"][1]["key_ops"] = operations.clone();
        if operations.is_null() {
            set["keys"][1].as_object_mut().unwrap().remove("key_ops");
        }
        std::fs::write(&path, set.to_string()).unwrap();
        let reply = app.get("/v1/workspaces").bearer(&token).send().await;
        assert_eq!(reply.status, expected.as_u16(), "{operations}");
    }
}

#[tokio::test]
async fn key_set_may_have_byte_order_mark() {
    let (app, clerk) = App::start_with_clerk().await;
    let path = clerk.folder().join("jwks.json");
    std::fs::write(path, format!("\u{feff}{}", clerk.jwks())).unwrap();
    app.get("/v1/workspaces")
        .bearer(&clerk.sign(&claims()))
        .expect(StatusCode::OK)
        .await;
}

#[tokio::test]
async fn shown_subject_is_cleaned() {
    let (app, clerk) = App::start_with_clerk().await;
    let subject = json!({"sub": "\u{1b}]0;pwned\u{7}user\u{202e}_\u{200b}clerk\n\u{9b}2J"});
    let token = clerk.sign(&claims_with(&subject));
    let reply = app
        .post("/v1/api-keys", &new_key(&app))
        .bearer(&token)
        .expect(StatusCode::CREATED)
        .await;
    let shown = "<U+001B>]0;pwned<U+0007>user<U+202E>_<U+200B>clerk <U+009B>2J";
    assert_eq!(reply.body["created_by"], shown);
    let members = format!("/v1/workspaces/{}/members", app.tenant.id);
    let reply = app.get(&members).bearer(&token).send().await;
    assert_eq!(reply.body[0]["user_id"], shown);
    let invisible = claims_with(&json!({"sub": "\u{200b}\u{1b}"}));
    app.get("/v1/workspaces")
        .bearer(&clerk.sign(&invisible))
        .expect_code(StatusCode::UNAUTHORIZED, "invalid_token")
        .await;
}
