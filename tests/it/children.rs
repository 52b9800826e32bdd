//! Child keys in the library, for programs that are killed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ntro_base::Provider;
use ntro_base::env::Env;
use ntro_client::api::{self, ChildRequest, Target};
use ntro_client::ops::children::{ChildKey, ChildKeys, Error, revoke_leftover};
use ntro_client::{Options, Session};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::support::{
    Authority, Fault, Faulty, IssuedKey, Sandbox, ServerFolder, Stub, When, wire,
};

pub(crate) const TENANT: &str = "acme-fund-admin";
/// The life of a child key in seconds; without it the test `program` is none.
const LIFE: &str = "NTRO_TEST_CHILD_LIFE";

/// A connection to an authority, from a separate home.
pub(crate) struct Story {
    pub(crate) authority: Authority,
    pub(crate) sandbox: Sandbox,
    pub(crate) key: IssuedKey,
}

impl Story {
    pub(crate) fn begin(provider: Provider) -> Self {
        let authority = Authority::start();
        let host = authority.host(provider);
        Self::before(authority, provider, &host)
    }

    fn before(authority: Authority, provider: Provider, host: &str) -> Self {
        let sandbox = Sandbox::new();
        sandbox.make_identity();
        let key = authority.key(provider, TENANT);
        sandbox.log_in("--name local --store file", host, &key.key);
        Self {
            authority,
            sandbox,
            key,
        }
    }

    /// Starts a program that creates a child key, says its prefix, and revokes it when its standard
    /// input ends.
    fn program(&self, life: u64) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        self.sandbox.prepare(&mut command);
        command
            .args(["--exact", "children::program", "--nocapture"])
            .args(["--include-ignored", "--quiet"])
            .env(LIFE, life.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Returns how many child keys are live.
    pub(crate) fn live(&self) -> usize {
        self.authority.live_keys(TENANT).len() - 1
    }

    fn session(&self) -> Session {
        session_of(&self.sandbox)
    }

    /// Asserts that nothing is left once `ntro` has called the server.
    fn check(&self) {
        let whoami = self.sandbox.ntro("auth whoami").run();
        assert_eq!(whoami.code, Some(0), "{whoami}");
        assert_eq!(self.live(), 0, "{whoami}");
        assert!(!self.sandbox.ntro_home().join("children.toml").exists());
    }
}

fn session_of(sandbox: &Sandbox) -> Session {
    Session::new(Options {
        env: Env::from_pairs([]).with_home(sandbox.home()),
        ..Options::default()
    })
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn target(session: &Session) -> Target {
    let connection = session.connection().unwrap();
    Target {
        provider: connection.provider.value,
        host: connection.host.value,
        key: Some(connection.key.value),
        insecure_http: false,
    }
}

fn living(seconds: u64) -> ChildRequest {
    ChildRequest {
        name: None,
        scopes: None,
        life: Duration::from_secs(seconds),
    }
}

/// Returns the prefix that a [`Story::program`] says, unless it ends before.
fn said(program: &mut Child) -> Option<String> {
    let mut lines = BufReader::new(program.stdout.as_mut().unwrap()).lines();
    lines.find_map(|line| {
        line.ok()?
            .split_once("child ")
            .map(|(_, key)| key.to_owned())
    })
}

/// Is run as a program by the other tests.
#[test]
#[ignore = "a program that other tests start"]
fn program() {
    let Ok(life) = std::env::var(LIFE) else {
        return;
    };
    let session = Session::new(Options {
        env: Env::from_process(),
        ..Options::default()
    });
    let runtime = runtime();
    let request = living(life.parse().unwrap());
    let child = ChildKey::mint(&session, &runtime, &target(&session), &request).unwrap();
    let line = format!("\nchild {}\n", child.key().prefix());
    std::io::stdout().write_all(line.as_bytes()).unwrap();
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
    child.revoke(&session, &runtime).unwrap();
}

#[test]
fn child_ends_with_its_program() {
    for provider in Provider::ALL {
        let story = Story::begin(provider);
        let mut program = story.program(60);
        let prefix = said(&mut program).unwrap();
        assert!(story.authority.live_keys(TENANT).contains(&prefix));
        let recorded = story.sandbox.read("children.toml");
        assert!(recorded.contains(&story.key.prefix) && !recorded.contains(&story.key.key));
        // A command of another program leaves it alone.
        let whoami = story.sandbox.ntro("auth whoami").run();
        assert!(!whoami.stderr.contains("child key"), "{whoami}");
        assert_eq!(story.live(), 1);
        drop(program.stdin.take());
        assert!(program.wait().unwrap().success());
        assert_eq!(story.live(), 0);
        story.sandbox.assert_no_litter();
    }
}

#[test]
fn next_command_revokes_orphaned_child() {
    for provider in Provider::ALL {
        let story = Story::begin(provider);
        for command in ["auth whoami", "auth status", "auth test", "key current"] {
            let mut program = story.program(60);
            said(&mut program).unwrap();
            program.kill().unwrap();
            program.wait().unwrap();
            assert_eq!(story.live(), 1);
            // A process that was killed between two steps.
            std::fs::write(story.sandbox.ntro_home().join(".child-0"), "").unwrap();
            // A command that calls no server does nothing.
            assert_eq!(story.sandbox.ntro("auth list").run().code, Some(0));
            assert_eq!(story.live(), 1);
            let next = story.sandbox.ntro(command).run();
            assert_eq!(next.code, Some(0), "{next}");
            assert!(
                next.stderr
                    .contains("Revoked 1 child key of killed programs."),
                "{next}"
            );
            assert_eq!(story.live(), 0);
            story.sandbox.assert_no_litter();
        }
    }
}

#[test]
fn other_key_leaves_the_record() {
    let story = Story::begin(Provider::Ntropii);
    let mut program = story.program(60);
    said(&mut program).unwrap();
    program.kill().unwrap();
    program.wait().unwrap();
    // Another key cannot revoke it.
    let other = story.authority.key(Provider::Ntropii, TENANT);
    let host = story.authority.host(Provider::Ntropii);
    let options = "--name other --store file --no-set-default";
    story.sandbox.log_in(options, &host, &other.key);
    let whoami = story.sandbox.ntro("-c other auth whoami").run();
    assert_eq!(whoami.code, Some(0), "{whoami}");
    assert!(
        story
            .sandbox
            .read("children.toml")
            .contains(&story.key.prefix)
    );
    story.authority.revoke(&other);
    story.check();
}

/// An expired child key needs no revocation. The next command removes its record.
#[test]
fn no_child_outlives_its_life() {
    let story = Story::begin(Provider::Ontora);
    let (session, runtime) = (story.session(), runtime());
    let target = target(&session);
    let began = Instant::now();
    let child = ChildKey::mint(&session, &runtime, &target, &living(2)).unwrap();
    let own = Target {
        key: Some(ntro_client::BoundKey::new(
            child.key().clone(),
            target.host.origin(),
        )),
        ..target.clone()
    };
    drop(child);
    let client = session.client_of(own).unwrap();
    loop {
        match runtime.block_on(client.identity()) {
            Ok(_) => assert!(began.elapsed() < Duration::from_secs(10)),
            Err(api::Error::Rejected(_)) => break,
            Err(error) => panic!("{error}"),
        }
        thread::sleep(Duration::from_millis(50));
    }
    assert!(began.elapsed() > Duration::from_millis(1_900));
    assert_eq!(revoke_leftover(&session, &runtime, &target).unwrap(), 0);
    story.sandbox.assert_no_litter();
}

/// The server may have created the key although the call has failed.
#[test]
fn lost_answer_leaves_no_key() {
    for provider in Provider::ALL {
        for (fault, when, settled) in [
            (Fault::Cut, When::Before, true),
            (Fault::Cut, When::After, true),
            (Fault::Status(500), When::After, true),
            (Fault::Status(403), When::After, true),
            (Fault::Dead, When::Before, false),
            (Fault::Dead, When::After, false),
        ] {
            let authority = Authority::start();
            let faulty = Faulty::before(authority.address());
            let path = match provider {
                Provider::Ntropii => "/v1",
                Provider::Ontora => "",
            };
            let host = format!("http://{}{path}", faulty.address());
            let story = Story::before(authority, provider, &host);
            let (session, runtime) = (story.session(), runtime());
            let target = target(&session);
            faulty.plan(1, fault, when, false);
            let minted = ChildKey::mint(&session, &runtime, &target, &living(60));
            let place = format!("{provider} {fault:?} {when:?}");
            assert!(matches!(minted, Err(Error::Api(_))), "{place}");
            assert!(faulty.heal().is_some(), "{place}");
            let recorded = ChildKeys::read(&story.sandbox.ntro_home().join("children.toml"));
            let count = recorded.unwrap().iter().count();
            assert_eq!(count, usize::from(!settled), "{place}");
            if settled {
                assert_eq!(story.live(), 0, "{place}");
            }
            story.check();
        }
    }
}

#[test]
fn server_without_child_keys_is_named() {
    let stub = Stub::ntropii(&[TENANT]);
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    let line = "--name local --store file";
    sandbox.log_in(line, &stub.host(), "ntro_prod_good_Jf83nd72jfk38dh");
    let session = session_of(&sandbox);
    let error = ChildKey::mint(&session, &runtime(), &target(&session), &living(60));
    let error = error.unwrap_err().to_string();
    assert!(error.ends_with("does not offer child keys"), "{error}");
    sandbox.assert_no_litter();
}

#[test]
fn revoked_child_is_no_error() {
    let story = Story::begin(Provider::Ntropii);
    let (session, runtime) = (story.session(), runtime());
    let child = ChildKey::mint(&session, &runtime, &target(&session), &living(60)).unwrap();
    story.authority.revoke(&story.key);
    assert!(story.authority.live_keys(TENANT).is_empty());
    child.revoke(&session, &runtime).unwrap();
    story.sandbox.assert_no_litter();
}

#[test]
fn lists_name_the_parent() {
    for provider in Provider::ALL {
        let mut story = Story::begin(provider);
        let token = story.authority.admin_token();
        story.sandbox.set("NTRO_ADMIN_TOKEN", token);
        let list = |options: &str| {
            let line = format!("key list --tenant {} {options}", story.key.tenant_id);
            let list = story.sandbox.ntro(&line).run();
            assert_eq!(list.code, Some(0), "{list}");
            list.stdout
        };
        assert!(!list("").contains("CHILD OF"));
        let (session, runtime) = (story.session(), runtime());
        let child = ChildKey::mint(&session, &runtime, &target(&session), &living(60)).unwrap();
        let rows: Value = serde_json::from_str(&list("-o json")).unwrap();
        assert_eq!(rows[0]["parent_id"], story.key.id);
        assert_eq!(rows[1]["parent_id"], Value::Null);
        let text = list("");
        assert!(text.lines().next().unwrap().contains("CHILD OF"), "{text}");
        let row = text.lines().nth(1).unwrap();
        assert!(row.contains(&story.key.prefix), "{text}");
        assert!(row.contains(child.key().prefix().as_str()), "{text}");
        child.revoke(&session, &runtime).unwrap();
    }
}

#[test]
fn admin_list_names_the_parent() {
    let server = ServerFolder::new();
    let (id, key) = server.key("ntropii");
    let serving = server.serve();
    let body = r#"{"expires_in_seconds": 60}"#;
    let header = format!("authorization: Bearer {key}");
    let path = "/v1/api-keys/current/children";
    let (status, made) = wire::ask(serving.address, "POST", path, &header, body).unwrap();
    assert_eq!(status, 201, "{made}");
    let rows = server.admin_ok("key list");
    assert_eq!(
        (&rows[0]["parent_id"], &rows[0]["state"]),
        (&Value::from(id.as_str()), &"live".into())
    );
    // `ntro admin` ends both in one step.
    let made: Value = serde_json::from_str(&made).unwrap();
    let child = made["key"].as_str().unwrap();
    assert_eq!(serving.verify(child), 200);
    server.admin_ok(&format!("key revoke {id}"));
    assert_eq!((serving.verify(child), serving.verify(&key)), (401, 401));
    // A killed server knows it when it is started again.
    serving.kill();
    let serving = server.serve();
    assert_eq!((serving.verify(child), serving.verify(&key)), (401, 401));
    for state in server.admin_ok("key list").as_array().unwrap() {
        assert_eq!(state["state"], "revoked");
    }
    let refused = server.admin("key create --tenant acme-fund-admin --provider ntropii --env px");
    assert_eq!(refused.status.code(), Some(2));
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(
        error.contains("`px` is reserved for the tokens of proxies"),
        "{error}"
    );
}

/// The field of `auth status` for a presented one-off token.
#[test]
fn status_reports_a_leaked_token() {
    for provider in Provider::ALL {
        let story = Story::begin(provider);
        let status = || {
            let status = story.sandbox.ntro("auth status -o json").run();
            assert_eq!(status.code, Some(0), "{status}");
            let rows: Value = serde_json::from_str(&status.stdout).unwrap();
            rows[0].clone()
        };
        assert_eq!(status()["tripped_at"], Value::Null);
        let (session, runtime) = (story.session(), runtime());
        let client = session.client_of(target(&session)).unwrap();
        let token = ntro_base::IssuedKey::generate(
            provider,
            &ntro_base::KeyEnvironment::one_off(),
            aws_lc_rs::rand::fill,
        )
        .unwrap()
        .key;
        let digest =
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.expose().as_bytes());
        let digits: String = digest
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        runtime
            .block_on(client.set_tripwire(&digits, Duration::from_secs(60)))
            .unwrap();
        let leaked = Target {
            key: Some(ntro_client::BoundKey::new(
                token,
                target(&session).host.origin(),
            )),
            ..target(&session)
        };
        let refused = runtime.block_on(session.client_of(leaked).unwrap().identity());
        assert!(matches!(refused, Err(api::Error::Rejected(_))));
        let began = Instant::now();
        while status()["tripped_at"].is_null() {
            assert!(began.elapsed() < Duration::from_secs(20));
        }
        assert_eq!(status()["ok"], true);
        let text = story.sandbox.ntro("auth status").run();
        let remark = "a program has leaked its one-off token: it was used at ";
        assert!(text.stdout.contains(remark), "{text}");
    }
}
