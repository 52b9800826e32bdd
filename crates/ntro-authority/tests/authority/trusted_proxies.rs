//! Clients behind reverse proxies: the address that limits and the audit table know.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use ntro_authority::{AuthoritySettings, ForwardedHeader, Limits, TrustedProxies};

use crate::support::{App, Call};

const PROXY: &str = "10.0.0.1";

async fn start(proxies: &[&str], header: Option<ForwardedHeader>) -> App {
    App::start_with(AuthoritySettings {
        trusted_proxies: TrustedProxies {
            proxies: proxies.iter().map(|proxy| proxy.parse().unwrap()).collect(),
            header,
        },
        limits: Limits {
            failures_per_minute: 1,
            ..Limits::OFF
        },
        ..AuthoritySettings::default()
    })
    .await
}

fn from(call: Call, address: &str) -> Call {
    call.extension(ConnectInfo(SocketAddr::new(address.parse().unwrap(), 1)))
}

/// Fails to authenticate; returns the status.
async fn fail(app: &App, peer: &str, headers: &[(&'static str, &str)]) -> u16 {
    let call = from(app.get("/v1/workspaces").api_key("nonsense"), peer);
    let add = |call: Call, (name, value): &(&'static str, &str)| call.header(name, value);
    headers.iter().fold(call, add).send().await.status
}

#[tokio::test]
async fn failures_count_against_the_client() {
    let app = start(&["10.0.0.0/8"], None).await;
    for name in ["x-forwarded-for", "forwarded"] {
        let behind = async |address: &str| {
            let value = match name {
                "forwarded" => format!("for=\"{address}\""),
                _ => address.to_owned(),
            };
            fail(&app, PROXY, &[(name, &value)]).await
        };
        let [one, other] = match name {
            "forwarded" => ["198.51.100.1", "198.51.100.2"],
            _ => ["198.51.100.3", "198.51.100.4"],
        };
        assert_eq!(behind(one).await, 401);
        assert_eq!(behind(one).await, 429);
        assert_eq!(behind(other).await, 401);
        // The client cannot put another address in front of its own.
        let forged = format!("203.0.113.1, {one}");
        match name {
            "forwarded" => assert_eq!(
                fail(
                    &app,
                    PROXY,
                    &[(name, &format!("for=203.0.113.1, for={one}"))]
                )
                .await,
                429
            ),
            _ => assert_eq!(behind(&forged).await, 429),
        }
    }
    // The proxy itself has a bucket too, which headers without an address share.
    assert_eq!(fail(&app, PROXY, &[]).await, 401);
    assert_eq!(
        fail(&app, PROXY, &[("x-forwarded-for", "unknown")]).await,
        429
    );
    assert_eq!(fail(&app, PROXY, &[("forwarded", "for=_x")]).await, 429);
}

#[tokio::test]
async fn stranger_names_no_other_address() {
    let app = start(&["10.0.0.0/8"], None).await;
    let stranger = "192.0.2.1";
    assert_eq!(fail(&app, stranger, &[]).await, 401);
    for headers in [
        [("x-forwarded-for", "198.51.100.1")],
        [("forwarded", "for=198.51.100.2")],
        [("x-forwarded-for", PROXY)],
    ] {
        assert_eq!(fail(&app, stranger, &headers).await, 429);
    }
    let app = start(&[], None).await;
    assert_eq!(fail(&app, PROXY, &[]).await, 401);
    assert_eq!(
        fail(&app, PROXY, &[("x-forwarded-for", "198.51.100.1")]).await,
        429
    );
}

#[tokio::test]
async fn contradicting_headers_are_refused() {
    let headers = [
        ("x-forwarded-for", "198.51.100.1"),
        ("forwarded", "for=198.51.100.2"),
    ];
    let app = start(&[PROXY], None).await;
    for path in ["/v1/me", "/v1/workspaces", "/nowhere"] {
        let call = from(app.get(path), PROXY);
        let add = |call: Call, (name, value): &(&'static str, &str)| call.header(name, value);
        let reply = headers.iter().fold(call, add);
        let reply = reply
            .expect_code(StatusCode::BAD_REQUEST, "malformed_request")
            .await;
        assert!(reply.header("x-request-id").is_some());
    }
    // Not from a peer that is not believed at all.
    assert_eq!(fail(&app, "192.0.2.1", &headers).await, 401);
    let app = start(&[PROXY], Some(ForwardedHeader::XForwardedFor)).await;
    assert_eq!(fail(&app, PROXY, &headers).await, 401);
    assert_eq!(fail(&app, PROXY, &headers[..1]).await, 429);
    assert_eq!(fail(&app, PROXY, &headers[1..]).await, 401);
}
