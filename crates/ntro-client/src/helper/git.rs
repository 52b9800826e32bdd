//! `git credential`: lines of `key=value`, as gitcredentials(7) and git-credential(1) describe them.

use std::io::{self, BufRead, Read as _};

use zeroize::Zeroizing;

use super::url_origin;
use ntro_base::{ApiKey, Origin, Provider};

/// The longest line that git accepts.
const LONGEST_LINE: usize = 65_535;
/// More lines than any request has.
const MOST_LINES: usize = 1_000;

/// The answer to `capability`.
pub const CAPABILITIES: &str = "version 0\ncapability authtype\n";

/// Why a request was refused. No part of it is repeated: it may hold a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Standard input cannot be read.
    #[error("the request of git cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// A line is not `key=value`.
    #[error("the request of git has a line that is not `key=value`")]
    NotALine,
    /// A line has a byte that no value has.
    #[error("the request of git has {0}, which is refused")]
    Forbidden(&'static str),
    /// The request is longer than any real one.
    #[error("the request of git is too long")]
    TooLong,
    /// A field that says who asks is missing or empty.
    #[error("the request of git has no {0}")]
    Blank(&'static str),
}

/// A request for a credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    protocol: String,
    host: String,
    username: Option<String>,
    offers_authtype: bool,
    /// The schemes that the server has asked for.
    schemes: Vec<String>,
}

impl Request {
    /// Reads a request, to an empty line or the end.
    ///
    /// # Errors
    ///
    /// Fails for anything that git does not send: other parsers have taken such lines for more than
    /// one, and sent credentials elsewhere.
    pub fn read(input: impl BufRead) -> Result<Self, Error> {
        let mut request = Self::default();
        let mut input = input;
        for _ in 0..MOST_LINES {
            let mut line = Vec::new();
            let limit = LONGEST_LINE as u64 + 1;
            input.by_ref().take(limit).read_until(b'\n', &mut line)?;
            if line.last() == Some(&b'\n') {
                line.pop();
            } else if line.len() > LONGEST_LINE {
                return Err(Error::TooLong);
            }
            if line.is_empty() {
                return request.checked();
            }
            if line.contains(&b'\r') {
                return Err(Error::Forbidden("a carriage return"));
            }
            if line.contains(&0) {
                return Err(Error::Forbidden("a NUL byte"));
            }
            let line = String::from_utf8(line).map_err(|_| Error::NotALine)?;
            let (key, value) = line.split_once('=').ok_or(Error::NotALine)?;
            request.take(key, value);
        }
        Err(Error::TooLong)
    }

    fn take(&mut self, key: &str, value: &str) {
        match key {
            "protocol" => self.protocol = value.to_owned(),
            "host" => self.host = value.to_owned(),
            "username" => self.username = Some(value.to_owned()),
            "capability[]" => self.offers_authtype |= value == "authtype",
            "wwwauth[]" => {
                let scheme = value.split(' ').next().unwrap_or_default();
                self.schemes.push(scheme.to_ascii_lowercase());
            }
            _ => {}
        }
    }

    fn checked(self) -> Result<Self, Error> {
        for (value, what) in [(&self.protocol, "protocol"), (&self.host, "host")] {
            if value.trim().is_empty() {
                return Err(Error::Blank(what));
            }
        }
        Ok(self)
    }

    /// Returns the origin of the server; `None` if no connection can have it.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        let is_host = self.host.bytes().all(allowed);
        let is_web = ["http", "https"].contains(&self.protocol.as_str());
        (is_host && is_web).then(|| url_origin(&format!("{}://{}", self.protocol, self.host)))?
    }

    /// Returns the answer with a key: as a bearer token where git and the server take one, or else as
    /// the password.
    #[must_use]
    pub fn answer(&self, provider: Provider, key: &ApiKey) -> Zeroizing<String> {
        let key = key.expose();
        let takes_bearer =
            self.schemes.is_empty() || self.schemes.iter().any(|scheme| scheme == "bearer");
        Zeroizing::new(
            match self.offers_authtype && takes_bearer && provider == Provider::Ntropii {
                true => format!(
                    "capability[]=authtype\nauthtype=Bearer\ncredential={key}\nephemeral=1\n"
                ),
                false => {
                    let username = self.username.as_deref().filter(|name| !name.is_empty());
                    format!("username={}\npassword={key}\n", username.unwrap_or("ntro"))
                }
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Request, Error> {
        Request::read(text.as_bytes())
    }

    #[test]
    fn answer_is_what_git_takes() {
        let key: ApiKey = "ntro_prod_abc".parse().unwrap();
        let base = "protocol=https\nhost=git.acme.test:8443\n";
        let bearer =
            "capability[]=authtype\nauthtype=Bearer\ncredential=ntro_prod_abc\nephemeral=1\n";
        let basic = "username=ntro\npassword=ntro_prod_abc\n";
        for (more, expected) in [
            ("", basic),
            ("capability[]=state\n", basic),
            ("capability[]=authtype\ncapability[]=state\n", bearer),
            (
                "capability[]=authtype\nwwwauth[]=Bearer realm=\"x\"\n",
                bearer,
            ),
            (
                "capability[]=authtype\nwwwauth[]=Basic realm=\"x\"\nwwwauth[]=bearer\n",
                bearer,
            ),
            (
                "capability[]=authtype\nwwwauth[]=Basic realm=\"x\"\n",
                basic,
            ),
            ("username=\n", basic),
            ("username=ada\n", "username=ada\npassword=ntro_prod_abc\n"),
        ] {
            let request = read(&format!("{base}{more}\nignored")).unwrap();
            let answer = request.answer(Provider::Ntropii, &key);
            assert_eq!(*answer, expected, "{more}");
        }
        // Git sends no header but `Authorization`.
        let request = read(&format!("{base}capability[]=authtype\n")).unwrap();
        assert_eq!(*request.answer(Provider::Ontora, &key), basic);
        assert_eq!(
            request.origin().map(|origin| origin.to_string()).as_deref(),
            Some("https://git.acme.test:8443")
        );
    }

    #[test]
    fn malformed_git_input_is_refused() {
        let long = format!("protocol=https\nhost={}\n", "a".repeat(LONGEST_LINE));
        let many = "x=y\n".repeat(MOST_LINES + 1);
        for (text, why) in [
            ("protocol=https\nhost=a\rhost=b\n", "a carriage return"),
            ("protocol=https\r\nhost=a\r\n", "a carriage return"),
            ("protocol=https\nhost=a\0b\n", "a NUL byte"),
            ("protocol=https\nhost\n", "not `key=value`"),
            ("protocol=https\nhost=\n", "no host"),
            ("protocol=https\n", "no host"),
            ("protocol=\nhost=a\n", "no protocol"),
            ("host=a\n", "no protocol"),
            ("", "no protocol"),
            (long.as_str(), "too long"),
            (many.as_str(), "too long"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(Request::read(&b"protocol=https\nhost=\xff\n"[..]).is_err());
    }

    #[test]
    fn odd_host_has_no_origin() {
        for (protocol, host) in [
            ("ssh", "api.ntropii.com"),
            ("file", "x"),
            ("https", "user@api.ntropii.com"),
            ("https", "api.ntropii.com/path"),
            ("https", "evil.example#api.ntropii.com"),
            ("https", "evil.example?api.ntropii.com"),
            ("https", "evil.example\\api.ntropii.com"),
            ("https", "evil.example%2fapi.ntropii.com"),
            ("https", "api.ntropii.com:99999"),
            ("https", " api.ntropii.com"),
        ] {
            let request = read(&format!("protocol={protocol}\nhost={host}\n")).unwrap();
            assert_eq!(request.origin(), None, "{host}");
        }
    }
}
