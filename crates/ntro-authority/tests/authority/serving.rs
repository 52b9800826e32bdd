//! The listener: requests that are too slow, too large or too many, and the end.

use std::io::Write as _;
use std::time::Duration;

use axum::http::StatusCode;
use ntro_authority::{AuthoritySettings, JwksSource, Limits};
use ntro_base::Provider;
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

use crate::support::{App, Served, tokens, wire};

impl Served {
    /// Sends these bytes and no more, and returns what comes until the server closes.
    async fn send(&self, bytes: Vec<u8>) -> String {
        let address = self.address;
        spawn_blocking(move || {
            let mut stream = wire::connect(address);
            // The server may refuse before everything is sent.
            let _ = stream.write_all(&bytes);
            wire::rest(&mut stream)
        })
        .await
        .unwrap()
    }

    async fn verify(&self) -> Option<u16> {
        let key = self.app.key(Provider::Ntropii).await;
        let request = format!(
            "GET /v1/me HTTP/1.1\r\nhost: authority\r\nconnection: close\r\n\
             authorization: Bearer {}\r\n\r\n",
            key.key.expose()
        );
        wire::status(&self.send(request.into_bytes()).await)
    }
}

fn impatient() -> AuthoritySettings {
    AuthoritySettings {
        timeout: Duration::from_millis(300),
        ..AuthoritySettings::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_sender_is_cut_off_alone() {
    let served = Served::start(AuthoritySettings {
        connections: 8,
        ..impatient()
    })
    .await;
    // Occupies every connection slot with a client that never completes its request head.
    let slow: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = wire::connect(served.address);
            stream.write_all(b"GET /v1/me HTTP/1.1\r\nhost: a").unwrap();
            stream
        })
        .collect();
    assert_eq!(served.verify().await, Some(200));
    for mut stream in slow {
        let answer = spawn_blocking(move || wire::rest(&mut stream))
            .await
            .unwrap();
        assert!(
            matches!(wire::status(&answer), None | Some(408)),
            "{answer}"
        );
    }
    // And one that sends nothing at all.
    assert_eq!(wire::status(&served.send(Vec::new()).await), None);
    let body = format!(
        "POST /v1/api-keys HTTP/1.1\r\nhost: authority\r\nauthorization: Bearer {}\r\n\
         connection: close\r\ncontent-length: 100\r\n\r\n{{",
        served.app.admin()
    );
    let answer = served.send(body.into_bytes()).await;
    assert_eq!(wire::status(&answer), Some(408), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oversized_request_is_refused() {
    let served = Served::start(AuthoritySettings::default()).await;
    let huge = "a".repeat(100_000);
    let head = format!("GET /v1/me HTTP/1.1\r\nhost: authority\r\nx-huge: {huge}\r\n\r\n");
    let answer = served.send(head.into_bytes()).await;
    assert!(
        matches!(wire::status(&answer), None | Some(431)),
        "{answer}"
    );
    served
        .app
        .call("POST", "/v1/api-keys")
        .bearer(&served.app.admin())
        .raw_body(huge)
        .expect(StatusCode::PAYLOAD_TOO_LARGE)
        .await;
    assert_eq!(served.verify().await, Some(200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_is_announced_and_bounded() {
    let served = Served::start(AuthoritySettings {
        drain: Duration::from_millis(300),
        ..AuthoritySettings::default()
    })
    .await;
    served.app.get("/readyz").expect(StatusCode::OK).await;
    let mut stuck = wire::connect(served.address);
    let head = format!(
        "POST /v1/api-keys HTTP/1.1\r\nhost: authority\r\nauthorization: Bearer {}\r\n\
         expect: 100-continue\r\ncontent-length: 100\r\n\r\n",
        served.app.admin()
    );
    stuck.write_all(head.as_bytes()).unwrap();
    let mut stuck = spawn_blocking(move || {
        std::io::Read::read_exact(&mut stuck, &mut [0; 25]).unwrap();
        stuck
    })
    .await
    .unwrap();
    served.end.send(()).unwrap();
    while served.app.authority.is_ready() {
        tokio::task::yield_now().await;
    }
    let ready = || served.app.get("/readyz");
    ready().expect(StatusCode::SERVICE_UNAVAILABLE).await;
    served.app.get("/healthz").expect(StatusCode::OK).await;
    served.serving.await.unwrap();
    assert_eq!(wire::status(&wire::rest(&mut stuck)), None);
}

#[tokio::test]
async fn key_set_is_fetched_from_url() {
    let clerk = tokens::Clerk::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let set = clerk.jwks();
    let router = axum::Router::new().route(
        "/jwks.json",
        axum::routing::get(async move || axum::Json(set)),
    );
    tokio::spawn(async move { axum::serve(listener, router).await });
    // The port is closed again, so nothing listens there.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/jwks.json", closed.local_addr().unwrap());
    drop(closed);
    for (url, expected) in [
        (url, StatusCode::OK),
        (nobody, StatusCode::SERVICE_UNAVAILABLE),
    ] {
        let app = App::start_with(AuthoritySettings {
            limits: Limits::OFF,
            issuers: vec![ntro_authority::Issuer {
                issuer: tokens::CLERK.to_owned(),
                audience: None,
                keys: JwksSource::Url(url.parse().unwrap()),
                claims: ntro_authority::Claims::default(),
            }],
            ..AuthoritySettings::default()
        })
        .await;
        app.get("/v1/workspaces")
            .bearer(&clerk.sign(&tokens::claims()))
            .expect(expected)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_body_is_malformed() {
    let served = Served::start(AuthoritySettings::default()).await;
    let head = format!(
        "POST /v1/api-keys HTTP/1.1\r\nhost: authority\r\nauthorization: Bearer {}\r\n\
         connection: close\r\n",
        served.app.admin()
    );
    for body in [
        "transfer-encoding: chunked\r\n\r\nno number\r\n{}\r\n0\r\n\r\n",
        "content-length: 100\r\n\r\n{",
    ] {
        let (address, bytes) = (served.address, format!("{head}{body}"));
        let answer = spawn_blocking(move || {
            let mut stream = wire::connect(address);
            stream.write_all(bytes.as_bytes()).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            wire::rest(&mut stream)
        });
        let answer = answer.await.unwrap();
        assert_eq!(wire::status(&answer), Some(400), "{answer}");
        assert!(answer.contains("malformed_request"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_framing_is_refused() {
    let served = Served::start(AuthoritySettings::default()).await;
    let key = served.app.key(Provider::Ntropii).await;
    let chunked = "0\r\n\r\n";
    for (version, headers, body, expected) in [
        ("1.1", "", "", 400),
        ("1.1", "host: a\r\nhost: a\r\n", "", 400),
        ("1.0", "host: a\r\nhost: b\r\n", "", 400),
        ("1.1", "host: a b\r\n", "", 400),
        ("1.1", "host: a,b\r\nhost: \r\n", "", 400),
        ("1.1", "host: user@a\r\n", "", 400),
        ("1.1", "host: a/b\r\n", "", 400),
        ("1.1", "host: a:b\r\n", "", 400),
        ("1.1", "host: a:99999\r\n", "", 400),
        ("1.1", "host: [::1\r\n", "", 400),
        ("1.1", "host: ::1\r\n", "", 400),
        ("1.1", "host: a%2\r\n", "", 400),
        ("1.1", "host: caf\u{e9}\r\n", "", 400),
        (
            "1.1",
            "host: a\r\ntransfer-encoding: gzip, chunked\r\n",
            chunked,
            501,
        ),
        (
            "1.1",
            "host: a\r\ntransfer-encoding: chunked, chunked\r\n",
            chunked,
            501,
        ),
        (
            "1.1",
            "host: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            chunked,
            501,
        ),
        (
            "1.1",
            "host: a\r\ntransfer-encoding: identity\r\ntransfer-encoding: chunked\r\n",
            chunked,
            501,
        ),
        (
            "1.1",
            "host: a\r\ntransfer-encoding: Chunked\r\n",
            chunked,
            200,
        ),
        ("1.1", "host: a-b_c.d:80\r\n", "", 200),
        ("1.1", "host: [::1]:3000\r\n", "", 200),
        ("1.1", "host:\r\n", "", 200),
        ("1.1", "host: a:\r\n", "", 200),
        ("1.0", "", "", 200),
    ] {
        let request = format!(
            "GET /v1/me HTTP/{version}\r\n{headers}authorization: Bearer {}\r\n\
             connection: {}\r\n\r\n{body}",
            key.key.expose(),
            if expected == 200 {
                "close"
            } else {
                "keep-alive"
            },
        );
        let answer = served.send(request.into_bytes()).await;
        assert_eq!(wire::status(&answer), Some(expected), "{headers}: {answer}");
        if expected != 200 {
            assert!(answer.contains("\"code\":"), "{headers}: {answer}");
            assert!(answer.contains("connection: close"), "{headers}: {answer}");
        }
    }
    let admin = served.app.admin();
    let post = format!(
        "POST /v1/api-keys HTTP/1.1\r\nauthorization: Bearer {admin}\r\n\
         content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    let answer = served.send(post.into_bytes()).await;
    assert_eq!(wire::status(&answer), Some(400), "{answer}");
    assert!(answer.contains("malformed_request"), "{answer}");
}
