//! The examples of the SDK.

use std::path::Path;

use ntro_base::Provider;

use crate::support::{Authority, Run, Sandbox};

#[test]
#[ignore = "needs the examples: cargo build --examples"]
fn whoami_example_prints_tenants() {
    let (sandbox, authority) = (Sandbox::new(), Authority::start());
    sandbox.make_identity();
    let key = authority.key(Provider::Ntropii, "acme");
    sandbox.log_in(
        "--connection local --store file",
        &authority.host(Provider::Ntropii),
        &key.key,
    );
    let transcript = example(&sandbox, "whoami").transcript();
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
    let (sandbox, authority) = (Sandbox::new(), Authority::start());
    sandbox.make_identity();
    let key = authority.key(Provider::Ontora, "acme");
    sandbox.log_in(
        "--connection local --store file",
        &authority.host(Provider::Ontora),
        &key.key,
    );
    let transcript = example(&sandbox, "expiry").args("local nope").transcript();
    insta::assert_snapshot!(transcript, @r"
    exit code: 0
    ----- stdout -----
    local: does not expire
    nope: there is no connection `nope` (named by `Options::connection`)
    ");
}

fn example<'a>(sandbox: &'a Sandbox, name: &str) -> Run<'a> {
    let folder = Path::new(env!("CARGO_BIN_EXE_ntro")).with_file_name("examples");
    sandbox.program(&folder.join(name))
}
