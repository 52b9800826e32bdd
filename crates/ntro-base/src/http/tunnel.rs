use hyper_util::client::proxy::matcher::Matcher;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use url::Url;

/// Asks a proxy again for the tunnel to a server, and returns the HTTP status of its refusal.
///
/// The HTTP library does not report the status. Only plain `http` proxies are asked.
pub async fn tunnel_refusal(proxy: &Url, server: &Url) -> Option<u16> {
    if proxy.scheme() != "http" {
        return None;
    }
    let name = proxy.host_str()?;
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((name, proxy.port_or_known_default()?));
    let mut stream = BufReader::new(stream.await.ok()?);
    let target = format!("{}:{}", server.host_str()?, server.port_or_known_default()?);
    let mut head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
    let matcher = Matcher::builder().all(proxy.as_str()).build();
    let proxied = matcher.intercept(&server.as_str().parse().ok()?)?;
    if let Some(credentials) = proxied.basic_auth() {
        head.extend_from_slice(b"Proxy-Authorization: ");
        head.extend_from_slice(credentials.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    stream.write_all(&head).await.ok()?;
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let status = line.strip_prefix("HTTP/1.")?.split(' ').nth(1)?;
    let status = status.trim().parse().ok()?;
    (status != 200).then_some(status)
}
