//! Checking many connections at once, and what happens to the others when one changes its name.

use insta::assert_snapshot;
use ntro::domain::Provider;

use crate::support::{Authority, Reply, Sandbox, Stub};

#[test]
fn each_connection_has_its_own_state_and_the_exit_code_tells_whether_all_are_well() {
    let authority = Authority::start();
    let broken = Stub::start(|_| Reply::Cut);
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    sandbox.redacting(&authority.origin(), "[AUTHORITY]");
    sandbox.redacting(&broken.origin(), "[BROKEN]");
    let good = authority.key(Provider::Ntropii, "acme-fund-admin");
    let ending = authority.key_with(Provider::Ontora, "acme-fund-admin", |new| {
        new.expires_in_days = Some(30);
    });
    let revoked = authority.key(Provider::Ontora, "acme-fund-admin");
    let (ntropii, ontora) = (
        authority.host(Provider::Ntropii),
        authority.host(Provider::Ontora),
    );
    for (name, host, key) in [
        ("a-good", &ntropii, &good),
        ("b-ending", &ontora, &ending),
        ("c-revoked", &ontora, &revoked),
        ("d-broken", &broken.host(), &good),
        ("e-out", &ntropii, &good),
    ] {
        sandbox
            .ntro("auth login --no-verify --store file --api-key-stdin")
            .args(&format!("--name {name} --host {host}"))
            .input(&key.key)
            .run()
            .success()
            .done();
    }
    authority.revoke(&revoked);
    sandbox.ntro("auth logout e-out").run().success().done();

    sandbox.ntro("auth status").run().success().done();
    let status = sandbox.ntro("auth status --all -o json").run().exits(4);
    let states: Vec<_> = status
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {}", row["name"], row["state"]))
        .collect();
    assert_snapshot!(states.join("\n"), @r#"
        "a-good" "valid"
        "b-ending" "valid"
        "c-revoked" "rejected"
        "d-broken" "unreachable"
        "e-out" "logged_out"
        "#);
    sandbox.ntro("auth remove c-revoked").run().success().done();
    sandbox.ntro("auth remove e-out").run().success().done();
    sandbox.ntro("auth status --all").run().exits(6).done();
    sandbox.ntro("auth remove d-broken").run().success().done();
    sandbox
        .ntro("auth status --all")
        .run()
        .success()
        .says("expires in")
        .done();
    for key in [&good, &ending, &revoked] {
        sandbox.assert_nowhere(&key.key);
    }
}

#[test]
fn a_name_that_is_taken_is_not_given_twice() {
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    for name in ["one", "two"] {
        sandbox
            .ntro("auth login --no-verify --store file --api-key-stdin")
            .args(&format!("--name {name} --host http://localhost:1/v1"))
            .input(format!("ntro_prod_good_{name}"))
            .run()
            .success()
            .done();
    }
    let before = sandbox.contents();
    assert_snapshot!(sandbox.ntro("auth rename one two").transcript(), @r"
        exit code: 9
        ----- stderr -----
        error: there is already a connection `two`
          hint: choose another name, or remove it first: `ntro auth remove two`
        ");
    assert_snapshot!(sandbox.ntro("auth rename three four").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: there is no connection `three`
          hint: the connections are: one, two
        ");
    assert_snapshot!(sandbox.ntro("auth remove three").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: there is no connection `three`
          hint: the connections are: one, two
        ");
    assert_eq!(sandbox.contents(), before);
    // The default connection stays the default one under its new name, and is none when it goes.
    assert_snapshot!(sandbox.ntro("auth rename one first").transcript(), @r"
        exit code: 0
        ----- stdout -----
        ✓ `one` is called `first` now
        ");
    sandbox
        .ntro("auth token")
        .run()
        .success()
        .says("good_one")
        .done();
    assert_snapshot!(sandbox.ntro("auth remove first").transcript(), @r"
        exit code: 0
        ----- stdout -----
        ✓ removed the connection `first`, and its key from the file store
        ");
    assert_snapshot!(sandbox.ntro("auth token").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: no connection is chosen, and there is no default one
          hint: name one with `-c`, or make one the default with `ntro auth use`: two
        ");
    sandbox
        .ntro("auth token -c two")
        .run()
        .success()
        .says("good_two")
        .done();
}
