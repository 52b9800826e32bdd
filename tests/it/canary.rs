//! Searches for a known key in all output, files and processes, after every command, on success and
//! on failure, with `--debug`.

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Arc, Mutex};

use ntro_base::Provider;
use serde_json::json;

use crate::support::{Authority, Reply, Sandbox, Stub};

/// Every command except `auth token`, which prints the key. Braces are placeholders: the
/// connection's tenant, the id of another key.
const LINES: &[&str] = &[
    "auth login --host {host} --store {store} --api-key-stdin --name canary --set-default",
    "auth login --host {host} --store {store} --api-key - --name canary --no-verify",
    "auth login --host {host} --store {store} --api-key-stdin --default-tenant nowhere",
    "auth whoami",
    "auth whoami --tenant nowhere",
    "auth whoami --host http://127.0.0.1:1/v1",
    "auth list",
    "auth status",
    "auth status --all",
    "auth use canary",
    "auth set-default nobody",
    "auth migrate --to plaintext --dry-run",
    "auth migrate --to {store}",
    "auth migrate --ontora",
    "auth lock",
    "auth rename canary bird",
    "auth rename bird canary",
    "auth rename canary canary",
    "auth test",
    "auth explain",
    "exec -- true",
    "exec --mask -- env",
    "exec --keyless --no-check -- env",
    "exec -- no-such-program",
    "env --unset",
    "tenant list",
    "tenant info {tenant}",
    "tenant info nowhere",
    "tenant use {tenant}",
    "tenant use nowhere",
    "pin nowhere",
    "auth set nowhere --policy none",
    "key current",
    "key list",
    "key create --name other --store {store} --save-as saved",
    "key create --name other --store {store} --save-as saved --scope nothing",
    "key pause {id}",
    "key resume {id}",
    "key revoke {id}",
    "key revoke nothing",
    "admin init",
    "admin organisation create Acme",
    "admin organisation rename Acme Acme",
    "admin organisation list",
    "admin tenant create acme --name Acme",
    "admin tenant rename acme Acme",
    "admin tenant list",
    "admin tenant suspend acme",
    "admin tenant resume acme",
    "admin key create --provider ntropii --tenant acme",
    "admin key list",
    "admin key pause nothing",
    "admin key resume nothing",
    "admin key revoke nothing",
    "admin policy set --tenant acme --require-expiry",
    "admin policy show --tenant acme",
    "admin audit verify",
    "admin audit export",
    "admin audit checkpoint",
    "admin audit prove 1",
    "admin token",
    "serve --listen {taken} --database sqlite:nowhere/registry.db",
    "dev --listen {taken} --data dev",
    "doctor",
    "doctor --offline --fix",
    "completions bash",
    "man",
    "help auth",
    "doctor",
    "doctor --fix",
    "auth migrate --dry-run",
    "auth rotate",
    "auth rotate --dry-run",
    "auth rotate --grace 1h --no-wait",
    "auth rotate --all --yes",
    "auth rotate --abandon",
    "helper headers --url https://other.example/v1",
    "helper json -c nowhere",
    "helper git get",
    "helper git store",
    "helper cargo",
    "helper bazel get",
    "proxy log",
    "proxy log --verify",
    "proxy approve",
    "prove",
    "auth logout --revoke",
    "auth logout",
    "auth logout --all",
    "auth remove canary",
    "auth remove canary",
];

/// The commands without subcommands, according to `--help`.
fn leaves(sandbox: &Sandbox) -> BTreeSet<String> {
    let mut leaves = BTreeSet::new();
    let mut paths = vec![String::new()];
    while let Some(path) = paths.pop() {
        let line = format!("{path} --help");
        let help = sandbox.ntro(&line).run().success().stdout;
        let listed = help
            .lines()
            .skip_while(|line| *line != "Commands:")
            .skip(1)
            .take_while(|line| !line.is_empty())
            .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| *name != "help");
        let below: Vec<_> = listed.map(|name| format!("{path} {name}")).collect();
        if below.is_empty() {
            leaves.insert(path.trim().to_owned());
        }
        paths.extend(below);
    }
    leaves
}

#[test]
fn canary_covers_every_command() {
    let sandbox = Sandbox::new();
    let forgotten: Vec<_> = leaves(&sandbox)
        .into_iter()
        .filter(|leaf| leaf != "auth token")
        .filter(|leaf| !LINES.iter().any(|line| line.starts_with(leaf.as_str())))
        .collect();
    assert!(forgotten.is_empty(), "{forgotten:?}");
}

/// Runs command lines with a connection to `host`.
fn drive<'a>(
    sandbox: &Sandbox,
    lines: impl IntoIterator<Item = &'a &'a str>,
    formats: &[&str],
    (store, host, key, id): (&str, &str, &str, &str),
) {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for line in lines {
        let line = line
            .replace("{host}", host)
            .replace("{store}", store)
            .replace("{tenant}", "acme-fund-admin")
            .replace("{id}", id)
            .replace("{taken}", &taken);
        for format in formats {
            let run = sandbox.ntro(&format!("--debug -o {format} {line}"));
            run.input(key).run().done();
        }
    }
}

fn assert_only_in_store(sandbox: &Sandbox, store: &str, secret: &str) {
    match store {
        "plaintext" => sandbox.assert_only_in(secret, &[".ntro/config.toml"]),
        _ => sandbox.assert_nowhere(secret),
    }
}

#[test]
fn key_is_in_its_store_only() {
    for provider in [Provider::Ntropii, Provider::Ontora] {
        for store in ["file", "plaintext"] {
            let authority = Authority::start();
            let key = authority.key(provider, "acme-fund-admin");
            let spare = authority.key(provider, "acme-fund-admin");
            let secret = key.key.strip_prefix(&key.prefix).unwrap();
            let mut sandbox = Sandbox::new();
            sandbox.make_identity();
            sandbox.set("NTRO_ADMIN_TOKEN", authority.admin_token());
            let host = authority.host(provider);
            let given = (store, host.as_str(), key.key.as_str(), spare.id.as_str());
            drive(&sandbox, LINES, &["text", "json"], given);
            assert_only_in_store(&sandbox, store, secret);
        }
    }
}

#[test]
fn token_only_prints_key() {
    let authority = Authority::start();
    let key = authority.key(Provider::Ntropii, "acme-fund-admin");
    let secret = key.key.strip_prefix(&key.prefix).unwrap();
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    sandbox.log_in("--store file", &authority.host(Provider::Ntropii), &key.key);
    let token = sandbox.ntro("--debug auth token").run().success();
    assert_eq!(token.stdout, format!("{}\n", key.key));
    assert!(!token.stderr.contains(secret), "{token}");
    sandbox.assert_files_without(secret);
}

/// A broken or hostile server that repeats the key in its answers.
fn echo(way: u16) -> impl Fn(Option<&str>) -> Reply {
    move |key| {
        let key = key.unwrap_or_default();
        let words = format!("no such key: {key}");
        match way {
            0 => Reply::Cut,
            200 => Reply::Json(
                200,
                json!({
                    "id": key, "email": key, "name": key, "orgId": key, "roles": [key],
                    "workspace_id": key, "scopes": [key], "key_prefix": key,
                }),
            ),
            201 => Reply::Json(200, json!([{"id": key, "slug": key, "name": key}])),
            202 => Reply::Json(200, json!({"unexpected": key})),
            status => Reply::Json(
                status,
                json!({"statusCode": status, "message": words, "detail": words, "error": key, "code": key}),
            ),
        }
    }
}

#[test]
fn echoed_key_is_never_printed() {
    const SECRET: &str = "topsecretk9Zr4MxQ2bLwJf83nd72jfk38dhJKd8";
    for prefix in ["ntro_prod_good", "ont_live_good"] {
        let key = format!("{prefix}_{SECRET}");
        // The client is alive while the server answers: no process shows the key to other
        // processes.
        let shown = Arc::new(Mutex::new(Vec::new()));
        for way in [0, 200, 201, 202, 400, 401, 403, 404, 409, 418, 500] {
            let seen = Arc::clone(&shown);
            let answer = echo(way);
            let stub = Stub::start(move |request| {
                seen.lock().unwrap().extend(processes_with(SECRET));
                answer(request.key.as_deref())
            });
            let host = match prefix {
                "ntro_prod_good" => stub.host(),
                _ => stub.origin(),
            };
            let mut sandbox = Sandbox::new();
            sandbox.set(
                "NTRO_ADMIN_TOKEN",
                "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1MSJ9.c2ln",
            );
            // Only commands that call it, each answer in one format.
            let lines = LINES.iter().filter(|line| {
                let group = line.split(' ').next().unwrap();
                ["auth", "tenant", "key"].contains(&group)
            });
            let given = ("plaintext", host.as_str(), key.as_str(), "some-id");
            drive(
                &sandbox,
                lines,
                &[["text", "json"][usize::from(way % 2)]],
                given,
            );
            assert_only_in_store(&sandbox, "plaintext", SECRET);
            assert!(!stub.seen().is_empty());
        }
        assert!(shown.lock().unwrap().is_empty(), "{shown:?}");
    }
}

/// Returns other processes whose arguments or environment contain a text.
fn processes_with(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let folder = entry.unwrap().path();
        for name in ["cmdline", "environ"] {
            // A process may belong to another user, or have ended.
            let Ok(bytes) = fs::read(folder.join(name)) else {
                continue;
            };
            if bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
            {
                found.push(format!("{}: {name}", folder.display()));
            }
        }
    }
    found
}

#[test]
fn admin_token_command_never_gets_key() {
    let authority = Authority::start();
    let key = authority.key(Provider::Ontora, "acme-fund-admin");
    let secret = key.key.strip_prefix(&key.prefix).unwrap();
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    sandbox.log_in("--store file", &authority.host(Provider::Ontora), &key.key);
    let spy = format!(
        "tr '\\0' '\\n' </proc/self/environ >seen\n\
         tr '\\0' '\\n' </proc/$PPID/environ >>seen\n\
         tr '\\0' '\\n' </proc/$PPID/cmdline >>seen\n\
         cat >>seen\n\
         echo '{}'\n",
        authority.admin_token()
    );
    let spy = sandbox.add_script("spy", &spy);
    let config = sandbox.config();
    sandbox.write_config(&format!(
        "{config}admin_token_command = ['{}']\n",
        spy.display()
    ));
    let list = sandbox.ntro("--debug key list").run();
    list.success().says(&key.prefix).done();
    let seen = fs::read_to_string(sandbox.home().join("seen")).unwrap();
    assert!(seen.contains("--debug"), "{seen}");
    sandbox.assert_nowhere(secret);
}
