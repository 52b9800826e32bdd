//! Which requests are retried.

use std::time::Duration;

use ntro_base::Provider;
use ntro_client::api::{Cause, Client, Error, KeyRequest, Revocation, Settings};
use serde_json::json;

use crate::support::{Reply, Server, answer, json, profile, quick, target};

fn cut() -> Reply {
    Reply::Bytes(Vec::new())
}

#[tokio::test]
async fn call_survives_two_faults() {
    for faults in [
        [cut(), json("503 Service Unavailable", "{}")],
        [json("502 Bad Gateway", "<html>"), cut()],
        [
            answer("429 Too Many Requests", &["retry-after: 0"], "{}"),
            json("504 Gateway Timeout", "{}"),
        ],
        [
            Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"id".to_vec()),
            Reply::Bytes(b"not HTTP at all\r\n\r\n".to_vec()),
        ],
    ] {
        let server = Server::start(faults.into_iter().chain([json("200 OK", profile())])).await;
        assert_eq!(server.ntropii().identity().await.unwrap().id, "u1");
        assert_eq!(server.seen().len(), 3);
    }
}

#[tokio::test]
async fn past_date_is_no_pause() {
    let header = "retry-after: Sun, 06 Nov 1994 08:49:37 GMT";
    let server = Server::start([
        answer("503 Service Unavailable", &[header], "{}"),
        json("200 OK", profile()),
    ])
    .await;
    assert!(server.ntropii().identity().await.is_ok());
}

#[tokio::test]
async fn pause_never_outlasts_call() {
    let server = Server::start([answer(
        "503 Service Unavailable",
        &["retry-after: 20"],
        "{}",
    )])
    .await;
    let settings = Settings {
        total_timeout: Duration::from_secs(10),
        ..quick()
    };
    let client = Client::new(target(Provider::Ntropii, &server.origin()), settings);
    let error = client.identity().await.unwrap_err();
    assert!(
        matches!(error, Error::Unavailable { retry_after: Some(wait), .. } if wait.as_secs() == 20),
        "{error:?}"
    );
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn three_cut_connections_are_unreachable() {
    let server = Server::start([cut(), cut(), cut(), json("200 OK", profile())]).await;
    let error = server.ntropii().identity().await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Unreachable {
                cause: Cause::Cut,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn lost_delete_answer_is_presumed() {
    let server = Server::start([
        cut(),
        json(
            "401 Unauthorized",
            json!({"message": "Invalid or missing API key"}),
        ),
    ])
    .await;
    assert_eq!(
        server.ontora().revoke_current().await.unwrap(),
        Revocation::Presumed
    );
    // Without a lost answer, a 401 is a refusal.
    let server = Server::start([json("401 Unauthorized", "{}")]).await;
    assert!(matches!(
        server.ontora().revoke_current().await,
        Err(Error::Rejected(_))
    ));
    // The rate limiter refused the first request, so the 401 is not its effect.
    let server = Server::start([
        json("429 Too Many Requests", "{}"),
        json("401 Unauthorized", "{}"),
    ])
    .await;
    assert!(matches!(
        server.ontora().revoke_current().await,
        Err(Error::Rejected(_))
    ));
}

#[tokio::test]
async fn lost_revocation_answer_is_done() {
    let tenant = "w1".parse().unwrap();
    let server = Server::start([cut(), json("404 Not Found", "{}")]).await;
    let admin = server.admin(Provider::Ontora);
    admin.revoke_key(&tenant, "k1").await.unwrap();
    let server = Server::start([json("404 Not Found", "{}")]).await;
    let admin = server.admin(Provider::Ontora);
    assert!(matches!(
        admin.revoke_key(&tenant, "k1").await,
        Err(Error::NotFound(_))
    ));
}

#[tokio::test]
async fn creation_repeats_idempotency_key() {
    let server = Server::start([
        cut(),
        json("503 Service Unavailable", "{}"),
        json(
            "201 Created",
            json!({"id": "k1", "workspace_id": "w1", "key": "ont_live_new_secret"}),
        ),
    ])
    .await;
    let request = KeyRequest {
        tenant: "w1".parse().unwrap(),
        name: "CI".parse().unwrap(),
        scopes: Vec::new(),
        expires_in_days: None,
        may_rotate: true,
    };
    let made = server
        .admin(Provider::Ontora)
        .create_key(&request)
        .await
        .unwrap();
    assert_eq!(made.key.expose(), "ont_live_new_secret");
    let keys: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| seen.header("idempotency-key").unwrap().to_owned())
        .collect();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| *key == keys[0] && key.len() == 36));
}

#[tokio::test]
async fn successor_is_requested_once() {
    let lost = [cut(), json("503 Service Unavailable", "{}")];
    for reply in lost {
        let server = Server::start([reply, json("201 Created", "{}")]).await;
        assert!(server.ntropii().rotate_current("attempt-1").await.is_err());
        let seen = server.only();
        assert_eq!(seen.line, "POST /v1/api-keys/current/rotate HTTP/1.1");
        assert_eq!(seen.header("idempotency-key"), Some("attempt-1"));
    }
    // Revoking it may be repeated.
    let server = Server::start([cut(), json("204 No Content", "")]).await;
    let taken_back = server.ntropii().revoke_successor("attempt-1").await;
    taken_back.unwrap();
    assert_eq!(server.seen().len(), 2);
    for seen in server.seen() {
        assert_eq!(seen.line, "DELETE /v1/api-keys/current/successor HTTP/1.1");
        assert_eq!(seen.header("idempotency-key"), Some("attempt-1"));
    }
}

#[tokio::test]
async fn missing_rotation_differs_from_refusal() {
    let off = r#"{"detail": "no", "code": "rotation_off"}"#;
    for reply in [
        json("404 Not Found", "{}"),
        json("405 Method Not Allowed", "{}"),
        json("403 Forbidden", off),
    ] {
        let server = Server::start([reply]).await;
        let error = server.ntropii().rotate_current("a").await.unwrap_err();
        assert!(matches!(error, Error::NotOffered { .. }), "{error}");
    }
    let server = Server::start([json("403 Forbidden", r#"{"detail": "no"}"#)]).await;
    let error = server.ntropii().rotate_current("a").await.unwrap_err();
    assert!(matches!(error, Error::Forbidden(_)), "{error}");
    let server = Server::start([json("404 Not Found", "{}")]).await;
    let error = server.ntropii().revoke_predecessor().await.unwrap_err();
    assert!(matches!(error, Error::NotOffered { .. }), "{error}");
}
