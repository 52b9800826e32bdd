use std::sync::Arc;

use ntro_base::Provider;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Notify, mpsc};

use crate::support::{
    Front, NTROPII_KEY, Upstream, answer, body, read_all, read_request, read_until, status,
};

fn masked() -> String {
    "*".repeat(NTROPII_KEY.len())
}

#[tokio::test]
async fn echoed_key_is_masked() {
    // Repeats the headers and the body of each request.
    let upstream = Upstream::start(|seen| {
        let credential = seen.header("authorization").unwrap();
        let encoded: String = credential
            .bytes()
            .map(|byte| format!("%{byte:02x}"))
            .collect();
        let escaped: String = credential
            .bytes()
            .map(|byte| format!("\\u{byte:04x}"))
            .collect();
        let echo = format!("x-echo: {credential}");
        let body = format!("{credential}|{encoded}|{escaped}|{NTROPII_KEY}{NTROPII_KEY}");
        answer(
            "200 OK",
            &[&echo, &format!("location: /?key={NTROPII_KEY}")],
            &body,
        )
    })
    .await;
    let mut front = Front::start(Provider::Ntropii, upstream.address).await;
    let answer = front.get("/v1/echo").await;
    let mask = masked();
    assert!(
        answer.contains(&format!("x-echo: Bearer {mask}\r\n")),
        "{answer}"
    );
    assert!(answer.contains(&format!("location: /?key={mask}\r\n")));
    let stars = |each: usize| "*".repeat(each * NTROPII_KEY.len());
    let encoded: String = "Bearer "
        .bytes()
        .map(|byte| format!("%{byte:02x}"))
        .collect();
    let escaped: String = "Bearer "
        .bytes()
        .map(|byte| format!("\\u{byte:04x}"))
        .collect();
    let expected = format!(
        "Bearer {mask}|{encoded}{}|{escaped}{}|{}",
        stars(3),
        stars(6),
        stars(2)
    );
    assert_eq!(body(&answer), expected);
    assert!(answer.contains(&format!("content-length: {}\r\n", expected.len())));
    front.stop().await;
    assert!(
        !std::fs::read_to_string(front.log_path())
            .unwrap()
            .contains(NTROPII_KEY)
    );
}

#[tokio::test]
async fn split_key_is_masked() {
    // Each part is sent after the one before has arrived, so none is held back for long.
    let (send, receive) = mpsc::unbounded_channel::<String>();
    let receive = Arc::new(tokio::sync::Mutex::new(receive));
    let upstream = Upstream::raw(move |mut stream| {
        let receive = Arc::clone(&receive);
        async move {
            read_request(&mut stream).await.unwrap();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
                        transfer-encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut receive = receive.lock().await;
            while let Some(part) = receive.recv().await {
                let chunk = format!("{:x}\r\n{part}\r\n", part.len());
                stream.write_all(chunk.as_bytes()).await.unwrap();
            }
            stream.write_all(b"0\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let front = Front::start(Provider::Ntropii, upstream.address).await;
    let mut stream = front.connect().await;
    let request = format!("GET /v1/events HTTP/1.1\r\n{}\r\n", front.lines());
    stream.write_all(request.as_bytes()).await.unwrap();

    send.send("data: one\n\n".to_owned()).unwrap();
    read_until(&mut stream, "data: one\n\n").await;
    let (first, second) = NTROPII_KEY.split_at(20);
    send.send(format!("data: {first}")).unwrap();
    read_until(&mut stream, "data: ").await;
    send.send(format!("{second}\n\n")).unwrap();
    let text = read_until(&mut stream, "\n\n").await;
    assert!(text.contains(&masked()), "{text}");
    // The beginning of a key that another event follows is no key, and arrives with it.
    send.send(format!("data: {first}\n\n")).unwrap();
    read_until(&mut stream, &format!("{first}\n\n")).await;
    send.send("data: last".to_owned()).unwrap();
    read_until(&mut stream, "data: last").await;
    drop(send);
    assert!(read_all(&mut stream).await.ends_with("0\r\n\r\n"));
}

#[tokio::test]
async fn held_back_bytes_come_at_end() {
    let upstream = Upstream::start(|_| answer("200 OK", &[], &NTROPII_KEY[..30])).await;
    let front = Front::start(Provider::Ntropii, upstream.address).await;
    assert_eq!(body(&front.get("/v1/x").await), &NTROPII_KEY[..30]);
}

#[tokio::test]
async fn compressed_answer_is_refused() {
    let upstream = Upstream::start(|seen| {
        assert_eq!(seen.header("accept-encoding"), Some("identity"));
        answer("200 OK", &["content-encoding: gzip"], "\u{1f}")
    })
    .await;
    let mut front = Front::start(Provider::Ntropii, upstream.address).await;
    let request = format!(
        "GET /v1/x HTTP/1.1\r\n{}Accept-Encoding: gzip\r\n\r\n",
        front.lines()
    );
    let answer = front.send(request).await;
    assert_eq!(status(&answer), 502);
    assert!(body(&answer).contains("compresses its answer"), "{answer}");
    front.stop().await;
    let entry = &front.log().entries().unwrap()[0];
    assert_eq!(entry.reason.as_deref(), Some("compressed_answer"));
}

#[tokio::test]
async fn events_are_not_delayed() {
    const EVENTS: u32 = 20;

    // Each event is sent after the one before has arrived.
    let arrived = Arc::new(Notify::new());
    let awaited = Arc::clone(&arrived);
    let upstream = Upstream::raw(move |mut stream| {
        let awaited = Arc::clone(&awaited);
        async move {
            read_request(&mut stream).await.unwrap();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            for number in 0..EVENTS {
                let event = format!("data: {number}n\n\n");
                stream.write_all(event.as_bytes()).await.unwrap();
                awaited.notified().await;
            }
        }
    })
    .await;
    let front = Front::start(Provider::Ntropii, upstream.address).await;
    let mut stream = front.connect().await;
    let request = format!("GET /v1/events HTTP/1.1\r\n{}\r\n", front.lines());
    stream.write_all(request.as_bytes()).await.unwrap();
    for number in 0..EVENTS {
        read_until(&mut stream, &format!("data: {number}n\n\n")).await;
        arrived.notify_one();
    }
}
