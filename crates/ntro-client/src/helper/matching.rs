use url::Url;

use crate::resolve::Inputs;
use ntro_base::{ConnectionName, Host, Origin};

/// Returns the connections whose host has an origin, in the order of the file. Variables and the pin
/// do not count.
#[must_use]
pub fn connections_with(inputs: &Inputs<'_>, origin: &Origin) -> Vec<ConnectionName> {
    let has_origin = |name: &ConnectionName| {
        let resolution = inputs.alone(name);
        let host = resolution.host();
        host.is_ok_and(|host| host.value.origin() == *origin)
    };
    let names = inputs.config.names().filter_map(|name| name.parse().ok());
    names.filter(has_origin).collect()
}

/// Returns the origin of a URL that another tool names; `None` if no connection can have it.
#[must_use]
pub fn url_origin(text: &str) -> Option<Origin> {
    let mut url = Url::parse(text).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    Host::try_from(url).ok().map(|host| host.origin())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_is_that_of_the_url() {
        let origin = |text| url_origin(text).map(|origin| origin.to_string());
        for (text, expected) in [
            (
                "https://api.ntropii.com/v1/mcp?x=1#y",
                "https://api.ntropii.com",
            ),
            ("HTTPS://API.ntropii.com:443", "https://api.ntropii.com"),
            ("http://localhost:3000/v1", "http://localhost:3000"),
            (
                "https://api.ntropii.com.evil.example/",
                "https://api.ntropii.com.evil.example",
            ),
        ] {
            assert_eq!(origin(text).as_deref(), Some(expected));
        }
        for text in [
            "",
            "api.ntropii.com",
            "ftp://api.ntropii.com",
            "https://user@api.ntropii.com",
            "https://a:b@api.ntropii.com",
            "https://",
        ] {
            assert_eq!(origin(text), None, "{text}");
        }
    }
}
