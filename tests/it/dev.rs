//! `ntro dev`: the connections and files it creates, keeps and removes.

use ntro_base::Provider;

use crate::support::{Authority, Dev, Sandbox, Stub, Terminal};

#[test]
fn restart_follows_new_port() {
    let sandbox = Sandbox::new();
    Dev::start(&sandbox, &["--listen", "127.0.0.1:0"]).stop();
    let dev = Dev::start(&sandbox, &["--listen", "127.0.0.1:0"]);
    let whoami = sandbox.ntro("-c local-ontora auth whoami").run();
    whoami
        .says(&format!("http://localhost:{}", dev.port()))
        .done();
}

#[test]
fn identity_opens_keys_of_dev_alone() {
    let mut sandbox = Sandbox::new();
    let dev = Dev::start(&sandbox, &["--listen", "127.0.0.1:0"]);
    let files = sandbox.files();
    for (name, is_made) in [
        ("dev/keys.age", true),
        ("dev/identity.txt", true),
        ("keys.age", false),
        ("identity.txt", false),
    ] {
        assert_eq!(files.contains(&format!(".ntro/{name}")), is_made, "{name}");
    }
    let stub = Stub::ntropii(&["acme"]);
    let login = format!(
        "auth login --no-interactive --name production --store file --host {} --api-key-stdin",
        stub.host()
    );
    let refused = sandbox.ntro(&login).input("ntro_prod_good").run();
    refused
        .exits(8)
        .complains("a passphrase is needed for")
        .done();
    // A connection of `ntro dev` that is logged in elsewhere leaves its file.
    let moved = login.replace("production --store file", "local --overwrite");
    let refused = sandbox.ntro(&moved).input("ntro_prod_good").run().exits(8);
    refused
        .complains("the keyring store is not available")
        .done();

    sandbox.set("NTRO_PASSPHRASE", "correct horse");
    let logged_in = sandbox.ntro(&login).input("ntro_prod_good").run();
    logged_in.success().done();
    sandbox.set("NTRO_PASSPHRASE", "");
    // Neither the key file of the user nor variables affect the connections of `ntro dev`.
    sandbox.set("NTRO_IDENTITY_FILE", sandbox.home().join("missing"));
    sandbox
        .ntro("auth whoami")
        .run()
        .success()
        .says("dev store")
        .done();
    sandbox
        .ntro("-c production auth whoami")
        .run()
        .exits(8)
        .done();
    sandbox.set("NTRO_IDENTITY_FILE", "");
    sandbox
        .ntro("doctor --offline")
        .run()
        .says("/.ntro/dev/identity.txt` beside the key file opens it")
        .done();
    sandbox.ntro("auth rotate --yes").run().success().done();
    sandbox.ntro("auth whoami").run().success().done();
    dev.stop();
    Dev::start(&sandbox, &["--listen", "127.0.0.1:0"]).stop();
}

#[test]
fn key_file_of_earlier_version_stays() {
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    let dev = Dev::start(&sandbox, &["--listen", "127.0.0.1:0"]);
    let files = sandbox.files();
    assert!(files.contains(&".ntro/keys.age".to_owned()), "{files:?}");
    assert!(
        !files.contains(&".ntro/dev/keys.age".to_owned()),
        "{files:?}"
    );
    sandbox
        .ntro("auth whoami")
        .run()
        .success()
        .says("file store")
        .done();
    dev.stop();
}

#[test]
fn lost_identity_gives_way_out() {
    let sandbox = Sandbox::new();
    let dev = Dev::start(&sandbox, &["--listen", "127.0.0.1:0"]);
    std::fs::remove_file(sandbox.ntro_home().join("dev/identity.txt")).unwrap();
    let refused = sandbox.ntro("auth whoami").run().exits(8);
    refused
        .complains("there is none, and one seals")
        .complains("move it away")
        .done();
    drop(dev);
    std::fs::remove_file(sandbox.ntro_home().join("dev/keys.age")).unwrap();
    let dev = Dev::start(&sandbox, &["--listen", "127.0.0.1:0"]);
    sandbox.ntro("auth whoami").run().success().done();
    dev.stop();
}

#[test]
fn dev_keeps_foreign_connection() {
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    let authority = Authority::start();
    let key = authority.key(Provider::Ntropii, "acme");
    let port = authority.origin().rsplit(':').next().unwrap().to_owned();
    let host = format!("http://localhost:{port}/v1");
    sandbox.log_in("--name local --store file", &host, &key.key);
    let before = sandbox.contents();
    // Stops the other server and frees its address.
    drop(authority);
    let refused = sandbox
        .ntro(&format!("dev --listen 127.0.0.1:{port}"))
        .run();
    let refused = refused.exits(9);
    refused
        .complains("is not of this authority's database")
        .complains("ntro auth rename local NAME")
        .done();
    for (name, bytes) in before {
        assert_eq!(sandbox.contents()[&name], bytes, "{name}");
    }
}

#[test]
fn ephemeral_refuses_existing_connections() {
    let sandbox = Sandbox::new();
    Dev::start(&sandbox, &["--listen", "127.0.0.1:0"]).stop();
    let before = sandbox.contents();
    let refused = sandbox.ntro("dev --ephemeral --listen 127.0.0.1:0").run();
    refused
        .exits(9)
        .complains("which `--ephemeral` would remove")
        .done();
    assert_eq!(sandbox.contents(), before);
}

#[test]
fn database_path_may_be_relative() {
    let sandbox = Sandbox::new();
    let dev = Dev::start(&sandbox, &["--listen", "127.0.0.1:0", "--data", "registry"]);
    let head = dev.output.lines().next().unwrap();
    assert!(head.contains("sqlite:/"), "{head}");
    let elsewhere = sandbox.home().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let list = sandbox.ntro("key list").in_folder(&elsewhere).run();
    list.success().says("ntro dev: local").done();
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn dev_ignores_other_key_material() {
    let mut sandbox = Sandbox::new();
    let other = sandbox.home().join("secrets");
    sandbox.set("NTRO_KEY_MATERIAL", other.to_str().unwrap());
    let _dev = Dev::start(&sandbox, &["--listen", "127.0.0.1:0"]);
    let list = sandbox.ntro("key list").run();
    list.success().says("ntro dev: local").done();
    assert!(!other.exists());
}

#[test]
fn interrupt_after_prompt_cleans_up() {
    let mut sandbox = Sandbox::new();
    // The passphrase opens the keys, so the command prompts for it.
    sandbox.set("NTRO_PASSPHRASE", "correct horse");
    let authority = Authority::start();
    let key = authority.key(Provider::Ntropii, "acme");
    sandbox.log_in(
        "--name mine --store file",
        &authority.host(Provider::Ntropii),
        &key.key,
    );
    sandbox.set("NTRO_PASSPHRASE", "");
    let temporary = sandbox.home().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    sandbox.set("TMPDIR", &temporary);

    let mut terminal = Terminal::ntro(&sandbox, "dev --ephemeral --listen 127.0.0.1:0");
    terminal.expect("Passphrase of the key file");
    terminal.secret("correct horse");
    terminal.expect("removes everything");
    terminal.interrupt();
    terminal.end().exits(0).done();
    let config = sandbox.config();
    assert!(
        config.contains("mine") && !config.contains("local"),
        "{config}"
    );
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
}

#[test]
fn taken_port_is_replaced() {
    let sandbox = Sandbox::new();
    // Already taken if this fails.
    let taken = std::net::TcpListener::bind("127.0.0.1:3000");
    let dev = Dev::start(&sandbox, &[]);
    assert_ne!(dev.port(), 3000, "{}", dev.output);
    let list = sandbox.ntro("key list").run().success();
    list.says("ntro dev: local").done();
    let second = sandbox.ntro("dev").run().exits(9);
    second
        .complains("another process serves")
        .complains("`ntro dev` runs already")
        .done();
    let line = format!("dev --data other --listen {}", dev.port());
    let refused = sandbox.ntro(&line).run().exits(9);
    refused
        .complains("Address already in use")
        .complains("`ntro dev --listen 127.0.0.1:0`")
        .done();
    drop(taken);
}

#[test]
fn names_are_shown_on_both_sides() {
    let sandbox = Sandbox::new();
    let _dev = Dev::start(&sandbox, &["--listen", "0"]);
    for connection in ["local", "local-ontora"] {
        let run = |line: &str| sandbox.ntro(&format!("-c {connection} {line}")).run();
        let whoami = run("auth whoami").success();
        assert!(!whoami.stdout.contains('@'), "{}", whoami.stdout);
        whoami
            .says("organisation  Acme\n")
            .says("Acme Fund Admin (")
            .done();
        let whoami = run("auth whoami -o json").success().json();
        assert_eq!(whoami["organisation"], "Acme");
        assert_eq!(whoami["tenants"][0]["name"], "Acme Fund Admin");
        assert_eq!(whoami["email"], serde_json::Value::Null);
        run("auth test")
            .success()
            .says("(organisation Acme)")
            .done();
        run("tenant list").success().says("Acme Fund Admin").done();
        let keys = run("key list -o json").success().json();
        assert_eq!(keys[0]["tenant_name"], "Acme Fund Admin");
        let current = run("key current").success();
        match connection {
            "local" => current.done(),
            _ => current.says("Acme Fund Admin (").done(),
        }
    }
}

#[test]
fn suggested_commands_name_connection() {
    let sandbox = Sandbox::new();
    sandbox.write_config(
        "default_connection_name = \"mine\"\n[connections.mine]\nhost = \"http://localhost:1/v1\"\n",
    );
    let mut terminal = Terminal::ntro(&sandbox, "dev --ephemeral --listen 127.0.0.1:0");
    terminal.expect("ntro -c local auth whoami ");
    terminal.expect("ntro -c local key list ");
    terminal.expect("removes everything").interrupt();
    terminal.end().exits(0).done();
}
