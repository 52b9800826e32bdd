//! `ntro proxy`: programs call with a token, and the key stays with the proxy.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ntro_base::Provider;
use ntro_client::proxy::Timeouts;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use serde_json::{Value, json};

use crate::support::{Authority, Clients, IssuedKey, Reply, Run, Sandbox, Stub, wire};

const TENANT: &str = "acme-fund-admin";

/// A running `ntro proxy`, killed when this is dropped.
struct Proxying {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    summary: Value,
}

impl Proxying {
    fn start(sandbox: &Sandbox, options: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ntro"));
        sandbox.prepare(&mut command);
        let mut child = command
            .args(["proxy", "-o", "json"])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(sandbox.home().join("proxy.stderr")).unwrap())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        while !text.ends_with("\n}\n") {
            let read = stdout.read_line(&mut text).unwrap();
            let stderr = sandbox.home().join("proxy.stderr");
            assert!(
                read > 0,
                "it ended: {}",
                fs::read_to_string(stderr).unwrap()
            );
        }
        Self {
            child,
            _stdout: stdout,
            summary: serde_json::from_str(&text).unwrap(),
        }
    }

    fn variables(&self, child: usize) -> Vec<(String, String)> {
        let variables = self.summary["children"][child]["variables"].as_array();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        variables
            .unwrap()
            .iter()
            .map(|variable| (text(&variable["name"]), text(&variable["value"])))
            .collect()
    }

    fn token(&self) -> &str {
        self.summary["children"][0]["token"].as_str().unwrap()
    }

    /// Returns the address that it listens on.
    fn address(&self) -> String {
        let url = self.summary["url"].as_str().unwrap();
        url.strip_prefix("http://")
            .unwrap()
            .split('/')
            .next()
            .unwrap()
            .to_owned()
    }

    /// Gives a program the variables of the first child.
    fn around<'a>(&self, run: Run<'a>) -> Run<'a> {
        self.variables(0)
            .iter()
            .fold(run, |run, (name, value)| run.env(name, value))
    }

    /// Sends a request as the first child and returns the answer.
    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        let token = self.token();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\
             X-API-Key: {token}\r\nConnection: close\r\n\r\n",
            self.address()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn end(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.child.wait().unwrap()
    }

    /// Returns the most memory that it had, in MiB.
    fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }
}

impl Drop for Proxying {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a home with a connection `local` to a server.
fn logged_in(host: &str, provider: Provider, key: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    let options = format!("-n local --provider {provider} --store file");
    sandbox.log_in(&options, host, key);
    sandbox
}

fn stage(provider: Provider) -> (Authority, IssuedKey, Sandbox) {
    let authority = Authority::start();
    let key = authority.key(provider, TENANT);
    let host = match provider {
        Provider::Ntropii => format!("{}/v1", authority.origin()),
        Provider::Ontora => authority.origin(),
    };
    let sandbox = logged_in(&host, provider, &key.key);
    (authority, key, sandbox)
}

#[test]
fn programs_call_with_token() {
    let (_authority, key, sandbox) = stage(Provider::Ntropii);
    let proxy = Proxying::start(&sandbox, &["--child", "one", "--child", "two"]);
    assert_eq!(proxy.summary["connection"], "local");
    let names: Vec<_> = proxy
        .variables(0)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        ["NTRO_HOST", "NTRO_API_KEY", "NTRO_TENANT", "NO_PROXY"]
    );
    assert_ne!(proxy.variables(0)[1], proxy.variables(1)[1]);
    // Another home, without any store: the variables are all that a program has.
    let child = Sandbox::new();
    for number in 0..2 {
        let variables = proxy.variables(number);
        let run = child.ntro("auth whoami -o json");
        let run = variables
            .iter()
            .fold(run, |run, (name, value)| run.env(name, value));
        let whoami = run.run().success().json();
        assert_eq!(whoami["tenants"][0]["slug"], TENANT);
    }
    for file in ["environ", "cmdline"] {
        let text = fs::read(format!("/proc/{}/{file}", proxy.child.id())).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&text).contains(&key.key));
    }
    assert!(proxy.end().success());
    let calls = sandbox.ntro("proxy log -o json").run().success().json();
    let children: Vec<_> = calls
        .as_array()
        .unwrap()
        .iter()
        .map(|call| call["child"].as_str().unwrap())
        .collect();
    // The first call proves the key.
    assert_eq!(children[0], "ntro");
    assert!(
        children.contains(&"one") && children.contains(&"two"),
        "{children:?}"
    );
    assert_eq!(calls[0]["path"], "/v1/me");
    sandbox
        .ntro("proxy log --verify")
        .run()
        .success()
        .says("lines are whole")
        .done();
    sandbox.assert_nowhere(&key.key);
    child.assert_nowhere(&key.key);
}

#[test]
fn tokens_are_tripwires() {
    let (authority, key, sandbox) = stage(Provider::Ontora);
    let tripped = || {
        let status = sandbox.ntro("auth status -o json").run().success();
        status.json()[0]["tripped_at"].clone()
    };
    let proxy = Proxying::start(&sandbox, &["--child", "one", "--child", "two"]);
    let begun = Instant::now();
    while tripped().is_null() {
        assert!(begun.elapsed() < Duration::from_secs(20));
        let token = proxy.summary["children"][1]["token"].as_str().unwrap();
        let leaked = sandbox.ntro("auth whoami --host").arg(authority.origin());
        leaked.env("NTRO_API_KEY", token).run().exits(4).done();
    }
    assert!(proxy.end().success());
    // A key has at most 100.
    let header = format!("x-api-key: {}", key.key);
    let path = "/v1/api-keys/current/tripwires";
    let is_refused = |number: u32| {
        let body = format!(r#"{{"sha256": "{number:064x}", "expires_in_seconds": 600}}"#);
        let asked = wire::ask(authority.address(), "POST", path, &header, &body);
        asked.unwrap().0 == 409
    };
    assert!((0..100).any(is_refused));
    let proxy = Proxying::start(&sandbox, &[]);
    let begun = Instant::now();
    let note = "note: the server will not report leaked tokens of this proxy: ";
    while !fs::read_to_string(sandbox.home().join("proxy.stderr"))
        .unwrap()
        .contains(note)
    {
        assert!(begun.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(20));
    }
    let answer = proxy.get("/v1/api-keys/current");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let exec = sandbox.ntro("exec --keyless --seal off -- true").run();
    assert_eq!(exec.success().stderr, "");
}

#[test]
fn text_can_be_evaluated() {
    let stub = Stub::ntropii(&["acme"]);
    let sandbox = logged_in(&stub.host(), Provider::Ntropii, "ntro_prod_good_canary");
    let mut command = Command::new("sh");
    sandbox.prepare(&mut command);
    let script = format!(
        "'{}' proxy > out & proxy=$!; until grep -q NTRO_TENANT out; do sleep 0.1; done; \
         kill $proxy; wait $proxy; eval \"$(grep ^export out)\"; \
         echo \"$NTRO_HOST $NTRO_TENANT\" \"$NTRO_API_KEY\"; cat out",
        env!("CARGO_BIN_EXE_ntro")
    );
    let output = command.args(["-c", &script]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let first = text.lines().next().unwrap();
    assert!(first.starts_with("http://127.0.0.1:"), "{text}");
    assert!(first.contains("/v1 acme ntro_px_"), "{text}");
    assert!(
        text.contains("✓ proxy for `local` (http://127.0.0.1:"),
        "{text}"
    );
    assert!(!text.contains("canary"), "{text}");
}

#[test]
fn rotated_key_is_used_at_once() {
    let (authority, key, sandbox) = stage(Provider::Ontora);
    let proxy = Proxying::start(&sandbox, &[]);
    assert!(
        proxy
            .get("/v1/api-keys/current")
            .starts_with("HTTP/1.1 200")
    );
    for rotation in 0..2 {
        if rotation > 0 {
            // The proxy does not look again before.
            thread::sleep(Timeouts::default().reread);
        }
        sandbox.ntro("auth rotate").run().success().done();
        let answer = proxy.get("/v1/api-keys/current");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert_eq!(authority.live_keys(TENANT).len(), 1);
    assert!(!authority.live_keys(TENANT).contains(&key.prefix));
    sandbox.assert_nowhere(&key.key);
}

#[test]
fn rules_are_obeyed() {
    let (_authority, _key, sandbox) = stage(Provider::Ntropii);
    // A rule does not apply to the call that proves the key.
    let options = [
        "--read-only",
        "--allow",
        "GET /v1/workspace/*",
        "--deny",
        "* /v1/*/acme*",
    ];
    let proxy = Proxying::start(&sandbox, &options);
    assert!(
        proxy
            .get("/v1/workspace/tenants")
            .starts_with("HTTP/1.1 200")
    );
    for (path, reason) in [
        ("/v1/me", "no `--allow` rule has it"),
        (
            "/v1/workspace/tenants/acme-fund-admin",
            "`--deny '* /v1/*/acme*'` refuses it",
        ),
    ] {
        let answer = proxy.get(path);
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        assert!(answer.contains(reason), "{answer}");
    }
    drop(proxy);
    for (options, error) in [
        ("--allow /v1/*", "is not a method and a path"),
        ("--allow get", "is not a method and a path"),
        (
            "--listen 0.0.0.0:0",
            "other machines could reach that address",
        ),
        ("--child a --child a", "`--child a` is given twice"),
        ("--socket x --listen 127.0.0.1:0", "cannot be used with"),
    ] {
        sandbox
            .ntro("proxy")
            .args(options)
            .run()
            .exits(2)
            .complains(error)
            .done();
    }
    let outside = sandbox.ntro("proxy --deny").arg("GET /me").run();
    outside
        .exits(2)
        .complains("the rule `GET /me` matches no call: all paths begin with `/v1`")
        .done();
}

#[test]
fn key_is_proved_first() {
    let (authority, key, sandbox) = stage(Provider::Ntropii);
    authority.revoke(&key);
    let refused = sandbox.ntro("proxy").run().exits(4);
    refused
        .complains("Invalid or missing API key (HTTP 401)")
        .complains("--no-check")
        .done();
    let proxy = Proxying::start(&sandbox, &["--no-check"]);
    assert!(proxy.get("/v1/me").starts_with("HTTP/1.1 401"));
    drop(proxy);
    drop(authority);
    sandbox
        .ntro("proxy")
        .run()
        .exits(6)
        .complains("cannot connect to")
        .done();
    sandbox.ntro("proxy -c absent").run().exits(3).done();
    Sandbox::new().ntro("proxy").run().exits(3).done();
}

/// Returns a server that never answers, and a home with a connection to it.
fn silent_stage() -> (TcpListener, Sandbox) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let sandbox = Sandbox::new();
    sandbox.write_config(&format!(
        "default_connection_name = \"local\"\n[connections.local]\nhost = \"http://{}\"\napi_key = \"ntro_prod_good_canary\"\n",
        server.local_addr().unwrap()
    ));
    (server, sandbox)
}

#[test]
fn signal_ends_check() {
    let (server, sandbox) = silent_stage();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ntro"));
    sandbox.prepare(&mut command);
    let mut child = command
        .arg("proxy")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (_call, _) = server.accept().unwrap();
    let start = Instant::now();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn keyless_policy_allows_proxy() {
    let (_authority, key, sandbox) = stage(Provider::Ntropii);
    sandbox
        .ntro("auth set local --policy keyless")
        .run()
        .success()
        .done();
    sandbox.ntro("auth token").run().exits(5).done();
    let proxy = Proxying::start(&sandbox, &[]);
    assert!(proxy.get("/v1/me").starts_with("HTTP/1.1 200"));
    sandbox.assert_nowhere(&key.key);
}

#[test]
fn socket_is_private() {
    let (_authority, _key, sandbox) = stage(Provider::Ntropii);
    let folder = sandbox.home().join("private");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let path = folder.join("proxy.sock");
    let socket = path.to_str().unwrap();
    let open = sandbox.ntro("proxy --socket").arg(socket).run();
    open.exits(3)
        .complains("other users can reach the folder")
        .complains("chmod 700")
        .done();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    let proxy = Proxying::start(&sandbox, &["--socket", socket]);
    assert_eq!(proxy.summary["socket"], socket);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let call = || {
        let mut stream = UnixStream::connect(&path).unwrap();
        let token = proxy.token();
        write!(
            stream,
            "GET /v1/me HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(call().starts_with("HTTP/1.1 200"));
    sandbox
        .ntro("proxy --socket")
        .arg(socket)
        .run()
        .exits(9)
        .done();
    assert!(call().starts_with("HTTP/1.1 200"));
    // A killed proxy leaves its socket, and the next one replaces it.
    proxy.signal(Signal::KILL);
    drop(proxy);
    assert!(path.exists());
    let proxy = Proxying::start(&sandbox, &["--socket", socket]);
    assert!(proxy.end().success());
    assert!(!path.exists());
}

#[test]
fn draining_proxy_leaves_next_socket() {
    let (server, sandbox) = silent_stage();
    let folder = sandbox.home().join("private");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    let path = folder.join("proxy.sock");
    let options = ["--no-check", "--socket", path.to_str().unwrap()];
    let proxy = Proxying::start(&sandbox, &options);
    let mut stream = UnixStream::connect(&path).unwrap();
    write!(
        stream,
        "GET /me HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
        proxy.token()
    )
    .unwrap();
    let (call, _) = server.accept().unwrap();
    proxy.signal(Signal::TERM);
    // It listens no longer, and waits for the call.
    while UnixStream::connect(&path).is_ok() {
        thread::sleep(Duration::from_millis(10));
    }
    let next = Proxying::start(&sandbox, &options);
    drop(call);
    assert!(proxy.end().success());
    assert!(UnixStream::connect(&path).is_ok());
    assert!(next.end().success());
    assert!(!path.exists());
}

#[test]
fn kill_leaves_whole_log() {
    let (_authority, _key, sandbox) = stage(Provider::Ntropii);
    for _ in 0..5 {
        let proxy = Proxying::start(&sandbox, &[]);
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(150) {
            proxy.get("/v1/me");
        }
        proxy.signal(Signal::KILL);
        drop(proxy);
        sandbox.ntro("proxy log --verify").run().success().done();
    }
    let path = sandbox.ntro_home().join("proxy.log");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("/v1/me", "/v1/we", 1)).unwrap();
    let broken = sandbox.ntro("proxy log --verify").run().exits(1);
    broken
        .complains("line 2 of")
        .complains("which was changed")
        .done();
}

#[test]
fn log_is_printed() {
    let stub = Stub::start(|request| match request.path.as_str() {
        "/v1/me?x=1" => Reply::Json(200, json!({"id": "u"})),
        _ => Reply::Json(404, json!({"message": "none"})),
    });
    let sandbox = Sandbox::new();
    sandbox
        .ntro("proxy log")
        .run()
        .success()
        .complains("No calls are logged yet.")
        .done();
    assert_eq!(
        sandbox.ntro("proxy log -o json").run().success().json(),
        json!([])
    );
    assert_eq!(sandbox.files(), Vec::<String>::new());
    sandbox.write_config(&format!(
        "default_connection_name = \"local\"\n[connections.local]\nhost = \"{}\"\napi_key = \"ntro_prod_good_canary\"\n",
        stub.host()
    ));
    let proxy = Proxying::start(&sandbox, &["--no-check", "--read-only"]);
    proxy.get("/v1/me?x=1");
    proxy.get("/v1/absent");
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    let address = proxy.address();
    write!(
        stream,
        "POST /v1/me HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    assert!(proxy.end().success());
    let transcript = sandbox.ntro("proxy log").transcript();
    insta::assert_snapshot!(transcript, @r"
    exit code: 0
    ----- stdout -----
    TIME                  CHILD    METHOD  PATH        STATUS  SENT  RECEIVED  DECISION
    [TIME]  default  GET     /v1/me      200     0     10        forwarded
    [TIME]  default  GET     /v1/absent  404     0     18        forwarded
    [TIME]           POST    /v1/me      401     0     0         refused: invalid_api_key
    ");
    let last = sandbox
        .ntro("proxy log --last 1 -o json")
        .run()
        .success()
        .json();
    assert_eq!(last.as_array().unwrap().len(), 1);
    assert_eq!(last[0]["reason"], "invalid_api_key");
}

/// Answers with as many bytes as the path asks for, and counts those of a request.
fn counting_server() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || count(stream.unwrap()));
        }
    });
    address
}

fn count(stream: TcpStream) {
    const CHUNK: usize = 64 << 10;

    let mut reader = BufReader::with_capacity(1 << 20, stream.try_clone().unwrap());
    let mut writer = stream;
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let path = line.split(' ').nth(1).unwrap().to_owned();
    let mut is_chunked = false;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        is_chunked |= header
            .to_ascii_lowercase()
            .starts_with("transfer-encoding: chunked");
        if header == "\r\n" {
            break;
        }
    }
    let mut received = 0_u64;
    while is_chunked {
        let mut size = String::new();
        reader.read_line(&mut size).unwrap();
        let size = u64::from_str_radix(size.trim(), 16).unwrap();
        std::io::copy(&mut (&mut reader).take(size + 2), &mut std::io::sink()).unwrap();
        received += size;
        is_chunked = size > 0;
    }
    let wanted: usize = path.rsplit('/').next().unwrap().parse().unwrap_or(0);
    write!(writer, "HTTP/1.1 200 OK\r\nx-received: {received}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
    let mut chunk = format!("{CHUNK:x}\r\n").into_bytes();
    chunk.extend(vec![b'n'; CHUNK]);
    chunk.extend(b"\r\n");
    for _ in 0..wanted / CHUNK {
        writer.write_all(&chunk).unwrap();
    }
    writer.write_all(b"0\r\n\r\n").unwrap();
}

/// `NTRO_TEST_TRANSFER` sets the number of MiB for each direction.
#[test]
fn transfers_need_bounded_memory() {
    let megabytes = std::env::var("NTRO_TEST_TRANSFER").ok();
    let size = megabytes.map_or(64, |text| text.parse::<usize>().unwrap()) << 20;
    let address = counting_server();
    let sandbox = Sandbox::new();
    sandbox.write_config(&format!(
        "default_connection_name = \"local\"\n[connections.local]\nhost = \"http://{address}\"\napi_key = \"ntro_prod_good_canary\"\n"
    ));
    let proxy = Proxying::start(&sandbox, &["--no-check"]);
    proxy.get("/0");
    let before = proxy.peak();
    let answer = proxy.get(&format!("/{size}"));
    assert!(answer.len() > size, "{}", answer.len());
    drop(answer);
    let mut stream = TcpStream::connect(proxy.address()).unwrap();
    write!(
        stream,
        "PUT /0 HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
        proxy.address(),
        proxy.token()
    )
    .unwrap();
    let mut chunk = format!("{:x}\r\n", 1 << 16).into_bytes();
    chunk.extend(vec![b'n'; 1 << 16]);
    chunk.extend(b"\r\n");
    for _ in 0..size >> 16 {
        stream.write_all(&chunk).unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.contains(&format!("x-received: {size}\r\n")),
        "{answer}"
    );
    let peak = proxy.peak();
    crate::support::tell(&format!(
        "{} MiB each way: {before} MiB before, {peak} MiB at most",
        size >> 20
    ));
    // Most of an unoptimised program's memory is its own code.
    assert!(
        peak < before + 12,
        "{before} MiB before, {peak} MiB at most"
    );
}

#[test]
fn thousand_event_streams_stay_open() {
    const STREAMS: usize = 1_000;

    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Sends an event on all streams once all are open.
    let server = thread::spawn(move || {
        let mut open: Vec<TcpStream> = listener
            .incoming()
            .take(STREAMS)
            .map(|stream| {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 0\n\n";
                stream.write_all(head.as_bytes()).unwrap();
                stream
            })
            .collect();
        for stream in &mut open {
            stream.write_all(b"data: last\n\n").unwrap();
        }
        open
    });
    let sandbox = Sandbox::new();
    sandbox.write_config(&format!(
        "default_connection_name = \"local\"\n[connections.local]\nhost = \"http://{address}\"\napi_key = \"ntro_prod_good_canary\"\n"
    ));
    let proxy = Proxying::start(&sandbox, &["--no-check"]);
    let before = proxy.peak();
    let (host, token) = (proxy.address(), proxy.token());
    let mut streams: Vec<_> = (0..STREAMS)
        .map(|_| {
            let mut stream = TcpStream::connect(&host).unwrap();
            let head = format!(
                "GET /events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream
                .set_read_timeout(Some(Duration::from_secs(30)))
                .unwrap();
            stream
        })
        .collect();
    let open = server.join().unwrap();
    for stream in &mut streams {
        let mut text = Vec::new();
        let mut buffer = [0; 1024];
        while !text.windows(10).any(|part| part == b"data: last") {
            let read = stream.read(&mut buffer).unwrap();
            assert!(read > 0);
            text.extend_from_slice(&buffer[..read]);
        }
    }
    let peak = proxy.peak();
    crate::support::tell(&format!(
        "{STREAMS} streams: {before} MiB before, {peak} MiB at most"
    ));
    assert!(
        peak < before + 100,
        "{before} MiB before, {peak} MiB at most"
    );
    drop(open);
}

/// A program with the variables of a child, and a proxy of the user that does not answer.
fn beside_dead_proxy<'a>(proxy: &Proxying, run: Run<'a>) -> Run<'a> {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let dead = format!("http://{closed}");
    let run = [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "http_proxy",
        "https_proxy",
        "ALL_PROXY",
    ]
    .iter()
    .fold(proxy.around(run), |run, name| run.env(name, &dead));
    run.env("no_proxy", "127.0.0.1,localhost")
}

#[test]
#[ignore = "needs the official clients, curl and node: run scripts/test"]
fn programs_pass_by_other_proxies() {
    let clients = Clients::find();
    let (_authority, key, sandbox) = stage(Provider::Ntropii);
    let proxy = Proxying::start(&sandbox, &[]);
    let child = Sandbox::new();
    let python = clients.path("python");
    let programs: [(&Path, &[&str]); 4] = [
        (
            Path::new("/usr/bin/env"),
            &[
                "sh",
                "-c",
                "curl -sS -H \"Authorization: Bearer $NTRO_API_KEY\" $NTRO_HOST/me",
            ],
        ),
        (
            Path::new("/usr/bin/env"),
            &[
                "node",
                "-e",
                "fetch(process.env.NTRO_HOST + '/me', {headers: {authorization: 'Bearer ' + process.env.NTRO_API_KEY}}).then(r => r.text()).then(console.log)",
            ],
        ),
        (
            &python,
            &[
                "-c",
                "import httpx, os; print(httpx.get(os.environ['NTRO_HOST'] + '/me', headers={'Authorization': 'Bearer ' + os.environ['NTRO_API_KEY']}).text)",
            ],
        ),
        (
            &python,
            &[
                "-c",
                "import os; from pip._vendor import requests; print(requests.get(os.environ['NTRO_HOST'] + '/me', headers={'Authorization': 'Bearer ' + os.environ['NTRO_API_KEY']}).text)",
            ],
        ),
    ];
    for (program, arguments) in programs {
        let run = arguments.iter().fold(child.program(program), Run::arg);
        let outcome = beside_dead_proxy(&proxy, run).run().success();
        assert!(outcome.json()["email"].is_string(), "{outcome}");
    }
    child.assert_nowhere(&key.key);
}

#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn official_clients_call_through_proxy() {
    let clients = Clients::find();
    let (authority, key, sandbox) = stage(Provider::Ntropii);
    let proxy = Proxying::start(&sandbox, &[]);
    let child = Sandbox::new();
    let calls =
        json!({"connection": null, "calls": [["identity.whoami_sync"], ["tenants.list_sync", {}]]});
    let sdk = clients.python(&child, "sdk.py").input(calls.to_string());
    let answers = beside_dead_proxy(&proxy, sdk).run().success().json();
    assert_eq!(answers[1]["result"][0]["slug"], TENANT, "{answers}");

    // The command line reads its own configuration alone.
    let host = proxy.summary["url"].as_str().unwrap();
    let login = format!(
        "auth login --no-interactive --name proxied --host {host} --api-key {}",
        proxy.token()
    );
    clients.ntro(&child, &login).run().success().done();
    let run = clients.ntro(&child, "auth test");
    let dead = "http://127.0.0.1:9";
    let run = run
        .env("HTTP_PROXY", dead)
        .env("NO_PROXY", "127.0.0.1,localhost");
    run.run().success().says("✓ Connected as").done();

    let ontora = authority.key(Provider::Ontora, TENANT);
    let other = logged_in(&authority.origin(), Provider::Ontora, &ontora.key);
    let proxy = Proxying::start(&other, &[]);
    let run = beside_dead_proxy(&proxy, clients.ontora(&child, "auth status"));
    run.run().success().says("Scopes: *").done();
    for secret in [&key.key, &ontora.key] {
        child.assert_nowhere(secret);
    }
}
