//! Real gateways in front of a service, with the configuration of `docs/forward-auth.md`.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ntro_authority::Limits;
use ntro_base::{Provider, Scope};
use serde_json::Value;

use crate::support::{Authority, EchoServer, Gateway, GatewayKind, IssuedKey, Reply, Stub};

const TENANT: &str = "acme-fund-admin";

/// The identity headers, as the service must get them; the last only begins with this.
fn truth(key: &IssuedKey) -> BTreeMap<String, String> {
    let truth = [
        ("x-ntro-tenant", TENANT),
        ("x-ntro-tenant-id", &*key.tenant_id),
        ("x-ntro-key-id", &*key.id),
        ("x-ntro-scopes", "interviews exports"),
        ("x-ntro-provider", "ontora"),
        ("x-ntro-expires-at", ""),
    ];
    let truth = truth.map(|(name, value)| (name.to_owned(), value.to_owned()));
    truth.into()
}

fn key(authority: &Authority, scopes: &[Scope]) -> IssuedKey {
    authority.key_with(Provider::Ontora, TENANT, |new| new.scopes = scopes.to_vec())
}

/// A request with these header lines, each with its line end.
fn request(lines: &str) -> String {
    format!("GET /reports?page=2 HTTP/1.1\r\nHost: api.example.com\r\n{lines}\r\n")
}

fn status(response: &str) -> u16 {
    let status = response.split(' ').nth(1);
    status.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn header<'a>(message: &'a str, wanted: &str) -> Vec<&'a str> {
    let head = message.split("\r\n\r\n").next().unwrap();
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let values = lines.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
    values.map(|(_, value)| value.trim()).collect()
}

/// Every answer arrives at the client as it is.
fn passes_every_answer(kind: GatewayKind) {
    let authority = Authority::start();
    let upstream = EchoServer::start();
    let gateway = Gateway::start(kind, authority.address(), upstream.address());
    let good = key(&authority, &[Scope::Interviews, Scope::Exports]);
    let poor = key(&authority, &[Scope::Mcp]);
    let revoked = key(&authority, &[Scope::All]);
    authority.revoke(&revoked);
    let ask = |lines: &str| gateway.send(&request(lines));
    let with = |key: &IssuedKey| ask(&format!("X-API-Key: {}\r\n", key.key));

    let response = with(&good);
    assert_eq!(status(&response), 200, "{response}");
    assert!(response.ends_with("\r\n\r\n[]"), "{response}");
    assert_eq!(upstream.take().len(), 1);

    let post = format!(
        "POST /reports HTTP/1.1\r\nHost: api.example.com\r\nX-API-Key: {}\r\n\
         Content-Length: 4\r\n\r\nbody",
        good.key
    );
    assert_eq!(status(&gateway.send(&post)), 200);
    let seen = upstream.take();
    assert!(seen[0].ends_with("\r\n\r\nbody"), "{seen:?}");

    let twice = format!("X-API-Key: {}\r\n", good.key).repeat(2);
    for lines in ["", "X-API-Key: ont_live_x\r\n", &twice] {
        let response = ask(lines);
        assert_eq!(status(&response), 401, "{response}");
        let challenge = header(&response, "www-authenticate");
        assert_eq!(challenge, [r#"Bearer realm="ntro""#]);
    }
    assert_eq!(status(&with(&revoked)), 401);
    assert_eq!(status(&with(&poor)), 403);
    assert_eq!(upstream.take(), [""; 0]);
    authority.revoke(&good);
    assert_eq!(status(&with(&good)), 401);

    let limits = Limits {
        tenant_per_minute: 1,
        ..Limits::OFF
    };
    let authority = Authority::start_with(limits);
    let gateway = Gateway::start(kind, authority.address(), upstream.address());
    let limited = key(&authority, &[Scope::All]);
    let ask = || gateway.send(&request(&format!("X-API-Key: {}\r\n", limited.key)));
    assert_eq!(status(&ask()), 200);
    upstream.take();
    let response = ask();
    assert_eq!(status(&response), 429, "{response}");
    let wait: u64 = header(&response, "retry-after")[0].parse().unwrap();
    assert!((1..=60).contains(&wait));
    assert_eq!(upstream.take(), [""; 0]);
}

/// An authority that cannot say, or does not answer, lets nothing through.
fn fails_closed(kind: GatewayKind) {
    let upstream = EchoServer::start();
    let unsure = Stub::start(|_| Reply::Unavailable { retry_after: 7 });
    let gateway = Gateway::start(kind, unsure.address(), upstream.address());
    let response = gateway.send(&request("X-API-Key: ont_live_x\r\n"));
    assert_eq!(status(&response), 503, "{response}");
    assert_eq!(header(&response, "retry-after"), ["7"]);

    // The kernel accepts connections, and nothing answers.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = silent.local_addr().unwrap();
    let gateway = Gateway::start(kind, address, upstream.address());
    let ask = || status(&gateway.send(&request("X-API-Key: ont_live_x\r\n")));
    let by_kind = |caddy: u16| match kind {
        GatewayKind::Caddy => caddy,
        GatewayKind::Nginx | GatewayKind::HaProxy => 503,
    };
    assert_eq!(ask(), by_kind(504));
    drop(silent);
    assert_eq!(ask(), by_kind(502));
    assert_eq!(upstream.take(), [""; 0]);
}

/// Lines that try to reach the service as its identity headers, or to remove those.
const FORGERIES: [&str; 26] = [
    "X-Ntro-Tenant: evil\r\n",
    "x-ntro-tenant: evil\r\n",
    "X-NTRO-TENANT:evil\r\n",
    "X-nTrO-tEnAnT: evil\r\n",
    "X_Ntro_Tenant: evil\r\n",
    "x_ntro_tenant: evil\r\n",
    "X-Ntro_Tenant: evil\r\n",
    "X_Ntro-Tenant: evil\r\n",
    "X.Ntro.Tenant: evil\r\n",
    "X-Ntro.Tenant: evil\r\n",
    "X-Ntro-Tenant: evil\r\nX-Ntro-Tenant: evil\r\n",
    "X-Ntro-Tenant: evil\r\nX_Ntro_Tenant: evil\r\n",
    "X-Ntro-Tenant : evil\r\n",
    "X-Ntro-Tenant\t: evil\r\n",
    "X-Ntro-Tenant\x0b: evil\r\n",
    " X-Ntro-Tenant: evil\r\n",
    "X-Other: a\r\n X-Ntro-Tenant: evil\r\n",
    "X-Other: a\nX-Ntro-Tenant: evil\r\n",
    "X-Ntro-Tenant: evil\x00\r\n",
    "X-Ntro-Tenant-Id: evil\r\nX-Ntro-Key-Id: evil\r\nX-Ntro-Scopes: *\r\n",
    "X-Ntro-Provider: evil\r\nX-Ntro-Expires-At: evil\r\n",
    "X-Ntro-Identity: evil\r\n",
    "X_Ntro_Identity: evil\r\n",
    "X-Ntro-Valid-For: 999999\r\n",
    "Connection: close, X-Ntro-Tenant, X-Ntro-Identity\r\n",
    "Connection: x_ntro_tenant\r\nConnection: X-Ntro-Scopes\r\n",
];

/// Returns the headers whose names a service may take for those of an identity.
fn identity_headers(request: &str) -> BTreeMap<String, String> {
    let head = request.split("\r\n\r\n").next().unwrap();
    let mut found = BTreeMap::new();
    for line in head.split(['\r', '\n']) {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let similar = name.trim().to_lowercase().replace(['_', '.', ' '], "-");
        if similar.starts_with("x-ntro-") && !line.starts_with([' ', '\t']) {
            let name = name.to_lowercase();
            assert_eq!(name, similar, "{request}");
            let twice = found.insert(name, value.trim().to_owned());
            assert_eq!(twice, None, "{request}");
        }
    }
    found
}

/// No spelling of a client's header reaches the service as the truth.
fn replaces_forged_headers(kind: GatewayKind) {
    let authority = Authority::start();
    let upstream = EchoServer::start();
    let gateway = Gateway::start(kind, authority.address(), upstream.address());
    let good = key(&authority, &[Scope::Interviews, Scope::Exports]);
    let with_key = format!("X-API-Key: {}\r\n", good.key);
    let mut passed = 0;
    for forgery in FORGERIES {
        for lines in [
            format!("{forgery}{with_key}"),
            format!("{with_key}{forgery}"),
        ] {
            let response = gateway.send(&request(&lines));
            let seen = upstream.take();
            if status(&response) != 200 {
                assert!(
                    matches!(status(&response), 400 | 401),
                    "{lines}: {response}"
                );
                assert_eq!(seen, [""; 0], "{lines}");
                continue;
            }
            passed += 1;
            assert_eq!(seen.len(), 1, "{lines}");
            let mut headers = identity_headers(&seen[0]);
            let identity = headers.remove("x-ntro-identity").unwrap_or_default();
            assert!(identity.starts_with("ey"), "{lines}: {}", seen[0]);
            // nginx sends no header without a value.
            headers.entry("x-ntro-expires-at".to_owned()).or_default();
            assert_eq!(headers, truth(&good), "{lines}");
        }
        // Without a key, no header makes one.
        let response = gateway.send(&request(forgery));
        assert!(
            matches!(status(&response), 400 | 401),
            "{forgery}: {response}"
        );
        assert_eq!(upstream.take(), [""; 0], "{forgery}");
    }
    assert!(passed > FORGERIES.len());
}

/// The signed identity is that of the request which the client has sent.
fn binds_identity_to_request(kind: GatewayKind) {
    let authority = Authority::start();
    let upstream = EchoServer::start();
    let gateway = Gateway::start(kind, authority.address(), upstream.address());
    let good = key(&authority, &[Scope::Exports]);
    let send = |head: &str, lines: &str| {
        let key = &good.key;
        gateway.send(&format!(
            "{head} HTTP/1.1\r\nHost: api.example.com\r\nX-API-Key: {key}\r\n{lines}\r\n"
        ))
    };
    for (head, method, path) in [
        ("GET /reports?page=2", "GET", "/reports"),
        ("DELETE /reports/1", "DELETE", "/reports/1"),
        (
            "GET /a%2Fb%20c/..;x=1?uri=/admin&identity=no",
            "GET",
            "/a%2Fb%20c/..;x=1",
        ),
        ("GET /a&uri=/admin?x", "GET", "/a&uri=/admin"),
    ] {
        let forged = "X-Forwarded-Method: EVIL\r\nX-Forwarded-Uri: /evil\r\n\
                      X-Forwarded-Host: evil.example.com\r\n";
        for lines in ["", forged] {
            let response = send(head, lines);
            assert_eq!(status(&response), 200, "{head}: {response}");
            let seen = upstream.take();
            let token = header(&seen[0], "x-ntro-identity")[0];
            let claims = token.split('.').nth(1).unwrap();
            let claims = URL_SAFE_NO_PAD.decode(claims).unwrap();
            let claims: Value = serde_json::from_slice(&claims).unwrap();
            assert_eq!(claims["method"], method, "{head}");
            assert_eq!(claims["host"], "api.example.com", "{head}");
            assert_eq!(claims["path"], path, "{head}");
            assert_eq!(claims["sub"], good.id, "{head}");
        }
    }
    // The headers of another kind of gateway are either replaced or refused.
    send("GET /reports", "X-Original-URI: /evil\r\n");
    for seen in upstream.take() {
        let token = header(&seen, "x-ntro-identity")[0];
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap());
        let claims: Value = serde_json::from_slice(&claims.unwrap()).unwrap();
        assert_eq!(claims["path"], "/reports");
    }
}

macro_rules! gateway {
    ($name:ident, $kind:ident, $needs:literal) => {
        mod $name {
            use super::GatewayKind::$kind;

            #[test]
            #[ignore = $needs]
            fn passes_every_answer() {
                super::passes_every_answer($kind);
            }

            #[test]
            #[ignore = $needs]
            fn fails_closed() {
                super::fails_closed($kind);
            }

            #[test]
            #[ignore = $needs]
            fn replaces_forged_headers() {
                super::replaces_forged_headers($kind);
            }

            #[test]
            #[ignore = $needs]
            fn binds_identity_to_request() {
                super::binds_identity_to_request($kind);
            }
        }
    };
}

gateway!(nginx, Nginx, "needs nginx: run scripts/test");
gateway!(caddy, Caddy, "needs Caddy: run scripts/test");
gateway!(haproxy, HaProxy, "needs HAProxy: run scripts/test");
