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

/// Returns what a program sees of a key that comes in two chunks, and in the data and in the JSON
/// strings of two events each.
async fn see_split_key(change: impl FnOnce(&Front)) -> [String; 3] {
    let upstream = Upstream::raw(|mut stream| async move {
        let seen = read_request(&mut stream).await.unwrap();
        assert_eq!(seen.header("accept-encoding"), Some("identity"));
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
                    transfer-encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let (first, second) = NTROPII_KEY.split_at(20);
        let (middle, last) = second.split_at(4);
        for part in [
            &format!("data: {first}"),
            &format!("{second}\n\n"),
            &format!("id: 1\ndata: {first}\n\n"),
            &format!("id: 2\ndata: {middle}"),
            &format!("{last}\n\n"),
            &format!("data: {{\"delta\":\"{first}\"}}\n\n"),
            ": ping\n\n",
            &format!("data: {{\"delta\":\"{middle}"),
            &format!("{last}\"}}\n\n"),
        ] {
            let chunk = format!("{:x}\r\n{part}\r\n", part.len());
            stream.write_all(chunk.as_bytes()).await.unwrap();
        }
        stream.write_all(b"0\r\n\r\n").await.unwrap();
    })
    .await;
    let front = Front::start(Provider::Ntropii, upstream.address).await;
    change(&front);
    let lines = front.lines();
    let request = format!("GET /v1/events HTTP/1.1\r\n{lines}Accept-Encoding: gzip\r\n\r\n");
    let answer = front.send(request).await;
    let text: String = body(&answer).split("\r\n").skip(1).step_by(2).collect();
    let data: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .collect();
    let delta = |data: &str| {
        let delta: serde_json::Value = serde_json::from_str(data).unwrap();
        delta["delta"].as_str().unwrap().to_owned()
    };
    [
        data[0].to_owned(),
        data[1..3].concat(),
        delta(data[3]) + &delta(data[4]),
    ]
}

#[tokio::test]
async fn key_split_over_events_is_masked() {
    let shown = format!(
        "{}{}",
        &NTROPII_KEY[..20],
        "*".repeat(NTROPII_KEY.len() - 20)
    );
    let seen = see_split_key(|_| {}).await;
    assert_eq!(seen, [masked(), shown.clone(), shown]);
}

#[tokio::test]
async fn split_key_is_seen_without_redaction() {
    // The proxy has another key, so nothing is redacted.
    let seen = see_split_key(|front| front.keys.replace("ntro_prod_another_key")).await;
    assert_eq!(seen, [NTROPII_KEY; 3]);
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
