//! Which connection, host, key and tenant a call uses, and what overrides what.

use insta::assert_snapshot;

use crate::support::Sandbox;

const TWO: &str = r#"default_connection_name = "staging"

[connections.staging]
host = "https://staging.example/v1"
api_key = "ntro_staging_secret0"
default_tenant = "acme-staging"

[connections.production]
host = "https://api.ntropii.com/v1"
api_key = "ntro_prod_secret0"
default_tenant = "acme"
"#;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write_config(TWO);
    sandbox
}

#[test]
fn every_source_is_named_in_order() {
    let sandbox = sandbox();
    assert_snapshot!(sandbox.ntro("auth explain").transcript(), @r"
        exit code: 0
        ----- stdout -----
        connection: staging
            `--connection`: -
            the variable `NTRO_CONNECTION`: -
            the variable `NTRO_DEFAULT_CONNECTION_NAME`: -
            no `.ntro.toml` here or above: -
          → `default_connection_name` in `[HOME]/.ntro/config.toml`: staging
        host: https://staging.example/v1
            `--host`: -
            the variable `NTRO_HOST`: -
          → `connections.staging.host` in `[HOME]/.ntro/config.toml`: https://staging.example/v1
        key: ntro_s…
            the variable `NTRO_API_KEY`: -
          → `connections.staging.api_key` in `[HOME]/.ntro/config.toml`: ntro_s…
        tenant: acme-staging
            `--tenant`: -
            the variable `NTRO_TENANT`: -
            no `.ntro.toml` here or above: -
          → `connections.staging.default_tenant` in `[HOME]/.ntro/config.toml`: acme-staging
        provider: ntropii
            `connections.staging.provider` in `[HOME]/.ntro/config.toml`: -
            the last login, in `[HOME]/.ntro/logins.toml`: -
            the look of `NTRO_API_KEY`: -
          → the look of `api_key`: ntropii
            the host: -
            the default: ntropii
        policy: none
            the variable `NTRO_API_KEY`: -
            `connections.staging.policy` in `[HOME]/.ntro/config.toml`: -
            the record in `[HOME]/.ntro/logins.toml`: -
          → the default: none
        production: no
            `connections.staging.production` in `[HOME]/.ntro/config.toml`: -
            the record in `[HOME]/.ntro/logins.toml`: -
            the host: -
            the name: -
          → the default: no
        ");
    assert_snapshot!(
        sandbox
            .ntro("-c production auth explain --tenant globex --host https://other.example/v1")
            .env("NTRO_CONNECTION", "one")
            .env("NTRO_DEFAULT_CONNECTION_NAME", "two")
            .env("NTRO_API_KEY", "ntro_env_secret1")
            .env("NTRO_HOST", "https://env.example/v1")
            .env("NTRO_TENANT", "env-tenant")
            .transcript(),
        @r"
        exit code: 0
        ----- stdout -----
        connection: production
          → `--connection`: production
            the variable `NTRO_CONNECTION`: one
            the variable `NTRO_DEFAULT_CONNECTION_NAME`: two
            no `.ntro.toml` here or above: -
            `default_connection_name` in `[HOME]/.ntro/config.toml`: staging
        host: https://other.example/v1
          → `--host`: https://other.example/v1
            the variable `NTRO_HOST`: https://env.example/v1
            `connections.production.host` in `[HOME]/.ntro/config.toml`: https://api.ntropii.com/v1
        key: ntro_…
          ! overrides the stored API key of `production`
          → the variable `NTRO_API_KEY`: ntro_…
            `connections.production.api_key` in `[HOME]/.ntro/config.toml`: ntro_…
        tenant: globex
          → `--tenant`: globex
            the variable `NTRO_TENANT`: env-tenant
            no `.ntro.toml` here or above: -
            `connections.production.default_tenant` in `[HOME]/.ntro/config.toml`: acme
        provider: ntropii
          → the look of `NTRO_API_KEY`: ntropii
            `connections.production.provider` in `[HOME]/.ntro/config.toml`: -
            the last login, in `[HOME]/.ntro/logins.toml`: -
            the look of `api_key`: ntropii
            the host: -
            the default: ntropii
        policy: none
          → the variable `NTRO_API_KEY`: none
            `connections.production.policy` in `[HOME]/.ntro/config.toml`: -
            the record in `[HOME]/.ntro/logins.toml`: -
            the default: none
        production: yes
            `connections.production.production` in `[HOME]/.ntro/config.toml`: -
            the record in `[HOME]/.ntro/logins.toml`: -
            the host: -
          → the name: yes
            the default: no
        "
    );
    sandbox.assert_nowhere("secret1");
    sandbox.assert_only_in("secret0", &[".ntro/config.toml"]);
}

#[test]
fn project_chooses_existing_connection() {
    let sandbox = sandbox();
    let project = sandbox.home().join("project/src");
    std::fs::create_dir_all(&project).unwrap();
    let pin = sandbox.home().join("project/.ntro.toml");
    let token = || sandbox.ntro("auth token").in_folder(&project).transcript();
    std::fs::write(&pin, "connection = \"production\"\ntenant = \"globex\"\n").unwrap();
    assert_snapshot!(token(), @r"
        exit code: 0
        ----- stdout -----
        ntro_prod_secret0
        ");
    assert_snapshot!(
        sandbox.ntro("auth explain").in_folder(&project).transcript(),
        @r"
        exit code: 0
        ----- stdout -----
        connection: production
            `--connection`: -
            the variable `NTRO_CONNECTION`: -
            the variable `NTRO_DEFAULT_CONNECTION_NAME`: -
          → `[HOME]/project/.ntro.toml`: production
            `default_connection_name` in `[HOME]/.ntro/config.toml`: staging
        host: https://api.ntropii.com/v1
            `--host`: -
            the variable `NTRO_HOST`: -
          → `connections.production.host` in `[HOME]/.ntro/config.toml`: https://api.ntropii.com/v1
        key: ntro_…
            the variable `NTRO_API_KEY`: -
          → `connections.production.api_key` in `[HOME]/.ntro/config.toml`: ntro_…
        tenant: globex
            `--tenant`: -
            the variable `NTRO_TENANT`: -
          → `[HOME]/project/.ntro.toml`: globex
            `connections.production.default_tenant` in `[HOME]/.ntro/config.toml`: acme
        provider: ntropii
            `connections.production.provider` in `[HOME]/.ntro/config.toml`: -
            the last login, in `[HOME]/.ntro/logins.toml`: -
            the look of `NTRO_API_KEY`: -
          → the look of `api_key`: ntropii
            the host: -
            the default: ntropii
        policy: none
            the variable `NTRO_API_KEY`: -
            `connections.production.policy` in `[HOME]/.ntro/config.toml`: -
            the record in `[HOME]/.ntro/logins.toml`: -
          → the default: none
        production: yes
            `connections.production.production` in `[HOME]/.ntro/config.toml`: -
            the record in `[HOME]/.ntro/logins.toml`: -
          → the host: yes
            the name: yes
            the default: no
        "
    );
    // An option and a variable are stronger.
    assert_snapshot!(
        sandbox.ntro("auth token -c staging").in_folder(&project).transcript(),
        @r"
        exit code: 0
        ----- stdout -----
        ntro_staging_secret0
        "
    );
    std::fs::write(&pin, "connection = \"nowhere\"\n").unwrap();
    assert_snapshot!(token(), @r"
        exit code: 3
        ----- stderr -----
        error: there is no connection `nowhere` (named by `[HOME]/project/.ntro.toml`)
          hint: the connections are: production, staging
        ");
    std::fs::write(
        &pin,
        "connection = \"production\"\nhost = \"https://evil.example\"\n",
    )
    .unwrap();
    assert_snapshot!(token(), @r"
        exit code: 3
        ----- stderr -----
        error: `[HOME]/project/.ntro.toml`, line 2, column 1: unknown field `host`, expected `connection` or `tenant`
          hint: correct the file with an editor; nothing was changed
        ");
    std::fs::write(&pin, "api_key = \"ntro_theirs_secret2\"\n").unwrap();
    assert_snapshot!(token(), @r"
        exit code: 3
        ----- stderr -----
        error: `[HOME]/project/.ntro.toml`, line 1, column 1: unknown field `api_key`, expected `connection` or `tenant`
          hint: correct the file with an editor; nothing was changed
        ");
    std::fs::write(&pin, "connection = ").unwrap();
    assert_snapshot!(token(), @r"
        exit code: 3
        ----- stderr -----
        error: `[HOME]/project/.ntro.toml`, line 1, column 14: string values must be quoted, expected literal string
          hint: correct the file with an editor; nothing was changed
        ");
}

#[test]
fn unknown_name_lists_known_ones() {
    let sandbox = sandbox();
    assert_snapshot!(sandbox.ntro("-c prod auth token").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: there is no connection `prod` (named by `--connection`)
          hint: did you mean `production`? the connections are: production, staging
        ");
    assert_snapshot!(
        sandbox.ntro("auth token").env("NTRO_CONNECTION", "prod").transcript(),
        @r"
        exit code: 3
        ----- stderr -----
        error: there is no connection `prod` (named by the variable `NTRO_CONNECTION`)
          hint: did you mean `production`? the connections are: production, staging
        "
    );
    assert_snapshot!(sandbox.ntro("auth use prod").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: there is no connection `prod`
          hint: did you mean `production`? the connections are: production, staging
        ");
    assert_snapshot!(sandbox.ntro("auth token -c prod -o json").transcript(), @r#"
        exit code: 3
        ----- stderr -----
        {"error":{"code":"unknown_connection","hint":"did you mean `production`? the connections are: production, staging","message":"there is no connection `prod` (named by `--connection`)","request_id":null}}
        "#);
    assert_snapshot!(
        sandbox
            .ntro("auth token")
            .env("NTRO_DEFAULT_CONNECTION_NAME", "production")
            .transcript(),
        @r"
        exit code: 0
        ----- stdout -----
        ntro_prod_secret0
        ----- stderr -----
        warning: the variable `NTRO_DEFAULT_CONNECTION_NAME` overrides the connection `staging` (named by `default_connection_name` in `[HOME]/.ntro/config.toml`)
        "
    );
}

#[test]
fn overriding_variable_can_be_refused() {
    let sandbox = sandbox();
    let with = |command: &str, name: &str, value: &str| sandbox.ntro(command).env(name, value);
    let token = with("auth token", "NTRO_API_KEY", "ntro_env_secret1");
    assert_snapshot!(token.transcript(), @r"
        exit code: 0
        ----- stdout -----
        ntro_env_secret1
        ----- stderr -----
        warning: the variable `NTRO_API_KEY` overrides the stored API key of `staging`
        ");
    let token = with("auth token", "NTRO_HOST", "https://env.example/v1");
    assert_snapshot!(token.transcript(), @r"
        exit code: 4
        ----- stderr -----
        warning: the variable `NTRO_HOST` overrides the host of `staging`, https://staging.example/v1
        error: the stored API key of `staging` belongs to https://staging.example, not to https://env.example (named by the variable `NTRO_HOST`)
          hint: a stored key goes to its own origin only: set `NTRO_API_KEY` for this call, or log in with `ntro auth login --name staging --host https://env.example/v1 --overwrite`
        ");
    for command in ["auth token", "auth whoami", "auth test"] {
        let strict = with(command, "NTRO_API_KEY", "ntro_env_secret1").env("NTRO_STRICT", "1");
        strict
            .run()
            .exits(9)
            .complains("`NTRO_API_KEY` overrides")
            .done();
    }
    let strict = with("auth token", "NTRO_API_KEY", "ntro_env_secret1").env("NTRO_STRICT", "1");
    assert_snapshot!(strict.transcript(), @r"
        exit code: 9
        ----- stderr -----
        error: the variable `NTRO_API_KEY` overrides the stored API key of `staging`, and `NTRO_STRICT` is set
          hint: unset `NTRO_API_KEY`, or unset `NTRO_STRICT`
        ");
    // An empty variable is none.
    let empty = with("auth token", "NTRO_API_KEY", "").env("NTRO_STRICT", "1");
    empty.run().success().says("ntro_staging_secret0").done();
}

#[test]
fn password_in_host_is_never_shown() {
    let sandbox = Sandbox::new();
    sandbox.write_config(
        "default_connection_name = 'a'\n[connections.a]\nhost = 'https://ada:hunter2@a.example/v1'\n",
    );
    for line in ["auth explain", "auth explain -o json"] {
        sandbox.ntro(line).run().exits(3).says("a.example").done();
    }
    let shadowed = sandbox
        .ntro("auth explain")
        .env("NTRO_HOST", "https://b.example");
    shadowed.run().says("overrides").done();
    sandbox.assert_only_in("hunter2", &[".ntro/config.toml"]);
}
