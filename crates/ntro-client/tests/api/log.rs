//! The log of a call: what it contains and what it must not.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use ntro_base::Provider;
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Metadata, Subscriber};

use crate::support::{Server, TOKEN, answer, json, profile};

/// Collects every event of every level.
struct Everything(Arc<Mutex<String>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line(String::new());
        span.record(&mut line);
        self.0.lock().unwrap().push_str(&line.0);
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut line = Line(String::new());
        values.record(&mut line);
        self.0.lock().unwrap().push_str(&line.0);
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("{} ", event.metadata().target()));
        event.record(&mut line);
        let mut log = self.0.lock().unwrap();
        log.push_str(&line.0);
        log.push('\n');
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn log_shows_key_prefix_only() {
    let log = Arc::new(Mutex::new(String::new()));
    // With a single subscriber, `tracing` asks only that of the thread which reaches an event first,
    // and switches the event off for all threads if that one has none. With two it asks both.
    let _second = Dispatch::new(Everything(Arc::default()));
    let guard = tracing::subscriber::set_default(Everything(Arc::clone(&log)));
    let server = Server::start([
        answer("503 Service Unavailable", &["x-request-id: r-7"], "{}"),
        json("200 OK", profile()),
        json("200 OK", json!([])),
    ])
    .await;
    server.ntropii().identity().await.unwrap();
    let admin = server.admin(Provider::Ontora);
    admin.list_keys(&"w1".parse().unwrap()).await.unwrap();
    drop(guard);

    let log = log.lock().unwrap().clone();
    let ours: Vec<_> = log
        .lines()
        .filter(|line| line.starts_with("ntro_client::"))
        .collect();
    assert_eq!(ours.len(), 3, "{log}");
    for expected in [
        "method=GET",
        "/v1/me",
        "status=503",
        "tries=1",
        "request_id=\"r-7\"",
    ] {
        assert!(ours[0].contains(expected), "{expected} in {}", ours[0]);
    }
    assert!(ours[1].contains("status=200 tries=2"), "{}", ours[1]);
    assert!(ours[1].contains("key=\"ntro_prod_k9Zr"), "{}", ours[1]);
    assert!(!ours[2].contains("workspace_id"), "{}", ours[2]);
    assert!(!log.contains("canary") && !log.contains("Jf83nd"), "{log}");
    assert!(!log.contains(TOKEN) && !log.contains("eyJhbG"), "{log}");
}
