use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ntro_base::Provider;
use ntro_client::proxy::{KeySource, Settings, Tripwires};
use tokio::task::JoinHandle;

use crate::support::{NTROPII_KEY, TIMEOUT, TestKeys, Upstream, answer, settings, tokens};

const NEXT: &str = "ntro_prod_Zr4MxQ2bLwk9_Jf83nd72jfk38dhJKd8successor";

/// Returns the settings of a proxy for two programs whose tokens are renewed all the time.
fn restless(upstream: &Upstream) -> Settings {
    let address = format!("http://{}", upstream.address);
    let mut settings = settings(Provider::Ntropii, &address);
    settings.children = tokens(Provider::Ntropii);
    settings.timeouts.tripwire = Duration::from_millis(20);
    settings
}

fn keep(settings: &Settings, keys: Arc<dyn KeySource>) -> JoinHandle<()> {
    let tripwires = Tripwires::new(settings, keys);
    tokio::spawn(tripwires.keep(|error| panic!("refused: {error}")))
}

/// Waits until a number of requests has arrived.
async fn arrived(upstream: &Upstream, number: usize) {
    let all = async {
        while upstream.seen().len() < number {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(TIMEOUT, all).await.unwrap();
}

#[tokio::test]
async fn tokens_are_renewed() {
    let upstream = Upstream::start(|_| answer("204 No Content", &[], "")).await;
    let settings = restless(&upstream);
    let keeping = keep(&settings, Arc::clone(&settings.keys));
    arrived(&upstream, 6).await;
    keeping.abort();
    let seen = upstream.seen();
    for request in &seen {
        assert_eq!(request.line, "POST /v1/api-keys/current/tripwires HTTP/1.1");
    }
    let bodies: Vec<_> = seen.iter().map(|request| request.body.clone()).collect();
    assert_ne!(bodies[0], bodies[1]);
    assert_eq!(bodies[..2], bodies[2..4]);
    assert_eq!(bodies[..2], bodies[4..6]);
}

/// The key may have been rotated since the tokens were registered.
#[tokio::test]
async fn renewal_reads_rejected_key_again() {
    let upstream = Upstream::start(|seen| match seen.header("authorization") {
        Some(value) if value.ends_with(NEXT) => answer("204 No Content", &[], ""),
        _ => answer("401 Unauthorized", &[], "{\"message\":\"no\"}"),
    })
    .await;
    let settings = restless(&upstream);
    let keys = TestKeys::new(Provider::Ntropii, &settings.host);
    let keeping = keep(&settings, Arc::clone(&keys) as Arc<dyn KeySource>);
    // One request at the start, and two at each renewal, the second with the key that was read again.
    arrived(&upstream, 3).await;
    assert!(keys.rereads.load(Ordering::SeqCst) > 0);
    assert!(upstream.seen().iter().all(|seen| seen.holds(NTROPII_KEY)));
    keys.replace(NEXT);
    let before = upstream.seen().len();
    arrived(&upstream, before + 4).await;
    keeping.abort();
    assert!(upstream.seen().last().unwrap().holds(NEXT));
}
