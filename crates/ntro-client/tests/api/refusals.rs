//! The errors for statuses other than success.

use std::time::Duration;

use ntro_base::Provider;
use ntro_client::api::{Client, Error, Settings};
use serde_json::json;

use crate::support::{Server, answer, json, quick, target};

#[tokio::test]
async fn each_status_has_own_error() {
    for (status, expected) in [
        ("400 Bad Request", "Invalid"),
        ("401 Unauthorized", "Rejected"),
        ("403 Forbidden", "Forbidden"),
        ("404 Not Found", "UnknownApi"),
        ("409 Conflict", "Conflict"),
        ("418 I'm a teapot", "Unexpected"),
        ("422 Unprocessable Content", "Invalid"),
        ("500 Internal Server Error", "Unexpected"),
        ("501 Not Implemented", "Unexpected"),
        ("599 Odd", "Unexpected"),
    ] {
        let server = Server::start([json(status, json!({"message": "No"}))]).await;
        let error = server.ntropii().identity().await.unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{error:?}");
        let refusal = error.refusal().unwrap();
        assert_eq!(status[..3], refusal.status.to_string());
        assert_eq!(refusal.message.as_deref(), Some("No"));
        assert_eq!(refusal.origin.as_str(), server.origin());
        assert_eq!(server.seen().len(), 1, "{status} is not tried again");
    }
}

#[tokio::test]
async fn missing_thing_differs_from_missing_api() {
    let not_found = || json("404 Not Found", json!({"message": "No"}));
    let server = Server::start([not_found()]).await;
    let error = server.ntropii().tenant(&"acme".parse().unwrap()).await;
    assert!(matches!(error, Err(Error::NotFound(_))), "{error:?}");
    let server = Server::start([not_found()]).await;
    let error = server.ntropii().tenants().await;
    assert!(matches!(error, Err(Error::UnknownApi(_))), "{error:?}");
}

#[tokio::test]
async fn temporary_refusals_end_after_three_tries() {
    for status in [
        "408 Request Timeout",
        "425 Too Early",
        "429 Too Many Requests",
        "520 Web Server Returned an Unknown Error",
        "521 Web Server Is Down",
        "522 Connection Timed Out",
        "523 Origin Is Unreachable",
        "524 A Timeout Occurred",
        "502 Bad Gateway",
        "503 Service Unavailable",
        "504 Gateway Timeout",
    ] {
        let server = Server::start((0..9).map(|_| json(status, json!({"message": "Later"})))).await;
        let error = server.ntropii().identity().await.unwrap_err();
        assert_eq!(server.seen().len(), 3, "{status}");
        match &error {
            Error::RateLimited { .. } => assert!(status.starts_with("429")),
            Error::Unavailable { .. } => assert!(!status.starts_with("429")),
            other => panic!("{other:?}"),
        }
        assert!(error.to_string().contains("Later"), "{error}");
    }
}

#[tokio::test]
async fn both_error_formats_are_read() {
    for (body, message, code) in [
        (
            json!({"statusCode": 401, "message": "Invalid or missing API key", "error": "Unauthorized"}),
            "Invalid or missing API key",
            None,
        ),
        (
            json!({"statusCode": 400, "message": ["name is empty", "slug is empty"]}),
            "name is empty; slug is empty",
            None,
        ),
        (
            json!({"detail": "No such key", "code": "invalid_api_key"}),
            "No such key",
            Some("invalid_api_key"),
        ),
        (
            json!({"detail": [{"loc": ["body", "name"], "msg": "field required", "type": "missing"}]}),
            "name: field required",
            None,
        ),
        (
            json!({"detail": {"message": "Locked", "code": "campaign_locked"}}),
            "Locked",
            Some("campaign_locked"),
        ),
    ] {
        let server = Server::start([json("401 Unauthorized", &body)]).await;
        let error = server.ontora().identity().await.unwrap_err();
        let refusal = error.refusal().unwrap();
        assert_eq!(refusal.message.as_deref(), Some(message));
        assert_eq!(refusal.code.as_deref(), code);
    }
}

#[tokio::test]
async fn html_body_gives_no_message() {
    for body in [
        "<html><h1>401</h1></html>",
        "",
        "null",
        "[1]",
        "{\"message\": 5",
    ] {
        let server =
            Server::start([answer("401 Unauthorized", &["x-request-id: r-1"], body)]).await;
        let error = server.ntropii().identity().await.unwrap_err();
        assert_eq!(error.refusal().unwrap().message, None, "{body}");
        assert_eq!(error.request_id(), Some("r-1"));
        assert_eq!(
            error.to_string(),
            format!("`{}` rejected the API key (HTTP 401)", server.origin())
        );
    }
}

#[tokio::test]
async fn messages_are_cleaned_and_bounded() {
    let message = format!(
        "\u{1b}[2J\u{9b}31mNo\r\nnewline\u{202e} {}",
        "x".repeat(10_000)
    );
    let body = json!({"detail": message, "code": "\u{7}bell"}).to_string();
    let id = format!("x-request-id: {}", "i".repeat(300));
    let server = Server::start([answer("403 Forbidden", &[&id], &body)]).await;
    let error = server.ontora().identity().await.unwrap_err();
    let refusal = error.refusal().unwrap();
    let shown = refusal.message.as_deref().unwrap();
    assert!(
        shown.starts_with("<U+001B>[2J<U+009B>31mNo newline<U+202E> xxx"),
        "{shown}"
    );
    assert!(shown.chars().count() <= 500);
    assert_eq!(refusal.code.as_deref(), Some("<U+0007>bell"));
    assert!(error.request_id().unwrap().len() < 140);
    assert!(!error.to_string().chars().any(char::is_control));
}

#[tokio::test]
async fn broken_body_keeps_refusal() {
    let huge = json!({"message": "x".repeat(2 * 1024 * 1024)}).to_string();
    let cut = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 500\r\n\r\n{\"mess".to_vec();
    let server = Server::start([
        answer("401 Unauthorized", &[], &huge),
        crate::support::Reply::Bytes(cut),
    ])
    .await;
    for _ in 0..2 {
        let error = server.ntropii().identity().await.unwrap_err();
        assert!(matches!(error, Error::Rejected(_)), "{error:?}");
    }
}

#[tokio::test]
async fn long_retry_after_is_reported() {
    for (header, seconds) in [
        ("retry-after: 3600".to_owned(), 3600),
        // The date counts from the server's clock, not from ours.
        (
            "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 09:49:37 GMT"
                .to_owned(),
            3600,
        ),
    ] {
        let reply = answer("429 Too Many Requests", &[&header], "{}");
        let server = Server::start([reply]).await;
        let error = server.ntropii().identity().await.unwrap_err();
        let Error::RateLimited { retry_after, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(*retry_after, Some(Duration::from_secs(seconds)));
        assert!(error.to_string().contains("asks to wait 3600 s"), "{error}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn retry_after_limit_is_configurable() {
    let reply = || answer("503 Service Unavailable", &["retry-after: 2"], "{}");
    let server = Server::start([reply(), reply()]).await;
    let settings = Settings {
        retry_after_limit: Duration::from_secs(1),
        ..quick()
    };
    let client = Client::new(target(Provider::Ntropii, &server.origin()), settings);
    let error = client.identity().await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn web_page_is_recognised() {
    for (header, expected) in [
        ("content-type: text/html", true),
        ("content-type: Text/HTML; charset=utf-8", true),
        ("content-type: application/json", false),
        ("x-content-type: text/html", false),
    ] {
        let server = Server::start([answer("403 Forbidden", &[header], "<html>")]).await;
        let error = server.ntropii().identity().await.unwrap_err();
        assert_eq!(error.refusal().unwrap().is_web_page, expected, "{header}");
    }
}

#[tokio::test]
async fn endless_retry_after_is_no_number() {
    for (wait, expected) in [
        (
            "99999999999999999999",
            " and asks to wait more than a hundred years",
        ),
        ("86400", " and asks to wait a day"),
        ("864000", " and asks to wait 10 days"),
    ] {
        let header = format!("retry-after: {wait}");
        let server = Server::start([answer("429 Too Many Requests", &[&header], "{}")]).await;
        let error = server.ntropii().identity().await.unwrap_err();
        assert!(error.to_string().ends_with(expected), "{error}");
    }
    let again = || answer("429 Too Many Requests", &["retry-after: 0"], "{}");
    let server = Server::start((0..3).map(|_| again())).await;
    let error = server.ntropii().identity().await.unwrap_err();
    assert!(error.to_string().ends_with("(HTTP 429)"), "{error}");
}
