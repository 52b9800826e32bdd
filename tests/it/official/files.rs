//! One `config.toml` for the official clients and for ours, in both directions.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ntro_base::Provider;
use serde_json::{Value, json};

use super::{IssuedKey, Stage, TENANT, only};
use crate::support::{Mode, SecretService};

/// Holds a file or folder to a mode.
#[track_caller]
fn assert_mode(path: &Path, mode: u32) {
    let found = path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(found, mode, "{} has {found:o}", path.display());
}

impl Stage {
    /// What our `auth list` tells of a connection.
    #[track_caller]
    fn listed(&self, name: &str) -> Value {
        let list = self
            .sandbox
            .ntro("auth list -o json")
            .run()
            .success()
            .json();
        let rows = list.as_array().unwrap();
        only(rows.iter().filter(|row| row["name"] == name)).clone()
    }

    /// Holds our `auth whoami` to reach the server with this key.
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

    /// Makes an age identity that opens our `file` store.
    fn make_identity(&self) {
        let home = ntro_client::config::NtroDir::at(self.sandbox.ntro_home());
        let lock = home.lock().unwrap();
        let made =
            ntro_client::secrets::create_identity(&home.folder().join("identity.txt"), &lock);
        assert!(made.unwrap());
    }

    /// The prefix of the key that our call would use, where it comes from, and where else there
    /// would have been one.
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

/// What our login writes with `--store plaintext` passes D.2 2 to 5 and what the SDK and the MCP
/// server do with it, and stays as it is.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn a_file_that_we_wrote_serves_every_official_client() {
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
    // The login itself keeps a note of the prefix only.
    stage
        .sandbox
        .assert_only_in(&key.key, &[".ntro/config.toml"]);
}

/// What the official login writes is enough for us.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn a_file_that_the_official_login_wrote_serves_us() {
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
    // The seed that it writes beside: one connection with a key, and one without.
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

/// Whatever the official command line saves, it drops our keys and all comments. What we need is
/// in a file of our own.
#[test]
#[ignore = "needs the official clients, D-Bus and gnome-keyring: run scripts/test"]
fn connections_of_every_store_outlive_an_official_save() {
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
    let assert_all_well = || {
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
    assert_all_well();

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
    assert_all_well();
    assert_eq!(stage.listed("sealed")["active"], true);

    // Our own save brings nothing of it into disorder, and another official one neither.
    stage.sandbox.ntro("auth use ring").run().success().done();
    assert_all_well();
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
    assert_all_well();
    stage.assert_logged_in("other", &other, Provider::Ntropii);
    assert_eq!(stage.listed("ring")["active"], true);
    assert!(service.search(&["service", "ntro"]).contains("ring-ontora"));
}

/// The official command line logs in again a connection that we keep in the keyring. Its key comes
/// to lie beside ours, and the store is asked first: what we say is what we do, and our next login
/// clears the other away.
#[test]
#[ignore = "needs the official clients, D-Bus and gnome-keyring: run scripts/test"]
fn our_store_comes_before_a_key_that_an_official_login_has_added() {
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
    // The official clients know of no other key than theirs.
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

/// The same for a connection whose key we had forgotten: then theirs is the only one.
#[test]
#[ignore = "needs the official clients, D-Bus and gnome-keyring: run scripts/test"]
fn after_our_logout_the_key_of_an_official_login_counts() {
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

/// An official login may point our connection to another server. Our stored key does not follow.
#[test]
#[ignore = "needs the official clients, D-Bus and gnome-keyring: run scripts/test"]
fn a_stored_key_does_not_follow_an_official_login_to_another_server() {
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
    // It stands beside the host that it was given for, so it is the key of this connection now.
    whoami.success().says(&theirs.id).done();
    let (value, source, others) = stage.explained_key("selfhost");
    assert_eq!((value, others), (format!("{}…", theirs.prefix), Vec::new()));
    assert!(source.contains("api_key"), "{source}");
}

/// What the official clients leave readable to everybody is private once we have written it.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn our_next_write_makes_the_files_private_again() {
    let stage = Stage::new();
    let key = stage.key();
    stage.official_login("selfhost", &key);
    let (folder, file) = (
        stage.sandbox.ntro_home(),
        stage.sandbox.ntro_home().join("config.toml"),
    );
    // As it leaves them where nothing masks the modes of new files.
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

/// What we do not know stays where it is when we write, and the official clients still read it.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn our_writes_keep_what_they_do_not_know() {
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
