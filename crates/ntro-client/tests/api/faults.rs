//! Servers that are unreachable, silent or endless.

use std::time::Duration;

use ntro_base::Provider;
use ntro_client::api::{Cause, Client, Error, InvalidResponse, Settings};

use crate::support::{Reply, Server, client, quick, target};

fn cause(error: &Error) -> Cause {
    match error {
        Error::Unreachable { cause, .. } => *cause,
        other => panic!("{other:?}"),
    }
}

/// Returns a client with a short timeout.
fn short_timeout(server: &Server) -> Client {
    let settings = Settings {
        total_timeout: Duration::from_millis(300),
        ..quick()
    };
    Client::new(target(Provider::Ntropii, &server.origin()), settings)
}

#[tokio::test]
async fn closed_port_is_refused() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for name in ["127.0.0.1", "localhost"] {
        let error = client(Provider::Ntropii, &format!("http://{name}:{port}"))
            .identity()
            .await
            .unwrap_err();
        assert_eq!(cause(&error), Cause::Refused, "{error:?}");
        assert!(
            error.to_string().starts_with(&format!(
                "cannot reach `http://{name}:{port}`: the connection was refused"
            )),
            "{error}"
        );
    }
}

#[tokio::test]
async fn localhost_names_are_loopback() {
    let server = Server::start([crate::support::json("200 OK", crate::support::profile())]).await;
    let host = format!("http://ntro.localhost:{}", server.port);
    assert!(client(Provider::Ntropii, &host).identity().await.is_ok());
    assert!(
        server
            .only()
            .header("host")
            .unwrap()
            .starts_with("ntro.localhost:")
    );
}

/// A full backlog: the system drops further connections.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn connecting_times_out() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    let wait = Duration::from_millis(200);
    while let Ok(stream) = tokio::time::timeout(wait, tokio::net::TcpStream::connect(address)).await
    {
        waiting.push(stream.unwrap());
    }
    let settings = Settings {
        connect_timeout: wait,
        total_timeout: Duration::from_secs(3_600),
        ..quick()
    };
    let client = Client::new(
        target(Provider::Ntropii, &format!("http://{address}")),
        settings,
    );
    // The system alone would try for two minutes.
    let asked = tokio::time::timeout(Duration::from_secs(60), client.identity());
    let error = asked.await.unwrap().unwrap_err();
    assert_eq!(cause(&error), Cause::TimedOut, "{error:?}");
}

#[tokio::test]
async fn missing_answer_times_out() {
    let server = Server::start((0..3).map(|_| Reply::Silence(Vec::new()))).await;
    let error = short_timeout(&server).identity().await.unwrap_err();
    assert_eq!(cause(&error), Cause::TimedOut, "{error:?}");
    assert_eq!(server.seen().len(), 1, "the time is for all tries together");
}

#[tokio::test]
async fn half_answer_times_out() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{\"id\":".to_vec();
    let server = Server::start([Reply::Silence(head)]).await;
    let error = short_timeout(&server).identity().await.unwrap_err();
    assert_eq!(cause(&error), Cause::TimedOut, "{error:?}");
}

#[tokio::test]
async fn dripping_body_times_out() {
    let head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    let server = Server::start([Reply::Drip(head)]).await;
    let error = short_timeout(&server).identity().await.unwrap_err();
    assert_eq!(cause(&error), Cause::TimedOut, "{error:?}");
}

#[tokio::test]
async fn oversized_body_is_not_read() {
    let endless = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    let announced = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".to_vec();
    let server = Server::start([Reply::Flood(endless), Reply::Silence(announced)]).await;
    for _ in 0..2 {
        match server.ntropii().identity().await.unwrap_err() {
            Error::NotUnderstood { misfit, .. } => {
                assert_eq!(misfit, InvalidResponse::TooLarge { limit: 1024 * 1024 })
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn oversized_head_is_not_read() {
    let head = b"HTTP/1.1 200 OK\r\nx: ".to_vec();
    let server = Server::start((0..3).map(|_| Reply::Flood(head.clone()))).await;
    let error = server.ntropii().identity().await.unwrap_err();
    assert_eq!(cause(&error), Cause::Cut, "{error:?}");
}

#[tokio::test]
async fn compressed_body_is_not_unpacked() {
    let gzip = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 10\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\x03";
    let server = Server::start([Reply::Bytes(gzip.to_vec())]).await;
    assert!(matches!(
        server.ntropii().identity().await,
        Err(Error::NotUnderstood { .. })
    ));
}
