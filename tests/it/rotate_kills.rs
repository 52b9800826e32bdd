//! `kill -9` during a rotation, before each of its effects and at any instant: the connection
//! works, the next run completes, one key is live, and no files are left over.

use std::time::Duration;

use jiff::SignedDuration;
use ntro_base::Provider;

use crate::kills::{Random, run_killed};
use crate::support::{Authority, Mode, Sandbox, SecretService, at_each_effect, tell};

const TENANT: &str = "acme-fund-admin";

/// How the new key is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Itself,
    Admin,
}

/// A connection, and the authority that knows its key.
struct Story {
    authority: Authority,
    sandbox: Sandbox,
    _service: Option<SecretService>,
}

impl Story {
    fn begin(provider: Provider, store: &str, by: By) -> Self {
        let authority = Authority::start();
        let mut sandbox = Sandbox::new();
        let service = (store == "keyring").then(|| SecretService::start(Mode::Unlocked));
        if let Some(service) = &service {
            sandbox.plug_in(service);
        }
        sandbox.make_identity();
        if by == By::Admin {
            let token = authority.admin_token_for(SignedDuration::from_hours(10));
            sandbox.set("NTRO_ADMIN_TOKEN", token);
        }
        let key = authority.key_with(provider, TENANT, |new| new.may_rotate = by == By::Itself);
        let host = authority.host(provider);
        sandbox.log_in(&format!("--name local --store {store}"), &host, &key.key);
        Self {
            authority,
            sandbox,
            _service: service,
        }
    }

    /// Checks that a killed run left a consistent state, and completes the rotation.
    fn check(&self, place: &str) {
        let whoami = self.sandbox.ntro("auth whoami").run();
        assert_eq!(whoami.code, Some(0), "{place}: {whoami}");
        let next = self.sandbox.ntro("auth rotate").run();
        assert_eq!(next.code, Some(0), "{place}: {next}");
        let live = self.authority.live_keys(TENANT);
        assert_eq!(live.len(), 1, "{place}: {live:?}\n{next}");
        let token = self.sandbox.ntro("auth token").run();
        assert!(token.stdout.starts_with(&live[0]), "{place}: {token}");
        let login = self.sandbox.read("logins.toml");
        assert!(login.contains(&live[0]), "{place}: {login}");
        self.sandbox.assert_no_litter();
    }
}

fn survives_each_effect(provider: Provider, store: &str, by: By, least: usize) {
    let story = Story::begin(provider, store, by);
    let kills = at_each_effect(
        &story.sandbox,
        "auth rotate",
        |_| {},
        |done| story.check(&format!("killed after {done} effects")),
    );
    tell(&format!("{kills} kills: {provider}, {store}, {by:?}"));
    assert!(kills >= least, "only {kills} kills");
    assert!(!story.sandbox.config().contains("ntro_prod_") || store == "plaintext");
}

#[test]
#[ignore = "needs strace: run scripts/test"]
fn ntropii_key_in_encrypted_file() {
    survives_each_effect(Provider::Ntropii, "file", By::Itself, 75);
}

#[test]
#[ignore = "needs strace: run scripts/test"]
fn ontora_key_in_encrypted_file() {
    survives_each_effect(Provider::Ontora, "file", By::Itself, 65);
}

#[test]
#[ignore = "needs strace: run scripts/test"]
fn ntropii_key_in_plain_text() {
    survives_each_effect(Provider::Ntropii, "plaintext", By::Itself, 75);
}

#[test]
#[ignore = "needs strace: run scripts/test"]
fn ontora_key_in_plain_text() {
    survives_each_effect(Provider::Ontora, "plaintext", By::Itself, 65);
}

#[test]
#[ignore = "needs strace, D-Bus and gnome-keyring: run scripts/test"]
fn ntropii_key_in_keyring() {
    survives_each_effect(Provider::Ntropii, "keyring", By::Itself, 75);
}

#[test]
#[ignore = "needs strace: run scripts/test"]
fn ntropii_key_replaced_by_administrator() {
    survives_each_effect(Provider::Ntropii, "file", By::Admin, 100);
}

#[test]
#[ignore = "needs strace: run scripts/test"]
fn ontora_key_replaced_by_administrator() {
    survives_each_effect(Provider::Ontora, "file", By::Admin, 90);
}

/// `NTRO_TEST_KILLS` is the number of kills, over all four stories together.
#[test]
fn rotation_survives_kills() {
    let wanted = match std::env::var("NTRO_TEST_KILLS") {
        Ok(number) => number.parse().expect("NTRO_TEST_KILLS is a number"),
        Err(_) => 60,
    };
    let (seed, mut random) = Random::new();
    let stories = [
        (Provider::Ntropii, "file", By::Itself),
        (Provider::Ontora, "plaintext", By::Itself),
        (Provider::Ntropii, "plaintext", By::Admin),
        (Provider::Ontora, "file", By::Admin),
    ]
    .map(|(provider, store, by)| Story::begin(provider, store, by));
    let never = Duration::from_secs(60);
    let lives = stories
        .each_ref()
        .map(|story| run_killed(&story.sandbox, "auth rotate", "", never).0);
    let (mut runs, mut kills) = (0, 0_u32);
    while kills < wanted {
        for (story, life) in stories.iter().zip(&lives) {
            let after = Duration::from_nanos(random.below(life.as_nanos() as u64));
            let (_, killed) = run_killed(&story.sandbox, "auth rotate", "", after);
            runs += 1;
            kills += u32::from(killed);
            story.check(&format!("seed {seed}, run {runs}, killed after {after:?}"));
        }
    }
    tell(&format!("{kills} kills in {runs} runs"));
}
