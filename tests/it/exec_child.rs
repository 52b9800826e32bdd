//! `ntro exec --child`: the program gets a key that ends with it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use ntro_base::Provider;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::children::{Story, TENANT};
use crate::kills::Random;
use crate::support::{Run, Sandbox, Stub, tell};

/// Every way to start a program with a child key.
const EXECS: [&str; 5] = [
    "exec --child",
    "exec --child --mask",
    "exec --child --keyless --seal off",
    "exec --child --keyless",
    "exec --child --keyless --seal net",
];

/// A variable that marks the processes of one program.
const MARK: &str = "NTRO_TEST_PROGRAM";

impl Story {
    /// Prepares a shell script in the tested program.
    fn run(&self, exec: &str, script: &str) -> Run<'_> {
        self.sandbox.ntro(&format!("{exec} -- sh -c")).arg(script)
    }

    /// Starts a shell script in the tested program.
    fn spawn(&self, exec: &str, mark: usize, script: &str) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ntro"));
        self.sandbox.prepare(&mut command);
        command
            .args(exec.split(' '))
            .args(["--", "sh", "-c", script]);
        command.env(MARK, mark.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let process = command.stderr(Stdio::null()).spawn().unwrap();
        Program { process, mark }
    }

    /// Starts a shell script, and waits until it prints its first line.
    fn start(&self, exec: &str, script: &str) -> Program {
        let mut program = self.spawn(exec, 0, script);
        assert!(program.line().is_some(), "{exec}");
        program
    }

    /// Waits until no child key is live, without a command that would end it.
    #[track_caller]
    fn assert_ended(&self, what: &str) {
        eventually(what, || self.live() == 0);
        eventually(what, || !self.has_records());
    }

    fn has_records(&self) -> bool {
        let files = self.sandbox.files();
        files.iter().any(|name| name.contains("child"))
    }

    fn whoami(&self) -> Run<'_> {
        self.sandbox.ntro("auth whoami")
    }
}

/// A program that runs in the tested one.
struct Program {
    process: Child,
    mark: usize,
}

impl Program {
    /// Returns the next line that it prints, unless it ends before.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let stdout = self.process.stdout.as_mut().unwrap();
        BufReader::with_capacity(1, stdout)
            .read_line(&mut line)
            .unwrap();
        line.ends_with('\n').then(|| line.trim().to_owned())
    }

    /// Closes its standard input, and waits until it ends.
    fn end(mut self) {
        drop(self.process.stdin.take());
        self.process.wait().unwrap();
    }

    /// Kills the processes beside it, once there are some. Returns whether there were.
    fn kill_beside(&mut self) -> bool {
        loop {
            let beside = beside(self.mark);
            for process in &beside {
                // It may have ended.
                let _ = kill_process(*process, Signal::KILL);
            }
            if !beside.is_empty() {
                return true;
            }
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns the processes beside a program.
fn beside(mark: usize) -> Vec<Pid> {
    let mark = format!("{MARK}={mark}");
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let processes = entries.filter_map(|entry| {
        let has = |file, text: &str| {
            let bytes = fs::read(entry.path().join(file)).unwrap_or_default();
            let mut words = bytes.split(|byte| *byte == 0);
            words.any(|word| word == text.as_bytes())
        };
        let is_beside = has("cmdline", "keyless-proxy") && has("environ", &mark);
        let id = entry.file_name().to_str()?.parse().ok()?;
        is_beside.then(|| Pid::from_raw(id)).flatten()
    });
    processes.collect()
}

/// Waits until a condition holds.
#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Prints the variable with the key.
fn print_key(provider: Provider) -> &'static str {
    match provider {
        Provider::Ntropii => "echo $NTRO_API_KEY; read line",
        Provider::Ontora => "echo $ONTORA_API_KEY; read line",
    }
}

#[test]
fn child_key_ends_with_its_program() {
    for provider in Provider::ALL {
        let story = Story::begin(provider);
        for exec in EXECS {
            let mut program = story.spawn(exec, 0, print_key(provider));
            let given = program.line().unwrap();
            assert_ne!(given, story.key.key, "{exec}");
            assert_eq!(story.live(), 1, "{exec}");
            let child = &story.authority.live_keys(TENANT)[0];
            let is_keyless = exec.contains("--keyless");
            // With `--mask` the key is not printed.
            let is_child = given.starts_with(child.as_str());
            assert_eq!(is_child, exec == "exec --child", "{exec}");
            assert_eq!(given.contains("_px_"), is_keyless, "{exec}");
            let recorded = story.sandbox.read("children.toml");
            assert!(recorded.contains(&story.key.prefix), "{exec}");
            // Another command leaves it alone.
            story.whoami().run().success().done();
            assert_eq!(story.live(), 1, "{exec}");
            program.end();
            story.assert_ended(exec);
        }
        story.sandbox.assert_nowhere(&story.key.key);
    }
}

#[test]
fn child_key_ends_with_killed_program() {
    let story = Story::begin(Provider::Ntropii);
    for exec in EXECS {
        for signal in [Signal::KILL, Signal::TERM, Signal::HUP] {
            let mut program = story.start(exec, "echo ready; exec sleep 1000");
            assert_eq!(story.live(), 1, "{exec}");
            kill_process(Pid::from_child(&program.process), signal).unwrap();
            program.process.wait().unwrap();
            story.assert_ended(exec);
        }
        // A program that does not start needs none either.
        let exec = story.sandbox.ntro(&format!("{exec} -- /nowhere/program"));
        exec.run().exits(127).done();
        story.assert_ended("no program");
    }
}

#[test]
fn next_command_ends_key_of_killed_watcher() {
    let story = Story::begin(Provider::Ntropii);
    for (exec, next) in [
        ("exec --child", "auth whoami"),
        ("exec --child --mask", "exec --child -- true"),
        ("exec --child", "exec --keyless -- true"),
    ] {
        let mut program = story.start(exec, "echo ready; read line");
        assert!(program.kill_beside());
        eventually("the watcher runs", || beside(program.mark).is_empty());
        assert_eq!(story.live(), 1);
        let next = story.sandbox.ntro(next).run().success();
        assert!(
            next.stderr
                .contains("Revoked 1 child key of killed programs."),
            "{next}"
        );
        story.assert_ended(exec);
        program.end();
    }
}

/// Neither the program nor another command has to end it.
#[test]
fn expired_child_key_is_refused() {
    let story = Story::begin(Provider::Ntropii);
    for exec in ["exec --child --ttl 5s", "exec --child --ttl 5s --keyless"] {
        let ntro = env!("CARGO_BIN_EXE_ntro");
        let script = format!("{ntro} auth whoami || exit 1; sleep 5; {ntro} auth whoami");
        let outcome = story.run(exec, &script).run();
        outcome.exits(4).complains("HTTP 401").done();
        eventually(exec, || !story.has_records());
    }
}

#[test]
fn ended_child_key_has_no_substitute() {
    let story = Story::begin(Provider::Ntropii);
    let ntro = env!("CARGO_BIN_EXE_ntro");
    let script = format!("echo ready; read line; {ntro} auth whoami; echo $?");
    let mut program = story.start("exec --child --keyless", &script);
    // The child key alone is revoked; the stored key stays valid.
    assert_eq!(story.authority.revoke_children(&story.key), 1);
    drop(program.process.stdin.take());
    assert_eq!(program.line().as_deref(), Some("4"));
    program.end();
    story.whoami().run().success().done();
}

/// Also where the program would inherit it in another variable.
#[test]
fn connection_key_stays_behind() {
    let story = Story::begin(Provider::Ntropii);
    let own = &story.key.key;
    let other = "ont_live_k9Zr4MxQ2bLw_Jf83nd72jfk38dhJKd8k9Zr4MxQ2bLwPq71mZxT";
    for exec in EXECS {
        let run = story.run(exec, "env").env("MY_KEY", own);
        let run = run.env("MCP_HEADER", format!("Bearer {own}"));
        let outcome = run.env("RESEARCH_KEY", other).run().success();
        assert!(!outcome.stdout.contains(own.as_str()), "{exec}");
        for name in ["MY_KEY", "MCP_HEADER"] {
            let warning = format!("the variable `{name}` contains an API key");
            assert!(
                outcome.stderr.contains(&warning),
                "{exec}: {}",
                outcome.stderr
            );
        }
        // Other keys are given on purpose, unless the program is keyless.
        let keeps = outcome.stdout.contains("RESEARCH_KEY=");
        assert_eq!(keeps, !exec.contains("keyless"), "{exec}");
    }
}

#[test]
fn scopes_narrow_the_key() {
    let story = Story::begin(Provider::Ontora);
    let ntro = env!("CARGO_BIN_EXE_ntro");
    for exec in ["exec --child", "exec --child --keyless"] {
        let exec = format!("{exec} --scope exports --scope webhooks");
        let script = format!("NTRO_API_KEY=$ONTORA_API_KEY {ntro} key current -o json");
        let current = story.run(&exec, &script).run().success().json();
        let scopes = current["scopes"].clone();
        assert_eq!(scopes, Value::from(vec!["exports", "webhooks"]), "{exec}");
    }
    // A child has no more than its parent.
    let narrow = story.authority.key_with(Provider::Ontora, TENANT, |new| {
        new.scopes = vec![ntro_base::Scope::Exports];
    });
    let run = story.run("exec --child --scope webhooks", "touch started");
    let outcome = run.env("NTRO_API_KEY", &narrow.key).run().exits(5);
    assert!(outcome.stderr.contains("exceeds_parent"), "{outcome}");
    assert!(outcome.stderr.contains("a shorter `--ttl`"), "{outcome}");
    assert!(!story.sandbox.home().join("started").exists());
    assert!(story.authority.children(&narrow).is_empty());
    assert!(!story.has_records());
}

#[test]
fn impossible_options_are_usage_errors() {
    let story = Story::begin(Provider::Ntropii);
    for (exec, message) in [
        (
            "exec --child --scope exports",
            "keys of Ntropii have no scopes, so `--scope` cannot narrow a child key",
        ),
        (
            "exec --child --keyless --scope exports",
            "keys of Ntropii have no scopes, so `--scope` cannot narrow a child key",
        ),
        ("exec --child --ttl 0s", "`--ttl` is shorter than a second"),
        ("exec --ttl 5m", "--child"),
        (
            "exec --child --only NTRO_HOST",
            "`--child` creates a key, and `--only` sets no variable to it",
        ),
    ] {
        let outcome = story.run(exec, "exit 3").run().exits(2);
        assert!(outcome.stderr.contains(message), "{exec}: {outcome}");
    }
    assert_eq!(story.live(), 0);
}

#[test]
fn policy_applies_to_child_keys() {
    let story = Story::begin(Provider::Ntropii);
    let set = story.sandbox.ntro("auth set local --policy keyless");
    set.run().success().done();
    let refused = story.run("exec --child", "exit 3").run().exits(5);
    assert!(refused.stderr.contains("keyless"), "{refused}");
    story
        .run("exec --child --keyless", "exit 3")
        .run()
        .exits(3)
        .done();
    story.assert_ended("keyless");
}

#[test]
fn server_without_child_keys_is_reported() {
    let stub = Stub::ntropii(&[TENANT]);
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    let line = "--name local --store file";
    sandbox.log_in(line, &stub.host(), "ntro_prod_good_Jf83nd72jfk38dh");
    for exec in ["exec --child", "exec --child --keyless"] {
        let outcome = sandbox.ntro(&format!("{exec} -- touch started")).run();
        let outcome = outcome.exits(1).complains("does not offer child keys");
        assert!(outcome.stderr.contains("without `--child`"), "{outcome}");
        assert!(!sandbox.home().join("started").exists());
    }
    // Without tripwires nothing is reported.
    let run = sandbox.ntro("exec --keyless --seal off -- true");
    let outcome = run.run().success();
    assert_eq!(outcome.stderr, "");
}

#[test]
fn presented_token_is_reported() {
    let story = Story::begin(Provider::Ntropii);
    for exec in ["exec --keyless", "exec --child --keyless"] {
        let mut program = story.spawn(exec, 0, "echo $NTRO_API_KEY; read line");
        let token = program.line().unwrap();
        let present = || {
            let run = story.whoami().args("--host");
            let run = run.arg(story.authority.host(Provider::Ntropii));
            run.env("NTRO_API_KEY", &token).run().exits(4).done();
        };
        let tripped = || {
            let status = story.sandbox.ntro("auth status -o json").run().success();
            status.json()[0]["tripped_at"].clone()
        };
        let before = tripped();
        // The token is registered after the program has started.
        eventually("the token is no tripwire", || {
            present();
            thread::sleep(Duration::from_millis(200));
            tripped() != before
        });
        program.end();
        // The time of a trip has whole seconds.
        thread::sleep(Duration::from_millis(1_100));
    }
    let text = story.sandbox.ntro("auth status").run().success();
    assert!(
        text.stdout
            .contains("a program has leaked its one-off token"),
        "{text}"
    );
}

/// The proxy makes no call of its own with `--no-check`, not even to register the token.
#[test]
fn unchecked_token_is_not_reported() {
    let story = Story::begin(Provider::Ntropii);
    let mut program = story.spawn(
        "exec --keyless --no-check",
        0,
        "echo $NTRO_API_KEY; read line",
    );
    let token = program.line().unwrap();
    // Longer than a registered token takes to be one.
    thread::sleep(Duration::from_secs(2));
    let run = story.whoami().args("--host");
    let run = run.arg(story.authority.host(Provider::Ntropii));
    run.env("NTRO_API_KEY", &token).run().exits(4).done();
    thread::sleep(Duration::from_millis(500));
    let status = story.sandbox.ntro("auth status -o json").run().success();
    assert_eq!(status.json()[0]["tripped_at"], serde_json::Value::Null);
    program.end();
}

/// Two hundred programs. Half of them, and half of the processes beside them, are killed at random
/// instants.
#[test]
fn no_child_key_outlives_killed_programs() {
    const PROGRAMS: usize = 200;
    const AT_ONCE: usize = 10;
    const LONGEST: u64 = 1_500;
    const LIFE: Duration = Duration::from_secs(300);

    let (seed, mut random) = Random::new();
    let story = Story::begin(Provider::Ontora);
    let seen = Mutex::new((0, 0, 0));
    for batch in 0..PROGRAMS / AT_ONCE {
        let programs: Vec<_> = (0..AT_ONCE)
            .map(|number| {
                let exec = match random.below(2) {
                    0 => "exec --child --ttl 300s",
                    _ => "exec --child --ttl 300s --keyless --no-check",
                };
                let mark = batch * AT_ONCE + number;
                let program = story.spawn(exec, mark, "echo ready; read line");
                // Each pair of choices has as many programs.
                let (killed, abandoned) = (number % 2 == 0, (number / 2 + batch) % 2 == 0);
                let after = [random.below(LONGEST), random.below(LONGEST)];
                (program, killed, abandoned, after.map(Duration::from_millis))
            })
            .collect();
        thread::scope(|scope| {
            for (mut program, killed, abandoned, [own, beside]) in programs {
                let seen = &seen;
                scope.spawn(move || {
                    let first = own.min(beside);
                    thread::sleep(first);
                    let mut is_abandoned = false;
                    if abandoned && beside <= own {
                        is_abandoned = program.kill_beside();
                        thread::sleep(own - first);
                    }
                    if killed {
                        program.process.kill().unwrap();
                    }
                    if abandoned && beside > own {
                        thread::sleep(beside - first);
                        is_abandoned = program.kill_beside();
                    }
                    let started = program.line().is_some();
                    program.end();
                    let mut seen = seen.lock().unwrap();
                    seen.0 += usize::from(killed);
                    seen.1 += usize::from(is_abandoned);
                    seen.2 += usize::from(started);
                });
            }
        });
    }
    eventually("a process is left", || {
        let mut marks = (0..PROGRAMS).collect::<Vec<_>>();
        marks.retain(|mark| !beside(*mark).is_empty());
        marks.is_empty()
    });
    let left = story.live();
    let (killed, abandoned, started) = *seen.lock().unwrap();
    // The next command ends what is left.
    story.whoami().run().success().done();
    let children = story.authority.children(&story.key);
    tell(&format!(
        "{killed} programs and {abandoned} processes beside them killed, {started} started, \
         {} keys created, {left} left live (seed {seed})",
        children.len()
    ));
    // A process that is killed between two steps leaves an empty file at most.
    let has_records = story.sandbox.ntro_home().join("children.toml").exists();
    assert_eq!((story.live(), has_records), (0, false), "seed {seed}");
    assert_eq!(killed, PROGRAMS / 2, "seed {seed}");
    // Those that are not killed have one.
    assert!(children.len() >= PROGRAMS / 4, "seed {seed}");
    for child in children {
        let end = child.expires_at.unwrap();
        let life = end.duration_since(child.created_at);
        assert!(life.unsigned_abs() <= LIFE, "seed {seed}");
        assert!(child.revoked_at.unwrap() <= end, "seed {seed}");
    }
}
