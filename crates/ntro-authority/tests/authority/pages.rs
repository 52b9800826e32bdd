//! `limit`, `cursor` and the link to the next part of every list.

use axum::http::StatusCode;
use ntro_authority::Role;
use ntro_base::Provider;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::support::{App, Reply, key, tenant};

/// Returns the query of the link to the next part.
fn next(reply: &Reply) -> Option<String> {
    let link = reply.header("link")?;
    let (query, relation) = link.strip_prefix('<').unwrap().split_once('>').unwrap();
    assert_eq!(relation, "; rel=\"next\"");
    Some(query.to_owned())
}

/// Returns the items of all parts of a list, and asserts the size of each.
async fn walk(app: &App, token: &str, path: &str, query: &str, limit: usize) -> Vec<Value> {
    let mut items = Vec::new();
    let mut query = format!("?{query}limit={limit}");
    loop {
        let call = app.get(&format!("{path}{query}")).bearer(token);
        let reply = call.expect(StatusCode::OK).await;
        let part = reply.body.as_array().unwrap();
        items.extend(part.iter().cloned());
        let Some(next) = next(&reply) else {
            assert!(part.len() <= limit);
            return items;
        };
        assert_eq!(part.len(), limit);
        query = next;
    }
}

async fn whole(app: &App, token: &str, path: &str, query: &str) -> Vec<Value> {
    let call = app.get(&format!("{path}?{query}")).bearer(token);
    let reply = call.expect(StatusCode::OK).await;
    assert_eq!(reply.header("link"), None);
    reply.body.as_array().unwrap().clone()
}

#[tokio::test]
async fn parts_make_the_whole_list() {
    let app = App::start().await;
    let (globex, theirs) = app.stranger().await;
    for number in 0..4 {
        tenant(app.registry(), &app.organisation, &format!("t{number}")).await;
        tenant(app.registry(), &globex, &format!("g{number}")).await;
        for provider in Provider::ALL {
            app.key(provider).await;
            key(app.registry(), &theirs, provider).await;
        }
        let life = jiff::SignedDuration::from_mins(5);
        let user = format!("user+{number} & co");
        let token = app
            .registry()
            .mint_admin_token(&app.organisation, Role::Member, &user, life);
        let token = token.unwrap().expose_secret().to_owned();
        app.get("/v1/workspaces")
            .bearer(&token)
            .expect(StatusCode::OK)
            .await;
    }
    let admin = app.admin();
    let id = app.tenant.id;
    let workspace = format!("workspace_id={id}&");
    for (path, query, count, foreign) in [
        ("/v1/workspace/tenants", "", 5, theirs.id.to_string()),
        (
            "/v1/workspace/tenants",
            "status=ACTIVE&",
            5,
            theirs.id.to_string(),
        ),
        ("/v1/workspaces", "", 5, theirs.id.to_string()),
        (
            &format!("/v1/workspace/tenants/{id}/api-keys"),
            "",
            4,
            String::new(),
        ),
        ("/v1/api-keys", &*workspace, 4, String::new()),
        (
            &format!("/v1/workspaces/{id}/members"),
            "",
            5,
            "user_2".to_owned(),
        ),
    ] {
        // The first request of the admin records a member.
        whole(&app, &admin, path, query).await;
        let all = whole(&app, &admin, path, query).await;
        assert_eq!(all.len(), count, "{path}");
        for limit in [1, 2, 3, count, count + 1, 500] {
            assert_eq!(
                walk(&app, &admin, path, query, limit).await,
                all,
                "{path} {limit}"
            );
        }
        let status = match path.starts_with("/v1/workspace/") {
            true => StatusCode::BAD_REQUEST,
            false => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let unknown = id.to_string().replace(char::is_alphanumeric, "0");
        for wrong in [
            "limit=0",
            "limit=501",
            "limit=many",
            "cursor=",
            &format!("cursor={unknown}"),
            &format!("cursor={foreign}"),
        ] {
            let call = app.get(&format!("{path}?{query}{wrong}")).bearer(&admin);
            let reply = call.expect(status).await;
            assert!(reply.header("link").is_none(), "{path} {wrong}");
        }
        let twice = app.get(&format!("{path}?{query}limit=1&limit=2"));
        twice.bearer(&admin).expect(StatusCode::BAD_REQUEST).await;
    }
}

#[tokio::test]
async fn cursor_stays_among_changes() {
    let app = App::start().await;
    let admin = app.admin();
    let mut made = Vec::new();
    for _ in 0..4 {
        made.push(app.key(Provider::Ontora).await.record.id.to_string());
    }
    let path = format!("/v1/api-keys?workspace_id={}", app.tenant.id);
    let first = app
        .get(&format!("{path}&limit=2"))
        .bearer(&admin)
        .send()
        .await;
    assert_eq!(first.each("id"), [&*made[3], &*made[2]]);
    // A new key comes first, and a revoked one stays.
    app.key(Provider::Ontora).await;
    app.delete(&format!("/v1/api-keys/{}", made[2]))
        .bearer(&admin)
        .expect(StatusCode::NO_CONTENT)
        .await;
    let query = next(&first).unwrap();
    let second = app
        .get(&format!("/v1/api-keys{query}"))
        .bearer(&admin)
        .send()
        .await;
    assert_eq!(second.each("id"), [&*made[1], &*made[0]]);
    // A key of the other provider, and one of another tenant, are no cursors here.
    let (_, theirs) = app.stranger().await;
    for id in [
        app.key(Provider::Ntropii).await.record.id,
        key(app.registry(), &theirs, Provider::Ontora)
            .await
            .record
            .id,
    ] {
        app.get(&format!("{path}&cursor={id}"))
            .bearer(&admin)
            .expect(StatusCode::UNPROCESSABLE_ENTITY)
            .await;
    }
    // The offset still counts from the first key.
    let last = app.get(&format!("{path}&limit=2&offset=4")).bearer(&admin);
    let last = last.send().await;
    assert_eq!(last.each("id"), [&*made[0]]);
    assert_eq!(next(&last), None);
}

#[tokio::test]
async fn key_pages_through_its_one_tenant() {
    let app = App::start().await;
    let sibling = tenant(app.registry(), &app.organisation, "sibling").await;
    let own = app.key(Provider::Ntropii).await;
    let list = |query: String| app.get(&format!("/v1/workspace/tenants{query}")).key(&own);
    let first = list("?limit=1".to_owned()).expect(StatusCode::OK).await;
    assert_eq!(
        (first.body.as_array().unwrap().len(), next(&first)),
        (1, None)
    );
    let rest = list(format!("?cursor={}", app.tenant.id));
    assert_eq!(
        rest.expect(StatusCode::OK).await.body,
        Value::from(Vec::<Value>::new())
    );
    list(format!("?cursor={}", sibling.id))
        .expect(StatusCode::BAD_REQUEST)
        .await;
}
