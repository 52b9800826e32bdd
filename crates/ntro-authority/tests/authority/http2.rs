//! TLS and HTTP/2: the bounds of a connection hold there too.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Request;
use hyper::body::Frame;
use ntro_authority::{AuthoritySettings, Listener};
use ntro_base::Provider;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::support::Served;
use crate::support::tls::Localhost;

async fn start(settings: AuthoritySettings) -> (Served, Localhost) {
    let localhost = Localhost::new();
    let certificate = localhost.certificate.clone();
    let tls = |listener| Listener::Tls(listener, certificate);
    (Served::start_on(settings, tls).await, localhost)
}

impl Served {
    async fn identity(&self) -> Request<Body> {
        let key = self.app.key(Provider::Ntropii).await;
        Request::get("https://localhost/v1/me")
            .header("authorization", format!("Bearer {}", key.key.expose()))
            .body(Body::empty())
            .unwrap()
    }

    /// Returns a request, and the end that gives its body the bytes.
    fn slow_post(&self) -> (oneshot::Sender<Bytes>, Request<Body>) {
        let (sender, bytes) = oneshot::channel();
        let post = Request::post("https://localhost/v1/api-keys")
            .header("authorization", format!("Bearer {}", self.app.admin()))
            .body(Body::new(Once(bytes)))
            .unwrap();
        (sender, post)
    }
}

/// The body of one frame.
struct Once(oneshot::Receiver<Bytes>);

impl HttpBody for Once {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.0.is_terminated() {
            return Poll::Ready(None);
        }
        let bytes = Pin::new(&mut self.0).poll(cx);
        bytes.map(|bytes| bytes.ok().map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_tls_client_is_cut_off_alone() {
    let (served, localhost) = start(AuthoritySettings {
        timeout: Duration::from_millis(500),
        connections: 4,
        ..AuthoritySettings::default()
    })
    .await;
    let address = served.address;
    // Neither a handshake, half of one, a request of HTTP/1.1, nor one of HTTP/2.
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut half = TcpStream::connect(address).await.unwrap();
    half.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
    let mut http1 = localhost.connect(address, "http/1.1").await;
    http1
        .write_all(b"GET /v1/me HTTP/1.1\r\nhost: a")
        .await
        .unwrap();
    let mut http2 = localhost.http2(address).await;
    // The fifth connection waits until one of those ends.
    let mut late = localhost.http2(address).await;
    let answer = late.requests.send_request(served.identity().await).await;
    assert_eq!(answer.unwrap().status(), 200);
    for end in [silent.read(&mut [0; 1]).await, half.read(&mut [0; 1]).await] {
        assert!(end.is_err() || end.is_ok_and(|read| read == 0));
    }
    let _ = http1.read_to_end(&mut Vec::new()).await;
    http2.open.await.unwrap();
    assert!(http2.requests.ready().await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_clock_waits_for_all_streams() {
    let (served, localhost) = start(AuthoritySettings {
        timeout: Duration::from_secs(2),
        ..AuthoritySettings::default()
    })
    .await;
    let mut client = localhost.http2(served.address).await;
    let (body, post) = served.slow_post();
    let pending = tokio::spawn(client.requests.send_request(post));
    // The end of this request does not make the connection idle.
    let answer = client.requests.send_request(served.identity().await).await;
    assert_eq!(answer.unwrap().status(), 200);
    // The body is waited for as long as the timeout, and then refused, on an open connection.
    let refused = pending.await.unwrap().unwrap();
    assert_eq!(refused.status(), 408);
    drop(body);
    let answer = client.requests.send_request(served.identity().await).await;
    assert_eq!(answer.unwrap().status(), 200);
    client.open.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_request_names_one_host() {
    let (served, localhost) = start(AuthoritySettings::default()).await;
    let mut client = localhost.http2(served.address).await;
    for (hosts, expected) in [
        (&[][..], 200),
        (&["localhost"], 200),
        (&["LOCALHOST"], 200),
        (&["elsewhere"], 400),
        (&["localhost", "localhost"], 400),
        (&[""], 400),
    ] {
        let mut request = served.identity().await;
        for host in hosts {
            request.headers_mut().append("host", host.parse().unwrap());
        }
        let answer = client.requests.send_request(request).await.unwrap();
        assert_eq!(answer.status(), expected, "{hosts:?}");
        assert!(answer.headers().contains_key("x-request-id"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oversized_http2_head_is_refused() {
    let (served, localhost) = start(AuthoritySettings::default()).await;
    let mut client = localhost.http2(served.address).await;
    let mut request = served.identity().await;
    for _ in 0..4 {
        let huge = "a".repeat(10_000).parse().unwrap();
        request.headers_mut().append("x-huge", huge);
    }
    let answer = client.requests.send_request(request).await;
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status() == 431));
    let mut client = localhost.http2(served.address).await;
    let answer = client.requests.send_request(served.identity().await).await;
    assert_eq!(answer.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_answers_open_stream() {
    let (served, localhost) = start(AuthoritySettings::default()).await;
    let mut client = localhost.http2(served.address).await;
    let (body, post) = served.slow_post();
    let pending = tokio::spawn(client.requests.send_request(post));
    // Streams are opened in the order of their requests.
    let answer = client.requests.send_request(served.identity().await).await;
    assert_eq!(answer.unwrap().status(), 200);
    served.end.send(()).unwrap();
    while served.app.authority.is_ready() {
        tokio::task::yield_now().await;
    }
    body.send(Bytes::from_static(b"{}")).unwrap();
    assert_eq!(pending.await.unwrap().unwrap().status(), 422);
    served.serving.await.unwrap();
    client.open.await.unwrap();
}
