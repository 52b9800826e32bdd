//! The reverse proxy of nono, which injects a key: `nono-peer UPSTREAM KEY`.
//!
//! It serves `/authority/…` with two workers, and prints its port and the token.

use nono_proxy::config::{ProxyConfig, RouteConfig};
use nono_proxy::server;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [upstream, key] = &arguments[..] else {
        panic!("usage: nono-peer UPSTREAM KEY");
    };
    let route = RouteConfig {
        prefix: "authority".to_owned(),
        upstream: upstream.clone(),
        credential_key: Some(key.clone()),
        ..RouteConfig::default()
    };
    let config = ProxyConfig {
        routes: vec![route],
        ..ProxyConfig::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let handle = server::start(config).await.expect("a proxy");
        println!("{} {}", handle.port, *handle.token);
        std::future::pending::<()>().await;
    });
}
