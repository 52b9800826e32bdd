use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ntro_base::Provider;
use ntro_client::proxy::Settings;

use crate::support::{Front, NTROPII_KEY, Upstream, answer, body, status};

const NEXT: &str = "ntro_prod_Zr4MxQ2bLwk9_Jf83nd72jfk38dhJKd8successor";

/// Starts a server that accepts the next key only.
async fn rotated() -> Upstream {
    Upstream::start(|seen| match seen.header("authorization") {
        Some(value) if value.ends_with(NEXT) => answer(
            "200 OK",
            &[],
            &format!("{NEXT} {NTROPII_KEY} {}", seen.body.len()),
        ),
        _ => answer("401 Unauthorized", &[], "{\"message\":\"no\"}"),
    })
    .await
}

/// Looks at the store after each rejection.
fn without_pause(settings: &mut Settings) {
    settings.timeouts.reread = Duration::ZERO;
}

#[tokio::test]
async fn rotated_key_is_read_again() {
    let upstream = rotated().await;
    let front = Front::start_with(Provider::Ntropii, upstream.address, without_pause).await;
    front.keys.replace(NTROPII_KEY);
    // The key is read at the first call, and rotated afterwards.
    assert_eq!(status(&front.get("/v1/me").await), 401);
    assert_eq!(front.keys.rereads.load(Ordering::SeqCst), 1);
    front.keys.replace(NEXT);
    let request = format!(
        "POST /v1/x HTTP/1.1\r\n{}Content-Length: 5\r\n\r\nhello",
        front.lines()
    );
    let answer = front.send(request).await;
    assert_eq!(status(&answer), 200, "{answer}");
    // Both keys are masked.
    let stars = |key: &str| "*".repeat(key.len());
    assert_eq!(
        body(&answer),
        format!("{} {} 5", stars(NEXT), stars(NTROPII_KEY))
    );
    assert_eq!(front.keys.rereads.load(Ordering::SeqCst), 2);
    assert_eq!(upstream.seen().len(), 3);
    assert_eq!(status(&front.get("/v1/me").await), 200);
    assert_eq!(front.keys.reads.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn streamed_body_is_not_repeated() {
    let upstream = rotated().await;
    let front = Front::start_with(Provider::Ntropii, upstream.address, without_pause).await;
    // Makes the proxy read the key that is then replaced.
    let upload = |length: usize| {
        format!(
            "POST /v1/x HTTP/1.1\r\n{}Content-Length: {length}\r\n\r\n{}",
            front.lines(),
            "x".repeat(length)
        )
    };
    assert_eq!(status(&front.get("/v1/me").await), 401);
    front.keys.replace(NEXT);
    assert_eq!(status(&front.send(upload(100_000)).await), 401);
    // The next call uses the new key.
    assert_eq!(status(&front.send(upload(100_000)).await), 200);
    assert_eq!(upstream.seen().len(), 3);
}

#[tokio::test]
async fn rejected_key_is_looked_up_once() {
    let upstream = rotated().await;
    let front = Front::start(Provider::Ntropii, upstream.address).await;
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (port, lines) = (front.port, front.lines());
        all.spawn(async move {
            use tokio::io::AsyncWriteExt as _;
            let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .unwrap();
            let request = format!("GET /v1/me HTTP/1.1\r\n{lines}\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            crate::support::read_all(&mut stream).await
        });
    }
    while let Some(answer) = all.join_next().await {
        let answer = answer.unwrap();
        assert_eq!(status(&answer), 401);
        assert!(answer.contains("{\"message\":\"no\"}"));
    }
    assert_eq!(front.keys.rereads.load(Ordering::SeqCst), 1);
    assert_eq!(upstream.seen().len(), 20);
}

#[tokio::test]
async fn failing_store_is_asked_once() {
    let accepts = AtomicBool::new(true);
    let upstream = Upstream::start(move |_| match accepts.swap(false, Ordering::SeqCst) {
        true => answer("200 OK", &[], "{}"),
        false => answer("401 Unauthorized", &[], "{}"),
    })
    .await;
    let front = Front::start(Provider::Ntropii, upstream.address).await;
    assert_eq!(status(&front.get("/v1/me").await), 200);
    *front.keys.key.lock().unwrap() = Err("the keyring is locked".to_owned());
    for _ in 0..3 {
        assert_eq!(status(&front.get("/v1/me").await), 401);
    }
    assert_eq!(front.keys.rereads.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn missing_key_is_reported() {
    let upstream = rotated().await;
    let mut front = Front::start(Provider::Ntropii, upstream.address).await;
    *front.keys.key.lock().unwrap() = Err("the keyring is locked".to_owned());
    let answer = front.get("/v1/me").await;
    assert_eq!(status(&answer), 503);
    assert!(body(&answer).contains("the key cannot be read: the keyring is locked"));
    // The next call tries again.
    front.keys.replace(NEXT);
    assert_eq!(status(&front.get("/v1/me").await), 200);
    front.stop().await;
    let entries = front.log().entries().unwrap();
    assert_eq!(entries[0].reason.as_deref(), Some("key_unavailable"));
    assert_eq!(upstream.seen().len(), 1);
}
