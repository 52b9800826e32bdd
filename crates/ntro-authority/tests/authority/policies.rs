//! The policy of a tenant: the rules for its new keys.

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use ntro_authority::{KeyPolicy, MintedKey, Role};
use ntro_base::{Provider, Scope};
use serde_json::{Value, json};

use crate::audit::rows;
use crate::support::{App, Call, Reply, new_key, with};

fn workspace_policy(app: &App) -> String {
    format!("/v1/workspaces/{}/policy", app.tenant.id)
}

const TENANT_POLICY: &str = "/v1/workspace/tenants/acme-fund-admin/policy";

async fn set(app: &App, policy: KeyPolicy) {
    app.registry()
        .set_policy(app.tenant.id, policy)
        .await
        .unwrap();
}

/// Returns each refused field and the rule that refuses it.
fn refused(reply: &Reply) -> Vec<(String, String)> {
    assert_eq!(reply.status, 422, "{}", reply.body);
    let fields = reply.body["detail"].as_array().unwrap().iter();
    let fields = fields.map(|field| {
        let loc = field["loc"].as_array().unwrap();
        let loc: Vec<_> = loc.iter().map(|part| part.as_str().unwrap()).collect();
        (loc.join("."), field["type"].as_str().unwrap().to_owned())
    });
    fields.collect()
}

fn pair(field: &str, rule: &str) -> (String, String) {
    (field.to_owned(), rule.to_owned())
}

fn create(app: &App, scopes: &[&str], days: Option<u32>) -> Call {
    let body = json!({
        "name": "CI", "workspace_id": app.tenant.id.to_string(), "scopes": scopes,
        "expires_in_days": days,
    });
    app.post("/v1/api-keys", &body).bearer(&app.admin())
}

async fn child(app: &App, key: &MintedKey, seconds: u32) -> Reply {
    let body = json!({"expires_in_seconds": seconds});
    let call = app.post("/v1/api-keys/current/children", &body);
    call.key(key).send().await
}

#[tokio::test]
async fn admin_replaces_the_policy() {
    let app = App::start().await;
    let path = workspace_policy(&app);
    let none = json!({
        "longest_life_in_days": null, "expiry_required": false, "allowed_scopes": null,
    });
    let show = async || app.get(&path).bearer(&app.member()).send().await.body;
    assert_eq!(show().await, none);
    let policy = json!({
        "longest_life_in_days": 90, "expiry_required": true,
        "allowed_scopes": ["interviews", "exports"],
    });
    let put = |body: &Value| app.call("PUT", &path).body(body).bearer(&app.admin());
    let set = put(&policy).expect(StatusCode::OK).await;
    assert_eq!(set.body, policy);
    assert_eq!(show().await, policy);
    let theirs = app.get(TENANT_POLICY).bearer(&app.admin()).send().await;
    assert_eq!(theirs.body["longestLifeInDays"], 90);
    assert_eq!(theirs.body["allowedScopes"], policy["allowed_scopes"]);
    let call = app.call("PUT", TENANT_POLICY).bearer(&app.admin());
    let body = json!({"expiryRequired": true});
    call.body(&body).expect(StatusCode::OK).await;
    let mut expected = none.clone();
    expected["expiry_required"] = true.into();
    assert_eq!(show().await, expected);
    put(&json!({})).expect(StatusCode::OK).await;
    assert_eq!(show().await, none);

    let rows = rows(&app);
    let changes: Vec<_> = rows
        .iter()
        .filter(|row| row.action == "tenant.set_policy")
        .map(|row| &row.details)
        .collect();
    assert_eq!(changes.len(), 3);
    assert_eq!(changes[0]["to"]["allowed_scopes"], "interviews exports");
    assert_eq!(changes[1]["from"]["longest_life_in_days"], 90);
}

#[tokio::test]
async fn policy_needs_an_admin_in_reach() {
    let app = App::start().await;
    let (globex, _) = app.stranger().await;
    let key = app.key(Provider::Ontora).await;
    let strange = app.token(&globex, Role::Admin);
    for (path, hidden) in [
        (workspace_policy(&app), 403),
        (TENANT_POLICY.to_owned(), 404),
    ] {
        let put = || app.call("PUT", &path).body(&json!({}));
        assert_eq!(put().send().await.status, 401, "{path}");
        assert_eq!(put().bearer(&app.member()).send().await.status, 403);
        assert_eq!(put().bearer(&strange).send().await.status, hidden);
        let shown = app.get(&path).bearer(&strange).send().await;
        assert_eq!(shown.status, hidden);
    }
    let put = app.call("PUT", &workspace_policy(&app)).body(&json!({}));
    assert_eq!(put.key(&key).send().await.body["code"], "jwt_required");
}

#[tokio::test]
async fn invalid_policy_is_refused() {
    let app = App::start().await;
    for (field, value) in [
        ("longest_life_in_days", json!(0)),
        ("longest_life_in_days", json!(366)),
        ("longest_life_in_days", json!("90")),
        ("expiry_required", json!("yes")),
        ("allowed_scopes", json!([])),
        ("allowed_scopes", json!("exports")),
        ("longest_life", json!(90)),
    ] {
        let call = app
            .call("PUT", &workspace_policy(&app))
            .bearer(&app.admin());
        let reply = call.body(&json!({field: value})).send().await;
        assert_eq!(refused(&reply)[0].0, format!("body.{field}"));
    }
    let call = app
        .call("PUT", &workspace_policy(&app))
        .bearer(&app.admin());
    let reply = call.body(&json!({"allowed_scopes": ["exports", "root"]}));
    let body = reply.send().await.body;
    assert_eq!(
        body["detail"][0]["loc"],
        json!(["body", "allowed_scopes", 1])
    );
}

#[tokio::test]
async fn creation_obeys_the_policy() {
    let app = App::start().await;
    set(
        &app,
        KeyPolicy {
            longest_life_in_days: Some(30),
            expiry_required: false,
            allowed_scopes: Some(vec![Scope::Exports, Scope::Mcp]),
        },
    )
    .await;
    let life = pair("body.expires_in_days", "longest_life");
    let scope = pair("body.scopes", "allowed_scopes");
    for (scopes, days, expected) in [
        (&["exports"][..], None, vec![life.clone()]),
        (&["exports"], Some(31), vec![life.clone()]),
        (&["*"], Some(30), vec![scope.clone()]),
        (
            &["exports", "interviews", "webhooks"],
            Some(90),
            vec![life, scope.clone(), scope],
        ),
    ] {
        let reply = create(&app, scopes, days).send().await;
        assert_eq!(refused(&reply), expected);
    }
    create(&app, &["exports", "mcp"], Some(30))
        .expect(StatusCode::CREATED)
        .await;
    // In the other dialect, 400 names fields and rules as sentences.
    let path = "/v1/workspace/tenants/acme-fund-admin/api-keys";
    let call = app.post(path, &json!({"name": "CI", "expiresInDays": 90}));
    let reply = call.bearer(&app.admin()).send().await;
    assert_eq!(reply.status, 400);
    let sentence = "expiresInDays: the policy of the tenant limits keys to 30 days";
    assert_eq!(reply.body["message"], json!([sentence]));
    let call = app.post(path, &json!({"name": "CI", "expiresInDays": 30}));
    call.bearer(&app.admin()).expect(StatusCode::CREATED).await;
    // The command line is no exception.
    let refused = app
        .registry()
        .create_key(&app.tenant, new_key(Provider::Ntropii));
    let refused = refused.await.unwrap_err().to_string();
    assert_eq!(refused, "the policy of the tenant limits keys to 30 days");
    let keys = app.registry().keys(None, None).await.unwrap();
    assert_eq!(keys.len(), 2);
}

#[tokio::test]
async fn policy_requires_an_expiry() {
    let app = App::start().await;
    let policy = KeyPolicy {
        expiry_required: true,
        ..KeyPolicy::default()
    };
    set(&app, policy).await;
    let reply = create(&app, &["*"], None).send().await;
    let expected = pair("body.expires_in_days", "expiry_required");
    assert_eq!(refused(&reply), [expected]);
    create(&app, &["*"], Some(365))
        .expect(StatusCode::CREATED)
        .await;
}

async fn rotate(app: &App, key: &MintedKey) -> Reply {
    let call = app.call("POST", "/v1/api-keys/current/rotate");
    with(call, key.key.expose()).send().await
}

fn life(key: &Value) -> SignedDuration {
    let time = |name: &str| key[name].as_str().unwrap().parse::<Timestamp>().unwrap();
    time("expires_at").duration_since(time("created_at"))
}

#[tokio::test]
async fn rotation_obeys_the_policy() {
    let app = App::start().await;
    let key = app.key(Provider::Ontora).await;
    let policy = |days, expiry_required, scopes: Option<&[Scope]>| KeyPolicy {
        longest_life_in_days: days,
        expiry_required,
        allowed_scopes: scopes.map(<[_]>::to_vec),
    };
    // A successor of a key without an expiry gets the longest life.
    set(&app, policy(Some(7), true, None)).await;
    let made = rotate(&app, &key).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(life(&made.body), SignedDuration::from_hours(7 * 24));

    set(&app, policy(None, true, None)).await;
    let reply = rotate(&app, &key).await;
    assert_eq!(refused(&reply), [pair("key.expires_at", "expiry_required")]);
    set(&app, policy(Some(7), true, Some(&[Scope::Exports]))).await;
    let reply = rotate(&app, &key).await;
    assert_eq!(refused(&reply), [pair("key.scopes", "allowed_scopes")]);
    // The refused request leaves the pending successor alone.
    let text = made.body["key"].as_str().unwrap();
    with(app.get("/v1/api-keys/current"), text)
        .expect(StatusCode::OK)
        .await;
    set(&app, policy(None, false, None)).await;
    assert!(rotate(&app, &key).await.body["expires_at"].is_null());
}

#[tokio::test]
async fn children_obey_the_policy() {
    let app = App::start().await;
    let key = app.key(Provider::Ontora).await;
    let policy = KeyPolicy {
        longest_life_in_days: Some(1),
        ..KeyPolicy::default()
    };
    set(&app, policy).await;
    assert_eq!(child(&app, &key, 24 * 3600).await.status, 201);
    let reply = child(&app, &key, 24 * 3600 + 1).await;
    let expected = pair("body.expires_in_seconds", "longest_life");
    assert_eq!(refused(&reply), [expected]);
    let policy = KeyPolicy {
        allowed_scopes: Some(vec![Scope::Exports]),
        ..KeyPolicy::default()
    };
    set(&app, policy).await;
    let reply = child(&app, &key, 60).await;
    assert_eq!(refused(&reply), [pair("body.scopes", "allowed_scopes")]);
}

#[tokio::test]
async fn policies_are_those_of_one_tenant() {
    let app = App::start().await;
    let (_, theirs) = app.stranger().await;
    let policy = KeyPolicy {
        expiry_required: true,
        ..KeyPolicy::default()
    };
    set(&app, policy.clone()).await;
    let made = app
        .registry()
        .create_key(&theirs, new_key(Provider::Ontora));
    made.await.unwrap();
    let app = app.restart().await;
    let kept = app.registry().policy(app.tenant.id).await.unwrap();
    assert_eq!(kept, policy);
}
