//! `ntro exec --keyless`: the program works with a proxy and a token, and the key is elsewhere.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use ntro_base::Provider;
use rustix::process::{Pid, Signal, kill_process};

use crate::exec::spawn;
use crate::readme::blocks;
use crate::support::{Authority, IssuedKey, Outcome, Sandbox};

const TENANT: &str = "acme-fund-admin";

/// Every way to start a keyless program.
const EXECS: [&str; 3] = [
    "exec --keyless --seal off",
    "exec --keyless",
    "exec --keyless --seal net",
];

/// Calls the API with the variables of the program.
const CALL: &str = r#"curl -sS -H "Authorization: Bearer $NTRO_API_KEY" -o "$OUT" -w "%{http_code} " "$NTRO_HOST"/me"#;

/// Connections of both systems to an authority, their keys in the encrypted file.
struct Stage {
    authority: Authority,
    sandbox: Sandbox,
    key: IssuedKey,
    ontora: IssuedKey,
}

impl Stage {
    fn new() -> Self {
        let authority = Authority::start();
        let mut sandbox = Sandbox::new();
        sandbox.make_identity();
        let key = authority.key(Provider::Ntropii, TENANT);
        let host = authority.host(Provider::Ntropii);
        sandbox.log_in("--name acme --store file", &host, &key.key);
        let ontora = authority.key(Provider::Ontora, TENANT);
        let host = authority.host(Provider::Ontora);
        sandbox.log_in(
            "--name globex --store file --no-set-default",
            &host,
            &ontora.key,
        );
        sandbox.set("OUT", "/dev/null");
        // A proxy that answers nothing must not be asked.
        for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
            sandbox.set(name, "http://127.0.0.1:9");
        }
        Self {
            authority,
            sandbox,
            key,
            ontora,
        }
    }

    /// Runs a shell script as a keyless program.
    fn run(&self, exec: &str, script: &str) -> Outcome {
        let run = self.sandbox.ntro(&format!("{exec} -- sh -c"));
        run.arg(script).run()
    }

    /// Starts a shell script as a keyless program, and waits until it says something.
    fn start(&self, exec: &str, script: &str) -> Child {
        let exec = format!("{exec} --");
        let mut child = spawn(&self.sandbox, &exec, script, Stdio::piped());
        let mut line = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        child
    }
}

/// Counts the processes in a sandbox with a text in their command line.
fn processes(sandbox: &Sandbox, text: &str) -> usize {
    ids(sandbox, text).len()
}

/// Returns the numbers of the processes in a sandbox with a text in their command line.
fn ids(sandbox: &Sandbox, text: &str) -> Vec<i32> {
    let home = format!("HOME={}", sandbox.home().display());
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let is_one = |folder: &Path| {
        let read = |name| fs::read(folder.join(name)).unwrap_or_default();
        let has = |bytes: Vec<u8>, text: &str| String::from_utf8_lossy(&bytes).contains(text);
        has(read("cmdline"), text) && has(read("environ"), &home)
    };
    let found = entries.filter(|entry| is_one(&entry.path()));
    let numbers = found.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.collect()
}

/// Waits until a condition holds; returns how long that took.
#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
    begun.elapsed()
}

/// Waits until no proxy of the sandbox is left, and asserts that its folders are gone.
#[track_caller]
fn assert_clean(stage: &Stage) {
    eventually("the proxy has not ended", || {
        processes(&stage.sandbox, "keyless-proxy") == 0
    });
    eventually("the folder of the program is left", || {
        folders(&stage.sandbox) == 0
    });
}

/// Counts the folders of keyless programs.
fn folders(sandbox: &Sandbox) -> usize {
    let runtime = sandbox.home().with_file_name("run");
    let names = fs::read_dir(runtime).unwrap().flatten();
    let names = names.map(|entry| entry.file_name());
    names
        .filter(|name| name.as_encoded_bytes().starts_with(b"ntro-keyless-"))
        .count()
}

#[test]
#[ignore = "needs curl: run scripts/test"]
fn program_calls_with_token() {
    let stage = Stage::new();
    for exec in EXECS {
        let script = format!("{CALL}; echo $NTRO_TENANT $NTRO_API_KEY; exit 7");
        let outcome = stage.run(exec, &script).exits(7);
        let (answer, token) = outcome.stdout.trim().rsplit_once(' ').unwrap();
        assert_eq!(answer, format!("200 {TENANT}"), "{exec}");
        assert!(token.starts_with("ntro_px_"), "{token}");
        // The token is good for nothing elsewhere.
        let host = stage.authority.host(Provider::Ntropii);
        let run = stage.sandbox.ntro("auth whoami --host").arg(host);
        run.env("NTRO_API_KEY", token).run().exits(4).done();
    }
    assert_clean(&stage);
}

#[test]
#[ignore = "needs curl: run scripts/test"]
fn ontora_program_has_its_variables() {
    let stage = Stage::new();
    for exec in EXECS {
        let script =
            r#"curl -sS -H "X-API-Key: $ONTORA_API_KEY" "$ONTORA_BASE_URL"/v1/api-keys/current"#;
        let outcome = stage.run(&format!("{exec} -c globex"), script).success();
        let prefix = outcome.json()["key_prefix"].clone();
        let prefix = prefix.as_str().unwrap();
        assert!(stage.ontora.key.starts_with(prefix), "{exec}: {prefix}");
    }
}

#[test]
#[ignore = "needs curl: run scripts/test"]
fn key_is_nowhere_in_reach() {
    let stage = Stage::new();
    let script = r#"
        env; cat /proc/self/environ; cat "$NTRO_HOME"/*; cat ~/.ntro/* 2>&1
        tr '\0' '\n' < /proc/$$/cmdline; cat /proc/[0-9]*/environ 2>/dev/null
        cat /proc/[0-9]*/cmdline 2>/dev/null; ls /proc/self/fd"#;
    for exec in ["exec --keyless", "exec --keyless --seal net"] {
        // The key is in the environment of `ntro` as well.
        let run = stage.sandbox.ntro(&format!("{exec} -- sh -c"));
        let run = run.arg(script).env("NTRO_API_KEY", &stage.key.key);
        let outcome = run.run();
        assert!(outcome.stdout.contains("ntro_px_"), "{}", outcome.stderr);
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(!said.contains(&stage.key.key));
        assert!(!said.contains("age-encryption.org"), "{said}");
    }
}

#[test]
fn key_of_other_system_stays_behind() {
    let stage = Stage::new();
    let run = stage.sandbox.ntro("exec --keyless -- env");
    let run = run.env("ONTORA_API_KEY", &stage.ontora.key);
    let outcome = run.run().success();
    assert!(
        !outcome.stdout.contains("ONTORA_API_KEY"),
        "{}",
        outcome.stdout
    );
}

/// A key is recognised by its value, whatever the name of the variable.
#[test]
fn key_under_other_name_stays_behind() {
    let mut stage = Stage::new();
    let key = stage.key.key.clone();
    let host = stage.authority.host(Provider::Ntropii);
    let own = "acme-secret-of-another-form";
    let options = "--name other --store file --no-set-default --no-verify";
    stage.sandbox.log_in(options, &host, own);
    let config = format!(
        "{{\"headers\": {{\"X-API-Key\": \"{}\"}}}}",
        stage.ontora.key
    );
    for (name, value) in [
        ("MY_KEY", &*key),
        ("OPENAI_API_KEY", &key),
        ("MCP_AUTHORIZATION", &format!("Bearer {key}")),
        ("MCP_CONFIG", &config),
        ("OWN", own),
        ("UNLIKE", "sk-0123456789abcdef"),
    ] {
        stage.sandbox.set(name, value);
    }
    for exec in EXECS {
        let run = |options: &str| {
            let run = stage.sandbox.ntro(&format!("{exec} {options} -- sh -c"));
            run.arg("env; cat /proc/$$/environ").run().success()
        };
        let outcome = run("--also OPENAI_API_KEY");
        let names = outcome.stderr.lines().filter_map(|line| {
            let name = line.strip_prefix("warning: the variable `")?;
            name.strip_suffix("` contains an API key: the program runs without it")
        });
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["MCP_AUTHORIZATION", "MCP_CONFIG", "MY_KEY"],
            "{exec}"
        );
        let shown = &outcome.stdout;
        for secret in [&key, &stage.ontora.key] {
            assert!(!shown.contains(secret.as_str()), "{exec}: {shown}");
        }
        assert!(shown.contains("OPENAI_API_KEY=ntro_px_"), "{exec}: {shown}");
        assert!(shown.contains(own), "it is no key of this connection");
        let outcome = run("--no-check -c other");
        assert!(outcome.stderr.contains("`OWN` contains"), "{exec}");
        assert!(!outcome.stdout.contains(own), "{exec}");
        assert!(outcome.stdout.contains("UNLIKE=sk-"), "{exec}");
    }
}

#[test]
fn own_commands_work_in_the_box() {
    let stage = Stage::new();
    for exec in EXECS {
        let run = stage.sandbox.ntro(&format!("{exec} --"));
        let run = run
            .arg(env!("CARGO_BIN_EXE_ntro"))
            .args("auth whoami -o json");
        let outcome = run.run().success();
        assert_eq!(outcome.json()["id"], stage.key.id, "{exec}");
    }
}

#[test]
fn proxy_is_no_child_of_the_program() {
    let stage = Stage::new();
    for exec in EXECS {
        // It ends only when it has no child left.
        let script = "import os\ntry:\n    os.wait()\nexcept ChildProcessError:\n    print('none')";
        let run = stage.sandbox.ntro(&format!("{exec} -- python3 -c"));
        assert_eq!(run.arg(script).run().success().stdout, "none\n", "{exec}");
    }
}

#[test]
fn program_is_the_started_process() {
    let stage = Stage::new();
    for exec in EXECS {
        let work = stage.sandbox.home().join("work");
        fs::create_dir_all(&work).unwrap();
        let script = "echo $$ >work/id; echo ready; read line; kill -TERM $$";
        let mut child = stage.start(exec, script);
        let id = fs::read_to_string(work.join("id")).unwrap();
        assert_eq!(id.trim(), child.id().to_string());
        drop(child.stdin.take());
        let status = child.wait().unwrap();
        use std::os::unix::process::ExitStatusExt as _;
        assert_eq!(status.signal(), Some(15), "{exec}");
    }
}

#[test]
fn proxy_ends_with_the_program() {
    let stage = Stage::new();
    for signal in [Signal::KILL, Signal::TERM, Signal::HUP] {
        let mut child = stage.start("exec --keyless", "echo ready; exec sleep 1000");
        assert_eq!(processes(&stage.sandbox, "keyless-proxy"), 1);
        assert_eq!(folders(&stage.sandbox), 1);
        kill_process(Pid::from_child(&child), signal).unwrap();
        child.wait().unwrap();
        assert_clean(&stage);
    }
}

/// As those of a container whose first process has ended.
#[test]
fn folder_of_killed_proxy_is_removed_later() {
    let stage = Stage::new();
    let mut child = stage.start("exec --keyless", "echo ready; read line");
    for proxy in ids(&stage.sandbox, "keyless-proxy") {
        kill_process(Pid::from_raw(proxy).unwrap(), Signal::KILL).unwrap();
    }
    drop(child.stdin.take());
    child.wait().unwrap();
    assert_eq!(folders(&stage.sandbox), 1);
    let mut running = stage.start("exec --keyless", "echo ready; read line");
    assert_eq!(folders(&stage.sandbox), 2, "a young folder was removed");
    let runtime = stage.sandbox.home().with_file_name("run");
    for entry in fs::read_dir(runtime).unwrap().flatten() {
        let old = SystemTime::now() - Duration::from_mins(2);
        let folder = fs::File::open(entry.path()).unwrap();
        folder.set_modified(old).unwrap();
    }
    stage.run("exec --keyless", "true").success().done();
    eventually("the folder of the killed proxy is left", || {
        folders(&stage.sandbox) == 1
    });
    drop(running.stdin.take());
    running.wait().unwrap();
    assert_clean(&stage);
}

/// The best of three, since other tests run beside it.
#[test]
fn proxy_is_gone_within_a_second() {
    let stage = Stage::new();
    for exec in EXECS {
        for end in [
            "exit 0",
            "exit 7",
            "kill -KILL $$",
            "kill -SEGV $$",
            "exec true",
            "sleep 1000 & exit 0",
        ] {
            let took = (0..3).map(|_| {
                let mut child = stage.start(exec, &format!("echo ready; read line; {end}"));
                assert_eq!(processes(&stage.sandbox, "keyless-proxy"), 1);
                drop(child.stdin.take());
                child.wait().unwrap();
                eventually("the proxy has not ended", || {
                    processes(&stage.sandbox, "keyless-proxy") == 0 && folders(&stage.sandbox) == 0
                })
            });
            let soon = |took: &Duration| *took < Duration::from_secs(1);
            assert!(took.collect::<Vec<_>>().iter().any(soon), "{exec}: {end}");
        }
    }
    for left in ids(&stage.sandbox, "1000") {
        kill_process(Pid::from_raw(left).unwrap(), Signal::KILL).unwrap();
    }
}

/// A process that the program leaves behind has a token for a proxy that is gone.
#[test]
#[ignore = "needs curl and setsid: run scripts/test"]
fn left_behind_process_loses_access() {
    let stage = Stage::new();
    let work = stage.sandbox.home().join("work");
    for exec in EXECS {
        let _ = fs::remove_dir_all(&work);
        fs::create_dir(&work).unwrap();
        // It calls once before the end of the program, and once the file `go` is there.
        let daemon = format!(
            "{CALL} >work/before; echo >work/called; \
             while ! test -e work/go; do sleep 0.02; done; \
             {CALL} >work/after 2>/dev/null; echo >work/done"
        );
        let script = format!(
            "setsid sh -c '{daemon}' </dev/null >/dev/null 2>&1 &
             while ! test -e work/called; do sleep 0.02; done"
        );
        stage.run(exec, &script).success().done();
        assert_clean(&stage);
        fs::write(work.join("go"), "").unwrap();
        eventually("no second call", || work.join("done").exists());
        let read = |name: &str| fs::read_to_string(work.join(name)).unwrap();
        assert_eq!(read("before"), "200 ", "{exec}");
        // Another proxy may have the port by now.
        assert!(["000 ", "401 "].contains(&&*read("after")), "{exec}");
    }
}

#[test]
fn proxy_holds_no_caller_file() {
    let stage = Stage::new();
    let held = stage.sandbox.home().join("held");
    fs::write(&held, "").unwrap();
    for exec in EXECS {
        let ntro = env!("CARGO_BIN_EXE_ntro");
        let inside = "readlink /proc/$$/fd/9; read line; exit 0";
        let script = format!("exec 9>held; '{ntro}' {exec} -- sh -c '{inside}'");
        let mut command = std::process::Command::new("sh");
        stage.sandbox.prepare(&mut command);
        let command = command.args(["-c", &script]).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), held.to_str().unwrap());
        let proxies = ids(&stage.sandbox, "keyless-proxy");
        assert_eq!(proxies.len(), 1, "{exec}");
        let files = fs::read_dir(format!("/proc/{}/fd", proxies[0])).unwrap();
        let files = files.flatten();
        let links = files.filter_map(|entry| fs::read_link(entry.path()).ok());
        let links: Vec<_> = links.collect();
        assert!(links.len() > 3 && !links.contains(&held), "{links:?}");
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }
    assert_clean(&stage);
}

#[test]
#[ignore = "needs curl: run scripts/test"]
fn open_call_keeps_no_proxy() {
    let stage = Stage::new();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("http://{}/v1", server.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        let request = BufReader::new(stream.try_clone().unwrap()).lines();
        let lines = request.map_while(|line| line.ok().filter(|line| !line.is_empty()));
        assert!(lines.count() > 1);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n";
        stream.write_all(head.as_bytes()).unwrap();
        // It never ends by itself.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let options = "--name endless --store file --no-set-default --no-verify";
    stage.sandbox.log_in(options, &host, &stage.key.key);
    // The program ends, and leaves a call under way.
    let script = r#"
        mkfifo events
        curl -sSN -H "Authorization: Bearer $NTRO_API_KEY" "$NTRO_HOST"/events > events 2>&1 &
        read line < events; echo "$line""#;
    let begun = Instant::now();
    let outcome = stage.run("exec --keyless --no-check --seal off -c endless", script);
    assert_eq!(outcome.success().stdout, "data: 1\n");
    assert_clean(&stage);
    // The usual proxy lets calls finish for ten seconds.
    assert!(begun.elapsed() < Duration::from_secs(9));
}

#[test]
fn hundred_programs_run_together() {
    let stage = Stage::new();
    let children: Vec<_> = (0..100)
        .map(|_| stage.start("exec --keyless --no-check", "echo ready; read line"))
        .collect();
    assert_eq!(processes(&stage.sandbox, "keyless-proxy"), 100);
    for mut child in children {
        drop(child.stdin.take());
        child.wait().unwrap();
    }
    assert_clean(&stage);
}

#[test]
fn rejected_key_starts_no_program() {
    let stage = Stage::new();
    stage.authority.revoke(&stage.key);
    for exec in EXECS {
        let run = stage.sandbox.ntro(&format!("{exec} -- touch started"));
        let outcome = run.in_folder(stage.sandbox.home()).run().exits(4);
        assert!(outcome.stderr.contains("HTTP 401"), "{}", outcome.stderr);
        assert!(!stage.sandbox.home().join("started").exists());
    }
    // Without the call it starts.
    stage
        .run("exec --keyless --no-check", "exit 3")
        .exits(3)
        .done();
    let outcome = stage.run("exec --keyless -c nowhere", "exit 3").exits(3);
    assert!(outcome.stderr.contains("nowhere"), "{}", outcome.stderr);
    let run = stage.sandbox.ntro("exec --keyless -- /nowhere/program");
    let run = run.env(
        "NTRO_API_KEY",
        &stage.authority.key(Provider::Ntropii, TENANT).key,
    );
    run.run().exits(127).done();
    assert_clean(&stage);
}

#[test]
#[ignore = "needs curl: run scripts/test"]
fn rules_bound_the_calls() {
    let stage = Stage::new();
    let script = format!("{CALL}; {CALL}/x; {CALL} -X POST");
    for (rules, answers) in [
        ("--read-only", "200 404 403 "),
        ("--deny", "403 404 403 "),
        ("--allow", "200 403 403 "),
    ] {
        let run = stage.sandbox.ntro(&format!("exec --keyless {rules}"));
        let run = match rules {
            "--deny" => run.arg("* /v1/me"),
            "--allow" => run.arg("GET /v1/me"),
            _ => run,
        };
        let outcome = run.args("-- sh -c").arg(&script).run().success();
        assert_eq!(outcome.stdout, answers, "{rules}");
    }
    let run = stage
        .sandbox
        .ntro("exec --keyless --allow nonsense -- true");
    run.run().exits(2).done();
    stage
        .sandbox
        .ntro("exec --read-only -- true")
        .run()
        .exits(2)
        .done();
}

#[test]
#[ignore = "needs curl: run scripts/test"]
fn rotated_key_is_read_again() {
    let stage = Stage::new();
    let script = format!("{CALL}; echo; read line; {CALL}");
    let mut child = stage.start("exec --keyless", &format!("echo ready; {script}"));
    stage
        .sandbox
        .ntro("auth rotate acme")
        .run()
        .success()
        .done();
    drop(child.stdin.take());
    let mut rest = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut rest)
        .unwrap();
    assert!(child.wait().unwrap().success());
    assert!(rest.ends_with("200 "), "{rest}");
}

#[test]
#[ignore = "needs curl: run scripts/test"]
fn sealed_network_has_the_proxy_alone() {
    let stage = Stage::new();
    let address = stage.authority.address();
    let script = format!(
        "{CALL}; curl -sS -m 5 http://{address}/healthz 2>&1; curl -sS -m 5 http://192.0.2.1/ 2>&1"
    );
    let outcome = stage.run("exec --keyless --seal net", &script);
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert!(lines[0].starts_with("200 curl: (7)"), "{lines:?}");
    assert!(lines[1].starts_with("curl: (7)"), "{lines:?}");
}

#[test]
fn policy_allows_keyless_programs_alone() {
    let stage = Stage::new();
    stage
        .sandbox
        .ntro("auth set acme --policy keyless")
        .run()
        .success()
        .done();
    let outcome = stage.sandbox.ntro("exec -- true").run().exits(5);
    assert!(
        outcome.stderr.contains("`ntro -c acme exec --keyless`"),
        "{}",
        outcome.stderr
    );
    stage.run("exec --keyless", "exit 3").exits(3).done();
}

#[test]
fn commands_of_the_page_work() {
    let stage = Stage::new();
    let host = stage.authority.host(Provider::Ntropii);
    stage
        .sandbox
        .log_in("--name acme-prod --store file", &host, &stage.key.key);
    let host = stage.authority.host(Provider::Ontora);
    stage
        .sandbox
        .log_in("--name acme-ontora --store file", &host, &stage.ontora.key);
    let bin = format!(
        "export PATH='{}':\"$PATH\"\n",
        stage.sandbox.home().display()
    );
    for program in ["claude", "interviews", "report"] {
        stage
            .sandbox
            .add_script(program, "test -n \"$NTRO_HOME\" && exit 0\n");
    }
    let mut lines = 0;
    for block in blocks("docs/agents.md", "sh") {
        for line in block.lines() {
            let ntro = format!("ntro() {{ '{}' \"$@\"; }}\n", env!("CARGO_BIN_EXE_ntro"));
            let run = stage.sandbox.program("sh".as_ref()).arg("-c");
            let run = run.in_folder(stage.sandbox.home());
            run.arg(format!("{bin}{ntro}{line}")).run().success().done();
            lines += 1;
        }
    }
    assert_eq!(lines, 15);
}

#[test]
fn hidden_command_is_not_for_people() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.ntro("keyless-proxy --detached").run().exits(2);
    assert!(
        outcome.stderr.contains("only `ntro exec --keyless`"),
        "{}",
        outcome.stderr
    );
    let help = sandbox.ntro("--help").run().success();
    assert!(!help.stdout.contains("keyless-proxy"));
}
