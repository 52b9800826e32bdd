//! Token buckets.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use ntro::authority::{Limits, Settings};
use ntro::domain::Provider;

use crate::support::{App, key};

fn settings(tenant_per_minute: u32, failures_per_minute: u32) -> Settings {
    Settings {
        limits: Limits {
            tenant_per_minute,
            failures_per_minute,
        },
        ..Settings::default()
    }
}

#[tokio::test]
async fn a_tenant_has_one_bucket_for_both_dialects_and_its_own() {
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
    let theirs = key(app.books(), &globex, Provider::Ntropii).await;
    app.get("/v1/me").key(&theirs).expect(StatusCode::OK).await;
}

#[tokio::test]
async fn failures_from_one_address_are_slowed_down_and_good_keys_are_not() {
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
