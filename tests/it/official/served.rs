//! `ntro serve` as a process, managed by `ntro admin`.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use ntro_base::Provider;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{IssuedKey, Run, Sandbox};

/// An authority on a free port, stopped when this is dropped.
///
/// It starts with the organisation `Acme`, no tenants and no keys, and has no limits.
pub(super) struct Served {
    process: Child,
    home: Sandbox,
    origin: String,
    organisation: String,
    tenants: RefCell<BTreeSet<String>>,
    issued: RefCell<Vec<String>>,
}

impl Served {
    /// Starts the authority.
    pub(super) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts the authority with more options, and waits until it reports its address.
    pub(super) fn start_with(options: &[&str]) -> Self {
        let mut home = Sandbox::new();
        let database = format!("sqlite:{}", home.home().join("registry.db").display());
        home.set("NTRO_DATABASE", &database);
        let mut command = Command::new(env!("CARGO_BIN_EXE_ntro"));
        home.prepare(&mut command);
        // The last occurrence of an option takes precedence.
        let limits = ["--rate-limit=0", "--failure-limit=0"];
        let limits = limits.iter().filter(|limit| {
            let name = limit.split('=').next();
            !options.iter().any(|option| Some(*option) == name)
        });
        let mut process = command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(limits)
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(home.home().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let origin = line.trim_end().strip_prefix("listening on ").unwrap();
        let mut served = Self {
            process,
            origin: origin.to_owned(),
            home,
            organisation: String::new(),
            tenants: RefCell::default(),
            issued: RefCell::default(),
        };
        let made = served.admin("organisation create Acme --external-id org_acme");
        made["id"]
            .as_str()
            .unwrap()
            .clone_into(&mut served.organisation);
        served
    }

    /// Returns its origin, such as `http://127.0.0.1:41234`.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns the id of its organisation.
    pub(super) fn organisation(&self) -> &str {
        &self.organisation
    }

    /// Runs `ntro admin` and returns its JSON output.
    #[track_caller]
    pub(super) fn admin(&self, arguments: &str) -> Value {
        self.prepare(arguments).run().success().json()
    }

    fn prepare(&self, arguments: &str) -> Run<'_> {
        self.home.ntro("admin -o json").args(arguments)
    }

    /// Issues a key for a tenant, creating the tenant if it is missing. Ontora keys get every
    /// scope.
    #[track_caller]
    pub(super) fn key(&self, provider: Provider, tenant: &str) -> IssuedKey {
        match provider {
            Provider::Ntropii => self.issue(provider, tenant, &[]),
            Provider::Ontora => self.issue(provider, tenant, &["*"]),
        }
    }

    /// Issues an Ontora key with these scopes.
    #[track_caller]
    pub(super) fn ontora_key(&self, tenant: &str, scopes: &[&str]) -> IssuedKey {
        self.issue(Provider::Ontora, tenant, scopes)
    }

    #[track_caller]
    fn issue(&self, provider: Provider, tenant: &str, scopes: &[&str]) -> IssuedKey {
        if self.tenants.borrow_mut().insert(tenant.to_owned()) {
            self.admin(&format!("tenant create {tenant}"));
        }
        let run = self
            .prepare(&format!(
                "key create --provider {provider} --tenant {tenant}"
            ))
            .arg("--name")
            .arg("CI integration");
        let run = scopes
            .iter()
            .fold(run, |run, scope| run.arg("--scope").arg(scope));
        let made = run.run().success().json();
        let text = |member: &str| made[member].as_str().unwrap().to_owned();
        self.issued.borrow_mut().push(text("key"));
        IssuedKey {
            key: text("key"),
            prefix: text("key_prefix"),
            id: text("id"),
            tenant: tenant.to_owned(),
            tenant_id: text("tenant_id"),
        }
    }

    /// Asserts that the authority has written no issued key, neither to its database nor to its
    /// log.
    fn assert_no_key_was_written(&self) {
        let files = self.home.files();
        assert!(files.iter().any(|name| name == "registry.db"), "{files:?}");
        for name in files {
            let bytes = std::fs::read(self.home.home().join(&name)).unwrap();
            for key in self.issued.borrow().iter() {
                let held = bytes.windows(key.len()).any(|part| part == key.as_bytes());
                assert!(!held, "`{name}` of the authority holds a key");
            }
        }
    }

    /// Revokes a key.
    #[track_caller]
    pub(super) fn revoke(&self, key: &IssuedKey) {
        self.admin(&format!("key revoke {}", key.id));
    }

    /// Suspends a tenant.
    #[track_caller]
    pub(super) fn suspend(&self, tenant: &str) {
        self.admin(&format!("tenant suspend {tenant}"));
    }

    /// Returns a token of a user with this role in the organisation `Acme`.
    #[track_caller]
    pub(super) fn token(&self, role: &str) -> String {
        let token = self.admin(&format!("token --role {role} --organisation org_acme"));
        token["token"].as_str().unwrap().to_owned()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It only ends early after a failure.
        let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
        let ended = self.process.wait();
        if !std::thread::panicking() {
            assert!(ended.unwrap().success());
            self.assert_no_key_was_written();
        }
    }
}
