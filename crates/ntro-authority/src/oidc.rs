//! Admin tokens: JSON Web Tokens of OpenID Connect issuers, checked against their key sets.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;
use tokio::sync::Mutex;
use url::{Position, Url};

use super::error::Error;
use super::settings::{Claims, Issuer, JwksSource};
use super::store::Role;
use crate::registry::ISSUER;
use ntro_base::Host;
use ntro_base::disk;
use ntro_base::env::Env;
use ntro_base::http::{HttpClient, Proxies, read_body, root_cause};

/// Longer than any real token; Clerk's have about a kilobyte.
const LONGEST: usize = 16 * 1024;
/// How far clocks may differ, in seconds.
const LEEWAY: u64 = 10;
const PACE: Pace = Pace {
    fresh: Duration::from_secs(10 * 60),
    stale: Duration::from_secs(24 * 60 * 60),
    floor: Duration::from_secs(10),
};
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const LARGEST_SET: usize = 256 * 1024;

/// Who a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AdminIdentity {
    pub(super) issuer: String,
    pub(super) subject: String,
    /// As the issuer calls it.
    pub(super) organisation: Option<String>,
    pub(super) role: Role,
}

/// Why a token was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// The token is not good. The reason is for the log; the caller is told nothing of it.
    Invalid(&'static str),
    /// The issuer's keys cannot be had at the moment.
    Unavailable,
}

/// Checks tokens.
pub(super) struct Verifier {
    issuers: Vec<Trusted>,
}

struct Trusted {
    /// The exact `iss` of its tokens.
    issuer: String,
    audience: Option<String>,
    claims: Claims,
    keys: KeySet,
}

enum KeySet {
    /// The built-in issuer's.
    Fixed(Vec<PublicKey>),
    /// Read for every token: it is small, local, and may be changed at any time.
    File(std::path::PathBuf),
    Fetched(Fetched),
}

/// How often a key set is fetched.
#[derive(Clone, Copy)]
struct Pace {
    /// A key set that is older is fetched again, so that a withdrawn key is not trusted for ever.
    fresh: Duration,
    /// A key set that could not be fetched again for so long is trusted no more.
    stale: Duration,
    /// At least this lies between two fetches, however many unknown keys are named.
    floor: Duration,
}

struct Fetched {
    url: Url,
    pace: Pace,
    cached: ArcSwap<Cached>,
    /// Held while fetching, so that one does for all.
    client: Mutex<HttpClient>,
}

#[derive(Default)]
struct Cached {
    keys: Vec<PublicKey>,
    /// When the keys were had.
    had: Option<Instant>,
    /// When they were last asked for.
    tried: Option<Instant>,
}

#[derive(Clone)]
struct PublicKey {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Verifier {
    /// Trusts these issuers, and the built-in one with this key set.
    pub(super) fn new(issuers: &[Issuer], built_in: &Value) -> Result<Self, Error> {
        let mut trusted = vec![Trusted {
            issuer: ISSUER.to_owned(),
            audience: None,
            claims: Claims::default(),
            keys: KeySet::Fixed(public_keys(built_in).unwrap_or_default()),
        }];
        for settings in issuers {
            if trusted.iter().any(|known| known.issuer == settings.issuer) {
                return Err(Error::IssuerTwice {
                    issuer: settings.issuer.clone(),
                });
            }
            let keys = match &settings.keys {
                JwksSource::File(path) => {
                    // Said now, and not to the first admin who is locked out.
                    read_keys(path)?;
                    KeySet::File(path.clone())
                }
                JwksSource::Url(url) => KeySet::Fetched(Fetched::new(url.clone(), PACE)?),
            };
            trusted.push(Trusted {
                issuer: settings.issuer.clone(),
                audience: settings.audience.clone(),
                claims: settings.claims.clone(),
                keys,
            });
        }
        Ok(Self { issuers: trusted })
    }

    /// Returns who a token speaks for.
    pub(super) async fn verify(&self, token: &str) -> Result<AdminIdentity, Denied> {
        if token.len() > LONGEST {
            return Err(Denied::Invalid("too long"));
        }
        let header = read_header(token)?;
        // Which issuer's keys to look at; whether it is that issuer's is what the keys show.
        let claims: Value = jsonwebtoken::dangerous::insecure_decode_claims(token)
            .map_err(|_| Denied::Invalid("claims are not JSON"))?;
        let issuer = claims.get("iss").and_then(Value::as_str);
        let trusted = self
            .issuers
            .iter()
            .find(|trusted| Some(trusted.issuer.as_str()) == issuer)
            .ok_or(Denied::Invalid("issuer is not trusted"))?;
        let candidates = trusted.keys.candidates(&header).await?;
        let validation = trusted.validation(header.algorithm);
        let mut reason = Denied::Invalid("no key of the issuer fits");
        for key in candidates {
            match jsonwebtoken::decode::<Value>(token, &key.key, &validation) {
                Ok(token) => return trusted.identity(&token.claims),
                Err(error) => reason = Denied::Invalid(why(&error)),
            }
        }
        Err(reason)
    }
}

struct TokenHeader {
    algorithm: Algorithm,
    key_id: Option<String>,
}

/// Reads the header. Only algorithms with a public key are let through: `none` and the ones with
/// a shared secret never reach a key.
fn read_header(token: &str) -> Result<TokenHeader, Denied> {
    let head = token.split('.').next().unwrap_or_default();
    let header: Value = URL_SAFE_NO_PAD
        .decode(head)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or(Denied::Invalid("header is not JSON"))?;
    if header.get("crit").is_some() {
        return Err(Denied::Invalid("header demands an extension"));
    }
    let algorithm = match header.get("alg").and_then(Value::as_str) {
        Some("RS256") => Algorithm::RS256,
        Some("ES256") => Algorithm::ES256,
        Some("EdDSA") => Algorithm::EdDSA,
        _ => return Err(Denied::Invalid("algorithm is not allowed")),
    };
    Ok(TokenHeader {
        algorithm,
        key_id: header.get("kid").and_then(Value::as_str).map(str::to_owned),
    })
}

fn why(error: &jsonwebtoken::errors::Error) -> &'static str {
    use jsonwebtoken::errors::ErrorKind;

    match error.kind() {
        ErrorKind::ExpiredSignature => "expired",
        ErrorKind::ImmatureSignature => "not valid yet",
        ErrorKind::InvalidAudience => "wrong audience",
        ErrorKind::InvalidIssuer => "wrong issuer",
        ErrorKind::InvalidSignature => "wrong signature",
        ErrorKind::MissingRequiredClaim(_) => "a claim is missing",
        _ => "malformed",
    }
}

impl Trusted {
    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.issuer]);
        match &self.audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                validation.set_required_spec_claims(&["exp", "iss", "sub", "aud"]);
            }
            None => {
                validation.validate_aud = false;
                validation.set_required_spec_claims(&["exp", "iss", "sub"]);
            }
        }
        validation
    }

    fn identity(&self, claims: &Value) -> Result<AdminIdentity, Denied> {
        let subject = claims
            .get("sub")
            .and_then(Value::as_str)
            .filter(|subject| !subject.is_empty() && subject.len() <= 255)
            .ok_or(Denied::Invalid("no subject"))?;
        let Claims { organisation, role } = &self.claims;
        let organisation = first(claims, organisation);
        let role = match organisation {
            Some((version, _)) if self.claims == Claims::default() => text(claims, &role[version]),
            _ => first(claims, role).map(|(_, role)| role),
        };
        let role = role.map(|role| {
            let role = role.strip_prefix("org:").unwrap_or(role);
            role.parse().unwrap_or(Role::Member)
        });
        Ok(AdminIdentity {
            issuer: self.issuer.clone(),
            subject: subject.to_owned(),
            organisation: organisation.map(|(_, organisation)| organisation.to_owned()),
            role: role.unwrap_or(Role::Member),
        })
    }
}

/// The first of the claims that is there, and the place of its path.
fn first<'a>(claims: &'a Value, paths: &[String]) -> Option<(usize, &'a str)> {
    let mut found = paths.iter().map(|path| text(claims, path)).enumerate();
    found.find_map(|(place, text)| Some((place, text?)))
}

/// The text of a claim: its path is tried as it is written, then as a path.
fn text<'a>(claims: &'a Value, path: &str) -> Option<&'a str> {
    claims
        .get(path)
        .or_else(|| path.split('.').try_fold(claims, |at, part| at.get(part)))
        .and_then(Value::as_str)
}

impl KeySet {
    async fn candidates(&self, header: &TokenHeader) -> Result<Vec<PublicKey>, Denied> {
        match self {
            Self::Fixed(keys) => Ok(fitting(keys, header)),
            Self::File(path) => match read_keys(path) {
                Ok(keys) => Ok(fitting(&keys, header)),
                Err(error) => {
                    tracing::error!(%error, "no key set in the file");
                    Err(Denied::Unavailable)
                }
            },
            Self::Fetched(fetched) => fetched.candidates(header).await,
        }
    }
}

/// Reads the key set in a file.
fn read_keys(path: &Path) -> Result<Vec<PublicKey>, disk::Error> {
    let cannot = |source: io::Error| disk::Error::Io {
        action: "read the key set",
        path: path.to_owned(),
        source,
    };
    let bytes = disk::read_bounded(path, LARGEST_SET as u64)?
        .ok_or_else(|| cannot(io::Error::new(io::ErrorKind::NotFound, "no such file")))?;
    serde_json::from_slice(&bytes)
        .ok()
        .and_then(|set| public_keys(&set))
        .ok_or_else(|| cannot(io::Error::other("it holds no JSON Web Key Set")))
}

/// The keys that may have signed a token with such a header.
fn fitting(keys: &[PublicKey], header: &TokenHeader) -> Vec<PublicKey> {
    keys.iter()
        .filter(|key| key.algorithm == header.algorithm)
        .filter(|key| header.key_id.is_none() || key.id == header.key_id)
        .cloned()
        .collect()
}

impl Fetched {
    fn new(url: Url, pace: Pace) -> Result<Self, Error> {
        // A query belongs to some issuers' sets, and to no host.
        let mut base = url.clone();
        base.set_query(None);
        match Host::try_from(base) {
            Ok(host) if host.is_safe_transport() => Ok(Self {
                url,
                pace,
                cached: ArcSwap::default(),
                client: Mutex::new(HttpClient::new(
                    concat!("ntro/", env!("CARGO_PKG_VERSION")),
                    FETCH_TIMEOUT,
                    Proxies::from_env(&Env::from_process()),
                )),
            }),
            _ => Err(Error::KeySetUrl {
                // What may be secret is left out.
                url: [
                    &url[..Position::BeforeUsername],
                    &url[Position::BeforeHost..Position::AfterPath],
                ]
                .concat(),
            }),
        }
    }

    async fn candidates(&self, header: &TokenHeader) -> Result<Vec<PublicKey>, Denied> {
        let cached = self.cached.load_full();
        let found = fitting(&cached.keys, header);
        let fresh = cached
            .had
            .is_some_and(|had| had.elapsed() < self.pace.fresh);
        if fresh && !found.is_empty() {
            return Ok(found);
        }
        let cached = self.refresh().await;
        match cached.had {
            Some(had) if had.elapsed() < self.pace.stale => Ok(fitting(&cached.keys, header)),
            _ => Err(Denied::Unavailable),
        }
    }

    /// Fetches the key set, unless that was tried a moment ago.
    async fn refresh(&self) -> Arc<Cached> {
        let client = self.client.lock().await;
        let cached = self.cached.load_full();
        if cached
            .tried
            .is_some_and(|tried| tried.elapsed() < self.pace.floor)
        {
            return cached;
        }
        let fetched = match self.fetch(&client).await {
            Ok(keys) => Cached {
                keys,
                had: Some(Instant::now()),
                tried: Some(Instant::now()),
            },
            Err(reason) => {
                tracing::error!(url = %self.url, reason, "the key set could not be fetched");
                Cached {
                    keys: cached.keys.clone(),
                    had: cached.had,
                    tried: Some(Instant::now()),
                }
            }
        };
        let fetched = Arc::new(fetched);
        self.cached.store(fetched.clone());
        fetched
    }

    async fn fetch(&self, client: &HttpClient) -> Result<Vec<PublicKey>, String> {
        let client = client
            .for_url(&self.url)
            .map_err(|error| error.to_string())?;
        let request = client.get(self.url.clone()).timeout(FETCH_TIMEOUT);
        let lost = |error: reqwest::Error| root_cause(&error);
        let mut response = request.send().await.map_err(lost)?;
        if !response.status().is_success() {
            return Err(format!("status {}", response.status()));
        }
        let body = read_body(&mut response, LARGEST_SET).await.map_err(lost)?;
        let body = body.ok_or("too large")?;
        let set = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        public_keys(&set).ok_or_else(|| "no key set".to_owned())
    }
}

/// The keys of a set that can be used; what cannot is passed over, since sets hold others' too.
/// `None` when it is no set at all.
fn public_keys(set: &Value) -> Option<Vec<PublicKey>> {
    let keys = set.get("keys")?.as_array()?;
    let usable = keys
        .iter()
        .filter_map(|key| public_key(serde_json::from_value(key.clone()).ok()?));
    Some(usable.collect())
}

fn public_key(jwk: Jwk) -> Option<PublicKey> {
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return None,
    };
    let other_algorithm = jwk
        .common
        .key_algorithm
        .is_some_and(|algorithm| algorithm != named);
    let other_use = jwk
        .common
        .public_key_use
        .as_ref()
        .is_some_and(|purpose| *purpose != PublicKeyUse::Signature);
    if other_algorithm || other_use {
        return None;
    }
    Some(PublicKey {
        key: DecodingKey::from_jwk(&jwk).ok()?,
        id: jwk.common.key_id,
        algorithm,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as StdMutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::http::StatusCode;
    use axum::routing::get;
    use serde_json::json;

    use super::*;

    const NEVER: Duration = Duration::ZERO;
    const LONG: Duration = Duration::from_secs(3_600);

    /// A server of key sets.
    struct Sets {
        url: Url,
        answer: Arc<StdMutex<(StatusCode, String)>>,
        asked: Arc<AtomicUsize>,
    }

    impl Sets {
        async fn start() -> Self {
            let answer = Arc::new(StdMutex::new((StatusCode::OK, String::new())));
            let asked = Arc::new(AtomicUsize::new(0));
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
            let handler = {
                let (answer, asked) = (answer.clone(), asked.clone());
                async move || {
                    asked.fetch_add(1, Ordering::SeqCst);
                    answer.lock().unwrap().clone()
                }
            };
            let router = axum::Router::new().route("/jwks.json", get(handler));
            tokio::spawn(async move { axum::serve(listener, router).await });
            Self {
                url: url.parse().unwrap(),
                answer,
                asked,
            }
        }

        fn hold(&self, ids: &[&str]) {
            let keys: Vec<_> = ids
                .iter()
                .map(|id| {
                    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
                    json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": x})
                })
                .collect();
            *self.answer.lock().unwrap() = (StatusCode::OK, json!({"keys": keys}).to_string());
        }

        fn break_down(&self, status: StatusCode, body: String) {
            *self.answer.lock().unwrap() = (status, body);
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }
    }

    fn pace(fresh: Duration, stale: Duration, floor: Duration) -> Pace {
        Pace {
            fresh,
            stale,
            floor,
        }
    }

    fn fetched(sets: &Sets, pace: Pace) -> Fetched {
        Fetched::new(sets.url.clone(), pace).unwrap()
    }

    /// How many keys may have signed a token that names this one.
    async fn found(keys: &Fetched, id: &str) -> Result<usize, Denied> {
        let header = TokenHeader {
            algorithm: Algorithm::EdDSA,
            key_id: Some(id.to_owned()),
        };
        keys.candidates(&header).await.map(|keys| keys.len())
    }

    #[test]
    fn a_set_is_fetched_by_https_or_from_this_machine() {
        let new = |url: &str| Fetched::new(url.parse().unwrap(), PACE);
        for url in [
            "https://id.example.com/keys",
            "https://id.example.com/keys?policy=sign_in&version=2",
            "http://localhost:8080/keys?policy=sign_in",
            "http://[::1]/keys",
        ] {
            assert!(new(url).is_ok(), "{url}");
        }
        for (url, told) in [
            ("http://id.example.com/keys", "http://id.example.com/keys"),
            (
                "https://me:hunter2@id.example.com/keys?code=hunter2",
                "https://id.example.com/keys",
            ),
            ("ftp://localhost/keys", "ftp://localhost/keys"),
        ] {
            let error = new(url).err().unwrap().to_string();
            assert!(error.contains(&format!("`{told}`")), "{error}");
        }
    }

    #[tokio::test]
    async fn a_set_is_fetched_once_and_again_when_an_unknown_key_is_named() {
        let sets = Sets::start().await;
        sets.hold(&["one"]);
        let keys = fetched(&sets, pace(LONG, LONG, NEVER));
        assert_eq!(found(&keys, "one").await, Ok(1));
        assert_eq!(found(&keys, "one").await, Ok(1));
        assert_eq!(sets.asked(), 1);
        sets.hold(&["two"]);
        assert_eq!(found(&keys, "two").await, Ok(1));
        assert_eq!(found(&keys, "one").await, Ok(0));
    }

    #[tokio::test]
    async fn unknown_keys_do_not_make_it_ask_all_the_time() {
        let sets = Sets::start().await;
        sets.hold(&["one"]);
        let keys = fetched(&sets, pace(LONG, LONG, LONG));
        for unknown in 0..100 {
            assert_eq!(found(&keys, &unknown.to_string()).await, Ok(0));
        }
        assert_eq!(sets.asked(), 1);
    }

    #[tokio::test]
    async fn an_issuer_that_is_down_is_bridged_for_a_while_and_no_longer() {
        let sets = Sets::start().await;
        sets.hold(&["one"]);
        let bridged = fetched(&sets, pace(NEVER, LONG, NEVER));
        let strict = fetched(&sets, pace(NEVER, NEVER, NEVER));
        assert_eq!(found(&bridged, "one").await, Ok(1));
        for (status, body) in [
            (StatusCode::INTERNAL_SERVER_ERROR, "down".to_owned()),
            (StatusCode::OK, "<html>".to_owned()),
            (StatusCode::OK, json!({"message": "back soon"}).to_string()),
            (StatusCode::OK, " ".repeat(LARGEST_SET + 1)),
            (StatusCode::MOVED_PERMANENTLY, String::new()),
        ] {
            sets.break_down(status, body);
            assert_eq!(found(&bridged, "one").await, Ok(1), "{status}");
            assert_eq!(
                found(&strict, "one").await,
                Err(Denied::Unavailable),
                "{status}"
            );
        }
    }
}
