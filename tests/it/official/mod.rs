//! The unmodified official clients against our authority, and with our files.
//!
//! The authority is the real program: an `ntro serve` process, managed by `ntro admin`. Most tests
//! need the clients, which `scripts/test` installs. Where a test covers a row of the table of
//! interoperability checks, its documentation gives the row's number.

mod dev;
mod environment;
mod exec;
mod files;
mod http;
mod migrate;
mod ntro_cli;
mod ntro_mcp;
mod ntro_sdk;
mod ontora_cli;
mod served;
#[path = "../../../crates/ntro-authority/tests/authority/support/tokens.rs"]
#[allow(
    dead_code,
    reason = "made for the authority's own tests, which use more of it"
)]
mod tokens;
mod witness;

use ntro_base::Provider;
use serde_json::Value;

use crate::support::{Clients, IssuedKey, Sandbox};
use served::Served;
use witness::Witness;

/// The authority's message for a missing or invalid key.
const REFUSAL: &str = "Invalid or missing API key";
/// The authority's message when the rate limit is reached.
const RATE_LIMITED: &str = "Too many requests: wait and try again";
/// The tenant of most keys.
const TENANT: &str = "acme-fund-admin";

/// A user's machine with the official clients, and an authority that all calls reach through a
/// [`Witness`].
struct Stage {
    clients: Clients,
    authority: Served,
    witness: Witness,
    sandbox: Sandbox,
}

impl Stage {
    fn new() -> Self {
        Self::before(Served::start())
    }

    fn before(authority: Served) -> Self {
        let witness = Witness::before(authority.origin());
        let sandbox = Sandbox::new();
        Self {
            clients: Clients::find(),
            authority,
            witness,
            sandbox,
        }
    }

    /// Starts with an authority that allows one request a minute for each tenant.
    fn with_one_request_a_minute() -> Self {
        Self::before(Served::start_with(&["--rate-limit", "1"]))
    }

    /// Returns the base URL of a connection through the witness.
    fn host(&self, provider: Provider) -> String {
        match provider {
            Provider::Ntropii => format!("{}/v1", self.witness.origin()),
            Provider::Ontora => self.witness.origin(),
        }
    }

    /// Issues a Ntropii key for the default tenant.
    fn key(&self) -> IssuedKey {
        self.authority.key(Provider::Ntropii, TENANT)
    }

    /// Logs a connection in with the official command line of Ntropii.
    #[track_caller]
    fn official_login(&self, name: &str, key: &IssuedKey) {
        self.official_login_to(name, &self.host(Provider::Ntropii), &key.key, &key.tenant);
    }

    #[track_caller]
    fn official_login_to(&self, name: &str, host: &str, key: &str, tenant: &str) {
        let line = format!(
            "auth login --no-interactive --name {name} --host {host} --api-key {key} \
             --tenant {tenant}"
        );
        self.clients
            .ntro(&self.sandbox, &line)
            .run()
            .success()
            .says(&format!("✓ Connection '{name}' saved"))
            .done();
    }

    /// Logs a connection in with our own command line.
    #[track_caller]
    fn our_login(&self, name: &str, store: &str, key: &IssuedKey, provider: Provider) {
        let host = self.host(provider);
        let options = format!("--name {name} --store {store} --provider {provider}");
        self.sandbox.log_in(&options, &host, &key.key);
    }

    /// Calls the SDK: `calls` as `tests/clients/sdk.py` takes them.
    #[track_caller]
    fn sdk(&self, request: &Value) -> Vec<Value> {
        let outcome = self
            .clients
            .python(&self.sandbox, "sdk.py")
            .input(request.to_string())
            .run()
            .success();
        serde_json::from_str(&outcome.stdout).unwrap()
    }

    /// Starts the MCP server with these arguments, and makes the calls, as
    /// `tests/clients/mcp_session.py` describes. The first response is that of `initialize`.
    #[track_caller]
    fn mcp(&self, arguments: &str, calls: &Value) -> Vec<Value> {
        let outcome = self
            .clients
            .python(&self.sandbox, "mcp_session.py")
            .arg(self.clients.path("ntro-mcp"))
            .args(arguments)
            .input(calls.to_string())
            .run()
            .success();
        serde_json::from_str(&outcome.stdout).unwrap()
    }
}

/// Returns the one item of a list.
#[track_caller]
fn only<T>(items: impl IntoIterator<Item = T>) -> T {
    let mut items = items.into_iter();
    let first = items.next().expect("there is one");
    assert!(items.next().is_none(), "there is only one");
    first
}
