//! Requests, and the values read from successful answers.

use std::sync::{Arc, Mutex};

use ntro_base::Provider;
use ntro_client::api::{Client, Error, Expiry, InvalidResponse, Settings};
use serde_json::json;

use crate::support::{NTROPII_KEY, ONTORA_KEY, Server, answer, json, profile, quick, target};

#[tokio::test]
async fn ntropii_request_has_bearer_key() {
    let server = Server::start([json("200 OK", profile())]).await;
    let identity = server.ntropii().identity().await.unwrap();
    assert_eq!(
        (identity.id.as_str(), identity.name.as_str()),
        ("u1", "Dev")
    );
    assert_eq!(identity.email.as_deref(), Some("dev@acme.test"));
    assert_eq!(identity.organisation.as_deref(), Some("org1"));
    assert_eq!(identity.roles, ["tenant:admin"]);
    assert_eq!((identity.tenants, identity.key), (None, None));

    let seen = server.only();
    assert_eq!(seen.line, "GET /v1/me HTTP/1.1");
    assert_eq!(
        seen.header("authorization"),
        Some(format!("Bearer {NTROPII_KEY}").as_str())
    );
    assert_eq!(seen.header("accept"), Some("application/json"));
    assert_eq!(
        seen.header("user-agent"),
        Some(concat!("ntro/", env!("CARGO_PKG_VERSION")))
    );
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    for absent in ["x-api-key", "content-type", "cookie"] {
        assert_eq!(seen.header(absent), None, "{absent}");
    }
}

#[tokio::test]
async fn ontora_request_has_key_header() {
    let server = Server::start([json(
        "200 OK",
        json!({"workspace_id": "w1", "name": "CI", "scopes": ["exports", "mcp"], "region": "eu"}),
    )])
    .await;
    let identity = server.ontora().identity().await.unwrap();
    assert_eq!((identity.id.as_str(), identity.name.as_str()), ("w1", "CI"));
    assert_eq!((identity.email, identity.organisation), (None, None));
    assert_eq!(identity.region.as_deref(), Some("eu"));
    let key = identity.key.unwrap();
    assert_eq!(key.scopes.unwrap(), ["exports", "mcp"]);
    assert_eq!(key.expires, Expiry::Unknown);
    assert_eq!(identity.tenants.unwrap()[0].slug.as_str(), "w1");

    let seen = server.only();
    assert_eq!(seen.line, "GET /v1/api-keys/current HTTP/1.1");
    assert_eq!(seen.header("x-api-key"), Some(ONTORA_KEY));
    assert_eq!(seen.header("authorization"), None);
}

#[tokio::test]
async fn authority_adds_tenants_and_key() {
    let mut body = profile();
    body["tenants"] = json!([{"id": "t1", "slug": "acme-fund-admin", "name": "Acme", "new": 1}]);
    body["key"] = json!({"id": "k1", "prefix": "ntro_prod_k9Zr4MxQ2bLw", "expiresAt": "2027-01-01T00:00:00Z"});
    body["tomorrow"] = json!({"unknown": ["members", "are", "ignored"]});
    let server = Server::start([json("200 OK", &body), json("200 OK", &body)]).await;
    let identity = server.ntropii().identity().await.unwrap();
    let tenants = identity.tenants.unwrap();
    assert_eq!(tenants[0].slug.as_str(), "acme-fund-admin");
    assert_eq!(tenants[0].name.as_deref(), Some("Acme"));
    let key = server.ntropii().current_key().await.unwrap();
    assert_eq!(identity.key.as_ref(), Some(&key));
    assert_eq!(key.prefix.unwrap().as_str(), "ntro_prod_k9Zr4MxQ2bLw");
    assert_eq!(
        key.expires.at().unwrap().to_string(),
        "2027-01-01T00:00:00Z"
    );
}

#[tokio::test]
async fn missing_key_info_is_not_offered() {
    let server = Server::start([json("200 OK", profile())]).await;
    assert!(matches!(
        server.ntropii().current_key().await,
        Err(Error::NotOffered { .. })
    ));
}

#[tokio::test]
async fn tenants_have_both_shapes() {
    let tenant = json!({
        "id": "t1", "name": "Acme", "slug": "acme", "dataPlatform": "snowflake", "status": "ACTIVE",
        "entityCount": 3, "config": "{}", "createdAt": "2026-01-01T00:00:00Z", "updatedAt": null
    });
    let sparse = json!({"id": "t2", "name": "Globex", "slug": "globex", "status": null});
    let server = Server::start([
        json("200 OK", json!([tenant, sparse])),
        json("200 OK", json!({"items": [tenant, sparse], "total": 2})),
    ])
    .await;
    let bare = server.ntropii().tenants().await.unwrap();
    assert_eq!(bare, server.ntropii().tenants().await.unwrap());
    assert_eq!(bare[0].status.as_deref(), Some("ACTIVE"));
    assert_eq!(bare[0].entity_count, Some(3));
    assert_eq!(bare[1].slug.as_str(), "globex");
    assert_eq!(server.seen()[1].line, "GET /v1/workspace/tenants HTTP/1.1");
}

#[tokio::test]
async fn tenant_is_one_path_segment() {
    let tenant = json!({"id": "t1", "name": "Ä", "slug": "ä&b", "dataPlatform": "snowflake"});
    let server = Server::start([
        json("200 OK", &tenant),
        json("404 Not Found", "{}"),
        json("404 Not Found", "{}"),
    ])
    .await;
    let client = server.ntropii();
    let found = client.tenant(&"ä&b".parse().unwrap()).await.unwrap();
    assert_eq!(found.name.as_deref(), Some("Ä"));
    for dots in [".", ".."] {
        let missing = client.tenant(&dots.parse().unwrap()).await;
        assert!(matches!(missing, Err(Error::NotFound(_))), "{missing:?}");
    }
    let lines: Vec<_> = server.seen().into_iter().map(|seen| seen.line).collect();
    assert_eq!(
        lines,
        [
            "GET /v1/workspace/tenants/%C3%A4%26b HTTP/1.1",
            "GET /v1/workspace/tenants/%252e HTTP/1.1",
            "GET /v1/workspace/tenants/%252e%252e HTTP/1.1",
        ]
    );
}

#[tokio::test]
async fn ontora_key_reaches_one_workspace() {
    let current = json!({"workspace_id": "w1", "name": "CI", "scopes": []});
    let server = Server::start((0..3).map(|_| json("200 OK", &current))).await;
    let client = server.ontora();
    assert_eq!(client.tenants().await.unwrap().len(), 1);
    let own = client.tenant(&"w1".parse().unwrap()).await.unwrap();
    assert_eq!(own.id, "w1");
    match client.tenant(&"w2".parse().unwrap()).await.unwrap_err() {
        Error::OutOfReach { reachable, .. } => assert_eq!(reachable.as_str(), "w1"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn no_key_sends_no_header() {
    let server = Server::start([
        json("401 Unauthorized", "{}"),
        json("401 Unauthorized", "{}"),
    ])
    .await;
    for provider in Provider::ALL {
        let mut target = target(provider, &server.origin());
        target.key = None;
        let refused = Client::new(target, quick()).identity().await;
        assert!(matches!(refused, Err(Error::Rejected(_))), "{refused:?}");
    }
    for seen in server.seen() {
        assert_eq!(seen.header("authorization"), None);
        assert_eq!(seen.header("x-api-key"), None);
    }
}

#[tokio::test]
async fn path_prefix_is_kept() {
    let server = Server::start([json("200 OK", profile())]).await;
    let host = format!("{}/a/v1/", server.origin());
    crate::support::client(Provider::Ntropii, &host)
        .identity()
        .await
        .unwrap();
    assert_eq!(server.only().line, "GET /a/v1/me HTTP/1.1");
}

#[tokio::test]
async fn unexpected_json_is_not_understood() {
    let page = "<!doctype html><title>Sign in to the network</title>";
    for (reply, expected) in [
        (
            answer("200 OK", &["content-type: text/html; charset=utf-8"], page),
            InvalidResponse::NotJson {
                content_type: Some("text/html; charset=utf-8".to_owned()),
            },
        ),
        (
            answer("200 OK", &[], "{\"id\": \"u1\","),
            InvalidResponse::NotJson { content_type: None },
        ),
        (answer("204 No Content", &[], ""), InvalidResponse::Empty),
        (answer("200 OK", &[], "\u{feff}"), InvalidResponse::Empty),
        (
            answer("200 OK", &["content-encoding: gzip"], "\u{1f}\u{8b}"),
            InvalidResponse::Compressed {
                encoding: "gzip".to_owned(),
            },
        ),
        (
            answer("200 OK", &["content-type: a\u{1b}[2Jb"], "\u{0}\u{1}"),
            InvalidResponse::NotJson {
                content_type: Some("a[2Jb".to_owned()),
            },
        ),
    ] {
        let server = Server::start([reply]).await;
        match server.ntropii().identity().await.unwrap_err() {
            Error::NotUnderstood { misfit, .. } => assert_eq!(misfit, expected),
            // A control character in a header is not valid HTTP.
            Error::Unreachable { .. } if matches!(&expected, InvalidResponse::NotJson { content_type: Some(t) } if t == "a[2Jb") =>
                {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn shape_errors_are_cleaned() {
    for body in [
        json!([]),
        json!("u1"),
        json!({"id": "u1"}),
        json!({"id": 7, "email": "e", "name": "n", "orgId": "o"}),
        json!({"id": "u1", "email": "e", "name": "n", "orgId": "o", "roles": "\u{1b}]0;pwned\u{7}"}),
    ] {
        let server = Server::start([json("200 OK", &body)]).await;
        let error = server.ntropii().identity().await.unwrap_err();
        assert!(
            matches!(
                &error,
                Error::NotUnderstood {
                    misfit: InvalidResponse::Shape(_),
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(!error.to_string().chars().any(char::is_control), "{error}");
    }
    let server = Server::start([json("200 OK", json!({"name": "no workspace"}))]).await;
    let error = server.ontora().identity().await.unwrap_err();
    assert!(
        error.to_string().contains("it names no workspace"),
        "{error}"
    );
}

#[tokio::test]
async fn json_ignores_content_type() {
    let body = profile().to_string();
    let server = Server::start([answer("200 OK", &["content-type: text/plain"], &body)]).await;
    assert_eq!(server.ntropii().identity().await.unwrap().id, "u1");
}

#[tokio::test]
async fn all_text_is_cleaned() {
    let dirty = "\u{1b}[31mAc\u{9b}me\u{202e}\r\n\u{7}";
    let mut body =
        json!({"id": dirty, "email": dirty, "name": dirty, "orgId": dirty, "roles": [dirty]});
    body["tenants"] = json!([{"id": dirty, "slug": dirty, "name": dirty}]);
    body["key"] = json!({"id": dirty, "prefix": dirty});
    let server = Server::start([json("200 OK", &body)]).await;
    let identity = server.ntropii().identity().await.unwrap();
    assert_eq!(
        identity.name,
        "<U+001B>[31mAc<U+009B>me<U+202E><U+000D><U+000A><U+0007>"
    );
    let shown = format!("{identity:#?}").replace('\n', "");
    for escaped in ["\\u{1b}", "\\u{9b}", "\\u{202e}", "\\r", "\\n", "\\u{7}"] {
        assert!(!shown.contains(escaped), "{escaped} in {shown}");
    }
}

#[tokio::test]
async fn byte_order_mark_is_dropped() {
    let body = format!("\u{feff}{}", profile());
    let headers = ["content-encoding: Identity"];
    let server = Server::start([answer("200 OK", &headers, &body)]).await;
    assert_eq!(server.ntropii().identity().await.unwrap().id, "u1");
    let body = "\u{feff}{\"message\": \"No\"}";
    let server = Server::start([answer("401 Unauthorized", &[], body)]).await;
    let error = server.ntropii().identity().await.unwrap_err();
    assert_eq!(error.refusal().unwrap().message.as_deref(), Some("No"));
}

#[tokio::test]
async fn message_instead_of_list_is_shown() {
    for body in [
        json!({"message": "No such thing"}),
        json!({"items": null, "detail": "No such thing"}),
    ] {
        for provider in Provider::ALL {
            let server = Server::start([json("200 OK", &body), json("200 OK", &body)]).await;
            let admin = server.admin(provider);
            for error in [
                admin.tenants().await.map(drop).unwrap_err(),
                admin
                    .list_keys(&"t".parse().unwrap())
                    .await
                    .map(drop)
                    .unwrap_err(),
            ] {
                assert!(
                    error
                        .to_string()
                        .ends_with("it is not a list, but says: No such thing"),
                    "{error}"
                );
            }
        }
    }
    let server = Server::start([json("200 OK", json!({"id": "u1"}))]).await;
    let error = server.ntropii().tenants().await.unwrap_err();
    assert!(error.to_string().ends_with("it is not a list"), "{error}");
}

#[tokio::test]
async fn odd_expiry_never_refuses_key() {
    let late = Expiry::Never;
    for (value, expected, warned) in [
        (json!("9999-12-31T23:59:59Z"), late, false),
        (json!("9999-12-31T23:59:59.999999Z"), late, false),
        (json!(""), Expiry::Unknown, true),
        (json!("tomorrow"), Expiry::Unknown, true),
        (json!(1_893_456_000), Expiry::Unknown, true),
        (json!({"at": "tomorrow"}), Expiry::Unknown, true),
        (json!(null), Expiry::Never, false),
    ] {
        let mut ntropii = profile();
        ntropii["key"] = json!({
            "id": "k", "prefix": "p", "expiresAt": value, "createdAt": value
        });
        let ontora = json!({
            "workspace_id": "w", "name": "CI", "scopes": [],
            "expires_at": value, "created_at": value, "last_used_at": value
        });
        for (provider, body) in [(Provider::Ntropii, ntropii), (Provider::Ontora, ontora)] {
            let server = Server::start([json("200 OK", &body)]).await;
            let warnings = Arc::new(Mutex::new(Vec::new()));
            let record = Arc::clone(&warnings);
            let settings = Settings {
                report: Arc::new(move |warning| record.lock().unwrap().push(warning.to_owned())),
                ..quick()
            };
            let host = format!("{}/v1", server.origin());
            let host = if provider == Provider::Ontora {
                server.origin()
            } else {
                host
            };
            let client = Client::new(target(provider, &host), settings);
            let key = client.current_key().await.unwrap();
            assert_eq!(key.expires, expected, "{body}");
            let warnings = warnings.lock().unwrap();
            assert_eq!(warnings.len(), usize::from(warned), "{warnings:?}");
        }
    }
}
