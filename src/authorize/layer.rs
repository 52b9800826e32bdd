use std::sync::Arc;
use std::time::Duration;

use ntro_base::Host;
use ntro_base::env::Env;
use ntro_base::http::{CustomRoots, HttpClient, Proxies};
use ntro_client::api;
use tower::Layer;
use url::form_urlencoded::Serializer;

use super::asker::Asker;
use super::known::KnownKeys;
use super::service::Authorize;
use crate::Error;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const USER_AGENT: &str = concat!("ntro/", env!("CARGO_PKG_VERSION"));

/// Makes services that ask an authority about each request. Its clones share their connections.
#[derive(Clone)]
pub struct AuthorizeLayer(Arc<Asker>);

impl AuthorizeLayer {
    /// Asks the authority at this address, such as `https://keys.example.com`. Without further
    /// conditions, every live key is accepted.
    ///
    /// # Errors
    ///
    /// Fails for plain `http` to another machine.
    pub fn new(authority: Host) -> Result<Self, Error> {
        if !authority.is_safe_transport() {
            let origin = authority.origin();
            return Err(api::Error::InsecureTransport { origin }.into());
        }
        Ok(Self::over_insecure_http(&authority))
    }

    /// Asks as [`AuthorizeLayer::new`] does, also over plain `http` to another machine.
    #[must_use]
    pub fn over_insecure_http(authority: &Host) -> Self {
        let env = Env::from_process();
        let (proxies, roots) = (Proxies::from_env(&env), CustomRoots::from_env(&env));
        let client = HttpClient::new(USER_AGENT, CONNECT_TIMEOUT, proxies, roots);
        Self(Arc::new(Asker {
            client: Arc::new(client),
            question: authority.join("/v1/authorize?"),
            known: None,
        }))
    }

    /// Accepts only keys that may use this scope. Every scope of several calls is required.
    #[must_use]
    pub fn scope(self, name: &str) -> Self {
        self.with_condition("scope", name)
    }

    /// Accepts only keys of this tenant, by its slug or id.
    #[must_use]
    pub fn tenant(self, name: &str) -> Self {
        self.with_condition("tenant", name)
    }

    /// Uses an answer again for as long as the authority says with `X-Ntro-Valid-For`: at most for
    /// the rest of its lease, and not at all without one.
    ///
    /// A key that is revoked meanwhile is accepted until then. Without this, it is refused as soon as
    /// the revocation is answered.
    #[must_use]
    pub fn reuse_answers(self) -> Self {
        self.with_asker(self.0.question.clone(), true)
    }

    fn with_condition(self, name: &str, value: &str) -> Self {
        let start = self.0.question.find('?').map_or(0, |mark| mark + 1);
        let mut question = Serializer::for_suffix(self.0.question.clone(), start);
        question.append_pair(name, value);
        self.with_asker(question.finish(), self.0.known.is_some())
    }

    /// Asks another question, with no known keys: those of the layer belong to its own question.
    fn with_asker(&self, question: String, reuses_answers: bool) -> Self {
        Self(Arc::new(Asker {
            client: self.0.client.clone(),
            question,
            known: reuses_answers.then(KnownKeys::default),
        }))
    }
}

impl<S> Layer<S> for AuthorizeLayer {
    type Service = Authorize<S>;

    /// Frameworks make a service for each route, or for each request: all have the same asker.
    fn layer(&self, inner: S) -> Authorize<S> {
        Authorize::new(inner, self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn question_has_every_condition() {
        let layer = AuthorizeLayer::new("https://keys.example.com/base".parse().unwrap());
        let layer = layer.unwrap().scope("exports").scope("*").tenant("a&b=c");
        assert_eq!(
            layer.0.question,
            "https://keys.example.com/base/v1/authorize?scope=exports&scope=*&tenant=a%26b%3Dc"
        );
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        let layer = |host: &str| AuthorizeLayer::new(host.parse().unwrap());
        let error = layer("http://keys.example.com").err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(layer("http://127.0.0.1:3000").is_ok());
        let host = "http://keys.example.com".parse().unwrap();
        let layer = AuthorizeLayer::over_insecure_http(&host);
        assert_eq!(layer.0.question, "http://keys.example.com/v1/authorize?");
    }
}
