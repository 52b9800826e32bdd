//! Rotation that ends the old key when it is not used any more.

use axum::http::StatusCode;
use jiff::Timestamp;
use ntro_base::Provider;
use serde_json::{Value, json};

use crate::audit::rows;
use crate::support::{App, Reply, edit_key, status, with};

const ROTATE: &str = "/v1/api-keys/current/rotate";
const PREDECESSOR: &str = "/v1/api-keys/current/predecessor";

/// An old key, and its pending successor.
struct Pair {
    old_id: String,
    old: String,
    new_id: String,
    new: String,
}

async fn pair(app: &App, provider: Provider) -> Pair {
    let old = app.key(provider).await;
    let made = with(app.call("POST", ROTATE), old.key.expose())
        .expect(StatusCode::CREATED)
        .await;
    let text = |member: &str| made.body[member].as_str().unwrap().to_owned();
    Pair {
        old_id: old.record.id.to_string(),
        old: old.key.expose().to_owned(),
        new_id: text("id"),
        new: text("key"),
    }
}

fn hours_ago(hours: i64) -> i64 {
    Timestamp::now().as_millisecond() - hours * 3_600_000
}

async fn put(app: &App, key: &str, seconds: Value) -> Reply {
    let body = json!({"end_when_quiet_for_seconds": seconds});
    with(app.call("PUT", PREDECESSOR).body(&body), key)
        .send()
        .await
}

/// Lets the last use of the old key and the request of the new one lie back.
async fn age(app: &App, pair: &Pair, used: i64, asked: i64) {
    app.authority.record_use().await.unwrap();
    let used = format!("last_used_at = {}", hours_ago(used));
    edit_key(app, &pair.old_id, &used);
    edit_key(
        app,
        &pair.new_id,
        &format!("quiet_from = {}", hours_ago(asked)),
    );
}

#[tokio::test]
async fn successor_sees_use_of_predecessor() {
    let app = App::start().await;
    for provider in Provider::ALL {
        let pair = pair(&app, provider).await;
        let shown = with(app.get(PREDECESSOR), &pair.new);
        let shown = shown.expect(StatusCode::OK).await.body;
        assert_eq!(shown["id"], pair.old_id);
        // The request for the successor was a use.
        assert!(shown["last_used_at"].is_string(), "{shown}");
        assert!(shown["quiet_for_seconds"].as_i64().unwrap() < 60);
        assert!(shown["end_when_quiet_for_seconds"].is_null());
        age(&app, &pair, 2, 0).await;
        let shown = with(app.get(PREDECESSOR), &pair.new).send().await.body;
        assert!(shown["quiet_for_seconds"].as_i64().unwrap() >= 7_200);
        for key in [pair.old.as_str(), app.key(provider).await.key.expose()] {
            with(app.get(PREDECESSOR), key)
                .expect_code(StatusCode::NOT_FOUND, "not_found")
                .await;
            assert_eq!(put(&app, key, 60.into()).await.status, 404);
        }
    }
}

#[tokio::test]
async fn used_predecessor_is_not_revoked() {
    let app = App::start().await;
    let pair = pair(&app, Provider::Ontora).await;
    let path = format!("{PREDECESSOR}?quiet_for_seconds=3600");
    let refused = with(app.delete(&path), &pair.new);
    refused
        .expect_code(StatusCode::CONFLICT, "predecessor_in_use")
        .await;
    assert_eq!(status(&app, &pair.old).await, 200);
    age(&app, &pair, 2, 0).await;
    for _ in 0..2 {
        with(app.delete(&path), &pair.new)
            .expect(StatusCode::NO_CONTENT)
            .await;
        assert_eq!(status(&app, &pair.old).await, 401);
    }
    for bad in ["0", "x", "2678401"] {
        let path = format!("{PREDECESSOR}?quiet_for_seconds={bad}");
        assert_eq!(with(app.delete(&path), &pair.new).send().await.status, 422);
    }
}

#[tokio::test]
async fn quiet_predecessor_ends_by_itself() {
    let app = App::start().await;
    for provider in Provider::ALL {
        let pair = pair(&app, provider).await;
        let set = put(&app, &pair.new, 3_600.into()).await;
        assert_eq!(
            set.body["end_when_quiet_for_seconds"], 3_600,
            "{}",
            set.body
        );
        let end = async || app.authority.end_quiet_predecessors().await.unwrap();
        // Neither a recent use nor a recent request counts as quiet.
        for (used, asked) in [(0, 0), (0, 2), (2, 0)] {
            age(&app, &pair, used, asked).await;
            end().await;
            assert_eq!(status(&app, &pair.old).await, 200);
        }
        age(&app, &pair, 2, 2).await;
        end().await;
        assert_eq!(status(&app, &pair.old).await, 401);
        // The new key is independent.
        with(app.call("POST", ROTATE), &pair.new)
            .expect(StatusCode::CREATED)
            .await;
        let rows = rows(&app);
        let ended = rows
            .iter()
            .rfind(|row| row.action == "key.revoke_predecessor");
        let ended = ended.unwrap();
        assert_eq!(ended.target.1, pair.old_id);
        assert_eq!(ended.actor.0, "system");
        let asked = rows.iter().rfind(|row| row.action == "key.set_quiet_end");
        assert_eq!(asked.unwrap().details["seconds"], 3_600);
    }
}

#[tokio::test]
async fn child_in_use_keeps_its_parent() {
    let app = App::start().await;
    let pair = pair(&app, Provider::Ontora).await;
    let body = json!({"expires_in_seconds": 600});
    let child = with(app.post("/v1/api-keys/current/children", &body), &pair.old);
    let child = child.expect(StatusCode::CREATED).await.body;
    let child = child["key"].as_str().unwrap();
    put(&app, &pair.new, 3_600.into()).await;
    assert_eq!(status(&app, child).await, 200);
    age(&app, &pair, 2, 2).await;
    app.authority.end_quiet_predecessors().await.unwrap();
    assert_eq!(status(&app, &pair.old).await, 200);
    let path = format!("{PREDECESSOR}?quiet_for_seconds=60");
    let refused = with(app.delete(&path), &pair.new).send().await;
    assert_eq!(refused.body["code"], "predecessor_in_use");
}

#[tokio::test]
async fn quiet_end_is_taken_back() {
    let app = App::start().await;
    let pair = pair(&app, Provider::Ntropii).await;
    put(&app, &pair.new, 60.into()).await;
    let back = put(&app, &pair.new, Value::Null).await;
    assert!(back.body["end_when_quiet_for_seconds"].is_null());
    age(&app, &pair, 9, 9).await;
    app.authority.end_quiet_predecessors().await.unwrap();
    assert_eq!(status(&app, &pair.old).await, 200);
    for bad in [json!(0), json!(2_678_401), json!("1h"), json!(1.5)] {
        assert_eq!(put(&app, &pair.new, bad).await.status, 422);
    }
}

#[tokio::test]
async fn paused_successor_ends_nothing() {
    let app = App::start().await;
    let pair = pair(&app, Provider::Ontora).await;
    put(&app, &pair.new, 60.into()).await;
    age(&app, &pair, 9, 9).await;
    let id = pair.new_id.parse().unwrap();
    app.registry().pause_key(id).await.unwrap();
    app.authority.end_quiet_predecessors().await.unwrap();
    assert_eq!(status(&app, &pair.old).await, 200);
    app.registry().resume_key(id).await.unwrap();
    age(&app, &pair, 9, 9).await;
    app.authority.end_quiet_predecessors().await.unwrap();
    assert_eq!(status(&app, &pair.old).await, 401);
}
