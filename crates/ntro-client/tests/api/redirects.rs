//! Redirects are errors, and a key is sent to its own origin only.

use ntro_base::Provider;
use ntro_client::BoundKey;
use ntro_client::api::{AdminClient, AdminTarget, AdminToken, Client, Error};

use crate::support::{NTROPII_KEY, Server, TOKEN, answer, json, profile, quick, target};

#[tokio::test]
async fn redirects_are_never_followed() {
    let other = Server::start([json("200 OK", profile())]).await;
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let location = format!("location: {}/v1/me?a=b#c", other.origin());
        let server = Server::start([
            answer(status, &[&location, "x-request-id: r-2"], ""),
            answer(status, &["location: /elsewhere"], ""),
            answer(status, &["location: mailto:x@example.com"], ""),
            answer(status, &[], ""),
        ])
        .await;
        for expected in [Some(other.origin()), Some(server.origin()), None, None] {
            match server.ntropii().identity().await.unwrap_err() {
                Error::Redirected {
                    origin, location, ..
                } => {
                    assert_eq!(origin.as_str(), server.origin());
                    assert_eq!(location.map(|origin| origin.to_string()), expected);
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(server.seen().len(), 4);
    }
    assert!(other.seen().is_empty(), "the other origin saw a request");
}

#[tokio::test]
async fn key_stays_with_its_origin() {
    let server = Server::start([json("200 OK", profile())]).await;
    for bound_to in [
        "https://api.ntropii.com".to_owned(),
        format!("https://127.0.0.1:{}", server.port),
        format!("http://localhost:{}", server.port),
        "http://127.0.0.1:1".to_owned(),
    ] {
        let mut target = target(Provider::Ntropii, &server.origin());
        target.key = Some(BoundKey::new(
            NTROPII_KEY.parse().unwrap(),
            bound_to.parse().unwrap(),
        ));
        let error = Client::new(target, quick()).identity().await.unwrap_err();
        assert!(
            matches!(&error, Error::WrongOrigin { bound, .. } if bound.as_str() == bound_to),
            "{error:?}"
        );
        assert!(!format!("{error:?} {error}").contains("canary"));
    }
    assert!(server.seen().is_empty(), "a request was sent");
}

#[tokio::test]
async fn admin_token_stays_with_its_origin() {
    let server = Server::start([json("200 OK", "[]")]).await;
    let origin = "https://api.ontora.com".parse().unwrap();
    let target = AdminTarget {
        provider: Provider::Ontora,
        host: server.origin().parse().unwrap(),
        token: AdminToken::bind(TOKEN.to_owned(), origin).unwrap(),
        insecure_http: false,
    };
    let error = AdminClient::new(target, quick())
        .tenants()
        .await
        .unwrap_err();
    assert!(matches!(error, Error::WrongOrigin { .. }), "{error:?}");
    assert!(server.seen().is_empty(), "a request was sent");
}

#[tokio::test]
async fn remote_plain_http_sends_nothing() {
    for host in [
        "http://api.ntropii.com/v1",
        "http://192.0.2.1",
        "http://localhost.example.com",
    ] {
        let client = crate::support::client(Provider::Ntropii, host);
        assert!(matches!(
            client.identity().await,
            Err(Error::InsecureTransport { .. })
        ));
    }
}
