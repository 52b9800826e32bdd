//! Revoking all keys of a person.

use axum::http::StatusCode;
use ntro_authority::{Actor, NewApiKey, OrganisationRecord, Role, TenantRecord};
use ntro_base::Provider;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::audit::rows;
use crate::support::{App, new_key, open, status, tenant, with};

/// Returns a token of another admin than `user_1`.
fn token(app: &App, organisation: &OrganisationRecord, user: &str) -> String {
    let life = jiff::SignedDuration::from_mins(5);
    let token = app
        .registry()
        .mint_admin_token(organisation, Role::Admin, user, life);
    token.unwrap().expose_secret().to_owned()
}

/// Creates a key of each provider as an admin.
async fn keys(app: &App, tenant: &TenantRecord, admin: &str) -> [String; 2] {
    let ontora = json!({
        "name": "CI", "workspace_id": tenant.id.to_string(), "scopes": ["*"],
    });
    let ntropii = format!("/v1/workspace/tenants/{}/api-keys", tenant.slug);
    let mut keys = Vec::new();
    for call in [
        app.post("/v1/api-keys", &ontora),
        app.post(&ntropii, &json!({"name": "CI"})),
    ] {
        let made = call.bearer(admin).expect(StatusCode::CREATED).await;
        keys.push(made.body["key"].as_str().unwrap().to_owned());
    }
    keys.try_into().unwrap()
}

async fn made(app: &App, path: &str, key: &str, body: &Value) -> String {
    let made = with(app.post(path, body), key)
        .expect(StatusCode::CREATED)
        .await;
    made.body["key"].as_str().unwrap().to_owned()
}

fn number_of(reply: &crate::support::Reply) -> usize {
    reply.body["revoked"].as_array().unwrap().len()
}

#[tokio::test]
async fn keys_of_a_person_end_everywhere() {
    let app = App::start().await;
    let second = tenant(app.registry(), &app.organisation, "acme-two").await;
    let (globex, theirs) = app.stranger().await;
    let alice = "auth0|alice";
    let admin = token(&app, &app.organisation, alice);
    let mut ends = Vec::new();
    for place in [&app.tenant, &second] {
        ends.extend(keys(&app, place, &admin).await);
    }
    // A key that rotates itself, and its child, are those of the same person.
    let successor = made(&app, "/v1/api-keys/current/rotate", &ends[0], &Value::Null).await;
    with(app.delete("/v1/api-keys/current/predecessor"), &successor)
        .expect(StatusCode::NO_CONTENT)
        .await;
    let pending = made(&app, "/v1/api-keys/current/rotate", &ends[1], &Value::Null).await;
    let child = json!({"expires_in_seconds": 60});
    let child = made(&app, "/v1/api-keys/current/children", &successor, &child).await;
    let ends = [&ends[1], &ends[2], &ends[3], &successor, &pending, &child];
    let mut stay = Vec::from(keys(&app, &app.tenant, &app.admin()).await);
    stay.push(app.key(Provider::Ontora).await.key.expose().to_owned());
    stay.extend(keys(&app, &theirs, &token(&app, &globex, alice)).await);

    let path = "/v1/workspace/members/auth0%7Calice/api-keys";
    let revoked = app.delete(path).bearer(&app.admin()).expect(StatusCode::OK);
    assert_eq!(number_of(&revoked.await), 5);
    for key in ends {
        assert_eq!(status(&app, key).await, 401);
    }
    for key in &stay {
        assert_eq!(status(&app, key).await, 200);
    }
    let again = app.delete(path).bearer(&app.admin()).expect(StatusCode::OK);
    assert_eq!(number_of(&again.await), 0);

    let rows = rows(&app);
    let revocations = rows.iter().filter(|row| row.action == "key.revoke");
    let owners: Vec<_> = revocations.map(|row| &row.details["owner"]).collect();
    assert_eq!(owners, [&json!(alice); 5]);
    let last = rows.last().unwrap();
    assert_eq!(last.action, "member.revoke_keys");
    assert_eq!(last.target, ("member".to_owned(), alice.to_owned()));
    assert_eq!(last.details["keys"], 5);
}

#[tokio::test]
async fn keys_of_a_person_end_in_one_workspace() {
    let app = App::start().await;
    let second = tenant(app.registry(), &app.organisation, "acme-two").await;
    let admin = app.admin();
    let ends = keys(&app, &app.tenant, &admin).await;
    let stay = keys(&app, &second, &admin).await;
    let path = format!("/v1/workspaces/{}/members/user_1/api-keys", app.tenant.id);
    let revoked = app.delete(&path).bearer(&admin).expect(StatusCode::OK);
    assert_eq!(number_of(&revoked.await), 2);
    for (keys, expected) in [(ends, 401), (stay, 200)] {
        for key in keys {
            assert_eq!(status(&app, &key).await, expected);
        }
    }
}

#[tokio::test]
async fn unknown_person_is_not_found() {
    let app = App::start().await;
    let (globex, theirs) = app.stranger().await;
    let bob = token(&app, &globex, "bob");
    keys(&app, &theirs, &bob).await;
    let workspace = format!("/v1/workspaces/{}", app.tenant.id);
    for user in ["bob", "nobody", "%00", "user_1%20"] {
        for path in [
            format!("/v1/workspace/members/{user}/api-keys"),
            format!("{workspace}/members/{user}/api-keys"),
        ] {
            let reply = app.delete(&path).bearer(&app.admin()).send().await;
            assert_eq!(reply.status, 404, "{path}: {}", reply.body);
        }
    }
    let path = format!("{workspace}/members/bob/api-keys");
    let call = || app.delete(&path);
    assert_eq!(call().send().await.status, 401);
    assert_eq!(call().bearer(&app.member()).send().await.status, 403);
    assert_eq!(call().bearer(&bob).send().await.status, 403);
}

#[tokio::test]
async fn command_line_names_an_owner() {
    let app = App::start().await;
    let beside = open(&app.database()).unwrap();
    let new = NewApiKey {
        owner: Some("alice".to_owned()),
        ..new_key(Provider::Ntropii)
    };
    let made = beside.create_key(&app.tenant, new).await.unwrap();
    assert_eq!(made.record.owner.as_deref(), Some("alice"));
    let other = app.key(Provider::Ntropii).await;
    let ids = beside
        .acting_as(Actor::CommandLine)
        .revoke_keys_of(app.organisation.id, None, "alice")
        .await;
    assert_eq!(ids.unwrap(), [made.record.id]);
    assert_eq!(status(&app, made.key.expose()).await, 401);
    assert_eq!(status(&app, other.key.expose()).await, 200);
}
