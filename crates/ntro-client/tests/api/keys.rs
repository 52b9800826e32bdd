//! A key that revokes itself.

use ntro_client::api::{Error, Revocation};
use serde_json::json;

use crate::support::{NTROPII_KEY, ONTORA_KEY, Server, answer, json};

#[tokio::test]
async fn key_revokes_itself() {
    let server = Server::start([
        answer("204 No Content", &[], ""),
        answer("204 No Content", &[], ""),
    ])
    .await;
    assert_eq!(
        server.ontora().revoke_current().await.unwrap(),
        Revocation::Revoked
    );
    assert_eq!(
        server.ntropii().revoke_current().await.unwrap(),
        Revocation::Revoked
    );
    let seen = server.seen();
    for seen in &seen {
        assert_eq!(seen.line, "DELETE /v1/api-keys/current HTTP/1.1");
    }
    assert_eq!(seen[0].header("x-api-key"), Some(ONTORA_KEY));
    assert_eq!(
        seen[1].header("authorization"),
        Some(format!("Bearer {NTROPII_KEY}").as_str())
    );
}

#[tokio::test]
async fn missing_revocation_differs_from_refusal() {
    for status in [
        "404 Not Found",
        "405 Method Not Allowed",
        "422 Unprocessable Content",
        "501 Not Implemented",
    ] {
        let server = Server::start([json(status, "{}")]).await;
        let error = server.ontora().revoke_current().await.unwrap_err();
        assert!(matches!(error, Error::NotOffered { .. }), "{error:?}");
    }
    let server = Server::start([
        json("403 Forbidden", json!({"code": "jwt_required"})),
        json("403 Forbidden", json!({"code": "self_revocation_off"})),
        json("500 Internal Server Error", "{}"),
    ])
    .await;
    let client = server.ontora();
    let next = async || client.revoke_current().await.unwrap_err();
    assert!(matches!(next().await, Error::NotOffered { .. }));
    assert!(matches!(next().await, Error::Forbidden(_)));
    assert!(matches!(next().await, Error::Unexpected(_)));
}
