//! A server with arbitrary responses, from the status line on: every call returns a value or an
//! error, and neither contains the key or terminal control characters.

#![no_main]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::LazyLock;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use ntro_client::api::{Client, Settings, Target};
use ntro_client::BoundKey;
use ntro_base::{ApiKey, Host, Provider, is_printable};
use tokio::runtime::Runtime;

const KEY: &str = "ntro_prod_f0zz1d_thisIsTheSecretPartOfTheKey";

/// The host of the server, and the sender of its next response.
static SERVER: LazyLock<(Host, Sender<Vec<u8>>)> = LazyLock::new(|| {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let host = format!("http://{}/v1", listener.local_addr().unwrap());
    let (next, answers) = channel::<Vec<u8>>();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            // The request head is small enough to arrive in one read.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&answer);
        }
    });
    (host.parse().unwrap(), next)
});

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
});

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, answer)) = bytes.split_first() else {
        return;
    };
    let (host, next) = &*SERVER;
    let provider = match choice & 1 {
        0 => Provider::Ntropii,
        _ => Provider::Ontora,
    };
    let key: ApiKey = KEY.parse().unwrap();
    let client = Client::new(
        Target {
            provider,
            host: host.clone(),
            key: Some(BoundKey::new(key, host.origin())),
            insecure_http: false,
        },
        Settings {
            tries: 1,
            total_timeout: Duration::from_secs(2),
            max_body: 64 << 10,
            ..Settings::default()
        },
    );
    next.send(answer.to_vec()).unwrap();
    let shown = RUNTIME.block_on(async {
        match choice >> 1 & 3 {
            0 => said(client.identity().await),
            1 => said(client.tenants().await),
            2 => said(client.current_key().await),
            _ => said(client.revoke_current().await),
        }
    });
    assert!(!shown.contains(KEY), "the key came back");
    assert!(is_printable(&shown), "an invisible character came through");
});

/// Formats the result as a person would see it.
fn said<T: std::fmt::Debug>(answer: Result<T, ntro_client::api::Error>) -> String {
    match answer {
        Ok(value) => format!("{value:?}"),
        Err(error) => error.to_string(),
    }
}
