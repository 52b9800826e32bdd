//! The calls of an administrator.

use std::time::Duration;

use ntro_base::{Provider, Scope};
use ntro_client::api::{Cause, Error, Expiry, KeyRequest, Settings};
use serde_json::{Value, json};

use crate::support::{Reply, Server, TOKEN, answer, json, quick};

fn request() -> KeyRequest {
    KeyRequest {
        tenant: "w1".parse().unwrap(),
        name: "CI".parse().unwrap(),
        scopes: vec![Scope::Interviews, Scope::Mcp],
        expires_in_days: Some(90),
        may_rotate: true,
    }
}

fn bearer() -> String {
    format!("Bearer {TOKEN}")
}

#[tokio::test]
async fn ontora_key_is_created() {
    let server = Server::start([json(
        "201 Created",
        json!({
            "id": "k1", "workspace_id": "w1", "name": "CI", "scopes": ["interviews", "mcp"],
            "key_prefix": "ont_live_ab12", "expires_at": null, "created_at": "2026-01-01T00:00:00",
            "region": null, "key": "ont_live_ab12_secret"
        }),
    )])
    .await;
    let made = server
        .admin(Provider::Ontora)
        .create_key(&request())
        .await
        .unwrap();
    assert_eq!(made.key.expose(), "ont_live_ab12_secret");
    assert!(!format!("{made:?}").contains("secret"), "{made:?}");
    assert_eq!(made.info.id.as_deref(), Some("k1"));
    assert_eq!(made.info.expires, Expiry::Never);
    assert!(made.info.created_at.is_some());

    let seen = server.only();
    assert_eq!(seen.line, "POST /v1/api-keys HTTP/1.1");
    assert_eq!(seen.header("authorization"), Some(bearer().as_str()));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(
        serde_json::from_str::<Value>(&seen.body).unwrap(),
        json!({"name": "CI", "workspace_id": "w1", "scopes": ["interviews", "mcp"], "expires_in_days": 90})
    );
}

#[tokio::test]
async fn ntropii_key_is_created_and_revoked() {
    let server = Server::start([
        json(
            "201 Created",
            json!({
                "id": "k1", "tenantId": "t1", "name": "CI", "keyPrefix": "ntro_prod_ab12",
                "expiresAt": "2027-01-01T00:00:00Z", "createdAt": "2026-01-01T00:00:00Z",
                "key": "ntro_prod_ab12_secret"
            }),
        ),
        answer("204 No Content", &[], ""),
    ])
    .await;
    let client = server.admin(Provider::Ntropii);
    let made = client.create_key(&request()).await.unwrap();
    assert_eq!(made.info.tenant.as_deref(), Some("t1"));
    assert_eq!(made.info.scopes, None);
    assert!(made.info.expires.at().is_some());
    client.revoke_key(&request().tenant, "k/1").await.unwrap();
    let seen = server.seen();
    assert_eq!(
        seen[0].line,
        "POST /v1/workspace/tenants/w1/api-keys HTTP/1.1"
    );
    assert_eq!(
        serde_json::from_str::<Value>(&seen[0].body).unwrap(),
        json!({"name": "CI", "expiresInDays": 90})
    );
    assert_eq!(
        seen[1].line,
        "DELETE /v1/workspace/tenants/w1/api-keys/k%2F1 HTTP/1.1"
    );
}

#[tokio::test]
async fn lost_secret_revokes_and_recreates_key() {
    let server = Server::start([
        json("201 Created", json!({"id": "lost", "workspace_id": "w1"})),
        answer("204 No Content", &[], ""),
        json(
            "201 Created",
            json!({"id": "k2", "workspace_id": "w1", "key": "ont_live_k2_secret"}),
        ),
    ])
    .await;
    let made = server
        .admin(Provider::Ontora)
        .create_key(&request())
        .await
        .unwrap();
    assert_eq!(made.info.id.as_deref(), Some("k2"));
    let seen = server.seen();
    assert_eq!(seen[1].line, "DELETE /v1/api-keys/lost HTTP/1.1");
    assert_ne!(
        seen[0].header("idempotency-key"),
        seen[2].header("idempotency-key")
    );
}

#[tokio::test]
async fn lost_live_key_is_named() {
    let server = Server::start([
        json("201 Created", json!({"id": "lost", "workspace_id": "w1"})),
        json("403 Forbidden", "{}"),
    ])
    .await;
    match server
        .admin(Provider::Ontora)
        .create_key(&request())
        .await
        .unwrap_err()
    {
        Error::KeyLost { id, .. } => assert_eq!(id, "lost"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn creation_without_secret_ends() {
    let replies = (0..4).flat_map(|_| {
        [
            json("201 Created", json!({"id": "k", "workspace_id": "w1"})),
            answer("204 No Content", &[], ""),
        ]
    });
    let server = Server::start(replies).await;
    let error = server
        .admin(Provider::Ontora)
        .create_key(&request())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotUnderstood { .. }), "{error:?}");
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn key_list_reads_all_pages() {
    let key = |n: usize| json!({"id": format!("k{n}"), "workspace_id": "w1", "name": "CI", "expires_at": null, "revoked_at": null});
    let page =
        |from: usize, to: usize| json("200 OK", json!((from..to).map(key).collect::<Vec<_>>()));
    let server = Server::start([page(0, 500), page(500, 620)]).await;
    let client = server.admin(Provider::Ontora);
    let keys = client
        .list_keys(&"w 1".replace(' ', "&").parse().unwrap())
        .await
        .unwrap();
    assert_eq!(keys.len(), 620);
    assert!(keys.iter().all(|key| key.revoked_at.is_none()));
    assert_eq!(
        server.seen()[1].line,
        "GET /v1/api-keys?workspace_id=w%261&limit=500&offset=500 HTTP/1.1"
    );
    // A server without paging returns the same keys again.
    let server = Server::start([page(0, 600), page(0, 600)]).await;
    let client = server.admin(Provider::Ontora);
    assert_eq!(
        client
            .list_keys(&"w1".parse().unwrap())
            .await
            .unwrap()
            .len(),
        600
    );
}

#[tokio::test]
async fn keys_without_id_end_paging() {
    let key = json!({"workspace_id": "w1", "name": "CI", "expires_at": null});
    let nameless = || json("200 OK", json!(vec![key.clone(); 500]));
    let server = Server::start([nameless(), nameless(), nameless()]).await;
    let client = server.admin(Provider::Ontora);
    let listed = client.list_keys(&"w1".parse().unwrap()).await.unwrap();
    assert_eq!(listed.len(), 500);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn pages_share_one_timeout() {
    let pages = (0..100).map(|page| {
        let key =
            |n: usize| json!({"id": format!("k{page}-{n}"), "workspace_id": "w1", "name": "CI"});
        let keys = (0..500).map(key).collect::<Vec<_>>();
        match json("200 OK", json!(keys)) {
            Reply::Bytes(bytes) => Reply::Late(Duration::from_millis(50), bytes),
            other => other,
        }
    });
    let server = Server::start(pages).await;
    let settings = Settings {
        total_timeout: Duration::from_millis(500),
        ..quick()
    };
    let client = server.admin_with(Provider::Ontora, settings);
    let error = client.list_keys(&"w1".parse().unwrap()).await.unwrap_err();
    let timed_out = matches!(
        &error,
        Error::Unreachable {
            cause: Cause::TimedOut,
            ..
        }
    );
    assert!(timed_out, "{error:?}");
    assert!(server.seen().len() < 100);
}

#[tokio::test]
async fn endless_timeout_is_accepted() {
    let server = Server::start([json("200 OK", json!([]))]).await;
    let settings = Settings {
        total_timeout: Duration::MAX,
        ..quick()
    };
    let client = server.admin_with(Provider::Ontora, settings);
    assert!(
        client
            .list_keys(&"w1".parse().unwrap())
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn authority_lists_have_both_shapes() {
    let key = json!({
        "id": "k1", "tenantId": "t1", "name": "CI", "keyPrefix": "ntro_prod_a", "expiresAt": null,
        "createdAt": "2026-01-01T00:00:00Z", "revokedAt": "2026-02-01T00:00:00Z"
    });
    let server = Server::start([
        json("200 OK", json!([key])),
        json("200 OK", json!({"items": [key]})),
        json("200 OK", json!({"data": [key]})),
        json(
            "200 OK",
            json!([{"id": "k1", "tenantId": "t1", "name": "CI", "keyPrefix": "p",
            "createdAt": "2026-01-01T00:00:00Z", "revokedAt": "some day"}]),
        ),
    ])
    .await;
    let client = server.admin(Provider::Ntropii);
    let tenant = "t1".parse().unwrap();
    let keys = client.list_keys(&tenant).await.unwrap();
    assert_eq!(keys, client.list_keys(&tenant).await.unwrap());
    assert_eq!(keys[0].expires, Expiry::Never);
    assert!(keys[0].revoked_at.is_some());
    for _ in 0..2 {
        let error = client.list_keys(&tenant).await.unwrap_err();
        assert!(matches!(error, Error::NotUnderstood { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn workspaces_and_tenants_are_listed() {
    let server = Server::start([
        json(
            "200 OK",
            json!([{"id": "w1", "name": "Acme", "role": "admin", "created_at": null}]),
        ),
        json(
            "200 OK",
            json!([{"id": "t1", "name": "Acme", "slug": "acme"}]),
        ),
    ])
    .await;
    let workspaces = server.admin(Provider::Ontora).tenants().await.unwrap();
    assert_eq!(workspaces[0].role.as_deref(), Some("admin"));
    let tenants = server.admin(Provider::Ntropii).tenants().await.unwrap();
    assert_eq!(tenants[0].slug.as_str(), "acme");
    assert_eq!(server.seen()[0].line, "GET /v1/workspaces HTTP/1.1");
}
