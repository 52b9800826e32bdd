//! The examples of the SDK.

use std::path::Path;

use ntro_base::Provider;

use crate::support::{Authority, Sandbox};

#[test]
#[ignore = "needs the examples: cargo build --examples"]
fn whoami_example_prints_tenants() {
    let transcript = example(Provider::Ntropii, "whoami", "");
    insta::assert_snapshot!(transcript, @r"
    exit code: 0
    ----- stdout -----
    CI integration
      acme
    ");
}

#[test]
#[ignore = "needs the examples: cargo build --examples"]
fn expiry_example_explains_failures() {
    let transcript = example(Provider::Ontora, "expiry", "local nope");
    insta::assert_snapshot!(transcript, @r"
    exit code: 0
    ----- stdout -----
    local: does not expire
    nope: there is no connection `nope` (named by `Options::connection`)
    ");
}

/// Runs an example in a home with the connection `local`.
fn example(provider: Provider, name: &str, arguments: &str) -> String {
    let (sandbox, authority) = (Sandbox::new(), Authority::start());
    sandbox.make_identity();
    let key = authority.key(provider, "acme");
    sandbox.log_in(
        "--connection local --store file",
        &authority.host(provider),
        &key.key,
    );
    let folder = Path::new(env!("CARGO_BIN_EXE_ntro")).with_file_name("examples");
    let example = sandbox.program(&folder.join(name));
    example.args(arguments).transcript()
}
