use std::sync::Arc;
use std::time::Duration;

use ntro_base::Provider;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;

use crate::support::{Front, TIMEOUT, Upstream, read_request, read_until};

const CHUNK: usize = 64 << 10;
const TOTAL: usize = 16 << 20;

#[tokio::test]
async fn large_answers_pass() {
    for is_chunked in [true, false] {
        let upstream = Upstream::raw(move |mut stream| async move {
            read_request(&mut stream).await.unwrap();
            let framing = match is_chunked {
                true => "transfer-encoding: chunked".to_owned(),
                false => format!("content-length: {TOTAL}"),
            };
            let head = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let block = vec![b'n'; CHUNK];
            for _ in 0..TOTAL / CHUNK {
                if is_chunked {
                    stream
                        .write_all(format!("{CHUNK:x}\r\n").as_bytes())
                        .await
                        .unwrap();
                }
                stream.write_all(&block).await.unwrap();
                if is_chunked {
                    stream.write_all(b"\r\n").await.unwrap();
                }
            }
            if is_chunked {
                stream.write_all(b"0\r\n\r\n").await.unwrap();
            }
        })
        .await;
        let mut front = Front::start(Provider::Ontora, upstream.address).await;
        let mut stream = front.connect().await;
        let request = format!("GET /x HTTP/1.1\r\n{}\r\n", front.lines());
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut count = 0;
        let mut buffer = vec![0; CHUNK];
        loop {
            let read = stream.read(&mut buffer).await.unwrap();
            if read == 0 {
                break;
            }
            count += buffer[..read].iter().filter(|&&byte| byte == b'n').count();
        }
        // The head has some more.
        assert!((TOTAL..TOTAL + 100).contains(&count), "{count}");
        front.stop().await;
        assert_eq!(front.log().entries().unwrap()[0].received, TOTAL as u64);
    }
}

#[tokio::test]
async fn large_request_passes() {
    let upstream =
        Upstream::start(|seen| crate::support::answer("200 OK", &[], &seen.body.len().to_string()))
            .await;
    let mut front = Front::start(Provider::Ontora, upstream.address).await;
    let mut stream = front.connect().await;
    let head = format!(
        "PUT /x HTTP/1.1\r\n{}Transfer-Encoding: chunked\r\n\r\n",
        front.lines()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut chunk = format!("{CHUNK:x}\r\n").into_bytes();
    chunk.extend(vec![b'o'; CHUNK]);
    chunk.extend(b"\r\n");
    for _ in 0..TOTAL / CHUNK {
        stream.write_all(&chunk).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    read_until(&mut stream, &format!("\r\n\r\n{TOTAL}")).await;
    drop(stream);
    front.stop().await;
    assert_eq!(front.log().entries().unwrap()[0].sent, TOTAL as u64);
}

#[tokio::test]
async fn both_directions_stream_at_once() {
    // Answers each line of the request before the next one arrives.
    let upstream = Upstream::raw(async |mut stream| {
        let mut received = Vec::new();
        let mut buffer = [0; 1024];
        while !received.windows(4).any(|four| four == b"\r\n\r\n") {
            let read = stream.read(&mut buffer).await.unwrap();
            received.extend_from_slice(&buffer[..read]);
        }
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nready\r\n";
        stream.write_all(head).await.unwrap();
        loop {
            let read = stream.read(&mut buffer).await.unwrap();
            if read == 0 || buffer[..read].starts_with(b"0\r\n") {
                break;
            }
            stream.write_all(b"4\r\necho\r\n").await.unwrap();
        }
        stream.write_all(b"0\r\n\r\n").await.unwrap();
    })
    .await;
    let front = Front::start(Provider::Ntropii, upstream.address).await;
    let mut stream = front.connect().await;
    let head = format!(
        "POST /v1/x HTTP/1.1\r\n{}Transfer-Encoding: chunked\r\n\r\n",
        front.lines()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    read_until(&mut stream, "ready").await;
    for _ in 0..3 {
        stream.write_all(b"2\r\nhi\r\n").await.unwrap();
        read_until(&mut stream, "echo").await;
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    read_until(&mut stream, "0\r\n\r\n").await;
}

#[tokio::test]
async fn request_arrives_while_answer_is_unread() {
    let (ended, has_ended) = tokio::sync::oneshot::channel();
    let ended = std::sync::Mutex::new(Some(ended));
    let upstream = Upstream::raw(move |stream| {
        let ended = ended.lock().unwrap().take();
        async move {
            let (mut reads, mut writes) = stream.into_split();
            tokio::spawn(async move {
                let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n";
                writes.write_all(head).await.unwrap();
                // More than all buffers on the way hold.
                while writes.write_all(&[b'x'; CHUNK]).await.is_ok() {}
            });
            let (mut received, mut buffer) = (Vec::new(), [0; 1024]);
            while !received.ends_with(b"\r\n0\r\n\r\n") {
                let read = reads.read(&mut buffer).await.unwrap();
                received.extend_from_slice(&buffer[..read]);
            }
            ended.unwrap().send(()).unwrap();
        }
    })
    .await;
    let front = Front::start(Provider::Ntropii, upstream.address).await;
    let mut stream = front.connect().await;
    let head = format!(
        "POST /v1/x HTTP/1.1\r\n{}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
        front.lines()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let received = tokio::time::timeout(TIMEOUT, has_ended);
    received.await.unwrap().unwrap();
}

#[tokio::test]
async fn stream_ends_when_child_leaves() {
    let (left, has_left) = tokio::sync::oneshot::channel();
    let left = std::sync::Mutex::new(Some(left));
    let upstream = Upstream::raw(move |mut stream| {
        let left = left.lock().unwrap().take();
        async move {
            read_request(&mut stream).await.unwrap();
            let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n";
            stream.write_all(head).await.unwrap();
            // Silent until the proxy closes the connection.
            assert!(read_request(&mut stream).await.is_none());
            left.unwrap().send(()).unwrap();
        }
    })
    .await;
    let mut front = Front::start(Provider::Ntropii, upstream.address).await;
    let mut stream = front.connect().await;
    let request = format!("GET /v1/x HTTP/1.1\r\n{}\r\n", front.lines());
    stream.write_all(request.as_bytes()).await.unwrap();
    read_until(&mut stream, "data: 1").await;
    drop(stream);
    let closed = tokio::time::timeout(Duration::from_secs(10), has_left);
    closed.await.unwrap().unwrap();
    front.stop().await;
    let entry = &front.log().entries().unwrap()[0];
    assert_eq!(entry.status, Some(200));
    assert_eq!(entry.reason.as_deref(), Some("client_left"));
}

#[tokio::test]
async fn shutdown_drains_calls() {
    let (arrived, ends) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (arrives, ending) = (Arc::clone(&arrived), Arc::clone(&ends));
    let upstream = Upstream::raw(move |mut stream| {
        let (arrives, ending) = (Arc::clone(&arrives), Arc::clone(&ending));
        async move {
            read_request(&mut stream).await.unwrap();
            arrives.notify_one();
            ending.notified().await;
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate")
                .await;
        }
    })
    .await;
    let mut front = Front::start(Provider::Ntropii, upstream.address).await;
    let mut stream = front.connect().await;
    // A connection without a request does not delay the end.
    let idle = front.connect().await;
    let request = format!("GET /v1/x HTTP/1.1\r\n{}\r\n", front.lines());
    stream.write_all(request.as_bytes()).await.unwrap();
    arrived.notified().await;
    let start = std::time::Instant::now();
    // The answer comes after shutdown has begun.
    let (text, (), ()) = tokio::join!(read_until(&mut stream, "late"), front.stop(), async {
        ends.notify_one();
    });
    assert!(text.starts_with("HTTP/1.1 200"));
    assert!(start.elapsed() < Duration::from_secs(5));
    drop(idle);
    assert!(
        tokio::net::TcpStream::connect(("127.0.0.1", front.port))
            .await
            .is_err()
    );

    let arrives = Arc::clone(&arrived);
    let upstream = Upstream::raw(move |mut stream| {
        let arrives = Arc::clone(&arrives);
        async move {
            read_request(&mut stream).await.unwrap();
            arrives.notify_one();
            std::future::pending::<()>().await;
        }
    })
    .await;
    let mut front = Front::start_with(Provider::Ntropii, upstream.address, |settings| {
        settings.timeouts.drain = Duration::from_millis(200);
    })
    .await;
    let mut stream = front.connect().await;
    let request = format!("GET /v1/x HTTP/1.1\r\n{}\r\n", front.lines());
    stream.write_all(request.as_bytes()).await.unwrap();
    arrived.notified().await;
    front.stop().await;
    assert_eq!(front.log().entries().unwrap().len(), 1);
}
