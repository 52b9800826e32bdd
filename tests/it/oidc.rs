//! Admin tokens of a real OpenID provider, found by discovery.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::support::{Clients, ServerFolder, Serving, project, wire};

/// The longest wait for a key set to be fetched again: once in ten seconds.
const LONGEST: Duration = Duration::from_secs(60);

/// A running provider.
struct Provider {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    issuer: String,
}

impl Provider {
    fn start() -> Self {
        let packages = Clients::find().packages();
        let mut process = Command::new("node")
            .arg(project("tests/clients/oidc_provider.mjs"))
            .arg(packages)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let issuer = output.next().unwrap().unwrap();
        Self {
            process,
            input,
            output,
            issuer,
        }
    }

    fn ask(&mut self, line: &str) -> String {
        writeln!(self.input, "{line}").unwrap();
        self.output.next().unwrap().unwrap()
    }

    /// Replaces the signing key by one with this algorithm.
    fn rotate(&mut self, algorithm: &str) {
        self.ask(algorithm);
    }

    /// Returns how often the key set was fetched.
    fn fetches(&mut self) -> usize {
        self.ask("fetches").parse().unwrap()
    }

    fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.issuer);
        let output = Command::new("curl").args(["-sSf", &url]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Gets a token as a client does.
    fn token(&self, client: &str) -> String {
        let output = Command::new("curl")
            .args(["-sSf", "-u", &format!("{client}:secret")])
            .args(["-d", "grant_type=client_credentials"])
            .arg(format!("{}/token", self.issuer))
            .output()
            .unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    fn serve(&self, folder: &ServerFolder) -> Serving {
        folder.serve_with(&["--issuer", &self.issuer, "--audience", "urn:ntro:test"])
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn status(server: &Serving, token: &str) -> u16 {
    let header = format!("authorization: Bearer {token}");
    let answer = wire::ask(server.address, "GET", "/v1/workspaces", &header, "");
    answer.unwrap().0
}

/// Waits until a token is answered with this status.
fn wait_for(server: &Serving, token: &str, expected: u16) {
    let started = Instant::now();
    loop {
        let status = status(server, token);
        if status == expected {
            return;
        }
        assert!(started.elapsed() < LONGEST, "still {status}");
        std::thread::yield_now();
    }
}

fn parts(token: &str) -> [Value; 2] {
    let mut parts = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part));
    [(); 2].map(|()| serde_json::from_slice(&parts.next().unwrap().unwrap()).unwrap())
}

fn encoded(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

#[test]
#[ignore = "needs node and its packages: run scripts/test"]
fn roles_and_organisations_of_provider_hold() {
    let provider = Provider::start();
    let folder = ServerFolder::new();
    folder.admin_ok("organisation create Globex --external-id org_globex");
    let server = provider.serve(&folder);
    let tenants = folder.admin_ok("tenant list --organisation org_acme");
    let tenant = tenants[0]["id"].as_str().unwrap();
    let make = |client: &str| {
        let body = json!({"name": "CI", "workspace_id": tenant, "scopes": ["*"]}).to_string();
        let header = format!("authorization: Bearer {}", provider.token(client));
        let made = wire::ask(server.address, "POST", "/v1/api-keys", &header, &body);
        made.unwrap().0
    };
    assert_eq!(make("admin"), 201);
    assert_eq!(make("member"), 403);
    assert_eq!(make("foreign"), 403);
}

#[test]
#[ignore = "needs node and its packages: run scripts/test"]
fn rotated_keys_of_provider_are_fetched() {
    let mut provider = Provider::start();
    let folder = ServerFolder::new();
    let server = provider.serve(&folder);
    let mut last = provider.token("admin");
    assert_eq!(status(&server, &last), 200);
    for algorithm in ["ES256", "EdDSA"] {
        provider.rotate(algorithm);
        let token = provider.token("admin");
        assert_eq!(parts(&token)[0]["alg"], algorithm);
        wait_for(&server, &token, 200);
        // The withdrawn key signs no more.
        assert_eq!(status(&server, &last), 401);
        last = token;
    }
}

#[test]
#[ignore = "needs node and its packages: run scripts/test"]
fn forged_tokens_of_provider_are_refused() {
    let mut provider = Provider::start();
    let other = Provider::start();
    let folder = ServerFolder::new();
    let server = provider.serve(&folder);
    let good = provider.token("admin");
    assert_eq!(status(&server, &good), 200);
    let brief = provider.token("brief");

    let [header, claims] = parts(&good);
    let signature = good.split('.').nth(2).unwrap();
    let key = provider.get("/jwks")["keys"][0].clone();
    let with = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        header
    };
    // The public key as the secret of an HMAC: its JSON, and its modulus.
    let modulus = URL_SAFE_NO_PAD.decode(key["n"].as_str().unwrap()).unwrap();
    for secret in [key.to_string().into_bytes(), modulus] {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(key["kid"].as_str().unwrap().to_owned());
        let secret = EncodingKey::from_secret(&secret);
        let token = jsonwebtoken::encode(&header, &claims, &secret).unwrap();
        assert_eq!(status(&server, &token), 401);
    }
    for algorithm in ["none", "None", "", "RS512", "ES256", "EdDSA"] {
        for signature in [signature, ""] {
            let header = encoded(&with("alg", algorithm.into()));
            let token = format!("{header}.{}.{signature}", encoded(&claims));
            assert_eq!(status(&server, &token), 401, "{algorithm}");
        }
    }
    // A signature covers the claims.
    for (name, value) in [
        ("org_role", json!("org:admin")),
        ("exp", json!(claims["exp"].as_u64().unwrap() + 1)),
        ("org_id", json!("org_globex")),
    ] {
        let mut claims = claims.clone();
        claims[name] = value;
        if claims != parts(&good)[1] {
            let token = format!("{}.{}.{signature}", encoded(&header), encoded(&claims));
            assert_eq!(status(&server, &token), 401, "{name}");
        }
    }
    // Another provider is no issuer, whatever its tokens claim.
    assert_eq!(status(&server, &other.token("admin")), 401);
    wait_for(&server, &brief, 401);
    assert_eq!(status(&server, &good), 200);

    // Invented keys cause a fetch every ten seconds at most.
    let (before, started) = (provider.fetches(), Instant::now());
    for number in 0..200 {
        let header = encoded(&with("kid", format!("invented-{number}").into()));
        let token = format!("{header}.{}.{signature}", encoded(&claims));
        assert_eq!(status(&server, &token), 401);
    }
    let most = 1 + started.elapsed().as_secs() / 10;
    let fetched = provider.fetches() - before;
    assert!(fetched as u64 <= most, "{fetched} fetches");
    assert_eq!(status(&server, &good), 200);
}
