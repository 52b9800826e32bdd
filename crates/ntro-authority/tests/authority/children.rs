//! `/v1/api-keys/current/children`: a key creates keys that end with it.

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use ntro_authority::{AuthoritySettings, Limits, MintedKey, TenantStatus};
use ntro_base::{KeyEnvironment, Provider, Scope};
use serde_json::{Value, json};

use crate::audit::rows;
use crate::support::{App, Call, edit_key, new_key, open, status, with};

const CHILDREN: &str = "/v1/api-keys/current/children";

fn ask(app: &App, parent: &str, body: &Value) -> Call {
    with(app.post(CHILDREN, body), parent)
}

/// Creates a child that lives an hour.
async fn child(app: &App, parent: &str) -> Value {
    let body = json!({"expires_in_seconds": 3600});
    let reply = ask(app, parent, &body).expect(StatusCode::CREATED).await;
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    reply.body
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap()
}

#[tokio::test]
async fn child_is_like_its_parent() {
    let app = App::start().await;
    for provider in Provider::ALL {
        let mut new = new_key(provider);
        new.environment = Some("staging".parse().unwrap());
        if provider == Provider::Ontora {
            new.scopes = vec![Scope::Interviews, Scope::Mcp];
        }
        let parent = app.registry().create_key(&app.tenant, new).await.unwrap();
        let asked = Timestamp::now();
        let made = child(&app, parent.key.expose()).await;
        let key = text(&made, "key");
        assert!(key.starts_with(&format!("{}staging_", provider.key_marker())));
        assert_eq!(status(&app, key).await, 200);

        let keys = app.registry().keys(None, Some(provider)).await.unwrap();
        assert_eq!(keys.len(), 2);
        let row = &keys[0];
        assert_eq!(row.parent, Some(parent.record.id));
        assert_eq!(row.scopes, parent.record.scopes);
        assert_eq!(row.name, parent.record.name);
        assert_eq!(row.created_by, Some(format!("key {}", parent.record.id)));
        assert!(!row.may_rotate);
        let life = row.expires_at.unwrap().duration_since(asked);
        assert!((3_599..3_660).contains(&life.as_secs()), "{life}");

        // Each dialect names the parent: in the answer, of the key itself, and in lists.
        let id = parent.record.id.to_string();
        let (member, own, list) = match provider {
            Provider::Ntropii => (
                "parentId",
                "/key/parentId",
                "/v1/workspace/tenants/acme-fund-admin/api-keys".to_owned(),
            ),
            Provider::Ontora => (
                "parent_id",
                "/parent_id",
                format!("/v1/api-keys?workspace_id={}", app.tenant.id),
            ),
        };
        assert_eq!(made[member], id);
        let current = match provider {
            Provider::Ntropii => "/v1/me",
            Provider::Ontora => "/v1/api-keys/current",
        };
        let told = with(app.get(current), key).expect(StatusCode::OK).await;
        assert_eq!(told.body.pointer(own), Some(&json!(id)));
        let listed = app.get(&list).bearer(&app.admin()).send().await;
        assert_eq!(listed.body[0][member], id);
        assert_eq!(listed.body[1].get(member), None);
    }
}

#[tokio::test]
async fn child_has_no_more_than_its_parent() {
    let app = App::start().await;
    let with_scopes = async |scopes: &[Scope]| {
        let mut new = new_key(Provider::Ontora);
        new.scopes = scopes.to_vec();
        new.expires_in_days = Some(1);
        app.registry().create_key(&app.tenant, new).await.unwrap()
    };
    let two = with_scopes(&[Scope::Exports, Scope::Mcp]).await;
    let all = with_scopes(&[Scope::All]).await;
    let four = with_scopes(&Scope::ALL[..4]).await;
    for (parent, scopes, allowed) in [
        (&two, json!(["exports"]), true),
        (&two, json!(["mcp", "exports", "mcp"]), true),
        (&two, json!(["webhooks"]), false),
        (&two, json!(["exports", "webhooks"]), false),
        (&two, json!(["*"]), false),
        (&all, json!(["webhooks"]), true),
        (&all, json!(["*"]), true),
        (&four, json!(["*"]), true),
    ] {
        let body = json!({"scopes": scopes, "expires_in_seconds": 60});
        let call = ask(&app, parent.key.expose(), &body);
        if allowed {
            let made = call.expect(StatusCode::CREATED).await;
            let count = scopes.as_array().unwrap().len().min(2);
            assert_eq!(made.body["scopes"].as_array().unwrap().len(), count);
        } else {
            let refused = call
                .expect_code(StatusCode::FORBIDDEN, "exceeds_parent")
                .await;
            assert!(text(&refused.body, "detail").contains("lacks the scope"));
        }
    }
    let day = 24 * 60 * 60;
    for (seconds, status) in [(day - 60, 201), (day + 60, 403), (day * 365, 403)] {
        let body = json!({"expires_in_seconds": seconds});
        let reply = ask(&app, two.key.expose(), &body).send().await;
        assert_eq!(reply.status, status, "{seconds}");
    }
    // Keys of Ntropii have no scopes, so there only the life is bounded.
    let mut new = new_key(Provider::Ntropii);
    new.expires_in_days = Some(1);
    let parent = app.registry().create_key(&app.tenant, new).await.unwrap();
    let body = json!({"expires_in_seconds": day * 2});
    ask(&app, parent.key.expose(), &body)
        .expect_code(StatusCode::FORBIDDEN, "exceeds_parent")
        .await;
    // A key that never expires bounds nothing.
    let parent = app.key(Provider::Ntropii).await;
    let body = json!({"expires_in_seconds": day * 365, "name": "agent"});
    let made = ask(&app, parent.key.expose(), &body).send().await;
    assert_eq!((made.status, text(&made.body, "name")), (201, "agent"));
}

#[tokio::test]
async fn malformed_request_answers_422() {
    let app = App::start().await;
    for provider in Provider::ALL {
        let parent = app.key(provider).await;
        for body in [
            json!({}),
            json!({"expires_in_seconds": null}),
            json!({"expires_in_seconds": 0}),
            json!({"expires_in_seconds": -1}),
            json!({"expires_in_seconds": 1.5}),
            json!({"expires_in_seconds": "60"}),
            json!({"expires_in_seconds": 31_536_001}),
            json!({"expires_in_seconds": u64::MAX}),
            json!({"expires_in_seconds": 60, "scopes": []}),
            json!({"expires_in_seconds": 60, "scopes": "mcp"}),
            json!({"expires_in_seconds": 60, "scopes": ["none"]}),
            json!({"expires_in_seconds": 60, "name": ""}),
            json!({"expires_in_seconds": 60, "name": "a\u{200b}b"}),
            json!({"expires_in_seconds": 60, "tenant": "globex"}),
        ] {
            let reply = ask(&app, parent.key.expose(), &body)
                .expect(StatusCode::UNPROCESSABLE_ENTITY)
                .await;
            assert!(reply.body["detail"].is_array(), "{body}");
        }
    }
    let parent = app.key(Provider::Ntropii).await;
    let body = json!({"expires_in_seconds": 60, "scopes": ["mcp"]});
    ask(&app, parent.key.expose(), &body)
        .expect(StatusCode::UNPROCESSABLE_ENTITY)
        .await;
    let keys = app.registry().keys(None, None).await.unwrap();
    assert!(keys.iter().all(|key| key.parent.is_none()));
    for call in [
        app.post(CHILDREN, &json!({"expires_in_seconds": 60})),
        app.post(CHILDREN, &json!({"expires_in_seconds": 60}))
            .bearer(&app.admin()),
        ask(
            &app,
            "ntro_prod_nonsense",
            &json!({"expires_in_seconds": 60}),
        ),
    ] {
        call.expect_code(StatusCode::UNAUTHORIZED, "invalid_api_key")
            .await;
    }
}

#[tokio::test]
async fn child_ends_with_its_parent() {
    let app = App::start().await;
    let beside = open(&app.database()).unwrap();
    for provider in Provider::ALL {
        for way in ["admin", "itself", "beside", "command line", "rotation"] {
            let parent = app.key(provider).await;
            let other = app.key(provider).await;
            let key = parent.key.expose();
            let first = child(&app, key).await;
            let second = child(&app, key).await;
            let others = child(&app, other.key.expose()).await;
            let id = parent.record.id;
            let mut replacement = None;
            match way {
                "admin" => {
                    let path = match provider {
                        Provider::Ntropii => {
                            format!("/v1/workspace/tenants/acme-fund-admin/api-keys/{id}")
                        }
                        Provider::Ontora => format!("/v1/api-keys/{id}"),
                    };
                    assert!(app.delete(&path).bearer(&app.admin()).send().await.status < 300);
                }
                "itself" => {
                    with(app.delete("/v1/api-keys/current"), key)
                        .expect(StatusCode::NO_CONTENT)
                        .await;
                }
                "beside" => drop(beside.revoke_key(id).await.unwrap()),
                "rotation" => {
                    let made = with(app.call("POST", "/v1/api-keys/current/rotate"), key);
                    let made = made.expect(StatusCode::CREATED).await;
                    let new = text(&made.body, "key").to_owned();
                    // Until the old key ends, its children live.
                    assert_eq!(status(&app, text(&first, "key")).await, 200);
                    with(app.delete("/v1/api-keys/current/predecessor"), &new)
                        .expect(StatusCode::NO_CONTENT)
                        .await;
                    replacement = Some(new);
                }
                _ => drop(app.registry().revoke_key(id).await.unwrap()),
            }
            for ended in [key, text(&first, "key"), text(&second, "key")] {
                assert_eq!(status(&app, ended).await, 401, "{provider} {way}");
            }
            for live in [other.key.expose(), text(&others, "key")] {
                assert_eq!(status(&app, live).await, 200, "{provider} {way}");
            }
            if let Some(new) = replacement {
                assert_eq!(status(&app, &new).await, 200);
                child(&app, &new).await;
            }
            ask(&app, key, &json!({"expires_in_seconds": 60}))
                .expect_code(StatusCode::UNAUTHORIZED, "invalid_api_key")
                .await;
        }
    }
}

#[tokio::test]
async fn pending_successor_ends_its_children() {
    let app = App::start().await;
    let old = app.key(Provider::Ontora).await;
    let old = old.key.expose();
    let rotate = async || {
        let made = with(app.call("POST", "/v1/api-keys/current/rotate"), old);
        let made = made.expect(StatusCode::CREATED).await;
        text(&made.body, "key").to_owned()
    };
    // A further successor replaces the first.
    let childs = child(&app, &rotate().await).await;
    let second = rotate().await;
    assert_eq!(status(&app, text(&childs, "key")).await, 401);
    let childs = child(&app, &second).await;
    with(app.delete("/v1/api-keys/current/successor"), old)
        .expect(StatusCode::NO_CONTENT)
        .await;
    assert_eq!(status(&app, text(&childs, "key")).await, 401);
    assert_eq!(status(&app, old).await, 200);
}

#[tokio::test]
async fn suspended_tenant_suspends_children() {
    let app = App::start().await;
    let parent = app.key(Provider::Ntropii).await;
    let made = child(&app, parent.key.expose()).await;
    let key = text(&made, "key");
    for (tenant, expected) in [
        (TenantStatus::Suspended, 403),
        (TenantStatus::Active, 200),
        (TenantStatus::Suspended, 403),
    ] {
        let set = app.registry().set_tenant_status(app.tenant.id, tenant);
        set.await.unwrap();
        assert_eq!(status(&app, key).await, expected);
        assert_eq!(status(&app, parent.key.expose()).await, expected);
    }
}

#[tokio::test]
async fn child_changes_only_itself() {
    let app = App::start().await;
    for provider in Provider::ALL {
        let parent = app.key(provider).await;
        let made = child(&app, parent.key.expose()).await;
        let sibling = child(&app, parent.key.expose()).await;
        let key = text(&made, "key");
        ask(&app, key, &json!({"expires_in_seconds": 1}))
            .expect_code(StatusCode::FORBIDDEN, "child_key")
            .await;
        with(app.call("POST", "/v1/api-keys/current/rotate"), key)
            .expect_code(StatusCode::FORBIDDEN, "rotation_off")
            .await;
        let body = json!({"sha256": "0".repeat(64), "expires_in_seconds": 1});
        with(app.post("/v1/api-keys/current/tripwires", &body), key)
            .expect_code(StatusCode::FORBIDDEN, "child_key")
            .await;
        for id in [text(&sibling, "id"), &parent.record.id.to_string()] {
            with(app.delete(&format!("{CHILDREN}/{id}")), key)
                .expect_code(StatusCode::NOT_FOUND, "not_found")
                .await;
        }
        with(app.delete("/v1/api-keys/current/predecessor"), key)
            .expect(StatusCode::NO_CONTENT)
            .await;
        with(app.delete("/v1/api-keys/current"), key)
            .expect(StatusCode::NO_CONTENT)
            .await;
        assert_eq!(status(&app, key).await, 401);
        for live in [parent.key.expose(), text(&sibling, "key")] {
            assert_eq!(status(&app, live).await, 200);
        }
    }
}

#[tokio::test]
async fn parent_revokes_its_child() {
    let app = App::start().await;
    for provider in Provider::ALL {
        let parent = app.key(provider).await;
        let stranger = app.key(provider).await;
        let made = child(&app, parent.key.expose()).await;
        let path = |id: &str| format!("{CHILDREN}/{id}");
        let id = text(&made, "id");
        let own = parent.record.id.to_string();
        for (key, id) in [
            (&stranger, id),
            (&parent, &own),
            (&parent, "not-an-id"),
            (&parent, "00000000-0000-4000-8000-000000000000"),
        ] {
            with(app.delete(&path(id)), key.key.expose())
                .expect_code(StatusCode::NOT_FOUND, "not_found")
                .await;
        }
        assert_eq!(status(&app, text(&made, "key")).await, 200);
        for id in [id.to_owned(), format!("key_{id}")] {
            with(app.delete(&path(&id)), parent.key.expose())
                .expect(StatusCode::NO_CONTENT)
                .await;
            assert_eq!(status(&app, text(&made, "key")).await, 401);
        }
        assert_eq!(status(&app, parent.key.expose()).await, 200);
    }
}

#[tokio::test]
async fn repeated_request_creates_one_child() {
    let app = App::start().await;
    for provider in Provider::ALL {
        let parent = app.key(provider).await;
        let parent = parent.key.expose();
        let named = |seconds: u32, name| {
            ask(&app, parent, &json!({"expires_in_seconds": seconds}))
                .header("idempotency-key", name)
        };
        let made = named(60, "first").expect(StatusCode::CREATED).await;
        let again = named(60, "first").expect(StatusCode::CREATED).await;
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!(again.body["id"], made.body["id"]);
        assert_eq!(again.body.get("key"), None);
        named(61, "first")
            .expect_code(StatusCode::CONFLICT, "idempotency_conflict")
            .await;
        // Other keys have other names.
        let other = app.key(provider).await;
        let body = json!({"expires_in_seconds": 60});
        let made = ask(&app, other.key.expose(), &body).header("idempotency-key", "first");
        assert!(made.send().await.body["key"].is_string());
    }
}

/// The request that cancels a child may arrive before the request for it.
#[tokio::test]
async fn cancelled_child_stays_cancelled() {
    let app = App::start().await;
    for provider in Provider::ALL {
        let parent = app.key(provider).await;
        let parent = parent.key.expose();
        let named = |name| {
            ask(&app, parent, &json!({"expires_in_seconds": 60})).header("idempotency-key", name)
        };
        let cancel = async |name| {
            with(app.delete(CHILDREN), parent)
                .header("idempotency-key", name)
                .expect(StatusCode::NO_CONTENT)
                .await;
        };
        cancel("early").await;
        cancel("early").await;
        named("early")
            .expect_code(StatusCode::CONFLICT, "idempotency_conflict")
            .await;
        let made = named("late").expect(StatusCode::CREATED).await;
        let other = named("other").expect(StatusCode::CREATED).await;
        for _ in 0..2 {
            cancel("late").await;
            assert_eq!(status(&app, text(&made.body, "key")).await, 401);
        }
        assert_eq!(status(&app, text(&other.body, "key")).await, 200);
        with(app.delete(CHILDREN), parent)
            .expect(StatusCode::UNPROCESSABLE_ENTITY)
            .await;
        // Another key cannot cancel it.
        let stranger = app.key(provider).await;
        with(app.delete(CHILDREN), stranger.key.expose())
            .header("idempotency-key", "other")
            .expect(StatusCode::NO_CONTENT)
            .await;
        assert_eq!(status(&app, text(&other.body, "key")).await, 200);
    }
}

#[tokio::test]
async fn children_of_a_key_are_limited() {
    const MOST: usize = 1_000;
    let app = App::start().await;
    let parent = app.key(Provider::Ntropii).await;
    let other = app.key(Provider::Ntropii).await;
    let body = json!({"expires_in_seconds": 3600});
    let asked: Vec<_> = (0..MOST + 10)
        .map(|_| tokio::spawn(ask(&app, parent.key.expose(), &body).send()))
        .collect();
    let mut made = Vec::new();
    for reply in asked {
        let reply = reply.await.unwrap();
        match reply.status {
            201 => made.push(reply.body),
            409 => assert_eq!(reply.body["code"], "too_many_children"),
            other => panic!("status {other}"),
        }
    }
    assert_eq!(made.len(), MOST);
    child(&app, other.key.expose()).await;
    // Room is made by a revoked child, and by an expired one.
    let full = async || {
        ask(&app, parent.key.expose(), &body)
            .expect_code(StatusCode::CONFLICT, "too_many_children")
            .await;
    };
    full().await;
    with(
        app.delete(&format!("{CHILDREN}/{}", text(&made[0], "id"))),
        parent.key.expose(),
    )
    .expect(StatusCode::NO_CONTENT)
    .await;
    child(&app, parent.key.expose()).await;
    full().await;
    edit_key(&app, text(&made[1], "id"), "expires_at = 1000");
    child(&app, parent.key.expose()).await;
    full().await;
}

#[tokio::test]
async fn ended_children_are_cleaned_up() {
    let app = App::start().await;
    let parent = app.key(Provider::Ontora).await;
    let key = parent.key.expose();
    let named = ask(&app, key, &json!({"expires_in_seconds": 60}));
    let made = named.header("idempotency-key", "one").send().await.body;
    let id = text(&made, "id");
    edit_key(&app, id, "expires_at = 1000");
    while status(&app, text(&made, "key")).await != 401 {
        tokio::task::yield_now().await;
    }
    // The next creation ends it for good: no clock and no edit brings it back.
    child(&app, key).await;
    let records = app.registry().keys(None, None).await.unwrap();
    let record = |id: &str| {
        let mut found = records.iter().filter(|key| key.id.to_string() == id);
        found.next().cloned()
    };
    assert!(record(id).unwrap().revoked_at.is_some());
    // A day later its record goes.
    let long_ago = Timestamp::now() - SignedDuration::from_hours(26);
    edit_key(
        &app,
        id,
        &format!("revoked_at = {}", long_ago.as_millisecond()),
    );
    child(&app, key).await;
    let records = app.registry().keys(None, None).await.unwrap();
    assert!(records.iter().all(|key| key.id.to_string() != id));
    assert_eq!(records.len(), 3);
    // A key without a parent is kept however long ago it ended.
    edit_key(
        &app,
        &parent.record.id.to_string(),
        &format!("revoked_at = {}", long_ago.as_millisecond()),
    );
    let other = app.key(Provider::Ontora).await;
    child(&app, other.key.expose()).await;
    let records = app.registry().keys(None, None).await.unwrap();
    assert!(records.iter().any(|key| key.id == parent.record.id));
}

#[tokio::test]
async fn children_survive_restart() {
    let app = App::start().await;
    let parent = app.key(Provider::Ntropii).await;
    let ended = app.key(Provider::Ntropii).await;
    let live = child(&app, parent.key.expose()).await;
    let revoked = child(&app, parent.key.expose()).await;
    let orphan = child(&app, ended.key.expose()).await;
    with(app.delete("/v1/api-keys/current"), text(&revoked, "key"))
        .expect(StatusCode::NO_CONTENT)
        .await;
    app.registry().revoke_key(ended.record.id).await.unwrap();
    let app = app.restart().await;
    assert_eq!(status(&app, text(&live, "key")).await, 200);
    for gone in [&revoked, &orphan] {
        assert_eq!(status(&app, text(gone, "key")).await, 401);
    }
    app.registry().revoke_key(parent.record.id).await.unwrap();
    assert_eq!(status(&app, text(&live, "key")).await, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_child_outlives_a_concurrent_revocation() {
    let app = App::start().await;
    let body = json!({"expires_in_seconds": 60});
    for round in 0..20 {
        let parent: MintedKey = app.key(Provider::ALL[round % 2]).await;
        let asked: Vec<_> = (0..20)
            .map(|_| tokio::spawn(ask(&app, parent.key.expose(), &body).send()))
            .collect();
        if round % 3 > 0 {
            tokio::task::yield_now().await;
        }
        app.registry().revoke_key(parent.record.id).await.unwrap();
        for reply in asked {
            let reply = reply.await.unwrap();
            match reply.status {
                201 => assert_eq!(status(&app, text(&reply.body, "key")).await, 401),
                401 => {}
                other => panic!("status {other}"),
            }
        }
    }
    let keys = app.registry().keys(None, None).await.unwrap();
    assert!(keys.iter().all(|key| key.revoked_at.is_some()));
}

#[tokio::test]
async fn children_share_limit_of_parent() {
    let app = App::start_with(AuthoritySettings {
        limits: Limits {
            tenant_per_minute: 10,
            ..Limits::OFF
        },
        ..AuthoritySettings::default()
    })
    .await;
    let parent = app.key(Provider::Ntropii).await;
    let mut children = Vec::new();
    for _ in 0..4 {
        children.push(child(&app, parent.key.expose()).await);
    }
    for one in &children {
        assert_eq!(status(&app, text(one, "key")).await, 200);
    }
    for _ in 0..2 {
        assert_eq!(status(&app, text(&children[0], "key")).await, 200);
    }
    assert_eq!(status(&app, text(&children[1], "key")).await, 429);
    assert_eq!(status(&app, parent.key.expose()).await, 429);
    // Revocations of children have one limit too, which is not their parent's.
    let stray = |key: &str| {
        let path = format!("{CHILDREN}/00000000-0000-4000-8000-000000000000");
        with(app.delete(&path), key).send()
    };
    for round in 0..10 {
        let reply = stray(text(&children[round % 4], "key")).await;
        assert_eq!(reply.status, 404);
    }
    for one in &children {
        assert_eq!(stray(text(one, "key")).await.status, 429);
    }
    assert_eq!(stray(parent.key.expose()).await.status, 404);
}

#[tokio::test]
async fn changes_of_children_are_audited() {
    let app = App::start().await;
    let parent = app.key(Provider::Ontora).await;
    let before = rows(&app).len();
    let key = parent.key.expose();
    let first = child(&app, key).await;
    let second = child(&app, key).await;
    let path = format!("{CHILDREN}/{}", text(&first, "id"));
    with(app.delete(&path), key).send().await;
    with(app.delete(CHILDREN), key)
        .header("idempotency-key", "never")
        .send()
        .await;
    with(app.delete("/v1/api-keys/current"), text(&second, "key"))
        .send()
        .await;
    child(&app, key).await;
    with(app.delete("/v1/api-keys/current"), key).send().await;
    let rows = rows(&app).split_off(before);
    let id = parent.record.id.to_string();
    let acts: Vec<_> = rows
        .iter()
        .map(|row| (row.action.as_str(), row.actor.2.as_deref() == Some(&id)))
        .collect();
    assert_eq!(
        acts,
        [
            ("key.create_child", true),
            ("key.create_child", true),
            ("key.revoke", true),
            ("key.cancel_child", true),
            ("key.revoke", false),
            ("key.create_child", true),
            ("key.revoke", true),
        ]
    );
    assert_eq!(
        rows[0].target,
        ("key".to_owned(), text(&first, "id").to_owned())
    );
    assert_eq!(rows[0].details["parent"], id);
    assert_eq!(rows[4].actor.2.as_deref(), Some(text(&second, "id")));
    assert_eq!(rows[6].details["children"], 1);
    let all = format!("{rows:?}");
    assert!(!all.contains(text(&first, "key")) && !all.contains(key));
}

#[tokio::test]
async fn reserved_environment_is_refused() {
    let app = App::start().await;
    for provider in Provider::ALL {
        let mut new = new_key(provider);
        new.environment = Some(KeyEnvironment::one_off());
        let error = app.registry().create_key(&app.tenant, new).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("no key has the environment `px`"), "{error}");
    }
}
