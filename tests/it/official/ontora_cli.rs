//! `ontora-cli`, the command line of Ontora.

use std::os::unix::fs::PermissionsExt as _;

use ntro_base::Provider;
use serde_json::json;

use super::http::Requests;
use super::{IssuedKey, RATE_LIMITED, REFUSAL, Stage, TENANT, only};
use crate::support::{EchoServer, Gateway, GatewayKind, Outcome};

impl Stage {
    fn ontora_key(&self) -> IssuedKey {
        self.authority
            .ontora_key(TENANT, &["interviews", "exports"])
    }

    #[track_caller]
    fn ontora_login(&self, key: &IssuedKey) {
        let host = self.host(Provider::Ontora);
        self.clients
            .ontora(&self.sandbox, &format!("auth login --api-key {}", key.key))
            .args(&format!("--base-url {host} --workspace {}", key.tenant_id))
            .run()
            .success()
            .says("Saved credentials to ~/.ontora/config.yaml")
            .done();
    }
}

/// The output of `auth status` for a key.
fn connected(stage: &Stage, key: &IssuedKey) -> String {
    format!(
        "Connected. base_url={}\n\
         API key workspace: {}\n\
         API key name: CI integration\n\
         Scopes: interviews, exports\n\
         Region: us\n",
        stage.host(Provider::Ontora),
        key.tenant_id
    )
}

/// D.5 1 and 2.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn status_shows_saved_key() {
    let stage = Stage::new();
    let key = stage.ontora_key();
    stage.ontora_login(&key);
    let file = stage.sandbox.home().join(".ontora/config.yaml");
    let mode = file.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(stage.witness.take(), []);

    let outcome = stage
        .clients
        .ontora(&stage.sandbox, "auth status")
        .run()
        .success();
    assert_eq!(
        outcome.stdout,
        format!(
            "{}Default workspace: {}\n",
            connected(&stage, &key),
            key.tenant_id
        )
    );
    let seen = only(stage.witness.take());
    assert_eq!(seen.line, "GET /v1/api-keys/current");
    assert_eq!(seen.header("x-api-key"), Some(&*key.key));
    assert_eq!(seen.header("authorization"), None);
}

/// D.5 3.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn status_works_from_environment() {
    let stage = Stage::new();
    let key = stage.ontora_key();
    let outcome = stage
        .clients
        .ontora(&stage.sandbox, "auth status")
        .env("ONTORA_API_KEY", &key.key)
        .env("ONTORA_BASE_URL", stage.host(Provider::Ontora))
        .run()
        .success();
    assert_eq!(outcome.stdout, connected(&stage, &key));
    assert_eq!(stage.sandbox.files(), Vec::<String>::new());
}

/// D.5 4.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn deleted_key_is_refused() {
    let stage = Stage::new();
    let key = stage.ontora_key();
    stage.ontora_login(&key);
    stage
        .clients
        .ontora(&stage.sandbox, "auth status")
        .run()
        .success()
        .done();

    let requests = Requests::new();
    let origin = stage.authority.origin();
    requests
        .delete(&format!("{origin}/v1/api-keys/{}", key.id))
        .bearer(&stage.authority.token("admin"))
        .expect(204);
    let outcome = stage
        .clients
        .ontora(&stage.sandbox, "auth status")
        .run()
        .exits(1);
    assert_eq!(outcome.stdout, format!("API error (401): {REFUSAL}\n"));
    let refused = requests
        .get(&format!("{origin}/v1/api-keys/current"))
        .api_key(&key.key)
        .expect(401);
    assert_eq!(
        refused.body,
        json!({"detail": REFUSAL, "code": "invalid_api_key"})
    );
}

/// A service without campaigns and webhooks, behind the gateway of the documentation.
struct Api {
    service: EchoServer,
    gateway: Gateway,
}

impl Api {
    fn behind_gateway(stage: &Stage) -> Self {
        let service = EchoServer::start();
        let authority = stage.authority.origin().strip_prefix("http://").unwrap();
        let authority = authority.parse().unwrap();
        let gateway = Gateway::start(GatewayKind::Caddy, authority, service.address());
        Self { service, gateway }
    }

    /// Runs a command with the key, in the key's workspace.
    #[track_caller]
    fn run(&self, stage: &Stage, key: &IssuedKey, command: &str) -> Outcome {
        stage
            .clients
            .ontora(&stage.sandbox, command)
            .env("ONTORA_API_KEY", &key.key)
            .env("ONTORA_BASE_URL", self.gateway.origin())
            .env("ONTORA_WORKSPACE_ID", &key.tenant_id)
            .run()
    }
}

/// D.5 5.
#[test]
#[ignore = "needs the official clients and Caddy: run scripts/test"]
fn missing_scope_is_reported() {
    let stage = Stage::new();
    let api = Api::behind_gateway(&stage);
    let key = stage.ontora_key();
    let outcome = api.run(&stage, &key, "webhooks list").exits(1);
    let refusal = "This API key lacks the required scope";
    assert_eq!(outcome.stdout, format!("API error (403): {refusal}\n"));
    assert_eq!(api.service.take(), [""; 0]);
    let every = stage.authority.ontora_key(TENANT, &["*"]);
    api.run(&stage, &every, "webhooks list").success().done();
    let seen = only(api.service.take());
    let line = format!("GET /v1/webhook-endpoints?workspace_id={}", key.tenant_id);
    assert!(seen.starts_with(&line), "{seen}");
}

/// D.5 6.
#[test]
#[ignore = "needs the official clients and Caddy: run scripts/test"]
fn other_workspace_is_reported() {
    let stage = Stage::new();
    let api = Api::behind_gateway(&stage);
    let key = stage.ontora_key();
    let other = stage.authority.ontora_key("globex-capital", &["*"]);
    let command = format!("campaigns list -w {}", other.tenant_id);
    let outcome = api.run(&stage, &key, &command).exits(1);
    let refusal = "Workspace not accessible with these credentials";
    assert_eq!(outcome.stdout, format!("API error (403): {refusal}\n"));
    assert_eq!(api.service.take(), [""; 0]);
}

/// D.5 7.
#[test]
#[ignore = "needs the official clients and Caddy: run scripts/test"]
fn scope_reaches_service() {
    let stage = Stage::new();
    let api = Api::behind_gateway(&stage);
    let key = stage.ontora_key();
    let outcome = api.run(&stage, &key, "campaigns list").success();
    assert!(outcome.stdout.contains("Campaigns"), "{}", outcome.stdout);
    let seen = only(api.service.take());
    assert!(
        seen.starts_with("GET /v1/interviews?workspace_id="),
        "{seen}"
    );
    let tenant = format!("\r\nX-Ntro-Tenant-Id: {}\r\n", key.tenant_id);
    assert!(seen.contains(&tenant), "{seen}");
    stage.authority.revoke(&key);
    let outcome = api.run(&stage, &key, "campaigns list").exits(1);
    assert_eq!(outcome.stdout, format!("API error (401): {REFUSAL}\n"));
}

/// D.5 8.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn rate_limit_is_reported_without_retry() {
    let stage = Stage::with_one_request_a_minute();
    let key = stage.ontora_key();
    stage.ontora_login(&key);
    stage
        .clients
        .ontora(&stage.sandbox, "auth status")
        .run()
        .success()
        .done();
    stage.witness.take();

    let outcome = stage
        .clients
        .ontora(&stage.sandbox, "auth status")
        .run()
        .exits(1);
    assert_eq!(outcome.stdout, format!("API error (429): {RATE_LIMITED}\n"));
    assert_eq!(stage.witness.take_lines(), ["GET /v1/api-keys/current"]);
    let limited = Requests::new()
        .get(&format!(
            "{}/v1/api-keys/current",
            stage.host(Provider::Ontora)
        ))
        .api_key(&key.key)
        .expect(429);
    let wait: u64 = limited.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(
        limited.body,
        json!({"detail": RATE_LIMITED, "code": "rate_limited"})
    );
}

/// D.5 9.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn missing_key_makes_no_call() {
    let stage = Stage::new();
    let outcome = stage
        .clients
        .ontora(&stage.sandbox, "auth status")
        .env("ONTORA_BASE_URL", stage.host(Provider::Ontora))
        .run()
        .exits(1);
    assert_eq!(
        outcome.stdout,
        "No API key configured. Run `ontora auth login`.\n"
    );
    assert_eq!(stage.witness.take(), []);
}

/// The same key works for our command line and theirs.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn both_status_commands_agree() {
    let stage = Stage::new();
    let key = stage.ontora_key();
    stage.ontora_login(&key);
    stage.our_login("surveys", "plaintext", &key, Provider::Ontora);
    let whoami = stage
        .sandbox
        .ntro("-c surveys -o json auth whoami")
        .run()
        .success()
        .json();
    assert_eq!(whoami["provider"], "ontora");
    assert_eq!(whoami["scopes"], json!(["interviews", "exports"]));
    assert_eq!(whoami["region"], "us");

    stage.authority.revoke(&key);
    stage
        .clients
        .ontora(&stage.sandbox, "auth status")
        .run()
        .exits(1)
        .done();
    stage
        .sandbox
        .ntro("-c surveys auth whoami")
        .run()
        .exits(4)
        .done();
}
