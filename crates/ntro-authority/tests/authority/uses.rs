//! When and from where a key was last used, and how often in each hour.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use ntro_authority::{AuthoritySettings, Limits, MintedKey, NewApiKey, Role, TenantStatus};
use ntro_base::{Provider, Scope};
use serde_json::Value;

use crate::support::{App, Call, edit_key, new_key, status, with};

/// Returns the path of a key, for its admins.
fn path(app: &App, key: &MintedKey) -> String {
    let id = key.record.id;
    match key.record.provider {
        Provider::Ontora => format!("/v1/api-keys/{id}"),
        Provider::Ntropii => {
            let slug = &app.tenant.slug;
            format!("/v1/workspace/tenants/{slug}/api-keys/{id}")
        }
    }
}

async fn shown(app: &App, path: &str) -> Value {
    let call = app.get(path).bearer(&app.admin());
    call.expect(StatusCode::OK).await.body
}

/// Sends a request from an address, by a program.
fn from(call: Call, address: &str, agent: &str) -> Call {
    let address: SocketAddr = address.parse().unwrap();
    call.extension(ConnectInfo(address))
        .header("user-agent", agent)
}

/// Returns the number of each outcome that occurred in the last hour.
async fn outcomes(app: &App, key: &MintedKey) -> Vec<(String, u64)> {
    let usage = shown(app, &format!("{}/usage", path(app, key))).await;
    let hours = usage["hours"].as_array().unwrap();
    let Some(hour) = hours.last() else {
        return Vec::new();
    };
    assert!(hour["hour"].as_str().unwrap().ends_with(":00:00Z"));
    let counts = hour.as_object().unwrap().iter();
    let counts = counts.filter_map(|(name, times)| Some((name.clone(), times.as_u64()?)));
    counts.filter(|(_, times)| *times > 0).collect()
}

fn counts(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    let counts = expected.iter();
    counts
        .map(|(name, times)| ((*name).to_owned(), *times))
        .collect()
}

#[tokio::test]
async fn last_use_names_address_and_agent() {
    let app = App::start().await;
    for provider in Provider::ALL {
        let key = app.key(provider).await;
        let path = path(&app, &key);
        let (at, address, agent) = match provider {
            Provider::Ontora => ("last_used_at", "last_used_address", "last_used_agent"),
            Provider::Ntropii => ("lastUsedAt", "lastUsedAddress", "lastUsedAgent"),
        };
        let never = shown(&app, &path).await;
        assert!(never[at].is_null() && never.get(address).is_none());
        let call = with(app.get("/v1/authorize"), key.key.expose());
        let used = from(call, "192.0.2.1:40000", "ontora-cli/0.3.1");
        used.expect(StatusCode::OK).await;
        let expect = |shown: &Value| {
            assert!(shown[at].is_string(), "{shown}");
            assert_eq!(shown[address], "192.0.2.1");
            assert_eq!(shown[agent], "ontora-cli/0.3.1");
        };
        let unrecorded = shown(&app, &path).await;
        expect(&unrecorded);
        app.authority.record_use().await.unwrap();
        let recorded = shown(&app, &path).await;
        assert_eq!(recorded, unrecorded);
        let list = match provider {
            Provider::Ontora => format!("/v1/api-keys?workspace_id={}", app.tenant.id),
            Provider::Ntropii => "/v1/workspace/tenants/acme-fund-admin/api-keys".to_owned(),
        };
        expect(&shown(&app, &list).await[0]);
        // The description that the key itself gets lacks it.
        let own = match provider {
            Provider::Ontora => "/v1/api-keys/current",
            Provider::Ntropii => "/v1/me",
        };
        let own = with(app.get(own), key.key.expose()).send().await.body;
        assert!(!own.to_string().contains("192.0.2.1"), "{own}");
    }
}

#[tokio::test]
async fn use_survives_restart_and_revocation() {
    let app = App::start().await;
    let key = app.key(Provider::Ontora).await;
    let call = with(app.get("/v1/api-keys/current"), key.key.expose());
    let used = from(call, "[2001:db8::1]:443", "curl/8.5.0");
    used.expect(StatusCode::OK).await;
    app.registry().revoke_key(key.record.id).await.unwrap();
    let before = shown(&app, &path(&app, &key)).await;
    app.authority.record_use().await.unwrap();
    let app = app.restart().await;
    let after = shown(&app, &path(&app, &key)).await;
    assert_eq!(after, before);
    assert_eq!(after["last_used_address"], "2001:db8::1");
    assert_eq!(outcomes(&app, &key).await, counts(&[("accepted", 1)]));
}

#[tokio::test]
async fn uses_are_counted_by_outcome() {
    let app = App::start().await;
    app.stranger().await;
    let new = NewApiKey {
        scopes: vec![Scope::Exports],
        ..new_key(Provider::Ontora)
    };
    let key = app.registry().create_key(&app.tenant, new).await.unwrap();
    let text = key.key.expose();
    assert!(outcomes(&app, &key).await.is_empty());
    let ask = async |question: &str, times: usize| {
        for _ in 0..times {
            with(app.get(&format!("/v1/authorize?{question}")), text)
                .send()
                .await;
        }
    };
    ask("scope=exports", 3).await;
    assert_eq!(outcomes(&app, &key).await, counts(&[("accepted", 3)]));
    ask("", 1).await;
    ask("scope=mcp", 2).await;
    ask("tenant=globex-capital", 4).await;
    let set = |status| app.registry().set_tenant_status(app.tenant.id, status);
    set(TenantStatus::Suspended).await.unwrap();
    ask("", 5).await;
    set(TenantStatus::Active).await.unwrap();
    app.registry().pause_key(key.record.id).await.unwrap();
    ask("", 6).await;
    app.registry().resume_key(key.record.id).await.unwrap();
    edit_key(&app, &key.record.id.to_string(), "expires_at = 1000");
    while status(&app, text).await != 401 {
        tokio::task::yield_now().await;
    }
    let found = outcomes(&app, &key).await;
    let expected = counts(&[
        ("accepted", 4),
        ("paused", 6),
        ("scope", 2),
        ("suspended", 5),
        ("tenant", 4),
    ]);
    let is_expired = |(name, _): &&(String, u64)| name == "expired";
    let others: Vec<_> = found.iter().filter(|one| !is_expired(one)).collect();
    // The loop above may also have accepted the key.
    assert!(others[0].1 >= 4, "{found:?}");
    assert_eq!(others[1..], expected[1..].iter().collect::<Vec<_>>());
    assert_eq!(found.iter().find(is_expired).unwrap().1, 1);
    assert_eq!(outcomes(&app, &key).await, found);
}

#[tokio::test]
async fn limited_uses_are_counted() {
    let app = App::start_with(AuthoritySettings {
        limits: Limits {
            tenant_per_minute: 3,
            ..Limits::OFF
        },
        ..AuthoritySettings::default()
    })
    .await;
    let key = app.key(Provider::Ontora).await;
    for _ in 0..5 {
        status(&app, key.key.expose()).await;
    }
    app.authority.record_use().await.unwrap();
    let app = app.restart().await;
    let expected = counts(&[("accepted", 3), ("limited", 2)]);
    assert_eq!(outcomes(&app, &key).await, expected);
}

#[tokio::test]
async fn usage_needs_a_user_in_reach() {
    let app = App::start().await;
    let (globex, _) = app.stranger().await;
    for (provider, hidden, member) in [(Provider::Ontora, 403, 200), (Provider::Ntropii, 404, 403)]
    {
        let key = app.key(provider).await;
        let path = path(&app, &key);
        for path in [path.clone(), format!("{path}/usage")] {
            let call = || app.get(&path);
            assert_eq!(call().send().await.status, 401);
            assert_eq!(call().key(&key).send().await.status, 403);
            let reply = call().bearer(&app.member()).send().await;
            assert_eq!(reply.status, member, "{path}");
            let foreign = call().bearer(&app.token(&globex, Role::Admin)).send().await;
            assert_eq!(foreign.status, hidden);
        }
        let invalid = match provider {
            Provider::Ontora => 422,
            Provider::Ntropii => 400,
        };
        for hours in ["0", "745", "-1", "x", ""] {
            let call = app.get(&format!("{path}/usage?hours={hours}"));
            let reply = call.bearer(&app.admin()).send().await;
            assert_eq!(reply.status, invalid, "{hours}");
        }
        let month = shown(&app, &format!("{path}/usage?hours=744")).await;
        // The requests with the key itself, above.
        assert_eq!(month["hours"][0]["accepted"], 2);
    }
}
