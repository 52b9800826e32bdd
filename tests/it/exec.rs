//! `ntro exec`: the program has the variables of the connection, and everything else is as it would
//! be without `ntro`.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdout, Command, Stdio};

use insta::{allow_duplicates, assert_snapshot};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Outcome, Run, Sandbox, Screen, Terminal};

const KEY: &str = "ntro_prod_k9Zr4MxQ2bLw_Jf83nd72jfk38dhJKd8k9Zr4MxQ2bLwPq71mZxT5";
const ONTORA_KEY: &str = "ont_live_k9Zr4MxQ2bLw_Jf83nd72jfk38dhJKd8k9Zr4MxQ2bLwPq71mZxT";

const PLAIN: &str = "exec --";
const MASKED: &str = "exec --mask --";
const KEYLESS: [&str; 3] = [
    "exec --keyless --no-check --seal off --",
    "exec --keyless --no-check --",
    "exec --keyless --no-check --seal net --",
];
const EXECS: [&str; 5] = [PLAIN, MASKED, KEYLESS[0], KEYLESS[1], KEYLESS[2]];

/// A home with a connection of each system and of each policy.
fn with_connections() -> Sandbox {
    let sandbox = Sandbox::new();
    let connection = |name: &str, provider: &str, more: &str| {
        let (key, path) = match provider {
            "ontora" => (ONTORA_KEY, ""),
            _ => (KEY, "/v1"),
        };
        format!(
            "[connections.{name}]\nhost = 'http://localhost:3000{path}'\nprovider = '{provider}'\n\
             store = 'plaintext'\napi_key = '{key}'\n{more}\n"
        )
    };
    sandbox.write_config(&format!(
        "default_connection_name = 'acme'\n{}{}{}{}",
        connection("acme", "ntropii", "default_tenant = 'acme-fund-admin'"),
        connection("globex", "ontora", ""),
        connection("asking", "ntropii", "policy = 'confirm'"),
        connection("closed", "ntropii", "policy = 'keyless'"),
    ));
    sandbox
}

/// Runs a shell script in which `ntro` is the tested program.
fn script(sandbox: &Sandbox, shell: &str, text: &str) -> Outcome {
    let shell = sandbox.program(shell.as_ref()).arg("-c");
    let ntro = format!("ntro() {{ '{}' \"$@\"; }}\n", env!("CARGO_BIN_EXE_ntro"));
    shell.arg(ntro + text).run()
}

/// Runs the same script in the tested program and without it, and asserts that both print the same.
/// The scripts run in a folder that a sealed program may write to.
#[track_caller]
fn assert_same(sandbox: &Sandbox, shell: &str, before: &str, inside: &str, after: &str) {
    let run = |start: &str| {
        let text =
            format!("mkdir -p work; cd work; {before}\n{start} {shell} -c '{inside}' {after}");
        script(sandbox, shell, &text).success().stdout
    };
    let expected = run("command");
    assert!(!expected.is_empty());
    for exec in EXECS {
        assert_eq!(run(&format!("ntro {exec}")), expected, "{exec}");
    }
}

/// Returns the variables of both systems that a program gets, sorted.
fn variables(outcome: &Outcome) -> Vec<&str> {
    let mut lines: Vec<_> = outcome
        .stdout
        .lines()
        .filter(|line| line.contains("NTRO_") || line.contains("ONTORA_") || line.contains("ACME"))
        .collect();
    lines.sort_unstable();
    lines
}

#[test]
fn program_gets_variables_of_each_system() {
    let sandbox = with_connections();
    let get = |line: &str| sandbox.ntro(line).run().success();
    let key = format!("NTRO_API_KEY={KEY}");
    assert_eq!(
        variables(&get("exec -- env")),
        [
            &*key,
            "NTRO_HOST=http://localhost:3000/v1",
            "NTRO_TENANT=acme-fund-admin"
        ]
    );
    assert_eq!(
        variables(&get("exec -c globex -t globex-capital env")),
        [
            &*format!("ONTORA_API_KEY={ONTORA_KEY}"),
            "ONTORA_BASE_URL=http://localhost:3000",
            "ONTORA_WORKSPACE_ID=globex-capital"
        ]
    );
    assert_eq!(variables(&get("exec -c globex -- env")).len(), 2);
    assert_eq!(
        variables(&get(
            "exec --only NTRO_HOST,ACME_TOKEN --also ACME_TOKEN -- env"
        )),
        [
            &*format!("ACME_TOKEN={KEY}"),
            "NTRO_HOST=http://localhost:3000/v1"
        ]
    );
    // Options after the program are the program's.
    let echo = get("exec echo -o json --only x -- -c y");
    assert_eq!(echo.stdout, "-o json --only x -- -c y\n");
}

#[test]
fn other_keys_stay_behind() {
    let sandbox = with_connections();
    let inherited = [
        ("NTRO_TENANT", "stale"),
        ("NTRO_CONNECTION", "acme"),
        ("NTRO_DEFAULT_CONNECTION_NAME", "nowhere"),
        ("NTRO_PASSPHRASE", "secret"),
        ("NTRO_ADMIN_TOKEN", "secret"),
        ("ONTORA_WORKSPACE_ID", "stale"),
        ("NTRO_HOME", ".ntro"),
    ];
    let run = |line: &str| {
        let run = inherited.into_iter();
        let run = run.fold(sandbox.ntro(line), |run, (name, value)| match name {
            "NTRO_HOME" => run.env(name, sandbox.ntro_home()),
            _ => run.env(name, value),
        });
        let outcome = run.run().success();
        variables(&outcome)
            .iter()
            .map(|&it| it.to_owned())
            .collect::<Vec<_>>()
    };
    let home = format!("NTRO_HOME={}", sandbox.ntro_home().display());
    assert_eq!(
        run("exec -c globex -t beta -- env"),
        [
            &*home,
            &*format!("ONTORA_API_KEY={ONTORA_KEY}"),
            "ONTORA_BASE_URL=http://localhost:3000",
            "ONTORA_WORKSPACE_ID=beta"
        ]
    );
    // A connection that is meant anyway, and the variables of the other system.
    assert_eq!(
        run("exec -c acme -- env"),
        [
            &*format!("NTRO_API_KEY={KEY}"),
            "NTRO_CONNECTION=acme",
            &*home,
            "NTRO_HOST=http://localhost:3000/v1",
            "NTRO_TENANT=stale",
            "ONTORA_WORKSPACE_ID=stale",
        ]
    );
}

/// The one of Ontora runs outside, since `ntro` itself reads Ntropii's variables.
#[test]
fn both_systems_are_given_by_nesting() {
    let sandbox = with_connections();
    let ntro = env!("CARGO_BIN_EXE_ntro");
    let line = format!("exec -c globex -- {ntro} exec -c acme -- env");
    let outcome = sandbox.ntro(&line).run().success();
    assert_eq!(variables(&outcome).len(), 5, "{outcome}");
    assert_eq!(outcome.stderr, "");
}

#[test]
fn overriding_variable_warns() {
    let sandbox = with_connections();
    let given = |strict: &str| {
        let run = sandbox
            .ntro("exec -- env")
            .env("NTRO_API_KEY", "ntro_dev_other");
        run.env("NTRO_STRICT", strict).run()
    };
    let outcome = given("").success();
    assert_eq!(
        outcome.stderr,
        "warning: the variable `NTRO_API_KEY` overrides the stored API key of `acme`\n"
    );
    assert!(variables(&outcome).contains(&"NTRO_API_KEY=ntro_dev_other"));
    given("1").exits(9).done();
}

#[test]
fn policy_forbids_handing_over() {
    let sandbox = with_connections();
    for exec in [
        "exec",
        "exec --mask",
        "exec --also ACME_TOKEN --only ACME_TOKEN",
    ] {
        let refused = sandbox
            .ntro(&format!("{exec} -c closed -- touch ran"))
            .run();
        refused
            .exits(5)
            .complains("the policy of `closed` is `keyless`")
            .done();
        let refused = sandbox
            .ntro(&format!("{exec} -c asking -- touch ran"))
            .run();
        refused.exits(5).complains("nobody can be asked").done();
    }
    assert!(!sandbox.home().join("ran").exists());
    // Variables without the key.
    let outcome = sandbox
        .ntro("exec -c closed --only NTRO_HOST -- env")
        .run()
        .success();
    assert_eq!(variables(&outcome), ["NTRO_HOST=http://localhost:3000/v1"]);
}

#[test]
fn plain_http_elsewhere_is_refused() {
    let sandbox = with_connections();
    for command in ["exec -- touch ran", "env"] {
        let run = |options: &str| {
            let run = sandbox.ntro(&format!("{options} {command}"));
            run.env("NTRO_API_KEY", KEY)
                .env("NTRO_HOST", "http://api.example/v1")
                .run()
        };
        run("")
            .exits(2)
            .complains("would travel unencrypted")
            .done();
        assert!(!sandbox.home().join("ran").exists());
        run("--insecure-http").success().done();
        let _ = fs::remove_file(sandbox.home().join("ran"));
    }
}

#[test]
fn confirmed_program_has_whole_terminal() {
    let sandbox = with_connections();
    for exec in ["exec -c asking", "exec --mask -c asking"] {
        let state = "(grep -E \"Sig(Ign|Blk)\" /proc/self/status; cd /proc/$$/fd; echo *)";
        let inside = r#"stty -a | grep -c " icanon"; read word; echo "got $word""#;
        let line =
            format!("sh -c '{state} >outside'; ntro {exec} -- sh -c '{state} >inside; {inside}'");
        let mut terminal = Terminal::shell(&sandbox, &line);
        terminal.expect("Reveal the API key of `asking`?").line("y");
        terminal.expect("1\r\n").line("hello").expect("got hello");
        terminal.end().exits(0).done();
        let read = |name: &str| fs::read_to_string(sandbox.home().join(name)).unwrap();
        assert_eq!(read("inside"), read("outside"));

        let mut terminal = Terminal::ntro(&sandbox, &format!("{exec} -- touch ran"));
        terminal.expect("Reveal").line("n");
        terminal.end().exits(9).done();
        assert!(!sandbox.home().join("ran").exists());
    }
}

#[test]
fn program_has_process_id_of_caller() {
    let sandbox = with_connections();
    for exec in EXECS.iter().filter(|exec| **exec != MASKED) {
        let ntro = env!("CARGO_BIN_EXE_ntro");
        let line = format!("'{ntro}' {exec} sh -c 'echo $$ $PPID' & echo $! $$; wait");
        let outcome = script(&sandbox, "sh", &line);
        let ids: Vec<_> = outcome.stdout.lines().collect();
        assert_eq!(ids.len(), 2, "{outcome}");
        assert_eq!(ids[0], ids[1], "{exec}");
    }
}

#[test]
fn every_exit_code_is_passed_on() {
    let sandbox = with_connections();
    for exec in EXECS {
        let codes = match KEYLESS.contains(&exec) {
            false => "$(seq 0 255)",
            true => "0 1 2 3 77 126 127 128 130 143 254 255",
        };
        let text = format!(
            "for code in {codes}; do ntro {exec} sh -c \"exit $code\"; \
             [ $? = $code ] || echo $code; done"
        );
        assert_eq!(script(&sandbox, "sh", &text).success().stdout, "", "{exec}");
    }
}

#[test]
fn unusable_program_has_shell_code() {
    let sandbox = with_connections();
    let files = "echo >plain; echo '#!/no/such/shell' >odd; echo 'echo \"$NTRO_TENANT\"' >script; \
         chmod 755 odd script";
    script(&sandbox, "sh", files).success().done();
    for exec in [PLAIN, MASKED] {
        let run = |program: &str| sandbox.ntro(exec).arg(program).run();
        allow_duplicates! {
        assert_snapshot!(run("no-such-program"), @r"
            exit code: 127
            ----- stderr -----
            error: cannot run `no-such-program`: no folder in `PATH` has it
              hint: a built-in of the shell runs as `sh -c '…'`
            ");
        assert_snapshot!(run("./missing"), @r"
            exit code: 127
            ----- stderr -----
            error: cannot run `./missing`: there is no such file
            ");
        assert_snapshot!(run("./odd"), @r"
            exit code: 127
            ----- stderr -----
            error: cannot run `./odd`: its interpreter does not exist
              hint: check its first line, or the target of the link
            ");
        assert_snapshot!(run("./plain"), @r"
            exit code: 126
            ----- stderr -----
            error: cannot run `./plain`: it is a folder, or not executable
            ");
        }
        run("/")
            .exits(126)
            .complains("it is a folder, or not executable")
            .done();
        run("").exits(127).done();
        // Without a first line, a shell runs it.
        assert_eq!(run("./script").success().stdout, "acme-fund-admin\n");
    }
    let json = sandbox
        .ntro("-o json exec no-such-program")
        .run()
        .exits(127);
    assert_eq!(json.error()["code"], "program_not_found");
}

#[test]
fn input_reaches_program_unchanged() {
    let sandbox = with_connections();
    let bytes: Vec<u8> = (0..=127).cycle().take(300_000).collect();
    for exec in EXECS {
        let outcome = sandbox.ntro(exec).arg("cat").input(&bytes).run().success();
        assert_eq!(outcome.stdout.as_bytes(), bytes);
        let line = format!("ntro {exec} sh -c 'cat; echo the end'");
        let mut terminal = Terminal::shell(&sandbox, &line);
        terminal.line("hello").expect("hello\r\nhello");
        terminal.press("\x04").expect("the end");
        terminal.end().exits(0).done();
    }
}

#[test]
fn closed_streams_stay_closed() {
    let sandbox = with_connections();
    let inside = "for fd in 0 1 2; do test -e /proc/$$/fd/$fd; echo $fd $? >>seen; done";
    for closed in ["<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"] {
        assert_same(
            &sandbox,
            "sh",
            "rm -f seen",
            inside,
            &format!("{closed}; cat seen"),
        );
    }
}

#[test]
fn inherited_descriptors_stay() {
    let sandbox = with_connections();
    let open = "for fd in {20..219}; do eval \"exec $fd</dev/null\"; done";
    assert_same(&sandbox, "bash", open, "cd /proc/$$/fd; echo *", "");
}

#[test]
fn signals_and_limits_are_inherited() {
    let sandbox = with_connections();
    let inside = "grep -E \"Sig(Blk|Ign|Cgt)\" /proc/self/status; ulimit -S -c; ulimit -H -c; umask; \
         cat /proc/self/coredump_filter; nice; pwd";
    for before in [
        "umask 027; ulimit -S -c 1234",
        "umask 0; ulimit -c 0; trap '' PIPE HUP INT QUIT TERM USR1 CHLD TSTP",
    ] {
        assert_same(&sandbox, "sh", before, inside, "");
    }
    let with_signals = |program: &str| {
        let before = "env --block-signal=USR2,CHLD --ignore-signal=USR1,PIPE,CHLD";
        let text = format!("{before} {program} grep -E 'Sig(Blk|Ign)' /proc/self/status");
        script(&sandbox, "sh", &text).success().stdout
    };
    let expected = with_signals("");
    assert!(
        expected.contains("10800\n") && expected.contains("11200\n"),
        "{expected}"
    );
    for exec in EXECS {
        let program = format!("'{}' {exec}", env!("CARGO_BIN_EXE_ntro"));
        assert_eq!(with_signals(&program), expected, "{exec}");
    }
}

#[test]
fn key_is_in_no_arguments() {
    let sandbox = with_connections();
    let inside = "tr '\\0' ' ' </proc/$PPID/cmdline; tr '\\0' ' ' </proc/self/cmdline";
    let outcome = sandbox
        .ntro(MASKED)
        .args("sh -c")
        .arg(inside)
        .run()
        .success();
    outcome.says("exec --mask -- sh -c tr").done();
    sandbox.assert_only_in(KEY, &[".ntro/config.toml"]);
}

#[test]
#[ignore = "needs unshare: run scripts/test"]
fn program_runs_as_first_process() {
    let sandbox = with_connections();
    let start = |run: Run<'_>, exec: &str, inside: &str| {
        run.args("--pid --fork --mount-proc")
            .arg(env!("CARGO_BIN_EXE_ntro"))
            .args(exec)
            .args("sh -c")
            .arg(inside)
            .run()
    };
    let first = |exec: &str, inside: &str| {
        let run = sandbox.program("unshare".as_ref());
        start(run.args("--user --map-root-user"), exec, inside)
    };
    for exec in EXECS.iter().filter(|exec| **exec != MASKED) {
        let ended = first(exec, "echo $$ $PPID; exit 9").exits(9);
        assert_eq!(ended.stdout, "1 0\n", "{exec}");
        // As the first process of a container, with all rights.
        let root = sandbox.as_root("unshare");
        let ended = start(root, exec, "echo $$ $PPID; exit 9").exits(9);
        assert_eq!(ended.stdout, "1 0\n", "{exec}");
    }
    let masked = first(MASKED, "echo $PPID; exit 9").exits(9);
    assert_eq!(masked.stdout, "1\n");
    // No signal ends the first process.
    first(MASKED, "kill -TERM $$").exits(143).done();
}

#[test]
fn hundred_programs_run_together() {
    let sandbox = with_connections();
    for exec in [PLAIN, MASKED] {
        let text = format!(
            "i=0; while [ $i -lt 100 ]; do \
             {{ ntro {exec} sh -c 'echo \"$NTRO_TENANT\"; exit 3'; [ $? = 3 ] || echo bad; }} & \
             i=$((i + 1)); done; wait"
        );
        let outcome = script(&sandbox, "sh", &text).success();
        assert_eq!(outcome.stdout, "acme-fund-admin\n".repeat(100), "{exec}");
    }
}

#[test]
fn terminal_interrupts_and_stops_program() {
    let sandbox = with_connections();
    for exec in EXECS {
        let inside = r#"trap "echo caught" INT; echo ready; read a; kill -STOP $$; echo on; read b; echo "and $b""#;
        let line = format!(
            "set -m; ntro {exec} sh -c '{inside}'; echo \"code $?\"; fg; echo \"last $?\"; fg"
        );
        let mut terminal = Terminal::shell(&sandbox, &line);
        terminal.expect("ready").interrupt().expect("caught");
        // The program has stopped itself.
        terminal.expect("code 1").expect("on");
        terminal
            .press("\x1a")
            .expect("last 14")
            .line("two")
            .expect("and two");
        let ended = terminal.end().exits(0);
        // The kernel alone sends it.
        assert_eq!(ended.heard.matches("caught").count(), 1, "{exec}");
    }
}

#[test]
fn window_size_reaches_program() {
    let sandbox = with_connections();
    for exec in EXECS {
        let inside = r#"trap "stty size" WINCH; stty size; echo ready; read word; echo done"#;
        let line = format!("ntro {exec} sh -c '{inside}'");
        let mut terminal = Terminal::shell(&sandbox, &line);
        terminal.expect("ready").resize(33, 101).expect("33 101");
        terminal.line("").line("");
        terminal.end().done();
    }
}

/// As a person works: an interactive shell with job control, in a window that changes.
#[test]
#[ignore = "needs tmux: run scripts/test"]
fn interactive_shell_controls_program() {
    for exec in [PLAIN, KEYLESS[0], KEYLESS[1]] {
        let sandbox = with_connections();
        let screen = Screen::start(&sandbox, (80, 24));
        let inside = "while read word; do stty size; echo got-$word; done; echo ov\"\"er";
        screen.line(&format!("ntro {exec} sh -c '{inside}'"));
        screen.line("one").expect("24 80").expect("got-one");
        screen.key("C-z").expect("Stopped");
        screen.line("fg").line("two").expect("got-two");
        screen.resize((100, 30)).line("three").expect("30 100");
        screen.expect("got-three").key("C-d").expect("over");
        screen.line("echo code-$?").expect("code-0");
        let inside = "echo start-$((1+1)); exec sleep 1000";
        screen.line(&format!("ntro {exec} sh -c '{inside}'"));
        screen.expect("start-2").key("C-c");
        screen.line("echo code-$?").expect("code-130");
    }
}

/// Starts a shell script in the tested program, whose output is read by the test.
pub(crate) fn spawn(sandbox: &Sandbox, exec: &str, inside: &str, input: Stdio) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ntro"));
    sandbox.prepare(&mut command);
    command.args(exec.split(' ')).args(["sh", "-c", inside]);
    let command = command.stdin(input).stdout(Stdio::piped());
    command.spawn().unwrap()
}

/// A program that runs in the tested one.
struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    /// Starts a shell script and waits for its first line.
    fn start(sandbox: &Sandbox, exec: &str, inside: &str) -> Self {
        let mut child = spawn(sandbox, exec, inside, Stdio::null());
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut String::new()).unwrap();
        Self { child, output }
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Returns the code or the signal at the end, and the rest of the output.
    fn end(mut self) -> (Option<i32>, Option<i32>, String) {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        let status = self.child.wait().unwrap();
        (status.code(), status.signal(), rest)
    }
}

/// Signals that a program can handle, by their effect without a handler.
const ENDING: [Signal; 15] = [
    Signal::HUP,
    Signal::INT,
    Signal::QUIT,
    Signal::TRAP,
    Signal::ABORT,
    Signal::USR1,
    Signal::USR2,
    Signal::PIPE,
    Signal::ALARM,
    Signal::TERM,
    Signal::XCPU,
    Signal::XFSZ,
    Signal::VTALARM,
    Signal::PROF,
    Signal::IO,
];
const HARMLESS: [Signal; 3] = [Signal::CONT, Signal::URG, Signal::WINCH];

#[test]
fn signals_reach_program() {
    let sandbox = with_connections();
    for exec in EXECS {
        for signal in ENDING.into_iter().chain(HARMLESS) {
            let number = signal.as_raw();
            let inside = format!(
                "trap 'echo got; exit 7' {number}; echo ready; while :; do sleep 0.02; done"
            );
            let running = Running::start(&sandbox, exec, &inside);
            running.send(signal);
            let end = running.end();
            assert_eq!(end, (Some(7), None, "got\n".to_owned()), "{exec} {number}");
        }
    }
}

#[test]
fn death_by_signal_is_passed_on() {
    let sandbox = with_connections();
    let faults = [
        Signal::KILL,
        Signal::SEGV,
        Signal::BUS,
        Signal::ILL,
        Signal::FPE,
        Signal::SYS,
    ];
    for exec in EXECS {
        for signal in ENDING.into_iter().chain(faults) {
            let number = signal.as_raw();
            let inside = format!("ulimit -c 0; echo; kill -{number} $$; sleep 9");
            let (code, by, _) = Running::start(&sandbox, exec, &inside).end();
            assert_eq!((code, by), (None, Some(number)), "{exec}");
        }
    }
}

#[test]
fn key_is_masked_in_every_form() {
    let sandbox = with_connections();
    let inside = r#"
        printf 'raw %s.\n' "$NTRO_API_KEY"
        printf %s "$NTRO_API_KEY" | base64 -w0; echo
        printf 'a%s' "$NTRO_API_KEY" | base64 -w0; echo
        printf 'ab%s' "$NTRO_API_KEY" | base64 -w0 | tr '+/' '-_'; echo
        printf %s "$NTRO_API_KEY" | sed 's/_/%5F/g'; echo
        printf %s "$NTRO_API_KEY" | sed 's/_/\\u005f/g'; echo
        for part in $(printf %s "$NTRO_API_KEY" | sed 's/./& /g'); do printf %s "$part"; done; echo
        printf 'error %s\n' "$NTRO_API_KEY" >&2
    "#;
    let outcome = sandbox
        .ntro(MASKED)
        .args("sh -c")
        .arg(inside)
        .run()
        .success();
    let stars = "*".repeat(KEY.len());
    assert_eq!(outcome.stderr, format!("error {stars}\n"));
    assert!(outcome.stdout.starts_with(&format!("raw {stars}.\n")));
    assert!(
        outcome.stdout.ends_with(&format!("\n{stars}\n")),
        "{outcome}"
    );
    for line in outcome.stdout.lines() {
        let shown = line.chars().filter(|&c| c != '*').count();
        assert!(line.len() >= KEY.len() && shown <= 6, "{line}");
    }
    // The same program without the option.
    let outcome = sandbox
        .ntro(PLAIN)
        .args("sh -c")
        .arg(inside)
        .run()
        .success();
    assert!(outcome.stdout.matches(KEY).count() == 2, "{outcome}");
}

#[test]
fn masked_output_is_not_delayed() {
    let sandbox = with_connections();
    let inside = "printf 'hello [y/N] '; read word; echo";
    let mut child = spawn(&sandbox, MASKED, inside, Stdio::piped());
    let mut shown = [0; 12];
    let mut output = child.stdout.take().unwrap();
    output.read_exact(&mut shown).unwrap();
    assert_eq!(&shown, b"hello [y/N] ");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn masked_streams_keep_their_order() {
    let sandbox = with_connections();
    let inside = "for i in 1 2 3 4 5 6 7 8 9; do echo out $i; echo error $i >&2; done";
    assert_same(&sandbox, "sh", "", inside, ">log 2>&1; cat log");
}

/// As a program without `ntro`, it notices that nothing reads its output.
#[test]
fn masked_program_notices_closed_pipe() {
    let sandbox = with_connections();
    let text = format!("ntro {MASKED} yes | head -n 1; echo ${{PIPESTATUS[0]}}");
    let outcome = script(&sandbox, "bash", &text).success();
    assert_eq!(outcome.stdout, "y\n141\n");
    assert_eq!(outcome.stderr, "");
}

#[test]
fn masked_terminal_is_not_redacted() {
    let sandbox = with_connections();
    let inside = r#"test -t 1 && echo terminal; test -t 2 || echo "file $NTRO_TENANT" >&2"#;
    let line = format!("exec --mask -- sh -c '{inside}' 2>log");
    Terminal::ntro(&sandbox, &line)
        .end()
        .exits(0)
        .shows("terminal")
        .done();
    let log = fs::read_to_string(sandbox.home().join("log")).unwrap();
    assert_eq!(log, "file acme-fund-admin\n");
}
