//! Errors of TLS in plain words.

use jiff::Timestamp;
use rustls::pki_types::UnixTime;
use rustls::{CertificateError as C, Error};

/// Returns what is wrong with a connection; `None` if the library's own words are as good.
pub(super) fn explain(error: &Error) -> Option<String> {
    match error {
        Error::InvalidCertificate(error) => Some(certificate(error)),
        Error::InvalidMessage(_) => {
            Some("its answer is not TLS: does it speak plain `http`?".to_owned())
        }
        _ => None,
    }
}

fn certificate(error: &C) -> String {
    const CLOCK: &str = "is this machine's clock right?";

    match error {
        C::Expired => format!("its certificate has expired; {CLOCK}"),
        C::ExpiredContext { not_after, .. } => {
            format!("its certificate expired on {}; {CLOCK}", date(*not_after))
        }
        C::NotValidYet => format!("its certificate is not valid yet; {CLOCK}"),
        C::NotValidYetContext { not_before, .. } => {
            format!("its certificate is valid from {}; {CLOCK}", date(*not_before))
        }
        C::UnknownIssuer => "its certificate is signed by an authority that is not trusted".to_owned(),
        C::NotValidForName => "its certificate is for another name".to_owned(),
        C::NotValidForNameContext { presented, .. } => match &*names(presented) {
            "" => "its certificate is for another name".to_owned(),
            names => format!("its certificate is for {names}"),
        },
        C::Revoked => "its certificate is revoked".to_owned(),
        C::BadSignature => {
            "the signature of its certificate is not that of the trusted authority".to_owned()
        }
        C::BadEncoding => "its certificate is damaged".to_owned(),
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => {
            "its certificate cannot be used: invalid purpose".to_owned()
        }
        C::Other(error) => match words(&format!("{:?}", error.0)) {
            text if text == "ca used as end entity" => {
                "its certificate is one of a CA (`CA:TRUE`), which no server may use: make one with `CA:FALSE`"
                    .to_owned()
            }
            text => format!("its certificate cannot be used: {text}"),
        },
        error => format!("its certificate cannot be used: {}", words(&format!("{error:?}"))),
    }
}

fn date(time: UnixTime) -> String {
    let second = i64::try_from(time.as_secs()).ok();
    match second.and_then(|second| Timestamp::from_second(second).ok()) {
        Some(time) => time.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        None => "a date beyond the year 9999".to_owned(),
    }
}

/// Returns the names of a certificate, which the library writes as `DnsName("a.example")`.
fn names(presented: &[String]) -> String {
    let inner = |name: &String| {
        let name = name.split_once('(').map_or(&**name, |(_, inner)| inner);
        format!("`{}`", name.trim_matches([')', '"']))
    };
    let mut names: Vec<_> = presented.iter().take(3).map(inner).collect();
    if presented.len() > 3 {
        names.push("others".to_owned());
    }
    names.join(", ")
}

/// Writes the name of a variant, such as `UnsupportedCertVersion`, in words.
fn words(variant: &str) -> String {
    let mut words = String::new();
    for character in variant.chars() {
        if character.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(character.to_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rustls::{ExtendedKeyPurpose, OtherError};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("library words")]
    enum Webpki {
        CaUsedAsEndEntity,
        UnsupportedCertVersion,
    }

    #[test]
    fn certificate_error_is_explained() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let other = |error| C::Other(OtherError(Arc::new(error)));
        for (error, expected) in [
            (
                C::ExpiredContext {
                    time: at(1_800_000_000),
                    not_after: at(1_700_000_000),
                },
                "its certificate expired on 2023-11-14 22:13 UTC; is this machine's clock right?",
            ),
            (
                C::NotValidYetContext {
                    time: at(0),
                    not_before: at(u64::MAX),
                },
                "its certificate is valid from a date beyond the year 9999; is this machine's clock right?",
            ),
            (
                other(Webpki::CaUsedAsEndEntity),
                "its certificate is one of a CA (`CA:TRUE`), which no server may use: make one with `CA:FALSE`",
            ),
            (
                other(Webpki::UnsupportedCertVersion),
                "its certificate cannot be used: unsupported cert version",
            ),
            (
                C::InvalidPurpose,
                "its certificate cannot be used: invalid purpose",
            ),
            (
                C::InvalidPurposeContext {
                    required: ExtendedKeyPurpose::ServerAuth,
                    presented: vec![ExtendedKeyPurpose::ClientAuth],
                },
                "its certificate cannot be used: invalid purpose",
            ),
        ] {
            let explained = explain(&Error::InvalidCertificate(error)).unwrap();
            assert_eq!(explained, expected);
        }
        let presented = ["DnsName(\"a.example\")", "IpAddress(127.0.0.1)"].map(str::to_owned);
        assert_eq!(names(&presented), "`a.example`, `127.0.0.1`");
    }
}
