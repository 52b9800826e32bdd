//! Rate limits.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use jiff::SignedDuration;
use ntro_authority::{AuthoritySettings, Limits, OrganisationRecord, Role};
use ntro_base::Provider;
use secrecy::ExposeSecret as _;

use crate::support::{App, Call, Reply, edit_key, key};

fn settings(tenant_per_minute: u32, failures_per_minute: u32) -> AuthoritySettings {
    AuthoritySettings {
        limits: Limits {
            tenant_per_minute,
            failures_per_minute,
            ..Limits::OFF
        },
        ..AuthoritySettings::default()
    }
}

#[tokio::test]
async fn tenant_has_one_limit() {
    let app = App::start_with(settings(2, 0)).await;
    let (_, globex) = app.stranger().await;
    let (ntropii, ontora) = (
        app.key(Provider::Ntropii).await,
        app.key(Provider::Ontora).await,
    );
    app.get("/v1/me").key(&ntropii).expect(StatusCode::OK).await;
    app.get("/v1/api-keys/current")
        .key(&ontora)
        .expect(StatusCode::OK)
        .await;
    let reply = app
        .get("/v1/me")
        .key(&ntropii)
        .expect(StatusCode::TOO_MANY_REQUESTS)
        .await;
    assert_eq!(reply.body["error"], "Too Many Requests");
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait));
    app.get("/v1/api-keys/current")
        .key(&ontora)
        .expect_code(StatusCode::TOO_MANY_REQUESTS, "rate_limited")
        .await;
    let theirs = key(app.registry(), &globex, Provider::Ntropii).await;
    app.get("/v1/me").key(&theirs).expect(StatusCode::OK).await;
}

/// Asserts that a 429 names its limit, and says when it ends.
fn expect_limit(reply: &Reply, name: &str, per_minute: u32) {
    assert_eq!(reply.status, 429, "{}", reply.body);
    let header = |name| reply.header(name).unwrap();
    let wait: u64 = header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    let policy = format!("\"{name}\";q={per_minute};w=60");
    assert_eq!(header("ratelimit-policy"), policy);
    assert_eq!(header("ratelimit"), format!("\"{name}\";r=0;t={wait}"));
}

#[tokio::test]
async fn every_limit_is_named() {
    let settings = AuthoritySettings {
        limits: Limits {
            tenant_per_minute: 3,
            key_per_minute: 2,
            failures_per_minute: 1,
        },
        ..AuthoritySettings::default()
    };
    let app = App::start_with(settings).await;
    let address = ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 1)));
    let busy = async |call: &dyn Fn() -> Call| loop {
        let reply = call().extension(address).send().await;
        if reply.status == 429 {
            break reply;
        }
    };
    let [one, other] = [
        app.key(Provider::Ntropii).await,
        app.key(Provider::Ontora).await,
    ];
    // Both cached endpoints, a gateway's question and a route.
    for path in ["/v1/me", "/v1/authorize", "/v1/workspace/tenants"] {
        expect_limit(&busy(&|| app.get(path).key(&one)).await, "key", 2);
    }
    let path = "/v1/api-keys/current";
    expect_limit(&busy(&|| app.get(path).key(&other)).await, "tenant", 3);
    let admin = app.admin();
    let reply = busy(&|| app.get("/v1/workspaces").bearer(&admin)).await;
    expect_limit(&reply, "organisation", 3);
    let reply = busy(&|| app.delete("/v1/api-keys/current/successor").key(&one)).await;
    expect_limit(&reply, "revocation", 3);
    for path in ["/v1/me", "/v1/authorize", "/v1/workspaces"] {
        expect_limit(&busy(&|| app.get(path)).await, "address", 1);
    }
}

#[tokio::test]
async fn key_has_a_limit_of_its_own() {
    let settings = AuthoritySettings {
        limits: Limits {
            key_per_minute: 2,
            ..Limits::OFF
        },
        ..AuthoritySettings::default()
    };
    let app = App::start_with(settings).await;
    let [one, other] = [
        app.key(Provider::Ntropii).await,
        app.key(Provider::Ntropii).await,
    ];
    let ask = async |key| app.get("/v1/me").key(key).send().await.status;
    assert_eq!([ask(&one).await, ask(&one).await], [200, 200]);
    assert_eq!([ask(&one).await, ask(&other).await], [429, 200]);
    // A new record of the key does not fill its bucket again.
    let id = one.record.id.to_string();
    edit_key(&app, &id, "name = 'renamed'");
    while ask(&other).await == 200 {}
    assert_eq!(ask(&one).await, 429);
    // The key can still revoke itself.
    app.delete("/v1/api-keys/current")
        .key(&one)
        .expect(StatusCode::NO_CONTENT)
        .await;
}

#[tokio::test]
async fn failures_are_limited_by_address() {
    let app = App::start_with(settings(0, 2)).await;
    let good = app.key(Provider::Ntropii).await;
    let from = |address: &str| ConnectInfo(SocketAddr::new(address.parse().unwrap(), 40_000));
    let fail = async |address: &str| {
        let call = app.get("/v1/me").bearer("ntro_dev_key");
        call.extension(from(address)).send().await
    };
    for status in [401, 401, 429, 429] {
        assert_eq!(fail("192.0.2.1").await.status, status);
    }
    app.delete("/v1/api-keys/current")
        .api_key("nonsense")
        .extension(from("192.0.2.1"))
        .expect_code(StatusCode::TOO_MANY_REQUESTS, "rate_limited")
        .await;
    app.get("/v1/me")
        .key(&good)
        .extension(from("192.0.2.1"))
        .expect(StatusCode::OK)
        .await;
    assert_eq!(fail("192.0.2.2").await.status, 401);
}

#[tokio::test]
async fn other_requests_delay_no_revocation() {
    let app = App::start_with(settings(5, 0)).await;
    let keys = [
        app.key(Provider::Ontora).await,
        app.key(Provider::Ntropii).await,
    ];
    let (member, admin) = (app.member(), app.admin());
    let workspaces = |token: &str| app.get("/v1/workspaces").bearer(token);
    while workspaces(&member).send().await.status == 200 {}
    let reply = workspaces(&admin).send().await;
    assert_eq!(reply.status, 429);
    let [ontora, ntropii] = keys.each_ref().map(|key| key.record.id);
    app.delete(&format!("/v1/api-keys/{ontora}"))
        .bearer(&admin)
        .expect(StatusCode::NO_CONTENT)
        .await;
    let tenant = "/v1/workspace/tenants/acme-fund-admin";
    app.delete(&format!("{tenant}/api-keys/{ntropii}"))
        .bearer(&admin)
        .expect(StatusCode::OK)
        .await;
    // Constant requests with a leaked key do not delay its revocation.
    for provider in Provider::ALL {
        let leaked = app.key(provider).await;
        let successor = || app.delete("/v1/api-keys/current/successor").key(&leaked);
        while app.get("/v1/me").key(&leaked).send().await.status == 200 {}
        let path = match provider {
            Provider::Ntropii => "/v1/me",
            Provider::Ontora => "/v1/api-keys/current",
        };
        while app.get(path).key(&leaked).send().await.status == 200 {}
        // Revocations change the registry, so they have a limit too.
        for _ in 0..5 {
            successor().expect(StatusCode::NO_CONTENT).await;
        }
        successor().expect(StatusCode::TOO_MANY_REQUESTS).await;
        app.delete("/v1/api-keys/current")
            .key(&leaked)
            .expect(StatusCode::NO_CONTENT)
            .await;
    }
    app.delete(tenant)
        .bearer(&admin)
        .expect(StatusCode::OK)
        .await;
}

#[tokio::test]
async fn unknown_organisation_has_a_limit() {
    let app = App::start_with(settings(2, 0)).await;
    let nobody = OrganisationRecord {
        id: app.tenant.id,
        ..app.organisation.clone()
    };
    let token = |subject: &str| {
        let life = SignedDuration::from_mins(5);
        let minted = app
            .registry()
            .mint_admin_token(&nobody, Role::Admin, subject, life);
        minted.unwrap().expose_secret().to_owned()
    };
    let ask = async |subject: &str| {
        let call = app.get("/v1/workspaces").bearer(&token(subject));
        call.send().await.status
    };
    assert_eq!([ask("a").await, ask("a").await], [200, 200]);
    assert_eq!([ask("a").await, ask("b").await], [429, 200]);
    app.get("/v1/workspaces")
        .bearer(&app.admin())
        .expect(StatusCode::OK)
        .await;
}
