use std::sync::Arc;
use std::time::Duration;

use ntro_base::Provider;
use ntro_client::proxy::Error;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Notify, oneshot};

use crate::support::{
    Front, NTROPII_KEY, TIMEOUT, Upstream, answer, body, key_of, proxy, read_all, read_request,
    read_until, status,
};

#[tokio::test]
async fn token_is_replaced_by_key() {
    for provider in Provider::ALL {
        let upstream = Upstream::start(|_| answer("200 OK", &["x-own: 1"], "{}")).await;
        let front = Front::start(provider, upstream.address).await;
        let other = match provider {
            Provider::Ntropii => "X-API-Key: other",
            Provider::Ontora => "Authorization: Bearer other",
        };
        let answer = front
            .send(format!(
                "GET /v1/me?a=%2F..//&b HTTP/1.1\r\n{}{other}\r\nCookie: a=b\r\n\
                 Proxy-Authorization: Basic x\r\nAccept-Encoding: gzip, br\r\nX-Custom: {}\r\n\
                 Accept: text/*\r\nUser-Agent: child\r\n\r\n",
                front.lines(),
                front.token
            ))
            .await;
        assert_eq!((status(&answer), body(&answer)), (200, "{}"));
        assert!(answer.contains("x-own: 1"));
        let seen = upstream.only();
        assert_eq!(seen.line, "GET /v1/me?a=%2F..//&b HTTP/1.1");
        let (name, value, absent) = match provider {
            Provider::Ntropii => (
                "authorization",
                format!("Bearer {NTROPII_KEY}"),
                "x-api-key",
            ),
            Provider::Ontora => ("x-api-key", key_of(provider).to_owned(), "authorization"),
        };
        assert_eq!(seen.header(name), Some(value.as_str()));
        for absent in [absent, "cookie", "proxy-authorization"] {
            assert_eq!(seen.header(absent), None, "{absent}");
        }
        assert_eq!(seen.header("accept-encoding"), Some("identity"));
        assert_eq!(seen.header("accept"), Some("text/*"));
        assert_eq!(seen.header("user-agent"), Some("child"));
        assert_eq!(
            seen.header("host"),
            Some(upstream.address.to_string().as_str())
        );
        assert_eq!(
            seen.header("x-custom"),
            Some("*".repeat(front.token.len()).as_str())
        );
        assert!(!seen.holds(&front.token));
    }
}

#[tokio::test]
async fn redirect_is_passed_on() {
    let upstream = Upstream::start(|_| {
        answer(
            "307 Temporary Redirect",
            &["location: https://other.example/x"],
            "",
        )
    })
    .await;
    let front = Front::start(Provider::Ntropii, upstream.address).await;
    let answer = front.get("/v1/me").await;
    assert_eq!(status(&answer), 307);
    assert!(answer.contains("location: https://other.example/x\r\n"));
    upstream.only();
}

#[tokio::test]
async fn cookies_and_connection_headers_are_dropped() {
    let upstream = Upstream::start(|_| {
        let headers = [
            "set-cookie: session=1",
            "connection: x-hop",
            "x-hop: 1",
            "keep-alive: timeout=5",
            "alt-svc: h3=\":443\"",
            "www-authenticate: Bearer",
        ];
        answer("200 OK", &headers, "x")
    })
    .await;
    let front = Front::start(Provider::Ntropii, upstream.address).await;
    let answer = front.get("/v1/me").await;
    for dropped in ["set-cookie", "x-hop", "keep-alive", "alt-svc"] {
        assert!(!answer.contains(dropped), "{answer}");
    }
    assert!(answer.contains("www-authenticate: Bearer"));
}

#[tokio::test]
async fn answers_without_body_keep_their_headers() {
    let upstream = Upstream::start(|seen| match seen.line.split(' ').next() {
        Some("HEAD") => {
            b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\ncontent-encoding: gzip\r\n\r\n".to_vec()
        }
        Some("GET") => b"HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\n\r\n".to_vec(),
        _ => b"HTTP/1.1 204 No Content\r\nx-own: 1\r\n\r\n".to_vec(),
    })
    .await;
    let front = Front::start(Provider::Ntropii, upstream.address).await;
    let send = async |method: &str| {
        front
            .send(format!("{method} /v1/me HTTP/1.1\r\n{}\r\n", front.lines()))
            .await
    };
    let head = send("HEAD").await;
    assert_eq!((status(&head), body(&head)), (200, ""));
    assert!(head.contains("content-length: 7\r\n"), "{head}");
    let unchanged = send("GET").await;
    assert_eq!((status(&unchanged), body(&unchanged)), (304, ""));
    assert!(unchanged.contains("etag: \"x\""));
    let deleted = send("DELETE").await;
    assert_eq!((status(&deleted), body(&deleted)), (204, ""));
    assert!(deleted.contains("x-own: 1"));
}

#[tokio::test]
async fn request_bodies_arrive() {
    let upstream =
        Upstream::start(|seen| answer("200 OK", &[], &seen.body.len().to_string())).await;
    let front = Front::start(Provider::Ontora, upstream.address).await;
    let lines = front.lines();
    let large = "x".repeat(200_000);
    let token = front.token.clone();
    for (head, sent, received) in [
        ("content-length: 5", "hello".to_owned(), "hello".to_owned()),
        ("content-length: 200000", large.clone(), large.clone()),
        (
            "transfer-encoding: chunked",
            format!("5\r\nhello\r\n{:x}\r\n{large}\r\n0\r\n\r\n", large.len()),
            format!("hello{large}"),
        ),
        ("content-length: 0", String::new(), String::new()),
        // A token in the body is masked.
        (
            "transfer-encoding: chunked",
            format!(
                "2\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
                &token[..2],
                token.len() - 2,
                &token[2..]
            ),
            "*".repeat(token.len()),
        ),
    ] {
        let answer = front
            .send(format!("POST /x HTTP/1.1\r\n{lines}{head}\r\n\r\n{sent}"))
            .await;
        assert_eq!(
            (status(&answer), body(&answer)),
            (200, &*received.len().to_string())
        );
        let seen = upstream.seen().pop().unwrap();
        assert_eq!(String::from_utf8(seen.body.clone()).unwrap(), received);
        let length = seen.header("content-length").is_some();
        assert_eq!(
            length,
            head.starts_with("content-length"),
            "{:?}",
            seen.headers
        );
    }
}

#[tokio::test]
async fn body_waits_for_continue() {
    let upstream =
        Upstream::start(|seen| answer("200 OK", &[], &seen.body.len().to_string())).await;
    let front = Front::start(Provider::Ntropii, upstream.address).await;
    let mut stream = front.connect().await;
    let head = format!(
        "POST /v1/x HTTP/1.1\r\n{}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        front.lines()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    read_until(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
    stream.write_all(b"hello").await.unwrap();
    let answer = read_all(&mut stream).await;
    assert_eq!((status(&answer), body(&answer)), (200, "5"));
    assert_eq!(upstream.only().header("expect"), None);
}

#[tokio::test]
async fn connections_are_kept() {
    let (count, mut counted) = tokio::sync::mpsc::unbounded_channel();
    let upstream = Upstream::raw(move |mut stream| {
        let count = count.clone();
        async move {
            count.send(()).unwrap();
            while read_request(&mut stream).await.is_some() {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                stream.write_all(answer).await.unwrap();
            }
        }
    })
    .await;
    let front = Front::start(Provider::Ntropii, upstream.address).await;
    let mut stream = front.connect().await;
    let lines = front.lines().replace("Connection: close\r\n", "");
    for _ in 0..3 {
        let request = format!("GET /v1/me HTTP/1.1\r\n{lines}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        read_until(&mut stream, "\r\n\r\nok").await;
    }
    counted.recv().await.unwrap();
    assert!(
        counted.try_recv().is_err(),
        "a second connection was opened"
    );
}

#[tokio::test]
async fn closed_connection_is_replaced() {
    // Closes each connection after an answer, without a word.
    let upstream =
        Upstream::start(|_| b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec()).await;
    let front = Front::start(Provider::Ntropii, upstream.address).await;
    for _ in 0..3 {
        let answer = front.get("/v1/me").await;
        assert_eq!((status(&answer), body(&answer)), (200, "ok"));
    }
    assert_eq!(upstream.seen().len(), 3);
}

#[tokio::test]
async fn failures_of_server_are_reported() {
    // Nothing listens on the port of a listener that was dropped.
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let front = Front::start(Provider::Ntropii, closed).await;
    let answer = front.get("/v1/me").await;
    assert_eq!(status(&answer), 502);
    assert!(answer.contains("x-ntro-proxy: upstream_unreachable"));
    assert!(body(&answer).contains("\"statusCode\":502"), "{answer}");

    let upstream = Upstream::start(|_| Vec::new()).await;
    let front = Front::start(Provider::Ontora, upstream.address).await;
    let answer = front.get("/v1/me").await;
    assert_eq!(status(&answer), 502);
    assert!(
        body(&answer).contains("\"code\":\"upstream_broke_off\""),
        "{answer}"
    );

    let upstream = Upstream::start(|_| {
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n".to_vec()
    })
    .await;
    let mut front = Front::start(Provider::Ontora, upstream.address).await;
    let answer = front.get("/v1/me").await;
    assert!(answer.contains("half"), "{answer}");
    assert!(
        !answer.ends_with("0\r\n\r\n"),
        "the child must see that it broke off"
    );
    front.stop().await;
    let entry = &front.log().entries().unwrap()[0];
    assert_eq!(entry.reason.as_deref(), Some("upstream_broke_off"));
}

#[tokio::test]
async fn call_ends_when_child_leaves() {
    let (left, has_left) = oneshot::channel();
    let left = std::sync::Mutex::new(Some(left));
    let arrived = Arc::new(Notify::new());
    let arrives = Arc::clone(&arrived);
    let upstream = Upstream::raw(move |mut stream| {
        let left = left.lock().unwrap().take();
        let arrives = Arc::clone(&arrives);
        async move {
            read_request(&mut stream).await.unwrap();
            arrives.notify_one();
            // No answer: waits until the proxy closes the connection.
            assert!(read_request(&mut stream).await.is_none());
            left.unwrap().send(()).unwrap();
        }
    })
    .await;
    let mut front = Front::start(Provider::Ntropii, upstream.address).await;
    let mut stream = front.connect().await;
    let request = format!("GET /v1/me HTTP/1.1\r\n{}\r\n", front.lines());
    stream.write_all(request.as_bytes()).await.unwrap();
    arrived.notified().await;
    drop(stream);
    tokio::time::timeout(std::time::Duration::from_secs(10), has_left)
        .await
        .unwrap()
        .unwrap();
    front.stop().await;
    let entry = &front.log().entries().unwrap()[0];
    assert_eq!(
        (entry.status, entry.reason.as_deref()),
        (None, Some("client_left"))
    );
}

#[tokio::test]
async fn check_proves_key() {
    let upstream = Upstream::start(|seen| match seen.header("x-api-key") {
        Some(key) if key == key_of(Provider::Ontora) => answer("200 OK", &[], "{}"),
        _ => answer(
            "401 Unauthorized",
            &[],
            r#"{"detail":"no\u001b such key","code":"x"}"#,
        ),
    })
    .await;
    let origin = format!("http://{}", upstream.address);
    // No rule applies to the check.
    let deny = |settings: &mut ntro_client::proxy::Settings| {
        settings.rules.deny = vec!["* /*".parse().unwrap()];
    };
    let (proxy, _, _, keys, _folder) = proxy(Provider::Ontora, &origin, deny);
    proxy.check().await.unwrap();
    assert_eq!(upstream.only().line, "GET /v1/api-keys/current HTTP/1.1");
    drop(proxy);

    let (proxy, _, _, keys, _folder) = {
        drop(keys);
        crate::support::proxy(Provider::Ontora, &origin, |_| {})
    };
    keys.replace("ont_live_another");
    let error = proxy.check().await.unwrap_err();
    let Error::Check { status, message } = &error else {
        panic!("{error}")
    };
    assert_eq!((*status, message.as_str()), (401, "no<U+001B> such key"));
    assert!(!error.to_string().contains("another"));
}

#[tokio::test]
async fn check_times_out() {
    let upstream = Upstream::raw(async |mut stream| {
        read_request(&mut stream).await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let origin = format!("http://{}", upstream.address);
    let (proxy, ..) = proxy(Provider::Ontora, &origin, |settings| {
        settings.calls.total_timeout = Duration::from_millis(100);
    });
    let checked = tokio::time::timeout(TIMEOUT, proxy.check()).await;
    let error = checked.expect("the check ends").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("`{origin}` does not answer (HTTP 504)")
    );
}

#[cfg(unix)]
#[tokio::test]
async fn unix_socket_is_served() {
    use ntro_client::proxy::Listener;
    use tokio::io::AsyncReadExt as _;
    use tokio::net::{UnixListener, UnixStream};

    let upstream = Upstream::start(|_| answer("200 OK", &[], "ok")).await;
    let origin = format!("http://{}", upstream.address);
    let (proxy, token, _, _, folder) = proxy(Provider::Ntropii, &origin, |_| {});
    let path = folder.path().join("socket");
    let listener = Listener::Unix(UnixListener::bind(&path).unwrap());
    tokio::spawn(proxy.serve(listener, std::future::pending()));
    let mut stream = UnixStream::connect(&path).await.unwrap();
    let request = format!(
        "GET /v1/me HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!((status(&answer), body(&answer)), (200, "ok"));
}
