//! Cargo's credential-provider protocol: one JSON value a line, after a greeting.

use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::{KeyHeader, url_origin};
use ntro_base::{ApiKey, Origin, Provider};

/// The first line of every conversation: the known versions.
pub const GREETING: &str = "{\"v\":[1]}\n";

const VERSION: u32 = 1;

/// A request, as far as it is read.
#[derive(Debug, Deserialize)]
pub struct Request {
    v: u32,
    kind: String,
    registry: Registry,
    /// The further arguments of the provider in the configuration of Cargo.
    #[serde(default)]
    args: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Registry {
    index_url: String,
}

/// Why no credential is given.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The registry belongs to no connection: Cargo asks the next provider.
    UrlNotSupported,
    /// Credentials are only read.
    OperationNotSupported,
    /// The connection has no key.
    NotFound,
    /// Anything else.
    Other(String),
}

impl Request {
    /// Parses a line.
    ///
    /// # Errors
    ///
    /// Fails for another version or form. No part of the line is repeated.
    pub fn parse(line: &str) -> Result<Self, Refusal> {
        let malformed = |_| Refusal::Other("the request cannot be read".to_owned());
        let request: Self = serde_json::from_str(line).map_err(malformed)?;
        if request.v != VERSION {
            let message = format!("version {} of the protocol is not known", request.v);
            return Err(Refusal::Other(message));
        }
        match request.kind.as_str() {
            "get" => Ok(request),
            _ => Err(Refusal::OperationNotSupported),
        }
    }

    /// Returns the origin of the registry; `None` if no connection can have it.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        let url = self.registry.index_url.as_str();
        url_origin(url.strip_prefix("sparse+").unwrap_or(url))
    }

    /// Returns the connection that the configuration of Cargo names with `-c`.
    ///
    /// # Errors
    ///
    /// Fails for other arguments.
    pub fn connection(&self) -> Result<Option<&str>, Refusal> {
        let args: Vec<_> = self.args.iter().map(String::as_str).collect();
        match args.as_slice() {
            [] => Ok(None),
            ["-c" | "--connection", name] => Ok(Some(name)),
            _ => Err(Refusal::Other(
                "the only arguments of this provider are `-c NAME`".to_owned(),
            )),
        }
    }
}

/// Returns the line with a key. Cargo sends the token as the value of `Authorization`.
#[must_use]
pub fn answer(provider: Provider, key: &ApiKey) -> Zeroizing<String> {
    let token = KeyHeader::of(provider, key).value;
    let line = json!({"Ok": {
        "kind": "get",
        "token": &*token,
        "cache": "session",
        "operation_independent": true,
    }});
    Zeroizing::new(format!("{line}\n"))
}

impl Refusal {
    /// Returns the line of the refusal.
    #[must_use]
    pub fn line(&self) -> String {
        let refusal = match self {
            Self::UrlNotSupported => json!({"kind": "url-not-supported"}),
            Self::OperationNotSupported => json!({"kind": "operation-not-supported"}),
            Self::NotFound => json!({"kind": "not-found"}),
            Self::Other(message) => json!({"kind": "other", "message": message, "caused-by": []}),
        };
        format!("{}\n", json!({"Err": refusal}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: &str, url: &str, args: &str) -> String {
        format!(
            r#"{{"v":1,"registry":{{"index-url":"{url}","name":"x","headers":["WWW-Authenticate: Cargo"]}},"kind":"{kind}","operation":"read","args":{args}}}"#
        )
    }

    #[test]
    fn request_names_registry_and_connection() {
        let url = "sparse+https://crates.acme.test/index/";
        let request = Request::parse(&line("get", url, "[]")).unwrap();
        let origin = request.origin().unwrap();
        assert_eq!(origin.as_str(), "https://crates.acme.test");
        assert_eq!(request.connection(), Ok(None));
        let request = Request::parse(&line("get", url, r#"["-c","acme"]"#)).unwrap();
        assert_eq!(request.connection(), Ok(Some("acme")));
        let request = Request::parse(&line("get", url, r#"["--evil"]"#)).unwrap();
        assert!(request.connection().is_err());
        for kind in ["login", "logout", "new"] {
            let refused = Request::parse(&line(kind, url, "[]")).unwrap_err();
            assert_eq!(refused, Refusal::OperationNotSupported);
        }
        for text in [
            "",
            "{}",
            "null",
            &line("get", url, "[]").replace(":1,", ":2,"),
        ] {
            assert!(
                matches!(Request::parse(text), Err(Refusal::Other(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn answers_are_one_line() {
        let key: ApiKey = "ntro_prod_abc".parse().unwrap();
        let text = answer(Provider::Ntropii, &key);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["Ok"]["token"], "Bearer ntro_prod_abc");
        for refusal in [
            Refusal::UrlNotSupported,
            Refusal::NotFound,
            Refusal::OperationNotSupported,
            Refusal::Other("a\nb".to_owned()),
        ] {
            assert_eq!(refusal.line().matches('\n').count(), 1);
        }
        let text = Refusal::UrlNotSupported.line();
        assert_eq!(text, "{\"Err\":{\"kind\":\"url-not-supported\"}}\n");
    }
}
