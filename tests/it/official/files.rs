//! One `config.toml` shared by the official clients and ours, in both directions.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ntro_base::Provider;
use serde_json::{Value, json};

use super::{IssuedKey, Stage, TENANT, only};
use crate::support::{Mode, SecretService};

/// Asserts the mode of a file or folder.
#[track_caller]
fn assert_mode(path: &Path, mode: u32) {
    let found = path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(found, mode, "{} has {found:o}", path.display());
}

impl Stage {
    /// Returns the row of a connection in our `auth list`.
    #[track_caller]
    fn listed(&self, name: &str) -> Value {
        let list = self
            .sandbox
            .ntro("auth list -o json")
            .run()
            .success()
            .json();
        let rows = list.as_array().unwrap();
        only(rows.iter().filter(|row| row["connection"] == name)).clone()
    }

    /// Asserts that our `auth whoami` reaches the server with this key.
    #[track_caller]
    fn assert_logged_in(&self, connection: &str, key: &IssuedKey, provider: Provider) {
        let whoami = self
            .sandbox
            .ntro(&format!("-c {connection} -o json auth whoami"))
            .run()
            .success()
            .json();
        assert_eq!(
            (
                &whoami["key_prefix"],
                &whoami["provider"],
                &whoami["connection"]
            ),
            (
                &json!(key.prefix),
                &json!(provider.as_str()),
                &json!(connection)
            )
        );
    }

    /// Creates an age identity that opens our `file` store.
    fn make_identity(&self) {
        let home = ntro_client::config::NtroDir::at(self.sandbox.ntro_home());
        let lock = home.lock().unwrap();
        let made =
            ntro_client::secrets::create_identity(&home.folder().join("identity.txt"), &lock);
        assert!(made.unwrap());
    }

    /// Returns the prefix of the key that our call would use, its source, and the other sources
    /// that have one.
    #[track_caller]
    fn explained_key(&self, connection: &str) -> (String, String, Vec<String>) {
        let explanation = self
            .sandbox
            .ntro(&format!("-c {connection} -o json auth explain"))
            .run()
            .success()
            .json();
        let key = &explanation["key"];
        let found = |source: &&Value| !source["found"].is_null();
        let name = |source: &Value| source["source"].as_str().unwrap().to_owned();
        let sources = key["sources"].as_array().unwrap();
        let winner = only(sources.iter().filter(|source| source["wins"] == true));
        let others = sources
            .iter()
            .filter(found)
            .filter(|source| source["wins"] == false);
        (
            key["value"].as_str().unwrap().to_owned(),
            name(winner),
            others.map(name).collect(),
        )
    }
}

/// A file written by our login with `--store plaintext` passes D.2 2 to 5 and works with the SDK
/// and the MCP server, which leave it unchanged.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn our_file_works_for_official_clients() {
    let stage = Stage::new();
    let key = stage.key();
    stage.our_login("selfhost", "plaintext", &key, Provider::Ntropii);
    let written = stage.sandbox.config();
    let cli = |arguments: &str| {
        stage
            .clients
            .ntro(&stage.sandbox, arguments)
            .run()
            .success()
    };

    cli("auth test")
        .says(&format!("✓ Connected as {}@keys.invalid", key.id))
        .done();
    cli("auth whoami").says(&key.id).done();
    assert_eq!(cli("-o json auth whoami").json()["id"], key.id);
    cli("-c selfhost tenant list").says(&key.tenant_id).done();
    assert_eq!(cli("-o json tenant list").json()[0]["slug"], TENANT);
    cli(&format!("tenant info {TENANT}"))
        .says(&key.tenant_id)
        .done();
    let list = cli("-o json auth list").json();
    let row = only(list.as_array().unwrap());
    assert_eq!(
        (&row["name"], &row["active"]),
        (&json!("selfhost"), &json!("●"))
    );

    let calls = json!([["identity.whoami_sync"], ["tenants.get_sync", TENANT]]);
    for connection in [json!("selfhost"), Value::Null] {
        let answers = stage.sdk(&json!({"connection": connection, "calls": calls}));
        assert_eq!(answers[0]["result"]["id"], key.id);
        assert_eq!(answers[1]["result"]["id"], key.tenant_id);
    }
    let answers = stage.mcp(
        "--connection selfhost",
        &json!([
            ["call_tool", "ntro_whoami", {}],
            ["read_resource", "ntro://tenants"]
        ]),
    );
    assert_eq!(answers[1]["result"]["isError"], false, "{}", answers[1]);
    assert!(answers[2]["result"].is_object(), "{}", answers[2]);

    assert_eq!(stage.sandbox.config(), written);
    let expected = format!("Bearer {}", key.key);
    for seen in stage.witness.take() {
        assert_eq!(
            seen.header("authorization"),
            Some(&*expected),
            "{}",
            seen.line
        );
    }
    // The login records only the prefix.
    stage
        .sandbox
        .assert_only_in(&key.key, &[".ntro/config.toml"]);
}

/// A file written by the official login works for us.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn official_file_works_for_us() {
    let stage = Stage::new();
    let key = stage.key();
    stage.official_login("selfhost", &key);
    let written = stage.sandbox.config();

    let row = stage.listed("selfhost");
    let host = stage.host(Provider::Ntropii);
    assert_eq!(
        [
            &row["active"],
            &row["provider"],
            &row["host"],
            &row["default_tenant"],
            &row["store"]
        ],
        [
            &json!(true),
            &json!("ntropii"),
            &json!(host),
            &json!(TENANT),
            &json!("plaintext")
        ]
    );
    assert_eq!(row["logged_in"], true);
    // The official login also writes a seed: one connection with a key and one without.
    assert_eq!(stage.listed("local")["logged_in"], true);
    assert_eq!(stage.listed("production")["logged_in"], false);

    stage.assert_logged_in("selfhost", &key, Provider::Ntropii);
    stage
        .sandbox
        .ntro("auth whoami")
        .run()
        .success()
        .says(&key.id)
        .says(TENANT)
        .says("selfhost")
        .done();
    let tenants = stage
        .sandbox
        .ntro("tenant list -o json")
        .run()
        .success()
        .json();
    assert_eq!(only(tenants.as_array().unwrap())["slug"], TENANT);
    stage
        .sandbox
        .ntro("tenant list")
        .run()
        .success()
        .says(TENANT)
        .done();
    stage
        .sandbox
        .ntro("-c production auth whoami")
        .run()
        .exits(4)
        .done();
    let (value, source, others) = stage.explained_key("selfhost");
    assert_eq!(value, format!("{}…", key.prefix));
    assert!(source.contains("api_key"), "{source}");
    assert_eq!(others, Vec::<String>::new());
    assert_eq!(stage.sandbox.config(), written);
    stage
        .sandbox
        .assert_only_in(&key.key, &[".ntro/config.toml"]);
}

/// A save by the official command line drops our keys and all comments. Our own file keeps the data
/// that we need.
#[test]
#[ignore = "needs the official clients, D-Bus and gnome-keyring: run scripts/test"]
fn connections_survive_official_save() {
    let service = SecretService::start(Mode::Unlocked);
    let mut stage = Stage::new();
    stage.sandbox.plug_in(&service);
    stage.make_identity();
    let connections: Vec<_> = [
        ("ring", "keyring", Provider::Ntropii),
        ("ring-ontora", "keyring", Provider::Ontora),
        ("sealed", "file", Provider::Ntropii),
        ("sealed-ontora", "file", Provider::Ontora),
        ("plain", "plaintext", Provider::Ntropii),
        ("plain-ontora", "plaintext", Provider::Ontora),
    ]
    .into_iter()
    .map(|(name, store, provider)| {
        let key = stage.authority.key(provider, TENANT);
        stage.our_login(name, store, &key, provider);
        (name, store, provider, key)
    })
    .collect();
    let commented = format!("# kept by hand\n{}", stage.sandbox.config());
    stage.sandbox.write_config(&commented);
    let assert_all_connected = || {
        for (name, store, provider, key) in &connections {
            let row = stage.listed(name);
            assert_eq!(
                [
                    &row["store"],
                    &row["provider"],
                    &row["logged_in"],
                    &row["key_prefix"]
                ],
                [
                    &json!(store),
                    &json!(provider.as_str()),
                    &json!(true),
                    &json!(key.prefix)
                ],
                "{name}"
            );
            stage.assert_logged_in(name, key, *provider);
            let token = stage
                .sandbox
                .ntro(&format!("-c {name} auth token"))
                .run()
                .success();
            assert_eq!(token.stdout.trim_end(), key.key, "{name}");
        }
        stage
            .sandbox
            .ntro("auth status --all")
            .run()
            .success()
            .done();
    };
    assert_all_connected();

    let dropped = |text: &str| {
        let ours = ["store", "provider", "#"];
        assert!(
            !text
                .lines()
                .any(|line| ours.iter().any(|start| line.starts_with(start))),
            "{text}"
        );
    };
    stage
        .clients
        .ntro(&stage.sandbox, "auth set-default sealed")
        .run()
        .success()
        .done();
    dropped(&stage.sandbox.config());
    assert_all_connected();
    assert_eq!(stage.listed("sealed")["active"], true);

    // Neither our save nor another official one changes that.
    stage.sandbox.ntro("auth use ring").run().success().done();
    assert_all_connected();
    let other = stage.key();
    let line = format!(
        "auth login --no-interactive --no-set-default --name other --host {} --api-key {}",
        stage.host(Provider::Ntropii),
        other.key
    );
    stage
        .clients
        .ntro(&stage.sandbox, &line)
        .run()
        .success()
        .done();
    dropped(&stage.sandbox.config());
    assert_all_connected();
    stage.assert_logged_in("other", &other, Provider::Ntropii);
    assert_eq!(stage.listed("ring")["active"], true);
    assert!(service.search(&["service", "ntro"]).contains("ring-ontora"));
}

/// The official command line logs in a connection that we keep in the keyring. Its key is then in
/// the file beside ours, and the store takes precedence. Our output says so, and our next login
/// removes the other key.
#[test]
#[ignore = "needs the official clients, D-Bus and gnome-keyring: run scripts/test"]
fn our_store_precedes_official_key() {
    let service = SecretService::start(Mode::Unlocked);
    let mut stage = Stage::new();
    stage.sandbox.plug_in(&service);
    let (ours, theirs) = (stage.key(), stage.key());
    stage.our_login("selfhost", "keyring", &ours, Provider::Ntropii);
    stage.sandbox.assert_nowhere(&ours.key);
    stage.official_login("selfhost", &theirs);

    let (value, source, others) = stage.explained_key("selfhost");
    assert_eq!(value, format!("{}…", ours.prefix));
    assert!(source.contains("keyring"), "{source}");
    assert!(only(others).contains("api_key"));
    stage.assert_logged_in("selfhost", &ours, Provider::Ntropii);
    // The official clients only know their own key.
    stage
        .clients
        .ntro(&stage.sandbox, "auth test")
        .run()
        .success()
        .says(&format!("✓ Connected as {}@keys.invalid", theirs.id))
        .done();

    stage.our_login("selfhost", "keyring", &theirs, Provider::Ntropii);
    stage.assert_logged_in("selfhost", &theirs, Provider::Ntropii);
    let (value, _, others) = stage.explained_key("selfhost");
    assert_eq!((value, others), (format!("{}…", theirs.prefix), Vec::new()));
    stage.sandbox.assert_nowhere(&theirs.key);
}

/// The same for a connection that we logged out: the official key is the only one.
#[test]
#[ignore = "needs the official clients, D-Bus and gnome-keyring: run scripts/test"]
fn official_key_works_after_our_logout() {
    let service = SecretService::start(Mode::Unlocked);
    let mut stage = Stage::new();
    stage.sandbox.plug_in(&service);
    let (ours, theirs) = (stage.key(), stage.key());
    stage.our_login("selfhost", "keyring", &ours, Provider::Ntropii);
    stage
        .sandbox
        .ntro("auth logout selfhost")
        .run()
        .success()
        .done();
    stage.sandbox.ntro("auth whoami").run().exits(4).done();

    stage.official_login("selfhost", &theirs);
    stage.assert_logged_in("selfhost", &theirs, Provider::Ntropii);
    assert_eq!(stage.listed("selfhost")["logged_in"], true);
    let (value, source, _) = stage.explained_key("selfhost");
    assert_eq!(value, format!("{}…", theirs.prefix));
    assert!(source.contains("api_key"), "{source}");
}

/// An official login may point our connection to another server. Our stored key is not sent there.
#[test]
#[ignore = "needs the official clients, D-Bus and gnome-keyring: run scripts/test"]
fn stored_key_ignores_official_host_change() {
    let service = SecretService::start(Mode::Unlocked);
    let mut stage = Stage::new();
    stage.sandbox.plug_in(&service);
    let ours = stage.key();
    stage.our_login("selfhost", "keyring", &ours, Provider::Ntropii);
    stage.witness.take();

    let other = Stage::new();
    let theirs = other.key();
    stage.official_login_to(
        "selfhost",
        &other.host(Provider::Ntropii),
        &theirs.key,
        TENANT,
    );
    let whoami = stage.sandbox.ntro("auth whoami").run();
    for seen in other.witness.take() {
        assert_eq!(
            seen.header("authorization"),
            Some(&*format!("Bearer {}", theirs.key))
        );
    }
    assert_eq!(stage.witness.take(), []);
    // The new key is beside the host it was given for, so it is now the key of this connection.
    whoami.success().says(&theirs.id).done();
    let (value, source, others) = stage.explained_key("selfhost");
    assert_eq!((value, others), (format!("{}…", theirs.prefix), Vec::new()));
    assert!(source.contains("api_key"), "{source}");
}

/// Files that the official clients leave world-readable become private with our next write.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn our_write_makes_files_private() {
    let stage = Stage::new();
    let key = stage.key();
    stage.official_login("selfhost", &key);
    let (folder, file) = (
        stage.sandbox.ntro_home(),
        stage.sandbox.ntro_home().join("config.toml"),
    );
    // The modes that they leave without a umask.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();

    stage.sandbox.ntro("auth use local").run().success().done();
    assert_mode(&folder, 0o700);
    assert_mode(&file, 0o600);
    stage
        .clients
        .ntro(&stage.sandbox, "auth set-default selfhost")
        .run()
        .success()
        .done();
    assert_mode(&folder, 0o700);
    assert_mode(&file, 0o600);
    stage.our_login("second", "plaintext", &key, Provider::Ntropii);
    for name in ["config.toml", "logins.toml"] {
        assert_mode(&folder.join(name), 0o600);
    }
    assert_mode(&folder, 0o700);
}

/// Our writes keep unknown keys, and the official clients still read them.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn our_writes_keep_unknown_keys() {
    let stage = Stage::new();
    let key = stage.key();
    let host = stage.host(Provider::Ntropii);
    stage.sandbox.write_config(&format!(
        "# Ask the platform team before a change.\n\
         default_connection_name = \"selfhost\"  # the usual one\n\
         theme = \"dark\"\n\
         \n\
         [connections.selfhost]\n\
         host = \"{host}\"\n\
         api_key = \"{}\"  # from the safe\n\
         default_entity = \"acme-commercial-spv1\"\n\
         colour = \"red\"\n\
         \n\
         [telemetry]\n\
         enabled = false\n",
        key.key
    ));
    stage.our_login("second", "plaintext", &key, Provider::Ntropii);
    stage.sandbox.ntro("auth use second").run().success().done();
    stage
        .sandbox
        .ntro("auth rename second third")
        .run()
        .success()
        .done();
    stage
        .sandbox
        .ntro("auth logout third")
        .run()
        .success()
        .done();
    let config = stage.sandbox.config();
    for kept in [
        "# Ask the platform team before a change.\n",
        "  # the usual one\n",
        "theme = \"dark\"\n",
        "  # from the safe\n",
        "default_entity = \"acme-commercial-spv1\"\n",
        "colour = \"red\"\n",
        "[telemetry]\nenabled = false\n",
    ] {
        assert!(config.contains(kept), "{kept:?} is gone:\n{config}");
    }
    stage
        .clients
        .ntro(&stage.sandbox, "-c selfhost auth test")
        .run()
        .success()
        .done();
}
