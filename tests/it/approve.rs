//! `--ask`: a person on another terminal decides on the calls of a program.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ntro_base::Provider;
use serde_json::Value;

use crate::support::{Authority, Outcome, Sandbox, Terminal};

const NTRO: &str = env!("CARGO_BIN_EXE_ntro");
const EXEC: &str = "exec --keyless --no-check --ask";
const RULE: &str = "GET /v1/me";

/// Returns a home with a connection `acme` to an authority.
fn stage() -> (Authority, Sandbox) {
    let authority = Authority::start();
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    let key = authority.key(Provider::Ntropii, "acme-fund-admin");
    let host = authority.host(Provider::Ntropii);
    sandbox.log_in("--name acme --store file", &host, &key.key);
    (authority, sandbox)
}

/// Starts `ntro proxy approve` on a terminal.
fn approver(sandbox: &Sandbox) -> Terminal<'_> {
    let mut terminal = Terminal::ntro(sandbox, "proxy approve");
    terminal.expect("Waiting for calls that need approval");
    terminal
}

/// Runs a keyless program that makes one call, which needs approval.
fn call(sandbox: &Sandbox, options: &str, program: &str) -> Outcome {
    let run = sandbox.ntro(EXEC).arg(RULE).args(options).arg("--");
    run.arg(program).args("auth whoami -o json").run()
}

/// Returns the logged calls that need approval, once there are as many: a proxy may write after its
/// program has ended.
fn logged(sandbox: &Sandbox, count: usize) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let calls = sandbox.ntro("proxy log -o json").run().success().json();
        let calls = calls.as_array().unwrap().iter();
        let calls: Vec<_> = calls
            .filter(|call| call["path"] == "/v1/me")
            .cloned()
            .collect();
        if calls.len() == count {
            return calls;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{calls:?}");
    }
}

#[test]
fn person_on_other_terminal_decides() {
    let (authority, sandbox) = stage();
    let mut terminal = approver(&sandbox);
    let evil = sandbox.home().join("evil\x1b[31mname");
    std::os::unix::fs::symlink(NTRO, &evil).unwrap();
    for (options, program, answer) in [
        ("--seal store", NTRO, "y"),
        ("--seal net", NTRO, "y"),
        ("--seal off", evil.to_str().unwrap(), "n"),
    ] {
        thread::scope(|scope| {
            let outcome = scope.spawn(|| call(&sandbox, options, program));
            terminal.expect("wants to call").expect("  GET /v1/me");
            terminal.expect(&format!(
                "server      {}",
                authority.host(Provider::Ntropii)
            ));
            terminal.expect("connection  acme");
            terminal.expect("rule        --ask 'GET /v1/me'");
            terminal.expect("Forward this call? (y/n)").line(answer);
            let outcome = outcome.join().unwrap();
            match answer {
                "y" => outcome.success().done(),
                _ => outcome.exits(5).complains("the person refused it").done(),
            }
        });
    }
    terminal.interrupt();
    let heard = terminal.end().exits(0).hides("\x1b[31m");
    heard.shows("evil<U+001B>[31mname` (process ").done();
    assert!(!sandbox.ntro_home().join("approve.sock").exists());
    let calls = logged(&sandbox, 3);
    let approved = calls.iter().filter(|call| call["approved"] == true);
    assert_eq!(approved.count(), 2, "{calls:?}");
    let log = sandbox.ntro("proxy log").run().success();
    log.says("approved, forwarded")
        .says("refused: refused_by_person")
        .done();
}

#[test]
fn call_without_approver_is_refused() {
    let (_authority, sandbox) = stage();
    let begun = Instant::now();
    let outcome = call(&sandbox, "", NTRO).exits(5);
    outcome
        .complains("`GET /v1/me`, which needs a person's approval by `--ask 'GET /v1/me'`")
        .complains("run `ntro proxy approve` on another terminal")
        .done();
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert_eq!(logged(&sandbox, 1)[0]["reason"], "no_approver");
}

#[test]
fn person_may_leave_undecided() {
    let (_authority, sandbox) = stage();
    let mut terminal = approver(&sandbox);
    thread::scope(|scope| {
        let outcome = scope.spawn(|| call(&sandbox, "", NTRO));
        terminal.expect("Forward this call? (y/n)").interrupt();
        let outcome = outcome.join().unwrap().exits(5);
        outcome.complains("it was left undecided").done();
    });
    terminal.end().exits(0).done();
    assert!(!sandbox.ntro_home().join("approve.sock").exists());
}

#[test]
fn ended_program_withdraws_question() {
    let (_authority, sandbox) = stage();
    let mut terminal = approver(&sandbox);
    let mut command = Command::new(NTRO);
    sandbox.prepare(&mut command);
    command.args(EXEC.split(' ')).args([RULE, "--", NTRO]);
    command.args(["auth", "whoami"]);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    terminal.expect("Forward this call? (y/n)");
    child.kill().unwrap();
    child.wait().unwrap();
    terminal.expect("The call was withdrawn").interrupt();
    terminal.end().exits(0).done();
}

#[test]
fn terminal_of_program_cannot_approve() {
    let (_authority, sandbox) = stage();
    let line = format!(
        "ntro proxy approve < /dev/tty & until [ -S ~/.ntro/approve.sock ]; do sleep 0.1; done; \
         ntro {EXEC} '{RULE}' --seal off -- '{NTRO}' auth whoami; code=$?; kill $!; wait $!; (exit $code)"
    );
    let ended = Terminal::shell(&sandbox, &line).end().exits(5);
    ended
        .shows("` was refused: the process that answers is on the terminal of the program.")
        .shows("approval by `--ask 'GET /v1/me'`: the process that answers is on the terminal of the program")
        .done();
}

#[test]
fn program_cannot_approve_its_calls() {
    let (_authority, sandbox) = stage();
    // A terminal of its own, without a seal.
    let script = r"
import os, pty, subprocess, sys, time
ntro, home = sys.argv[1], os.path.expanduser('~/.ntro')
pid, terminal = pty.fork()
if pid == 0:
    os.environ['NTRO_HOME'] = home
    os.execv(ntro, ['ntro', 'proxy', 'approve'])
while not os.path.exists(home + '/approve.sock'):
    time.sleep(0.05)
ended = subprocess.run([ntro, 'auth', 'whoami'], capture_output=True, text=True)
os.kill(pid, 9)
print(ended.returncode, ended.stderr)";
    let run = sandbox.ntro(EXEC).arg(RULE);
    let run = run.args("--seal off -- python3 -c").arg(script).arg(NTRO);
    let outcome = run.run().success();
    outcome
        .says("the process that answers was started by the program")
        .done();
    // A socket without a listener is no approver, and does not hinder the next one.
    call(&sandbox, "", NTRO).exits(5).done();
    let mut terminal = approver(&sandbox);
    terminal.interrupt();
    terminal.end().exits(0).done();
}

#[test]
fn sealed_program_cannot_reach_approver() {
    let (_authority, sandbox) = stage();
    let mut terminal = approver(&sandbox);
    let script = r"
import os, socket
path = os.path.expanduser('~/.ntro/approve.sock')
try:
    socket.socket(socket.AF_UNIX).connect(path)
    print('reached')
except OSError as error:
    print(type(error).__name__)";
    for (seal, expected) in [
        ("off", "reached\n"),
        ("store", "FileNotFoundError\n"),
        ("net", "FileNotFoundError\n"),
    ] {
        let run = sandbox.ntro(EXEC).arg(RULE).args("--seal").arg(seal);
        let outcome = run.args("-- python3 -c").arg(script).run().success();
        assert_eq!(outcome.stdout, expected, "{seal}");
    }
    terminal.interrupt();
    terminal.end().exits(0).done();
}

#[test]
fn foreground_proxy_asks_on_its_terminal() {
    let (_authority, sandbox) = stage();
    let out = sandbox.home().join("out");
    let line = format!("ntro proxy --no-check --ask '{RULE}' > out");
    let mut terminal = Terminal::shell(&sandbox, &line);
    let begun = Instant::now();
    let text = loop {
        let text = fs::read_to_string(&out).unwrap_or_default();
        if text.contains("NO_PROXY") {
            break text;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{text}");
        thread::sleep(Duration::from_millis(20));
    };
    let variables: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
        .collect();
    let child = Sandbox::new();
    let whoami = || {
        let run = child.ntro("auth whoami");
        let run = variables
            .iter()
            .fold(run, |run, (name, value)| run.env(name, value));
        run.run()
    };
    for (answer, code) in [("y\r", 0), ("n\r", 5), ("\x03", 5)] {
        thread::scope(|scope| {
            let outcome = scope.spawn(whoami);
            terminal.expect("`default` wants to call");
            terminal.expect("Forward this call? (y/n)").press(answer);
            outcome.join().unwrap().exits(code).done();
        });
    }
    terminal.end().exits(0).done();
}

#[test]
fn approver_needs_terminal_alone() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.ntro("proxy approve").run().exits(2);
    outcome.complains("calls are approved on a terminal").done();
    let terminal = Terminal::ntro(&sandbox, "proxy approve --no-interactive");
    terminal
        .end()
        .exits(2)
        .shows("`--no-interactive` is given")
        .done();
    let mut first = approver(&sandbox);
    let second = Terminal::ntro(&sandbox, "proxy approve").end().exits(9);
    second
        .shows("another `ntro proxy approve` is running")
        .done();
    first.interrupt();
    first.end().exits(0).done();
    let run = sandbox.ntro("exec --ask").arg(RULE).args("-- true").run();
    run.exits(2)
        .complains("are for a program with `--keyless`")
        .done();
}
