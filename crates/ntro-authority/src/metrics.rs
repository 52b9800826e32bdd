//! Counters of this process, which `/metrics` prints in Prometheus' text format.
//!
//! They are statics of plain atomics: a request pays one relaxed addition. No label has a value that a
//! caller chooses, so their number is fixed.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use axum::http::StatusCode;

use crate::server::Authority;

/// The counters of this process.
pub(crate) static METRICS: Metrics = Metrics::new();

/// One less than the lowest status, and the number of statuses.
const STATUSES: (u16, usize) = (100, 500);

/// Paths with common labels, so that their number stays small.
const ENDPOINTS: [&str; 10] = [
    "/v1/me",
    "/v1/api-keys/current",
    "/v1/authorize",
    "/v1/introspect",
    "/v1/api-keys/current/",
    "/v1/api-keys",
    "/v1/workspaces",
    "/v1/tenants",
    "own",
    "other",
];
/// The endpoints that a key is verified with, in `ENDPOINTS`.
const VERIFYING: usize = 3;

pub(crate) struct Metrics {
    requests: [[AtomicU64; STATUSES.1]; ENDPOINTS.len()],
    connections: AtomicI64,
    /// Idle connections that were closed to make room for others.
    pub(crate) connections_evicted: Counter,
    /// Failed authentications that were answered with 429.
    pub(crate) failures_limited: Counter,
    /// Keys that a report of a leak has revoked.
    pub(crate) leaked_keys: Counter,
    pub(crate) key_sets_fetched: Counter,
    pub(crate) key_sets_failed: Counter,
    pub(crate) log_lines_dropped: Counter,
    pub(crate) warnings_delivered: Counter,
    pub(crate) warnings_failed: Counter,
    pub(crate) commits: Histogram,
    /// Changes in all batches.
    pub(crate) changes: Counter,
}

/// A number that only grows.
pub(crate) struct Counter(AtomicU64);

/// How long something took.
pub(crate) struct Histogram {
    buckets: [AtomicU64; BUCKETS.len() + 1],
    microseconds: AtomicU64,
}

/// The upper ends of a histogram's buckets, in microseconds.
const BUCKETS: [u64; 12] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000,
];

/// An open connection, until this is dropped.
pub(crate) struct OpenConnection(());

impl Counter {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn add(&self, number: usize) {
        self.0.fetch_add(number as u64, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Histogram {
    const fn new() -> Self {
        Self {
            buckets: [const { AtomicU64::new(0) }; BUCKETS.len() + 1],
            microseconds: AtomicU64::new(0),
        }
    }

    pub(crate) fn add(&self, time: Duration) {
        let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.partition_point(|&end| end < microseconds);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }

    fn print(&self, page: &mut Page, name: &str, help: &str) {
        page.family(name, "histogram", help);
        let mut count = 0;
        let ends = BUCKETS.iter().map(|&end| seconds(end));
        let ends = ends.chain([String::from("+Inf")]);
        for (bucket, end) in self.buckets.iter().zip(ends) {
            count += bucket.load(Ordering::Relaxed);
            page.sample(&format!("{name}_bucket{{le=\"{end}\"}}"), count);
        }
        let sum = seconds(self.microseconds.load(Ordering::Relaxed));
        page.sample(&format!("{name}_sum"), sum);
        page.sample(&format!("{name}_count"), count);
    }
}

/// Writes microseconds as seconds.
fn seconds(microseconds: u64) -> String {
    let text = format!(
        "{}.{:06}",
        microseconds / 1_000_000,
        microseconds % 1_000_000
    );
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Metrics {
    const fn new() -> Self {
        Self {
            requests: [const { [const { AtomicU64::new(0) }; STATUSES.1] }; ENDPOINTS.len()],
            connections: AtomicI64::new(0),
            connections_evicted: Counter::new(),
            failures_limited: Counter::new(),
            leaked_keys: Counter::new(),
            key_sets_fetched: Counter::new(),
            key_sets_failed: Counter::new(),
            log_lines_dropped: Counter::new(),
            warnings_delivered: Counter::new(),
            warnings_failed: Counter::new(),
            commits: Histogram::new(),
            changes: Counter::new(),
        }
    }

    /// Counts a response.
    pub(crate) fn count(&self, path: &str, status: StatusCode) {
        let status = usize::from(status.as_u16() - STATUSES.0);
        // There is no valid status of HTTP above.
        if let Some(counter) = self.requests[endpoint(path)].get(status) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a connection while it is open.
    pub(crate) fn connection(&self) -> OpenConnection {
        self.connections.fetch_add(1, Ordering::Relaxed);
        OpenConnection(())
    }

    fn responses(&self) -> impl Iterator<Item = (usize, usize, u64)> {
        let rows = self.requests.iter().enumerate();
        rows.flat_map(|(endpoint, row)| {
            let counts = row.iter().map(|count| count.load(Ordering::Relaxed));
            let counts = counts.enumerate().filter(|(_, count)| *count > 0);
            counts.map(move |(status, count)| (endpoint, status + usize::from(STATUSES.0), count))
        })
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        METRICS.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Returns the index of the path's label.
fn endpoint(path: &str) -> usize {
    match path {
        "/v1/me" => 0,
        "/v1/api-keys/current" => 1,
        "/v1/authorize" => 2,
        "/v1/introspect" => 3,
        "/healthz" | "/readyz" | "/metrics" | "/openapi.json" | "/.well-known/jwks.json" => 8,
        _ => {
            let is_below = |label: &&str| {
                let rest = path.strip_prefix(*label);
                rest.is_some_and(|rest| {
                    label.ends_with('/') || rest.is_empty() || rest.starts_with('/')
                })
            };
            let found = ENDPOINTS[4..8].iter().position(is_below);
            found.map_or(ENDPOINTS.len() - 1, |index| index + 4)
        }
    }
}

/// A page in Prometheus' text format.
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, series: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{series} {value}");
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, kind, help);
        self.sample(name, value);
    }
}

/// Returns the page of `/metrics`.
pub(crate) fn page(authority: &Authority) -> String {
    let mut page = Page(String::with_capacity(8 * 1024));
    let name = "ntro_build_info";
    page.family(name, "gauge", "Version of the server.");
    page.sample(
        &format!("{name}{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")),
        1,
    );
    let name = "ntro_requests_total";
    page.family(name, "counter", "Requests by endpoint and status.");
    for (endpoint, status, count) in METRICS.responses() {
        let endpoint = ENDPOINTS[endpoint];
        page.sample(
            &format!("{name}{{endpoint=\"{endpoint}\",status=\"{status}\"}}"),
            count,
        );
    }
    print_verifications(&mut page);
    let is = u8::from;
    let cache = authority.key_cache();
    for (name, help, value) in [
        ("ntro_keys", "Live keys in memory.", cache.len() as u64),
        (
            "ntro_ready",
            "Whether the server accepts requests now.",
            is(authority.is_ready()).into(),
        ),
        (
            "ntro_registry_healthy",
            "Whether changes can be written now, and reach verification.",
            is(authority.is_healthy()).into(),
        ),
        (
            "ntro_connections_max",
            "Most connections at one time.",
            authority.settings().connections as u64,
        ),
    ] {
        page.single(name, "gauge", help, value);
    }
    page.single(
        "ntro_registry_epoch",
        "gauge",
        "Epoch of the registry's last change that verification applies.",
        cache.epoch(),
    );
    page.single(
        "ntro_connections",
        "gauge",
        "Open connections.",
        METRICS.connections.load(Ordering::Relaxed),
    );
    METRICS.commits.print(
        &mut page,
        "ntro_commit_duration_seconds",
        "Time to commit a batch of changes.",
    );
    for (name, help, counter) in [
        (
            "ntro_changes_total",
            "Changes in all batches.",
            &METRICS.changes,
        ),
        (
            "ntro_connections_evicted_total",
            "Idle connections closed to make room for others.",
            &METRICS.connections_evicted,
        ),
        (
            "ntro_failures_limited_total",
            "Failed authentications above the limit of their address.",
            &METRICS.failures_limited,
        ),
        (
            "ntro_leaked_keys_total",
            "Keys revoked by a report of a leak.",
            &METRICS.leaked_keys,
        ),
        (
            "ntro_log_lines_dropped_total",
            "Log lines dropped because the log was full or slow.",
            &METRICS.log_lines_dropped,
        ),
    ] {
        page.single(name, "counter", help, counter.get());
    }
    let name = "ntro_keys_expiring";
    page.family(name, "gauge", "Live keys that expire within so many days.");
    for (days, count) in authority.expiring() {
        page.sample(&format!("{name}{{within_days=\"{days}\"}}"), count);
    }
    let name = "ntro_expiry_warnings_total";
    page.family(name, "counter", "Warnings of expiring keys to the webhook.");
    for (outcome, counter) in [
        ("delivered", &METRICS.warnings_delivered),
        ("failed", &METRICS.warnings_failed),
    ] {
        page.sample(&format!("{name}{{outcome=\"{outcome}\"}}"), counter.get());
    }
    let name = "ntro_key_set_fetches_total";
    page.family(name, "counter", "Fetches of issuers' key sets.");
    for (outcome, counter) in [
        ("fetched", &METRICS.key_sets_fetched),
        ("failed", &METRICS.key_sets_failed),
    ] {
        page.sample(&format!("{name}{{outcome=\"{outcome}\"}}"), counter.get());
    }
    page.0
}

/// Derives the outcomes of verification from the statuses of the endpoints that only verify.
fn print_verifications(page: &mut Page) {
    let name = "ntro_verifications_total";
    page.family(
        name,
        "counter",
        "Verifications of keys at the identity endpoints and /v1/authorize.",
    );
    for (outcome, is_outcome) in [
        ("accepted", (|status| status < 400) as fn(usize) -> bool),
        ("unknown", |status| status == 401),
        ("forbidden", |status| status == 403),
        ("limited", |status| status == 429),
        ("unavailable", |status| status == 503),
    ] {
        let counts = METRICS
            .responses()
            .filter(|(endpoint, status, _)| *endpoint < VERIFYING && is_outcome(*status));
        let count: u64 = counts.map(|(_, _, count)| count).sum();
        page.sample(&format!("{name}{{outcome=\"{outcome}\"}}"), count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_few_labels() {
        for (path, label) in [
            ("/v1/me", "/v1/me"),
            ("/v1/api-keys/current", "/v1/api-keys/current"),
            ("/v1/api-keys/current/children", "/v1/api-keys/current/"),
            ("/v1/api-keys", "/v1/api-keys"),
            ("/v1/api-keys/0193", "/v1/api-keys"),
            ("/v1/tenants/acme/api-keys", "/v1/tenants"),
            ("/v1/tenantsx", "other"),
            ("/readyz", "own"),
            ("/", "other"),
            ("", "other"),
        ] {
            assert_eq!(ENDPOINTS[endpoint(path)], label, "{path}");
        }
    }

    #[test]
    fn histogram_counts_up_to_each_end() {
        let times = Histogram::new();
        for microseconds in [100, 250, 251, 7_000_000] {
            times.add(Duration::from_micros(microseconds));
        }
        let mut page = Page(String::new());
        times.print(&mut page, "x_seconds", "Help.");
        for line in [
            "x_seconds_bucket{le=\"0.00025\"} 2",
            "x_seconds_bucket{le=\"0.0005\"} 3",
            "x_seconds_bucket{le=\"5\"} 3",
            "x_seconds_bucket{le=\"+Inf\"} 4",
            "x_seconds_sum 7.000601",
            "x_seconds_count 4",
        ] {
            assert!(page.0.lines().any(|one| one == line), "{}", page.0);
        }
    }
}
