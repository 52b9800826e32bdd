//! The variables that name a proxy, looked at before anything is sent.
//!
//! The HTTP library passes over a proxy that it does not understand and calls the server straight.
//! Whoever names a proxy wants calls to go through it, so here that is an error.

use hyper_util::client::proxy::matcher::Matcher;

use ntro_base::Host;
use ntro_base::env::{self, Env, EnvVar};

/// A variable that is to name a proxy and does not. Its value may hold a password and is not told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the variable `{variable}` names no proxy: {reason}")]
pub struct BadProxy {
    /// Its name, in capital letters; it may be set in small ones.
    pub variable: &'static str,
    reason: &'static str,
}

impl BadProxy {
    /// Looks at a variable; `None` when it names a proxy or is not set.
    #[must_use]
    pub fn find(env: &Env, variable: &EnvVar) -> Option<Self> {
        let reason = match env.text(variable) {
            Ok(None) => return None,
            Ok(Some(value)) => mistake(value)?,
            Err(_) => "it is not valid Unicode",
        };
        Some(Self {
            variable: variable.name,
            reason,
        })
    }
}

/// What the variables say of every server that is called.
pub(super) struct Proxies {
    http: Option<BadProxy>,
    https: Option<BadProxy>,
    /// Goes through a proxy of no matter which name wherever `NO_PROXY` does not say otherwise.
    exempt: Matcher,
}

impl Proxies {
    pub(super) fn of(env: &Env) -> Self {
        let decided_by = |variable| match env.is_set(variable) {
            true => BadProxy::find(env, variable),
            false => BadProxy::find(env, &env::ALL_PROXY),
        };
        let no = env.text(&env::NO_PROXY).ok().flatten();
        Self {
            http: decided_by(&env::HTTP_PROXY),
            https: decided_by(&env::HTTPS_PROXY),
            exempt: Matcher::builder()
                .all("http://proxy.invalid")
                .no(no.unwrap_or_default())
                .build(),
        }
    }

    /// Refuses a server that is to be called through a proxy of which nobody knows where it is.
    pub(super) fn check(&self, host: &Host) -> Result<(), &BadProxy> {
        let bad = match host.is_https() {
            true => &self.https,
            false => &self.http,
        };
        let goes_straight = || match host.as_str().parse() {
            Ok(uri) => self.exempt.intercept(&uri).is_none(),
            Err(_) => false,
        };
        match bad {
            Some(bad) if !goes_straight() => Err(bad),
            _ => Ok(()),
        }
    }
}

/// Tells what keeps a value from naming a proxy, in the eyes of the library that is to use it.
fn mistake(value: &str) -> Option<&'static str> {
    const NO_URL: &str = "it is not of the form `http://HOST:PORT`";
    const SCHEME: &str = "proxies are spoken to by `http` and `https` alone";
    let anywhere = "http://server.invalid".parse().ok()?;
    let Some(proxy) = Matcher::builder().all(value).build().intercept(&anywhere) else {
        return Some(match value.split_once("://") {
            Some((scheme, _)) if !matches!(scheme, "http" | "https") => SCHEME,
            _ => NO_URL,
        });
    };
    let uri = proxy.uri();
    let place = uri.authority().map(|authority| authority.as_str());
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        Some(SCHEME)
    } else if uri.port_u16().is_none() && place != uri.host() {
        Some("its port is no number up to 65535")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(variables: &[(&EnvVar, &str)], host: &str) -> Result<(), &'static str> {
        let proxies = Proxies::of(&Env::from_pairs(variables.iter().copied()));
        let permitted = proxies.check(&host.parse().unwrap());
        permitted.map_err(|bad| bad.variable)
    }

    #[test]
    fn a_proxy_has_a_scheme_a_host_and_a_port() {
        for value in [
            "http://proxy:3128",
            "https://proxy.example",
            "http://ada:hunter2@10.0.0.1:3128/",
            "http://[::1]:3128",
            "proxy:3128",
            "proxy",
        ] {
            assert_eq!(mistake(value), None, "{value}");
        }
        for value in [
            ":::bad",
            "http://",
            "http://a b:1",
            " http://proxy:1",
            "http://proxy:65536",
            "http://proxy:1x",
            "socks9://x:1",
            "socks5://x:1",
            "ftp://x",
        ] {
            assert!(mistake(value).is_some(), "{value}");
        }
    }

    #[test]
    fn the_variable_that_would_decide_the_way_is_the_one_that_counts() {
        use ntro_base::env::{ALL_PROXY, HTTP_PROXY, HTTPS_PROXY, NO_PROXY};

        let (good, bad) = ("http://proxy:1", ":::bad");
        let (http, https) = ("http://a.example", "https://a.example");
        assert_eq!(permits(&[], https), Ok(()));
        assert_eq!(permits(&[(&HTTPS_PROXY, bad)], https), Err("HTTPS_PROXY"));
        assert_eq!(permits(&[(&HTTPS_PROXY, bad)], http), Ok(()));
        assert_eq!(permits(&[(&HTTP_PROXY, bad)], http), Err("HTTP_PROXY"));
        assert_eq!(permits(&[(&ALL_PROXY, bad)], http), Err("ALL_PROXY"));
        assert_eq!(permits(&[(&ALL_PROXY, bad)], https), Err("ALL_PROXY"));
        let both = [(&HTTPS_PROXY, good), (&ALL_PROXY, bad)];
        assert_eq!(permits(&both, https), Ok(()));
        let both = [(&HTTPS_PROXY, bad), (&ALL_PROXY, good)];
        assert_eq!(permits(&both, https), Err("HTTPS_PROXY"));
        for exempt in ["a.example", ".example", "*"] {
            let variables = [(&HTTPS_PROXY, bad), (&NO_PROXY, exempt)];
            assert_eq!(permits(&variables, https), Ok(()), "{exempt}");
        }
        let variables = [(&HTTPS_PROXY, bad), (&NO_PROXY, "b.example")];
        assert_eq!(permits(&variables, https), Err("HTTPS_PROXY"));
    }
}
