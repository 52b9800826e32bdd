//! The two public systems and their properties.

use std::fmt;
use std::str::FromStr;

use super::{Host, printable};

/// A system whose keys `ntro` manages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Provider {
    /// `Authorization: Bearer ntro_…`; a key belongs to one tenant.
    Ntropii,
    /// `X-API-Key: ont_…`; a key belongs to one workspace and carries scopes.
    Ontora,
}

impl Provider {
    /// Every provider, in the order in which they are offered to the user.
    pub const ALL: [Self; 2] = [Self::Ntropii, Self::Ontora];

    /// Returns the name used in configuration, options and output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ntropii => "ntropii",
            Self::Ontora => "ontora",
        }
    }

    /// Returns the marker at the start of every key of this provider.
    #[must_use]
    pub const fn key_marker(self) -> &'static str {
        match self {
            Self::Ntropii => "ntro_",
            Self::Ontora => "ont_",
        }
    }

    /// Returns the base URL of the provider's production service.
    #[must_use]
    pub const fn production_host(self) -> &'static str {
        match self {
            Self::Ntropii => "https://api.ntropii.com/v1",
            Self::Ontora => "https://api.ontora.com",
        }
    }

    /// Returns the provider whose production service `host` is, including regional and tenant
    /// hosts.
    #[must_use]
    pub fn of_production_host(host: &Host) -> Option<Self> {
        // A trailing dot marks a fully qualified name and does not change the host.
        match host.origin_text().trim_end_matches('.') {
            "https://api.ntropii.com" => Some(Self::Ntropii),
            "https://api.ontora.com" | "https://api.eu.ontora.com" => Some(Self::Ontora),
            origin => origin
                .ends_with(".tenants.ntropii.com")
                .then_some(Self::Ntropii),
        }
    }

    /// Returns the base URL of an authority on this machine.
    #[must_use]
    pub const fn local_host(self) -> &'static str {
        match self {
            Self::Ntropii => "http://localhost:3000/v1",
            Self::Ontora => "http://localhost:3000",
        }
    }

    /// Returns the provider whose marker `key` begins with, if any.
    #[must_use]
    pub fn of_key(key: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|provider| key.starts_with(provider.key_marker()))
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A provider name that is not one of [`Provider::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown provider `{0}`: expected `ntropii` or `ontora`")]
pub struct UnknownProvider(pub String);

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|provider| provider.as_str() == text)
            .ok_or_else(|| UnknownProvider(printable(text, 64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provider_parses_from_its_name() {
        for provider in Provider::ALL {
            assert_eq!(provider.as_str().parse(), Ok(provider));
        }
        assert!("Ntropii".parse::<Provider>().is_err());
    }

    #[test]
    fn production_hosts_are_recognised() {
        let of = |host: &str| Provider::of_production_host(&host.parse().unwrap());
        for provider in Provider::ALL {
            assert_eq!(of(provider.production_host()), Some(provider));
            assert_eq!(of(provider.local_host()), None);
        }
        assert_eq!(of("https://api.eu.ontora.com/v1"), Some(Provider::Ontora));
        let tenants = "https://acme.tenants.ntropii.com/v1";
        assert_eq!(of(tenants), Some(Provider::Ntropii));
        let in_full = "https://API.ntropii.com./v1";
        assert_eq!(of(in_full), Some(Provider::Ntropii));
        for other in [
            "https://api.ntropii.com:8443",
            "https://api.ntropii.com.evil.example",
            "https://test.ntropii.com",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn key_marker_identifies_provider() {
        assert_eq!(Provider::of_key("ntro_dev_key"), Some(Provider::Ntropii));
        assert_eq!(Provider::of_key("ont_live_x"), Some(Provider::Ontora));
        assert_eq!(Provider::of_key("sk-123"), None);
    }
}
