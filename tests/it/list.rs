//! `ntro auth list`.

use insta::assert_snapshot;

use crate::support::Sandbox;

/// Thirty connections of six customers, of which a few say more than the others.
fn fleet() -> Sandbox {
    let sandbox = Sandbox::new();
    let mut config = "default_connection_name = 'acme-dev'\n".to_owned();
    let mut records = String::new();
    let customers = [
        "acme",
        "beta-industries",
        "cyan",
        "delta",
        "echo",
        "foxtrot",
    ];
    let stages = [
        ("dev", "http://localhost:3000/v1"),
        ("live", "https://api.ntropii.com/v1"),
        ("reports", "https://api.eu.ontora.com"),
        ("uat", "https://uat.tenants.example.com/v1"),
        ("void", "https://api.example.com/v1"),
    ];
    for customer in customers {
        for (stage, host) in stages {
            let name = format!("{customer}-{stage}");
            config += &format!("[connections.{name}]\nhost = '{host}'\n");
            config += &format!("default_tenant = '{customer}'\nstore = 'keyring'\n");
            if stage == "void" {
                continue;
            }
            let (origin, _) = host.split_at(host.rfind("/v1").unwrap_or(host.len()));
            let expires = match stage {
                "live" => "expires_at = '2099-12-31T00:00:00Z'\n",
                "uat" => "expires_at = '2020-12-31T00:00:00Z'\n",
                _ => "",
            };
            records += &format!(
                "[logins.{name}]\nstore = 'keyring'\norigin = '{origin}'\nprovider = 'ntropii'\n\
                 key_prefix = 'ntro_dev_'\nstored_at = '2026-01-01T00:00:00Z'\n{expires}"
            );
        }
    }
    sandbox.write_config(&config);
    std::fs::write(sandbox.ntro_home().join("logins.toml"), records).unwrap();
    sandbox
}

#[test]
fn row_is_one_line() {
    let sandbox = fleet();
    let list = |columns: &str, line: &str| {
        let list = sandbox.ntro(line).env("COLUMNS", columns).run().success();
        let width: usize = columns.parse().unwrap();
        for line in list.stdout.lines() {
            assert!(line.chars().count() <= width, "{line}");
        }
        list
    };
    assert_eq!(list("80", "auth list").stdout.lines().count(), 31);
    assert_snapshot!(list("80", "auth list acme"), @r"
        exit code: 0
        ----- stdout -----
           NAME          HOST                                KEY     EXPIRES     PROD
        ●  acme-dev      http://localhost:3000/v1            stored  -
           acme-live     https://api.ntropii.com/v1          stored  2099-12-31  yes
           acme-reports  https://api.eu.ontora.com           stored  -           yes
           acme-uat      https://uat.tenants.example.com/v1  stored  expired
           acme-void     https://api.example.com/v1          none    -
        ");
    assert_snapshot!(list("40", "auth list beta*e"), @r"
        exit code: 0
        ----- stdout -----
           NAME                     KEY     PROD
           beta-industries-dev      stored
           beta-industries-live     stored  yes
           beta-industries-reports  stored  yes
           beta-industries-uat      stored
           beta-industries-void     none
        ");
    let wide = sandbox
        .ntro("auth list acme --wide")
        .env("COLUMNS", "40")
        .run();
    assert_snapshot!(wide, @r"
        exit code: 0
        ----- stdout -----
           NAME          PROVIDER  HOST                                TENANT  STORE    KEY     EXPIRES     PROD
        ●  acme-dev      ntropii   http://localhost:3000/v1            acme    keyring  stored  -
           acme-live     ntropii   https://api.ntropii.com/v1          acme    keyring  stored  2099-12-31  yes
           acme-reports  ntropii   https://api.eu.ontora.com           acme    keyring  stored  -           yes
           acme-uat      ntropii   https://uat.tenants.example.com/v1  acme    keyring  stored  expired
           acme-void     ntropii   https://api.example.com/v1          acme    keyring  none    -
        ");
    let wide = sandbox.ntro("auth list --wide").run().success();
    let piped = sandbox.ntro("auth list").env("COLUMNS", "").run().success();
    assert_eq!(piped.stdout, wide.stdout);
}

#[test]
fn list_is_of_chosen_connections() {
    let sandbox = fleet();
    assert_snapshot!(sandbox.ntro("auth list -c acme-uat").transcript(), @r"
        exit code: 0
        ----- stdout -----
           NAME      PROVIDER  HOST                                TENANT  STORE    KEY     EXPIRES
        ●  acme-uat  ntropii   https://uat.tenants.example.com/v1  acme    keyring  stored  expired
        ");
    assert_snapshot!(sandbox.ntro("auth list -c nope").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: there is no connection `nope` (named by `--connection`)
          hint: `ntro auth list` lists the 30 connections
        ");
    assert_snapshot!(sandbox.ntro("auth list nope").transcript(), @r"
        exit code: 0
        ----- stderr -----
        No connection has a name with `nope` in it.
        ");
    let names = |line: &str| {
        let list = sandbox.ntro(line).run().success().json();
        list.as_array().unwrap().len()
    };
    assert_eq!(names("auth list -o json -c acme-uat"), 1);
    assert_eq!(names("auth list -o json VOID"), 6);
    assert_eq!(names("auth list -o json nope"), 0);
}

#[test]
fn long_tenant_drops_no_column() {
    let sandbox = Sandbox::new();
    sandbox.write_config(
        "default_connection_name = 'local'\n\
         [connections.local]\nhost = 'http://localhost:3000/v1'\nstore = 'file'\n\
         default_tenant = 'acme-fund-admin'\n\
         [connections.local-ontora]\nhost = 'http://localhost:3000'\nstore = 'file'\n\
         provider = 'ontora'\ndefault_tenant = '3f2c8a10-9b7e-4d55-8c11-0a1b2c3d4e5f'\n",
    );
    let list = sandbox.ntro("auth list").env("COLUMNS", "80");
    assert_snapshot!(list.transcript(), @r"
        exit code: 0
        ----- stdout -----
           NAME          PROVIDER  HOST                      TENANT         STORE  KEY
        ●  local         ntropii   http://localhost:3000/v1  acme-fun…dmin  file   none
           local-ontora  ontora    http://localhost:3000     3f2c8a10…4e5f  file   none
        ");
    let id = "3f2c8a10-9b7e-4d55-8c11-0a1b2c3d4e5f";
    for line in ["auth list", "auth list --wide", "auth list -o json"] {
        let columns = if line == "auth list" { "" } else { "80" };
        let list = sandbox.ntro(line).env("COLUMNS", columns).run().success();
        list.says(id).done();
    }
}
