//! Requests that must not reach the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ntro_base::Provider;
use ntro_client::proxy::{Proxy, Rules};
use tokio::io::AsyncWriteExt as _;

use crate::support::{
    Front, Upstream, answer, body, credential, key_of, read_all, read_until, settings, status,
    token,
};

async fn stage() -> (Upstream, Front) {
    let upstream = Upstream::start(|_| answer("200 OK", &[], "reached")).await;
    let front = Front::start(Provider::Ntropii, upstream.address).await;
    (upstream, front)
}

#[tokio::test]
async fn other_credentials_are_refused() {
    for provider in Provider::ALL {
        let upstream = Upstream::start(|_| answer("200 OK", &[], "reached")).await;
        let front = Front::start(provider, upstream.address).await;
        let other = Front::start(provider, upstream.address).await;
        let own = front.credential();
        let (name, _) = own.split_once(':').unwrap();
        for lines in [
            String::new(),
            credential(provider, &token(provider)),
            credential(provider, &other.token),
            credential(provider, &front.token[..front.token.len() - 1]),
            credential(provider, &format!("{}0", front.token)),
            credential(provider, key_of(provider)),
            format!("{name}: "),
            format!("{name}: Basic {}", front.token),
            format!("{own}\r\n{own}"),
            // The header of the other provider.
            credential(
                if provider == Provider::Ntropii {
                    Provider::Ontora
                } else {
                    Provider::Ntropii
                },
                &front.token,
            ),
            format!("Cookie: token={}", front.token),
            format!("Proxy-Authorization: Bearer {}", front.token),
        ] {
            let answer = front
                .send(format!(
                    "GET /v1/me HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n{lines}\r\n\r\n",
                    front.port
                ))
                .await;
            let answer = if lines.is_empty() {
                // An empty line more would be a second request.
                front
                    .send(format!(
                        "GET /v1/me HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
                        front.port
                    ))
                    .await
            } else {
                answer
            };
            assert_eq!(status(&answer), 401, "{lines}: {answer}");
            let shape = match provider {
                Provider::Ntropii => "\"statusCode\":401",
                Provider::Ontora => "\"code\":\"invalid_api_key\"",
            };
            assert!(body(&answer).contains(shape), "{answer}");
            assert!(!answer.contains(&front.token));
        }
        // Each of several children has its own token.
        let both = credential(provider, &front.other_token);
        let answer = front
            .send(format!(
                "GET /v1/me HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n{both}\r\n\r\n",
                front.port
            ))
            .await;
        assert_eq!(status(&answer), 200);
        assert_eq!(upstream.seen().len(), 1);
    }
}

#[tokio::test]
async fn foreign_origins_and_hosts_are_refused() {
    let (upstream, front) = stage().await;
    let (port, own) = (front.port, front.credential());
    let host = format!("Host: 127.0.0.1:{port}");
    for (lines, expected) in [
        (format!("{host}\r\nOrigin: https://evil.example"), 403),
        (format!("{host}\r\nOrigin: null"), 403),
        (format!("{host}\r\nOrigin: http://127.0.0.1:{port}"), 403),
        (format!("{host}\r\nSec-Fetch-Site: cross-site"), 403),
        (format!("{host}\r\nSec-Fetch-Site: none"), 403),
        (format!("Host: evil.example:{port}"), 403),
        (format!("Host: 127.0.0.1.nip.io:{port}"), 403),
        ("Host: 127.0.0.1".to_owned(), 403),
        (format!("Host: 127.0.0.1:{}", port ^ 1), 403),
        (format!("Host: 127.0.0.1:{port}:80"), 403),
        (format!("Host: [::1]:{port}"), 403),
        (format!("Host: user@127.0.0.1:{port}"), 403),
        (format!("Host: 127.0.0.1:{port}, evil.example"), 403),
        ("Host: ".to_owned(), 403),
        (format!("{host}\r\n{host}"), 400),
        (format!("{host}\r\nHost: evil.example"), 400),
        ("X-None: 1".to_owned(), 400),
    ] {
        for method in ["GET", "OPTIONS"] {
            let request = format!(
                "{method} /v1/me HTTP/1.1\r\n{lines}\r\n{own}\r\nConnection: close\r\n\r\n"
            );
            let answer = front.send(request).await;
            assert_eq!(status(&answer), expected, "{lines}: {answer}");
        }
    }
    assert!(upstream.seen().is_empty());
    for host in [format!("LOCALHOST:{port}"), format!("127.0.0.1:{port}")] {
        let request =
            format!("GET /v1/me HTTP/1.1\r\nHost: {host}\r\n{own}\r\nConnection: close\r\n\r\n");
        assert_eq!(status(&front.send(request).await), 200, "{host}");
    }
}

#[tokio::test]
async fn other_targets_are_refused() {
    let (upstream, front) = stage().await;
    let own = format!("127.0.0.1:{}", front.port);
    for (line, expected) in [
        ("GET http://evil.example/v1/me HTTP/1.1".to_owned(), 400),
        (format!("GET http://{own}/v1/me HTTP/1.1"), 400),
        (
            format!("GET http://{}/v1/me HTTP/1.1", upstream.address),
            400,
        ),
        ("GET file:///etc/passwd HTTP/1.1".to_owned(), 400),
        ("CONNECT evil.example:443 HTTP/1.1".to_owned(), 405),
        (format!("CONNECT {} HTTP/1.1", upstream.address), 405),
        ("OPTIONS * HTTP/1.1".to_owned(), 400),
        ("GET * HTTP/1.1".to_owned(), 400),
        ("GET evil.example:443 HTTP/1.1".to_owned(), 400),
        ("TRACE /v1/me HTTP/1.1".to_owned(), 405),
    ] {
        let answer = front.send(format!("{line}\r\n{}\r\n", front.lines())).await;
        assert_eq!(status(&answer), expected, "{line}: {answer}");
    }
    assert!(upstream.seen().is_empty());
}

/// However a request names another server of this machine, only the one upstream is called.
#[tokio::test]
async fn other_loopback_ports_are_not_called() {
    let called = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&called);
    let other = Upstream::raw(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        async {}
    })
    .await;
    let address = other.address;
    // The server itself sends the child there.
    let upstream = Upstream::start(move |_| {
        let location = format!("location: http://{address}/v1/me");
        answer("302 Found", &[&location, "refresh: 0"], "reached")
    })
    .await;
    let front = Front::start(Provider::Ntropii, upstream.address).await;
    let (own, token) = (front.lines(), front.credential());
    for (head, expected) in [
        (format!("GET http://{address}/v1/me HTTP/1.1\r\n{own}"), 400),
        (format!("GET http:/{address}/v1/me HTTP/1.1\r\n{own}"), 400),
        (format!("GET //{address}/v1/me HTTP/1.1\r\n{own}"), 400),
        (format!("GET @{address}/v1/me HTTP/1.1\r\n{own}"), 400),
        (format!("GET /@{address}/v1/me HTTP/1.1\r\n{own}"), 403),
        (format!("GET /v1/../..//{address}/ HTTP/1.1\r\n{own}"), 400),
        (format!("GET {address} HTTP/1.1\r\n{own}"), 400),
        (format!("CONNECT {address} HTTP/1.1\r\n{own}"), 405),
        (
            format!("GET /v1/me HTTP/1.1\r\nHost: {address}\r\n{token}\r\nConnection: close\r\n"),
            403,
        ),
        (
            format!("GET /v1/me HTTP/1.1\r\n{own}X-Forwarded-Host: {address}\r\n"),
            302,
        ),
        (
            format!("GET /v1/me HTTP/1.1\r\n{own}Forwarded: host={address}\r\n"),
            302,
        ),
        (
            format!("GET /v1/me HTTP/1.1\r\n{own}Proxy-Connection: keep-alive\r\n"),
            302,
        ),
        (
            format!("GET /v1/me?url=http://{address}/ HTTP/1.1\r\n{own}"),
            302,
        ),
    ] {
        let answer = front.send(format!("{head}\r\n")).await;
        assert_eq!(status(&answer), expected, "{head}: {answer}");
    }
    let upgrade = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n";
    let request = format!(
        "GET /v1/me HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{token}\r\n{upgrade}\r\n",
        front.port
    );
    let mut stream = front.connect().await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = read_until(&mut stream, "reached").await;
    assert_eq!(status(&answer), 302);
    assert_eq!(called.load(Ordering::SeqCst), 0);
    let seen = upstream.seen();
    assert_eq!(seen.len(), 5);
    let host = upstream.address.to_string();
    for seen in seen {
        assert_eq!(seen.header("host"), Some(host.as_str()));
        assert_eq!(seen.header("upgrade"), None);
    }
}

/// A connection header names what the next server must not get: not the credential.
#[tokio::test]
async fn named_headers_cannot_drop_credential() {
    for provider in Provider::ALL {
        let upstream = Upstream::start(|_| answer("200 OK", &[], "reached")).await;
        let front = Front::start(provider, upstream.address).await;
        for named in [
            "authorization, x-api-key",
            "Authorization",
            "X-API-KEY",
            "host",
            "host, content-length, accept-encoding",
        ] {
            let request = format!(
                "POST /v1/x HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{}\r\nConnection: close\r\n\
                 Connection: {named}\r\nContent-Length: 4\r\n\r\nbody",
                front.port,
                front.credential()
            );
            assert_eq!(status(&front.send(request).await), 200, "{named}");
        }
        let host = upstream.address.to_string();
        for seen in upstream.seen() {
            let value = seen.header(match provider {
                Provider::Ntropii => "authorization",
                Provider::Ontora => "x-api-key",
            });
            assert!(value.unwrap().ends_with(key_of(provider)), "{seen:?}");
            assert_eq!(seen.header("host"), Some(host.as_str()));
            assert_eq!(seen.header("accept-encoding"), Some("identity"));
            assert_eq!(seen.body, b"body");
        }
    }
}

#[tokio::test]
async fn smuggling_shapes_are_refused() {
    let (upstream, front) = stage().await;
    let inner = format!("GET /v1/inner HTTP/1.1\r\n{}\r\n", front.lines());
    let chunked = "Transfer-Encoding: chunked";
    for (lines, rest) in [
        (format!("Content-Length: 5\r\n{chunked}"), "0\r\n\r\n"),
        (format!("{chunked}\r\nContent-Length: 5"), "0\r\n\r\n"),
        (format!("{chunked}\r\n{chunked}"), "0\r\n\r\n"),
        (
            "Transfer-Encoding: chunked, chunked".to_owned(),
            "0\r\n\r\n",
        ),
        (
            "Transfer-Encoding: chunked, identity".to_owned(),
            "0\r\n\r\n",
        ),
        ("Transfer-Encoding: identity".to_owned(), ""),
        ("Transfer-Encoding:\u{b}chunked".to_owned(), "0\r\n\r\n"),
        ("Transfer-Encoding : chunked".to_owned(), "0\r\n\r\n"),
        (
            "X: y\r\n Transfer-Encoding: chunked".to_owned(),
            "0\r\n\r\n",
        ),
        ("X: y\n Transfer-Encoding: chunked".to_owned(), "0\r\n\r\n"),
        ("Content-Length: 0\r\nContent-Length: 5".to_owned(), "12345"),
        ("Content-Length: 5\r\nContent-Length: 5".to_owned(), "12345"),
        ("Content-Length: 5, 5".to_owned(), "12345"),
        ("Content-Length: +5".to_owned(), "12345"),
        ("Content-Length: 0x5".to_owned(), "12345"),
        ("Content-Length: -1".to_owned(), ""),
        (chunked.to_owned(), "5;a=\n\r\n12345\r\n0\r\n\r\n"),
        (chunked.to_owned(), "5\n12345\r\n0\r\n\r\n"),
        (chunked.to_owned(), "0x5\r\n12345\r\n0\r\n\r\n"),
        (
            chunked.to_owned(),
            "fffffffffffffffff\r\n12345\r\n0\r\n\r\n",
        ),
        ("X: a\rb".to_owned(), ""),
        ("X: a\0b".to_owned(), ""),
        ("X: a\nX-Injected: 1".to_owned(), ""),
        ("X a: b".to_owned(), ""),
        ("no colon".to_owned(), ""),
    ] {
        let answer = front
            .send(format!(
                "POST /v1/x HTTP/1.1\r\n{}{lines}\r\n\r\n{rest}{inner}",
                front.lines()
            ))
            .await;
        // A body may be refused after the head.
        assert!(matches!(status(&answer), 400 | 501), "{lines:?}: {answer}");
        assert!(!answer.contains("reached"), "{lines:?}: {answer}");
    }
    for head in [
        format!("GET /v1/me HTTP/1.1\n{}\r\n", front.lines()),
        format!("\r\nGET /v1/me HTTP/1.1\r\n{}\r\n", front.lines()),
        format!(
            "GET /v1/me HTTP/1.0\r\n{}{chunked}\r\n\r\n0\r\n\r\n",
            front.lines()
        ),
        format!("GET  /v1/me HTTP/1.1\r\n{}\r\n", front.lines()),
        format!("GET /v1/me\r\n{}\r\n", front.lines()),
        format!("GET /v1/me HTTP/2.0\r\n{}\r\n", front.lines()),
        format!("GET /v1/me\r\nX: y HTTP/1.1\r\n{}\r\n", front.lines()),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
    ] {
        let answer = front.send(&head).await;
        assert!(
            answer.is_empty() || status(&answer) == 400,
            "{head:?}: {answer}"
        );
    }
    assert!(
        upstream
            .seen()
            .iter()
            .all(|seen| !seen.line.contains("inner"))
    );
    let whole = upstream
        .seen()
        .iter()
        .filter(|seen| !seen.body.is_empty())
        .count();
    assert_eq!(whole, 0);
}

#[tokio::test]
async fn injected_encodings_stay_encoded() {
    let (upstream, front) = stage().await;
    let answer = front.get("/v1/me?a=%0d%0aX-Injected:%201").await;
    assert_eq!(status(&answer), 200);
    assert_eq!(
        upstream.only().line,
        "GET /v1/me?a=%0d%0aX-Injected:%201 HTTP/1.1"
    );
    assert_eq!(upstream.only().header("x-injected"), None);
}

#[tokio::test]
async fn oversize_heads_are_refused() {
    let (upstream, front) = stage().await;
    for lines in [
        format!("X-Large: {}\r\n", "x".repeat(40_000)),
        "X-Many: 1\r\n".repeat(200),
    ] {
        let answer = front
            .send(format!(
                "GET /v1/me HTTP/1.1\r\n{}{lines}\r\n",
                front.lines()
            ))
            .await;
        assert_eq!(status(&answer), 431, "{answer}");
    }
    let path = "x".repeat(70_000);
    let answer = front.get(&format!("/v1/{path}")).await;
    assert!(matches!(status(&answer), 414 | 431), "{answer}");
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn ambiguous_paths_are_refused() {
    let upstream = Upstream::start(|_| answer("200 OK", &[], "reached")).await;
    let front = Front::start_with(Provider::Ntropii, upstream.address, |settings| {
        settings.rules.deny = vec!["* /v1/admin*".parse().unwrap()];
    })
    .await;
    for (path, expected) in [
        ("/v1/%2e%2e/admin", 400),
        ("/v1/x/../admin", 400),
        ("/v1/./admin", 400),
        ("/v1//admin", 400),
        ("//v1/admin", 400),
        ("/v1/x%2f..%2fadmin", 400),
        ("/v1/x%5c..%5cadmin", 400),
        ("/v1\\admin", 400),
        ("/v1/admin%00", 400),
        ("/v1/x;/admin", 400),
        ("/v1/..;/admin", 400),
        ("/v1/x%3b/admin", 400),
        ("/v1/%2561dmin", 400),
        ("/v1/%zz", 400),
        ("/v1/ad%6din", 403),
        ("/v1/admin/", 403),
        ("/v1/admin?x=/v1/me", 403),
        ("/me", 403),
        ("/", 403),
        ("/v2/me", 403),
        ("/v10/me", 403),
        ("/V1/me", 403),
    ] {
        let answer = front.get(path).await;
        assert_eq!(status(&answer), expected, "{path}: {answer}");
    }
    assert!(upstream.seen().is_empty());
    assert_eq!(status(&front.get("/v1/%6De").await), 200);
    assert_eq!(upstream.only().line, "GET /v1/me HTTP/1.1");
}

#[tokio::test]
async fn rules_bound_calls() {
    let upstream = Upstream::start(|_| answer("200 OK", &[], "reached")).await;
    let front = Front::start_with(Provider::Ontora, upstream.address, |settings| {
        settings.rules = Rules {
            read_only: false,
            allow: vec!["GET,POST /v1/interviews*".parse().unwrap()],
            deny: vec!["POST /*/start".parse().unwrap()],
            ask: Vec::new(),
        };
    })
    .await;
    for (method, path, expected, reason) in [
        ("GET", "/v1/interviews", 200, ""),
        ("POST", "/v1/interviews/7/stop", 200, ""),
        (
            "POST",
            "/v1/interviews/7/start",
            403,
            "`--deny 'POST /*/start'` refuses it",
        ),
        ("DELETE", "/v1/interviews", 403, "no `--allow` rule has it"),
        ("GET", "/v1/api-keys", 403, "no `--allow` rule has it"),
    ] {
        let answer = front
            .send(format!("{method} {path} HTTP/1.1\r\n{}\r\n", front.lines()))
            .await;
        assert_eq!(status(&answer), expected, "{method} {path}: {answer}");
        assert!(answer.contains(reason), "{answer}");
        if expected == 403 {
            assert!(answer.contains("\"code\":\"refused_by_rule\""), "{answer}");
        }
    }
    assert_eq!(upstream.seen().len(), 2);

    let front = Front::start_with(Provider::Ontora, upstream.address, |settings| {
        settings.rules.read_only = true;
    })
    .await;
    for line in ["X-HTTP-Method-Override: DELETE", "X-Original-URL: /admin"] {
        let answer = front
            .send(format!(
                "GET /v1/x HTTP/1.1\r\n{}{line}\r\n\r\n",
                front.lines()
            ))
            .await;
        assert_eq!(status(&answer), 200);
        let seen = upstream.seen().pop().unwrap();
        assert!(!seen.holds("DELETE") && !seen.holds("admin"), "{seen:?}");
    }
    let answer = front
        .send(format!("POST /v1/x HTTP/1.1\r\n{}\r\n", front.lines()))
        .await;
    assert_eq!(status(&answer), 403);
}

#[tokio::test]
async fn calls_for_keys_are_refused() {
    let (upstream, front) = stage().await;
    for (method, path, forwarded) in [
        ("POST", "/v1/api-keys/current/rotate", false),
        ("POST", "/v1/api-keys/current/children", false),
        ("POST", "/v1/api-keys/current/children/", false),
        ("POST", "/v1/api-keys/%63urrent/Children?x=1", false),
        ("GET", "/v1/api-keys/current", true),
        ("DELETE", "/v1/api-keys/current/children/k1", true),
    ] {
        let before = upstream.seen().len();
        let answer = front
            .send(format!("{method} {path} HTTP/1.1\r\n{}\r\n", front.lines()))
            .await;
        let is_forwarded = upstream.seen().len() > before;
        assert_eq!(is_forwarded, forwarded, "{method} {path}: {answer}");
        if !forwarded {
            assert_eq!(status(&answer), 403);
            assert!(
                answer.contains("x-ntro-proxy: answers_with_key"),
                "{answer}"
            );
        }
    }
}

#[tokio::test]
async fn token_in_url_is_refused() {
    let (upstream, front) = stage().await;
    for path in [
        format!("/v1/{}", front.token),
        format!("/v1/me?key={}", front.token),
    ] {
        let answer = front.get(&path).await;
        assert_eq!(status(&answer), 400);
        assert!(!answer.contains(&front.token));
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn slow_requests_time_out() {
    let upstream = Upstream::start(|_| answer("200 OK", &[], "reached")).await;
    let front = Front::start_with(Provider::Ntropii, upstream.address, |settings| {
        settings.timeouts.head = Duration::from_millis(300);
        settings.timeouts.body = Duration::from_millis(300);
    })
    .await;
    // The head arrives byte by byte.
    let mut stream = front.connect().await;
    for byte in b"GET /v1/me HTTP/1.1\r\n" {
        if stream.write_all(&[*byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert!(!read_all(&mut stream).await.contains("reached"));
    // The body stops, whether it is sent as it arrives or read before.
    for length in [10, 1_000_000] {
        let answer = front
            .send(format!(
                "POST /v1/x HTTP/1.1\r\n{}Content-Length: {length}\r\n\r\nhalf",
                front.lines()
            ))
            .await;
        assert_eq!(status(&answer), 408, "{length}: {answer}");
    }
    assert!(upstream.seen().is_empty());
}

/// Connections that send half a request and wait.
#[tokio::test]
async fn slow_requests_block_no_other() {
    let (upstream, front) = stage().await;
    let mut open = Vec::new();
    for number in 0..300 {
        let mut stream = front.connect().await;
        let half = match number % 3 {
            0 => "GET /v1/me HTTP/1.1\r\nHost: 127".to_owned(),
            1 => String::new(),
            _ => format!(
                "POST /v1/x HTTP/1.1\r\n{}Content-Length: 9\r\n\r\n1",
                front.lines()
            ),
        };
        stream.write_all(half.as_bytes()).await.unwrap();
        open.push(stream);
    }
    let answer = tokio::time::timeout(Duration::from_secs(5), front.get("/v1/me")).await;
    assert_eq!(status(&answer.unwrap()), 200);
    assert_eq!(upstream.only().line, "GET /v1/me HTTP/1.1");
}

#[tokio::test]
async fn silent_answers_have_no_limit() {
    let upstream = Upstream::raw(async |mut stream| {
        crate::support::read_request(&mut stream).await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n";
        stream.write_all(head).await.unwrap();
        tokio::time::sleep(Duration::from_millis(800)).await;
        stream.write_all(b"data: 2\n\n").await.unwrap();
    })
    .await;
    let front = Front::start_with(Provider::Ntropii, upstream.address, |settings| {
        settings.timeouts.head = Duration::from_millis(200);
        settings.timeouts.body = Duration::from_millis(200);
    })
    .await;
    let mut stream = front.connect().await;
    let request = format!("GET /v1/events HTTP/1.1\r\n{}\r\n", front.lines());
    stream.write_all(request.as_bytes()).await.unwrap();
    read_until(&mut stream, "data: 2").await;
}

#[tokio::test]
async fn unsafe_settings_are_refused() {
    let refusal = |host: &str, rule: &str, insecure_http| {
        let mut settings = settings(Provider::Ntropii, host);
        settings.insecure_http = insecure_http;
        settings.rules.deny = vec![rule.parse().unwrap()];
        Proxy::new(settings).err().map(|error| error.to_string())
    };
    assert_eq!(
        refusal("http://api.example", "GET /v1/x", false).as_deref(),
        Some("`http://api.example` is not encrypted and not on this machine")
    );
    assert_eq!(
        refusal("https://api.example", "GET /me", false).as_deref(),
        Some("the rule `GET /me` matches no call: all paths begin with `/v1`")
    );
    assert_eq!(refusal("http://api.example", "GET /v1/x", true), None);
    assert_eq!(refusal("https://api.example", "GET /v1/x", false), None);
}
