//! The options of `ntro serve` that name reverse proxies in front of it.

use clap::ValueEnum;
use ntro_authority::{ForwardedHeader, TrustedProxies, TrustedProxy};

#[derive(clap::Args, Debug)]
pub(super) struct ProxyArgs {
    /// Reverse proxy whose `Forwarded` or `X-Forwarded-For` names the client's address; repeat it for
    /// several; `unix` is the clients of Unix sockets [default: none, both headers are ignored]
    #[arg(long = "trusted-proxy", value_name = "CIDR|ADDRESS|unix")]
    proxies: Vec<TrustedProxy>,
    /// The header that trusted proxies write; the other is ignored. Without this, a request whose
    /// headers name different clients is refused
    #[arg(long, value_name = "HEADER")]
    forwarded_header: Option<HeaderName>,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum HeaderName {
    Forwarded,
    XForwardedFor,
}

impl ProxyArgs {
    pub(super) fn or(self, other: Self) -> Self {
        let proxies = match self.proxies.is_empty() {
            true => other.proxies,
            false => self.proxies,
        };
        Self {
            proxies,
            forwarded_header: self.forwarded_header.or(other.forwarded_header),
        }
    }

    pub(super) fn trusted(self) -> TrustedProxies {
        TrustedProxies {
            proxies: self.proxies,
            header: self.forwarded_header.map(|header| match header {
                HeaderName::Forwarded => ForwardedHeader::Forwarded,
                HeaderName::XForwardedFor => ForwardedHeader::XForwardedFor,
            }),
        }
    }
}
