use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use serde_json::Value;
use tokio::sync::Mutex;
use url::{Position, Url};

use super::Denied;
use super::discovery::Discovery;
use super::fetch::{FETCH_TIMEOUT, Fetcher, is_trustworthy};
use crate::error::Error;
use crate::metrics::METRICS;

/// A set of public keys `K` that is fetched when first needed, and kept.
pub(crate) struct FetchedKeySet<K> {
    location: KeySetLocation,
    /// Returns the usable keys of a document; `None` if it is no key set.
    parse: fn(&Value) -> Option<Vec<K>>,
    pace: Pace,
    fetcher: Arc<Fetcher>,
    cached: ArcSwap<CachedKeySet<K>>,
    /// Locked while fetching, so that concurrent requests share one fetch.
    fetching: Mutex<()>,
}

/// Where a key set is fetched from.
pub(crate) enum KeySetLocation {
    Fixed(Url),
    /// At the URL in the discovery document, which is fetched before each fetch of the key set.
    Discovered(Discovery),
}

/// How often a key set is fetched.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// The age at which a key set is fetched again, so that a withdrawn key loses its trust.
    fresh: Duration,
    /// The age at which a key set that cannot be fetched again is no longer trusted.
    stale: Duration,
    /// The shortest time between two fetches, however many unknown keys are named.
    floor: Duration,
}

struct CachedKeySet<K> {
    keys: Vec<K>,
    fetched: Option<Instant>,
    tried: Option<Instant>,
}

impl Pace {
    pub(crate) const DEFAULT: Self = Self {
        fresh: Duration::from_secs(10 * 60),
        stale: Duration::from_secs(24 * 60 * 60),
        floor: Duration::from_secs(10),
    };
}

impl KeySetLocation {
    pub(crate) fn fixed(url: Url) -> Result<Self, Error> {
        if is_trustworthy(&url) {
            return Ok(Self::Fixed(url));
        }
        Err(Error::KeySetUrl {
            // User name, password and query may be secret.
            url: [
                &url[..Position::BeforeUsername],
                &url[Position::BeforeHost..Position::AfterPath],
            ]
            .concat(),
        })
    }

    /// Returns the first URL that is fetched.
    fn url(&self) -> &Url {
        match self {
            Self::Fixed(url) => url,
            Self::Discovered(discovery) => discovery.url(),
        }
    }
}

impl<K: Clone> FetchedKeySet<K> {
    pub(crate) fn new(
        location: KeySetLocation,
        parse: fn(&Value) -> Option<Vec<K>>,
        pace: Pace,
        fetcher: Arc<Fetcher>,
    ) -> Self {
        let nothing = CachedKeySet {
            keys: Vec::new(),
            fetched: None,
            tried: None,
        };
        Self {
            location,
            parse,
            pace,
            fetcher,
            cached: ArcSwap::from_pointee(nothing),
            fetching: Mutex::new(()),
        }
    }

    /// Returns the keys of the set that `select` finds. Fetches the set again if it finds none.
    pub(crate) async fn find(&self, select: impl Fn(&[K]) -> Vec<K>) -> Result<Vec<K>, Denied> {
        let cached = self.cached.load_full();
        let found = select(&cached.keys);
        let is_younger = |cached: &CachedKeySet<K>, age| {
            let fetched = cached.fetched;
            fetched.is_some_and(|fetched| fetched.elapsed() < age)
        };
        if is_younger(&cached, self.pace.fresh) && !found.is_empty() {
            return Ok(found);
        }
        let cached = self.refresh().await;
        match is_younger(&cached, self.pace.stale) {
            true => Ok(select(&cached.keys)),
            false => Err(Denied::Unavailable),
        }
    }

    /// Fetches the key set, unless the last try was a moment ago.
    async fn refresh(&self) -> Arc<CachedKeySet<K>> {
        let _guard = self.fetching.lock().await;
        let cached = self.cached.load_full();
        let tried = cached.tried;
        if tried.is_some_and(|tried| tried.elapsed() < self.pace.floor) {
            return cached;
        }
        let (keys, fetched) = match self.fetch_in_time().await {
            Ok(keys) => {
                METRICS.key_sets_fetched.add(1);
                (keys, Some(Instant::now()))
            }
            Err(reason) => {
                METRICS.key_sets_failed.add(1);
                tracing::error!(url = %self.location.url(), reason, "the key set cannot be fetched");
                (cached.keys.clone(), cached.fetched)
            }
        };
        let cached = Arc::new(CachedKeySet {
            keys,
            fetched,
            tried: Some(Instant::now()),
        });
        self.cached.store(cached.clone());
        cached
    }

    /// Fetches the key set, whatever is kept.
    pub(crate) async fn fetch_in_time(&self) -> Result<Vec<K>, String> {
        let fetched = tokio::time::timeout(FETCH_TIMEOUT, self.fetch()).await;
        fetched.unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }

    async fn fetch(&self) -> Result<Vec<K>, String> {
        let url = match &self.location {
            KeySetLocation::Fixed(url) => url,
            KeySetLocation::Discovered(discovery) => &discovery.key_set_url(&self.fetcher).await?,
        };
        let set = self.fetcher.fetch(url).await?;
        (self.parse)(&set).ok_or_else(|| "no key set".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as StdMutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::http::StatusCode;
    use axum::routing::get;
    use jsonwebtoken::Algorithm;
    use ntro_base::env::Env;
    use ntro_base::http::{CustomRoots, Proxies};
    use serde_json::json;

    use super::super::fetch::LARGEST_DOCUMENT;
    use super::super::header::TokenHeader;
    use super::super::public_key::{PublicKey, matching, public_keys};
    use super::*;

    const NEVER: Duration = Duration::ZERO;
    const LONG: Duration = Duration::from_secs(3_600);

    /// An issuer's server: `/jwks.json` answers as set, the discovery document points there.
    struct IssuerServer {
        origin: String,
        answer: Arc<StdMutex<(StatusCode, String)>>,
        requests: Arc<AtomicUsize>,
    }

    impl IssuerServer {
        async fn start() -> Self {
            let answer = Arc::new(StdMutex::new((StatusCode::OK, String::new())));
            let requests = Arc::new(AtomicUsize::new(0));
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let origin = format!("http://{}", listener.local_addr().unwrap());
            let key_set = {
                let (answer, requests) = (answer.clone(), requests.clone());
                async move || {
                    requests.fetch_add(1, Ordering::SeqCst);
                    answer.lock().unwrap().clone()
                }
            };
            let document = json!({"issuer": origin, "jwks_uri": format!("{origin}/jwks.json")});
            let router = axum::Router::new().route("/jwks.json", get(key_set)).route(
                "/.well-known/openid-configuration",
                get(async move || document.to_string()),
            );
            tokio::spawn(async move { axum::serve(listener, router).await });
            Self {
                origin,
                answer,
                requests,
            }
        }

        fn set_keys(&self, ids: &[&str]) {
            let keys: Vec<_> = ids
                .iter()
                .map(|id| {
                    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
                    json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": x})
                })
                .collect();
            self.set_answer(StatusCode::OK, json!({"keys": keys}).to_string());
        }

        fn set_answer(&self, status: StatusCode, body: String) {
            *self.answer.lock().unwrap() = (status, body);
        }

        fn requests(&self) -> usize {
            self.requests.load(Ordering::SeqCst)
        }

        fn fixed(&self) -> KeySetLocation {
            let url = format!("{}/jwks.json", self.origin).parse().unwrap();
            KeySetLocation::fixed(url).unwrap()
        }

        fn discovered(&self) -> KeySetLocation {
            KeySetLocation::Discovered(Discovery::new(&self.origin).unwrap())
        }
    }

    fn pace(fresh: Duration, stale: Duration, floor: Duration) -> Pace {
        Pace {
            fresh,
            stale,
            floor,
        }
    }

    fn key_set(location: KeySetLocation, pace: Pace) -> FetchedKeySet<PublicKey> {
        FetchedKeySet::new(
            location,
            public_keys,
            pace,
            Arc::new(Fetcher::new(
                Proxies::from_env(&Env::empty()),
                CustomRoots::default(),
            )),
        )
    }

    /// Returns how many keys may have signed a token with this key id.
    async fn count(keys: &FetchedKeySet<PublicKey>, id: &str) -> Result<usize, Denied> {
        let header = TokenHeader {
            algorithm: Algorithm::EdDSA,
            key_id: Some(id.to_owned()),
        };
        let found = keys.find(|keys| matching(keys, &header)).await;
        found.map(|keys| keys.len())
    }

    #[test]
    fn key_set_url_is_https_or_loopback() {
        let fixed = |url: &str| KeySetLocation::fixed(url.parse().unwrap());
        for url in [
            "https://id.example.com/keys",
            "https://id.example.com/keys?policy=sign_in&version=2",
            "http://localhost:8080/keys?policy=sign_in",
            "http://[::1]/keys",
        ] {
            assert!(fixed(url).is_ok(), "{url}");
        }
        for (url, shown) in [
            ("http://id.example.com/keys", "http://id.example.com/keys"),
            (
                "https://me:hunter2@id.example.com/keys?code=hunter2",
                "https://id.example.com/keys",
            ),
            ("ftp://localhost/keys", "ftp://localhost/keys"),
        ] {
            let error = fixed(url).err().unwrap().to_string();
            assert!(error.contains(&format!("`{shown}`")), "{error}");
        }
    }

    #[tokio::test]
    async fn unknown_key_refetches_set() {
        let server = IssuerServer::start().await;
        for location in [server.fixed(), server.discovered()] {
            let before = server.requests();
            server.set_keys(&["one"]);
            let keys = key_set(location, pace(LONG, LONG, NEVER));
            assert_eq!(count(&keys, "one").await, Ok(1));
            assert_eq!(count(&keys, "one").await, Ok(1));
            assert_eq!(server.requests(), before + 1);
            server.set_keys(&["two"]);
            assert_eq!(count(&keys, "two").await, Ok(1));
            assert_eq!(count(&keys, "one").await, Ok(0));
        }
    }

    #[tokio::test]
    async fn unknown_keys_respect_floor() {
        let server = IssuerServer::start().await;
        server.set_keys(&["one"]);
        for (fetches, location) in [(1, server.fixed()), (2, server.discovered())] {
            let keys = key_set(location, pace(LONG, LONG, LONG));
            for unknown in 0..100 {
                assert_eq!(count(&keys, &unknown.to_string()).await, Ok(0));
            }
            assert_eq!(server.requests(), fetches);
        }
    }

    #[tokio::test]
    async fn failing_issuer_is_trusted_until_stale() {
        let server = IssuerServer::start().await;
        for location in [IssuerServer::fixed, IssuerServer::discovered] {
            server.set_keys(&["one"]);
            let bridged = key_set(location(&server), pace(NEVER, LONG, NEVER));
            let strict = key_set(location(&server), pace(NEVER, NEVER, NEVER));
            assert_eq!(count(&bridged, "one").await, Ok(1));
            for (status, body) in [
                (StatusCode::INTERNAL_SERVER_ERROR, "down".to_owned()),
                (StatusCode::OK, "<html>".to_owned()),
                (StatusCode::OK, json!({"message": "back soon"}).to_string()),
                (StatusCode::OK, " ".repeat(LARGEST_DOCUMENT + 1)),
                (StatusCode::MOVED_PERMANENTLY, String::new()),
            ] {
                server.set_answer(status, body);
                assert_eq!(count(&bridged, "one").await, Ok(1), "{status}");
                assert_eq!(
                    count(&strict, "one").await,
                    Err(Denied::Unavailable),
                    "{status}"
                );
            }
        }
    }
}
