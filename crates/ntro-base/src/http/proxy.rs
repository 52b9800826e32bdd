use std::fmt;
use std::sync::Arc;

use hyper_util::client::proxy::matcher::Matcher;
use url::{ParseError, Url};

use super::{NoProxy, is_loopback};
use crate::env::{self, Env, EnvVar};

/// A variable that should name a proxy and does not. Its value may hold a password, so it is
/// never shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the variable `{variable}` names no proxy: {reason}")]
pub struct BadProxy {
    /// Its name in capital letters; it may be set in lower case.
    pub variable: &'static str,
    reason: &'static str,
}

impl BadProxy {
    /// Checks a variable; `None` when it names a proxy or is not set.
    #[must_use]
    pub fn find(env: &Env, variable: &EnvVar) -> Option<Self> {
        named_proxy(env, variable).err()
    }
}

/// The proxies that a snapshot of the environment names. Clones share them.
#[derive(Clone)]
pub struct Proxies(Arc<Variables>);

struct Variables {
    http: Result<Option<NamedProxy>, BadProxy>,
    https: Result<Option<NamedProxy>, BadProxy>,
    exempt: NoProxy,
}

/// A proxy, and the variable that names it.
pub struct NamedProxy {
    /// The proxy's URL, which may hold a password.
    pub url: Url,
    /// The variable's name in capital letters; it may be set in lower case.
    pub variable: &'static str,
}

impl Proxies {
    /// Reads the variables. A bad proxy is an error of the calls that would go through it.
    #[must_use]
    pub fn from_env(env: &Env) -> Self {
        let named = |variable| match env.is_set(variable) {
            // In a CGI program `HTTP_PROXY` comes from a header of the request.
            _ if env.is_set(&env::REQUEST_METHOD) => Ok(None),
            true => named_proxy(env, variable),
            false => named_proxy(env, &env::ALL_PROXY),
        };
        Self(Arc::new(Variables {
            http: named(&env::HTTP_PROXY),
            https: named(&env::HTTPS_PROXY),
            exempt: NoProxy::from_env(env),
        }))
    }

    /// Returns the proxy through which to call a URL; `None` to call it directly.
    ///
    /// # Errors
    ///
    /// Returns an error when the variable that decides names no usable proxy.
    pub fn find(&self, url: &Url) -> Result<Option<&NamedProxy>, &BadProxy> {
        let Variables {
            http,
            https,
            exempt,
        } = &*self.0;
        match if url.scheme() == "https" { https } else { http } {
            Ok(None) => Ok(None),
            _ if is_loopback(url) || exempt.contains(url) => Ok(None),
            named => named.as_ref().map(Option::as_ref),
        }
    }
}

impl fmt::Debug for Proxies {
    /// Shows no URL: it may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxies")
    }
}

fn named_proxy(env: &Env, variable: &EnvVar) -> Result<Option<NamedProxy>, BadProxy> {
    let variable_name = variable.name;
    let named = match env.text(variable) {
        Ok(value) => value.map(proxy_url).transpose(),
        Err(_) => Err("it is not valid Unicode"),
    };
    let named = named.map_err(|reason| BadProxy {
        variable: variable_name,
        reason,
    })?;
    Ok(named.map(|url| NamedProxy {
        url,
        variable: variable_name,
    }))
}

/// Parses the URL of a proxy. `http://` may be missing.
fn proxy_url(value: &str) -> Result<Url, &'static str> {
    const FORM: &str = "it is not of the form `http://HOST:PORT`";
    let (scheme, authority) = value.split_once("://").unwrap_or(("http", value));
    if !matches!(scheme, "http" | "https") {
        return Err("only `http` and `https` proxies are supported");
    }
    // Such a character would end the name of the host, and the rest of the password become one.
    if let Some((user, _)) = authority.rsplit_once('@')
        && user.contains(['#', '/', '?', '\\'])
    {
        return Err(
            "`#`, `/`, `?` and `\\` in its user name and password are written `%23`, `%2F`, `%3F` and `%5C`",
        );
    }
    let url = Url::parse(&format!("{scheme}://{authority}")).map_err(|error| match error {
        ParseError::InvalidPort => "its port is not a number up to 65535",
        _ => FORM,
    })?;
    // reqwest parses the URL with this type as well, and ignores a proxy that it does not accept.
    let is_accepted = |text: &str| match "http://server.invalid".parse() {
        Ok(server) => {
            let matcher = Matcher::builder().all(text).build();
            matcher.intercept(&server).is_some()
        }
        Err(_) => false,
    };
    match is_accepted(value) && is_accepted(url.as_str()) {
        true => Ok(url),
        false => Err(FORM),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::{ALL_PROXY, HTTP_PROXY, HTTPS_PROXY, NO_PROXY, REQUEST_METHOD};

    /// Returns the proxy for a server, or the variable that is wrong.
    fn find(variables: &[(&EnvVar, &str)], server: &str) -> Result<Option<String>, &'static str> {
        let proxies = Proxies::from_env(&Env::from_pairs(variables.iter().copied()));
        match proxies.find(&server.parse().unwrap()) {
            Ok(proxy) => Ok(proxy.map(|proxy| proxy.url.to_string())),
            Err(bad) => Err(bad.variable),
        }
    }

    #[test]
    fn proxy_has_scheme_host_and_port() {
        for value in [
            "http://proxy:3128",
            "https://proxy.example",
            "http://ada:hunter2@10.0.0.1:3128/",
            "http://[::1]:3128",
            "proxy:3128",
            "proxy",
        ] {
            assert!(proxy_url(value).is_ok(), "{value}");
        }
        for value in [
            ":::bad",
            "http://",
            "http://a b:1",
            " http://proxy:1",
            "http:/proxy",
            "http:///proxy",
            "http://1.2.3.4.5:1",
            "http://a{b:1",
            "http://proxy:65536",
            "http://proxy:1x",
            "socks9://x:1",
            "socks5://x:1",
            "ftp://x",
        ] {
            assert!(proxy_url(value).is_err(), "{value}");
        }
    }

    #[test]
    fn deciding_variable_must_name_proxy() {
        let (good, bad) = ("http://proxy:1", ":::bad");
        let (http, https) = ("http://a.example", "https://a.example");
        let through = || Ok(Some("http://proxy:1/".to_owned()));
        assert_eq!(find(&[], https), Ok(None));
        assert_eq!(find(&[(&HTTPS_PROXY, good)], https), through());
        assert_eq!(find(&[(&HTTPS_PROXY, good)], http), Ok(None));
        assert_eq!(find(&[(&ALL_PROXY, good)], http), through());
        assert_eq!(find(&[(&HTTPS_PROXY, bad)], https), Err("HTTPS_PROXY"));
        assert_eq!(find(&[(&HTTPS_PROXY, bad)], http), Ok(None));
        assert_eq!(find(&[(&HTTP_PROXY, bad)], http), Err("HTTP_PROXY"));
        assert_eq!(find(&[(&ALL_PROXY, bad)], http), Err("ALL_PROXY"));
        assert_eq!(find(&[(&ALL_PROXY, bad)], https), Err("ALL_PROXY"));
        let both = [(&HTTPS_PROXY, good), (&ALL_PROXY, bad)];
        assert_eq!(find(&both, https), through());
        let both = [(&HTTPS_PROXY, bad), (&ALL_PROXY, good)];
        assert_eq!(find(&both, https), Err("HTTPS_PROXY"));
        for exempt in ["a.example", ".example", "*"] {
            let variables = [(&HTTPS_PROXY, bad), (&NO_PROXY, exempt)];
            assert_eq!(find(&variables, https), Ok(None), "{exempt}");
        }
        let variables = [(&HTTPS_PROXY, bad), (&NO_PROXY, "b.example")];
        assert_eq!(find(&variables, https), Err("HTTPS_PROXY"));
    }

    #[test]
    fn special_characters_are_percent_encoded() {
        for password in ["a#b", "a/b", "a?b", "a\\b", "#", "p@ss#word"] {
            let value = format!("http://ada:{password}@proxy:3128");
            let reason = proxy_url(&value).unwrap_err();
            assert!(reason.contains("`%23`"), "{value}: {reason}");
        }
        assert!(proxy_url("http://DOMAIN\\ada:x@proxy:3128").is_err());
        // The last `@` ends the password.
        let url = proxy_url("http://ada:p@ss@proxy:3128").unwrap();
        assert_eq!(url.as_str(), "http://ada:p%40ss@proxy:3128/");
    }

    #[test]
    fn loopback_and_cgi_use_no_proxy() {
        for proxy in ["http://proxy:1", ":::bad"] {
            let all = (&ALL_PROXY, proxy);
            for server in ["http://127.0.0.1:1", "https://[::1]", "https://a.localhost"] {
                assert_eq!(find(&[all], server), Ok(None), "{server}");
            }
            let cgi = [all, (&REQUEST_METHOD, "GET")];
            assert_eq!(find(&cgi, "http://a.example"), Ok(None));
        }
    }

    #[test]
    fn proxy_passwords_are_never_shown() {
        for value in ["http://ada:hunter2@proxy:1", "http://ada:hunter2@proxy:x"] {
            let proxies = Proxies::from_env(&Env::from_pairs([(&ALL_PROXY, value)]));
            let url = "https://a.example".parse().unwrap();
            let bad = proxies.find(&url).err();
            let shown = bad.map(|bad| format!("{bad} {bad:?}")).unwrap_or_default();
            assert!(!format!("{proxies:?} {shown}").contains("hunter2"));
        }
    }
}
