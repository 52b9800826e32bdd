use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use ntro_base::http::{HttpClient, read_body, root_cause};
use url::Url;

use super::AuthorizedKey;
use super::known::{KnownKeys, Moment};

/// The headers that may have a credential.
const CREDENTIALS: [HeaderName; 2] = [HeaderName::from_static("x-api-key"), AUTHORIZATION];
/// The headers of a refusal that its client gets.
const PASSED_ON: [HeaderName; 3] = [CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE];
const TIMEOUT: Duration = Duration::from_secs(5);
const LARGEST_BODY: usize = 16 * 1024;

/// Asks one question about the credentials of requests.
pub(super) struct Asker {
    pub(super) client: Arc<HttpClient>,
    pub(super) question: String,
    pub(super) known: Option<KnownKeys>,
}

/// The answer to a request that is not let through.
pub(super) struct Denial {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Denial {
    /// The authority has given no valid answer.
    fn unavailable(reason: &str) -> Self {
        tracing::warn!(reason, "the authority did not decide");
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            headers: HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("1"))]),
            body: Vec::new(),
        }
    }
}

impl Asker {
    /// Asks about the credentials in the headers of a request.
    pub(super) async fn ask(&self, headers: &HeaderMap) -> Result<AuthorizedKey, Denial> {
        let credentials = credentials(headers);
        if let Some(known) = &self.known
            && let Some(key) = known.find(&credentials)
        {
            return Ok(key);
        }
        let asked = Moment::now();
        let answer = self.send(&credentials).await?;
        if answer.status() != StatusCode::OK {
            return Err(denial(answer).await);
        }
        let key = AuthorizedKey::read(answer.headers());
        let key = key.ok_or_else(|| Denial::unavailable("200 without its headers"))?;
        if let Some(known) = &self.known {
            known.keep(&credentials, &key, asked, valid_for(answer.headers()));
        }
        Ok(key)
    }

    async fn send(&self, credentials: &HeaderMap) -> Result<reqwest::Response, Denial> {
        let failed = |reason: String| Denial::unavailable(&reason);
        let url = Url::parse(&self.question).map_err(|error| failed(error.to_string()))?;
        let client = self.client.for_url(&url);
        let client = client.map_err(|error| failed(error.to_string()))?;
        let request = client
            .get(url)
            .headers(credentials.clone())
            .timeout(TIMEOUT);
        let answer = request.send().await;
        answer.map_err(|error| failed(root_cause(&error)))
    }
}

fn credentials(headers: &HeaderMap) -> HeaderMap {
    let mut credentials = HeaderMap::new();
    for name in CREDENTIALS {
        for value in headers.get_all(&name) {
            let mut value = value.clone();
            value.set_sensitive(true);
            credentials.append(&name, value);
        }
    }
    credentials
}

/// Returns the refusal of the authority as the client gets it.
async fn denial(mut answer: reqwest::Response) -> Denial {
    let status = answer.status();
    if !status.is_client_error() && !status.is_server_error() {
        return Denial::unavailable(status.as_str());
    }
    let headers = PASSED_ON.into_iter().filter_map(|name| {
        let value = answer.headers().get(&name)?.clone();
        Some((name, value))
    });
    let headers = headers.collect();
    let body = read_body(&mut answer, LARGEST_BODY).await;
    Denial {
        status,
        headers,
        body: body
            .ok()
            .flatten()
            .map(|body| body.to_vec())
            .unwrap_or_default(),
    }
}

/// Returns how long an answer may be used again.
fn valid_for(headers: &HeaderMap) -> Duration {
    let text = headers.get("x-ntro-valid-for");
    let millis = text.and_then(|text| text.to_str().ok()?.parse().ok());
    Duration::from_millis(millis.unwrap_or(0))
}
