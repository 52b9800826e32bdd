//! `ntro pin`: the `.ntro.toml` that it writes.

use std::fs;

use insta::assert_snapshot;

use crate::support::Sandbox;

const ACME: &str = "[connections.acme]\nhost = \"https://acme.example/v1\"\n\
                    [connections.beta]\nhost = \"https://beta.example/v1\"\n";

#[test]
fn pin_chooses_connection_and_tenant() {
    let sandbox = Sandbox::new();
    sandbox.write_config(ACME);
    let folder = sandbox.home().join("project");
    fs::create_dir(&folder).unwrap();
    let run = |line: &str| sandbox.ntro(line).in_folder(&folder);
    assert_snapshot!(run("pin acme acme-fund-admin").transcript(), @r"
        exit code: 0
        ----- stdout -----
        ✓ `acme` with the tenant `acme-fund-admin` is used in this folder and below, by `.ntro.toml`
        ");
    let pin = folder.join(".ntro.toml");
    let text = fs::read_to_string(&pin).unwrap();
    assert_eq!(
        text,
        "connection = \"acme\"\ntenant = \"acme-fund-admin\"\n"
    );
    let explained = run("auth explain -o json").run().json();
    assert_eq!(explained["connection"]["value"], "acme");
    assert_eq!(explained["connection"]["sources"][3]["code"], "pin");
    assert_eq!(explained["tenant"]["value"], "acme-fund-admin");
    run("pin beta -t x").run().success().done();
    let text = fs::read_to_string(&pin).unwrap();
    assert_eq!(text, "connection = \"beta\"\ntenant = \"x\"\n");
    let unknown = run("pin gamma").run().exits(3);
    unknown.complains("there is no connection `gamma`").done();
    assert_eq!(fs::read_to_string(&pin).unwrap(), text);
    let below = folder.join("below");
    fs::create_dir(&below).unwrap();
    run("pin acme").in_folder(&below).run().success().done();
    let text = fs::read_to_string(below.join(".ntro.toml")).unwrap();
    assert_eq!(text, "connection = \"acme\"\n");
}

#[cfg(unix)]
#[test]
fn pin_follows_no_link() {
    let sandbox = Sandbox::new();
    sandbox.write_config(ACME);
    let before = sandbox.config();
    let folder = sandbox.home().join("project");
    fs::create_dir(&folder).unwrap();
    let link = folder.join(".ntro.toml");
    let pin = || sandbox.ntro("pin acme").in_folder(&folder).transcript();
    let config = sandbox.ntro_home().join("config.toml");
    std::os::unix::fs::symlink(config, &link).unwrap();
    assert_snapshot!(pin(), @r"
        exit code: 3
        ----- stderr -----
        error: `[HOME]/project/.ntro.toml`, line 1, column 2: unknown field `connections`, expected `connection` or `tenant`
          hint: correct the file with an editor; nothing was changed
        ");
    assert_eq!(sandbox.config(), before);
    // A link to what could be a pin.
    let other = sandbox.home().join("other");
    fs::write(&other, "").unwrap();
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(&other, &link).unwrap();
    assert_snapshot!(pin(), @r"
        exit code: 3
        ----- stderr -----
        error: `[HOME]/project/.ntro.toml` is a symbolic link, not a file
          hint: take it away, or run the command in another folder
        ");
    assert_eq!(fs::read_to_string(&other).unwrap(), "");
    assert!(link.is_symlink());
}
