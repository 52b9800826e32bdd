//! Other tools ask for a key in their own protocols: git, cargo, Bazel, MCP clients, scripts.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::readme::blocks;
use crate::support::{Clients, Mode, Outcome, Sandbox, SecretService, Terminal};

const NTRO: &str = env!("CARGO_BIN_EXE_ntro");
const KEY: &str = "ntro_prod_good_Jf83nd72jfk38dh";
const OTHER: &str = "ntro_prod_other_Kd72jf83ndhfk38";
const ONTORA: &str = "ont_live_good_Jf83nd72jfk38dh";

/// Returns a home with the connection `local`, for this host.
fn logged_in(host: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    log_in(&sandbox, "local", host, KEY);
    sandbox
}

fn log_in(sandbox: &Sandbox, name: &str, host: &str, key: &str) {
    let provider = match key.starts_with("ont_") {
        true => "ontora",
        false => "ntropii",
    };
    let options = format!("--name {name} --store file --no-verify --provider {provider}");
    let default = if name == "local" {
        ""
    } else {
        " --no-set-default"
    };
    sandbox.log_in(&format!("{options}{default}"), host, key);
}

/// Serves a folder, and a git repository in it, over HTTP to callers with the right `Authorization`.
struct Files {
    address: SocketAddr,
    /// The values of `Authorization` that were accepted.
    accepted: Arc<Mutex<Vec<String>>>,
}

impl Files {
    /// `challenges` are the values of `WWW-Authenticate`.
    fn serve(folder: PathBuf, allowed: Vec<String>, challenges: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&accepted);
        // The threads end with the process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (folder, allowed) = (folder.clone(), allowed.clone());
                let record = Arc::clone(&record);
                thread::spawn(move || {
                    // The client may hang up at any time.
                    let _ = serve_one(&stream.unwrap(), &folder, &allowed, challenges, &record);
                });
            }
        });
        Self { address, accepted }
    }

    fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    fn accepted(&self) -> Vec<String> {
        let mut accepted = self.accepted.lock().unwrap().clone();
        accepted.dedup();
        accepted
    }
}

fn serve_one(
    mut stream: &TcpStream,
    folder: &Path,
    allowed: &[String],
    challenges: &[&str],
    record: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let value = |wanted: &str| {
        head.iter().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case(wanted).then(|| value.to_owned())
        })
    };
    let authorization = value("authorization").filter(|value| allowed.contains(value));
    let Some(authorization) = authorization else {
        let challenges = challenges.iter();
        let challenges: String = challenges
            .map(|challenge| format!("www-authenticate: {challenge}\r\n"))
            .collect();
        return write!(
            stream,
            "HTTP/1.1 401 Unauthorized\r\nconnection: close\r\n{challenges}content-length: 0\r\n\r\n"
        );
    };
    record.lock().unwrap().push(authorization);
    let mut words = head[0].split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path.starts_with("/repo.git/") {
        let length = value("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let answer = git_backend(folder, method, path, query, &value, &body)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n")?;
        return stream.write_all(&answer);
    }
    let file = folder.join(path.trim_start_matches('/'));
    let (file, kind) = match file.is_dir() {
        true => (file.join("index.html"), "text/html"),
        false => (file, "application/octet-stream"),
    };
    let (status, body) = match fs::read(file) {
        Ok(bytes) => ("200 OK", bytes),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: {kind}\r\n\
         content-length: {length}\r\n\r\n"
    )?;
    stream.write_all(&body)
}

/// Returns the headers and the body of git's own server.
fn git_backend(
    folder: &Path,
    method: &str,
    path: &str,
    query: &str,
    value: &dyn Fn(&str) -> Option<String>,
    body: &[u8],
) -> std::io::Result<Vec<u8>> {
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", folder)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", value("content-type").unwrap_or_default())
        .env("CONTENT_LENGTH", body.len().to_string())
        .env(
            "HTTP_CONTENT_ENCODING",
            value("content-encoding").unwrap_or_default(),
        )
        .env("GIT_PROTOCOL", value("git-protocol").unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child.stdin.take().unwrap().write_all(body)?;
    Ok(child.wait_with_output()?.stdout)
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn git(sandbox: &Sandbox, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("git");
    sandbox.prepare(&mut command);
    command
        .current_dir(folder)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .args(arguments)
        .output()
        .unwrap()
}

#[track_caller]
fn git_ok(sandbox: &Sandbox, folder: &Path, arguments: &[&str]) {
    let output = git(sandbox, folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

/// Returns a folder with a bare repository.
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::new();
    let work = folder.path().join("work");
    fs::create_dir(&work).unwrap();
    fs::write(work.join("README"), "cloned").unwrap();
    let run = |folder: &Path, line: &str| {
        let arguments: Vec<_> = line.split(' ').collect();
        git_ok(&sandbox, folder, &arguments);
    };
    run(&work, "init --quiet");
    run(&work, "add README");
    run(
        &work,
        "-c user.name=Ada -c user.email=ada@acme.test commit --quiet -m first",
    );
    run(folder.path(), "clone --quiet --bare work repo.git");
    folder
}

#[test]
#[ignore = "needs git: run scripts/test"]
fn git_clones_with_the_key() {
    let repository = repository();
    let plain = format!("!'{NTRO}' helper git");
    // As a git that knows no `authtype`.
    let older = format!("!f() {{ grep -v '^capability' | '{NTRO}' helper git \"$1\"; }}; f");
    let bearer = format!("Bearer {KEY}");
    let password = basic("ntro", KEY);
    for (challenges, helper, expected) in [
        (&["Bearer realm=\"x\""][..], &plain, &bearer),
        (
            &["Bearer realm=\"x\"", "Basic realm=\"x\""][..],
            &plain,
            &bearer,
        ),
        (&["Basic realm=\"x\""][..], &plain, &password),
        (&["Basic realm=\"x\""][..], &older, &password),
    ] {
        let allowed = vec![bearer.clone(), password.clone()];
        let files = Files::serve(repository.path().to_owned(), allowed, challenges);
        let sandbox = logged_in(&files.origin());
        let before = sandbox.contents();
        let url = format!("{}/repo.git", files.origin());
        let setting = format!("credential.helper={helper}");
        let home = sandbox.home();
        git_ok(&sandbox, &home, &["-c", &setting, "clone", "--quiet", &url]);
        let cloned = home.join("repo");
        assert_eq!(fs::read_to_string(cloned.join("README")).unwrap(), "cloned");
        assert_eq!(files.accepted().as_slice(), std::slice::from_ref(expected));
        // The helper stores nothing, and git keeps nothing.
        fs::remove_dir_all(cloned).unwrap();
        assert_eq!(sandbox.contents(), before);
        sandbox.assert_nowhere(KEY);

        // The key of one origin is not given to another.
        let elsewhere = Files::serve(
            repository.path().to_owned(),
            vec![bearer.clone()],
            challenges,
        );
        let url = format!("{}/repo.git", elsewhere.origin());
        let refused = git(&sandbox, &home, &["-c", &setting, "clone", "--quiet", &url]);
        assert!(!refused.status.success());
        assert!(elsewhere.accepted().is_empty());
    }
}

#[test]
fn git_gets_only_keys_of_the_origin() {
    let sandbox = logged_in("https://api.ntropii.com/v1");
    log_in(&sandbox, "research", "https://api.ontora.com", ONTORA);
    let ask = |action: &str, request: &str| {
        let line = format!("helper git {action}");
        sandbox.ntro(&line).input(request).run()
    };
    let get = |request: &str| ask("get", request).success().stdout.clone();
    let modern = "capability[]=authtype\nprotocol=https\nhost=api.ntropii.com\n\n";
    assert_eq!(
        get(modern),
        format!("capability[]=authtype\nauthtype=Bearer\ncredential={KEY}\nephemeral=1\n")
    );
    assert_eq!(
        get("protocol=https\nhost=api.ntropii.com\n"),
        format!("username=ntro\npassword={KEY}\n")
    );
    // The connection is found by its origin.
    assert_eq!(
        get("protocol=https\nhost=api.ontora.com\n"),
        format!("username=ntro\npassword={ONTORA}\n")
    );
    for request in [
        "protocol=https\nhost=api.ntropii.com:444\n",
        "protocol=http\nhost=api.ntropii.com\n",
        "protocol=https\nhost=evil.example\n",
        "protocol=https\nhost=api.ntropii.com@evil.example\n",
        "protocol=ssh\nhost=api.ntropii.com\n",
    ] {
        assert_eq!(get(request), "", "{request}");
    }
    for request in [
        "protocol=https\nhost=evil.example\rhost=api.ntropii.com\n",
        "protocol=https\nhost=\n",
        "host=api.ntropii.com\n",
        "",
    ] {
        ask("get", request)
            .exits(1)
            .complains("the request of git")
            .done();
    }
    for action in ["store", "erase"] {
        let request = format!("{modern}password=x\n");
        assert_eq!(ask(action, &request).success().stdout, "");
    }
    ask("erase", modern).complains("Nothing is erased").done();
    assert_eq!(
        ask("capability", "").stdout,
        "version 0\ncapability authtype\n"
    );
    // A named connection answers for its own origin alone.
    let named = sandbox
        .ntro("helper git get -c research")
        .input(modern)
        .run();
    assert_eq!(named.success().stdout, "");
}

#[test]
fn headers_answer_for_their_origin() {
    let sandbox = logged_in("https://api.ntropii.com/v1");
    log_in(&sandbox, "research", "https://api.ontora.com", ONTORA);
    let variable = "CLAUDE_CODE_MCP_SERVER_URL";
    let bearer = json!({"Authorization": format!("Bearer {KEY}")});
    let api_key = json!({"X-API-Key": ONTORA});
    let headers = |options: &str, url: &str| {
        let line = format!("helper headers {options}");
        sandbox.ntro(&line).env(variable, url).run()
    };
    for (options, url, expected) in [
        ("", "", &bearer),
        ("-c research", "", &api_key),
        ("", "https://api.ntropii.com/v1/mcp?x=1", &bearer),
        ("", "https://api.ontora.com/mcp", &api_key),
        ("--url https://api.ontora.com/mcp", "", &api_key),
        (
            "--url https://api.ontora.com/mcp",
            "https://api.ntropii.com",
            &api_key,
        ),
        ("-o json", "https://api.ntropii.com:443", &bearer),
    ] {
        let outcome = headers(options, url).success();
        let value: Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!(&value, expected, "{options} {url}");
    }
    for (options, url) in [
        ("", "https://evil.example/mcp"),
        ("", "http://api.ntropii.com/mcp"),
        ("", "https://api.ntropii.com.evil.example"),
        ("", "https://api.ntropii.com@evil.example"),
        ("", "not a url"),
        ("-c research", "https://api.ntropii.com/mcp"),
        ("--url https://evil.example", ""),
    ] {
        let refused = headers(options, url).exits(5);
        assert_eq!(refused.stdout, "", "{options} {url}");
    }
    let value = sandbox.ntro("helper json").run().success().json();
    assert_eq!(
        value,
        json!({
            "type": "bearer", "header": "Authorization", "value": format!("Bearer {KEY}"),
            "expires": null,
        })
    );
    let line = "helper json --url https://api.ontora.com/x";
    let value = sandbox.ntro(line).run().success().json();
    assert_eq!(
        (&value["type"], &value["header"]),
        (&json!("api_key"), &json!("X-API-Key"))
    );
    assert_eq!(value["value"], ONTORA);
}

/// The protocol of Bazel, which uv and others speak as well.
#[test]
fn bazel_gets_headers_of_the_origin() {
    let sandbox = logged_in("https://api.ntropii.com/v1");
    let ask = |request: &str| sandbox.ntro("helper bazel get").input(request).run();
    let answer = ask(r#"{"uri": "https://api.ntropii.com/v1/simple/x/", "more": 1}"#).success();
    assert_eq!(
        answer.json(),
        json!({"headers": {"Authorization": [format!("Bearer {KEY}")]}})
    );
    for request in [
        r#"{"uri": "https://evil.example/"}"#,
        r#"{"uri": "https://u:p@api.ntropii.com/"}"#,
    ] {
        assert_eq!(ask(request).exits(5).stdout, "");
    }
    for request in ["", "{}", "[]", r#"{"uri": 7}"#] {
        ask(request)
            .exits(1)
            .complains("the request is not `{\"uri\": …}`")
            .done();
    }
}

#[test]
fn shared_origin_needs_a_name() {
    let host = "https://api.ntropii.com/v1";
    let sandbox = logged_in(host);
    log_in(&sandbox, "second", host, OTHER);
    let ask = |options: &str| {
        let line = format!("helper bazel get {options}");
        sandbox
            .ntro(&line)
            .input(r#"{"uri": "https://api.ntropii.com/x"}"#)
            .run()
    };
    // The default one among them answers.
    assert!(ask("").success().stdout.contains(KEY));
    assert!(ask("-c second").success().stdout.contains(OTHER));
    log_in(&sandbox, "third", "https://api.ontora.com", ONTORA);
    sandbox.ntro("auth use third").run().success().done();
    let refused = ask("").exits(3);
    assert_eq!(refused.stdout, "");
    refused
        .complains("several connections have `https://api.ntropii.com`: `local`, `second`")
        .done();
    assert!(ask("-c local").success().stdout.contains(KEY));
    let named = sandbox
        .ntro("helper bazel get")
        .env("NTRO_CONNECTION", "second")
        .input(r#"{"uri": "https://api.ntropii.com/x"}"#)
        .run();
    assert!(named.success().stdout.contains(OTHER));
}

/// Each helper with a request for the key of `local`.
const EVERY_HELPER: [(&str, &str); 5] = [
    ("helper headers", ""),
    ("helper json", ""),
    ("helper git get", "protocol=https\nhost=api.ntropii.com\n"),
    (
        "helper bazel get",
        r#"{"uri": "https://api.ntropii.com/x"}"#,
    ),
    (
        "--cargo-plugin",
        "{\"v\":1,\"registry\":{\"index-url\":\"sparse+https://api.ntropii.com/index/\"},\"kind\":\"get\",\"args\":[]}\n",
    ),
];

#[test]
fn helpers_obey_the_policy() {
    let sandbox = logged_in("https://api.ntropii.com/v1");
    for (line, request) in EVERY_HELPER {
        let given = sandbox.ntro(line).input(request).run().success();
        assert!(given.stdout.contains(KEY), "{given}");
    }
    for policy in ["keyless", "confirm"] {
        let line = format!("auth set local --policy {policy} --yes");
        sandbox.ntro(&line).run().success().done();
        for (line, request) in EVERY_HELPER {
            let is_cargo = line == "--cargo-plugin";
            let line = match is_cargo {
                true => "helper cargo --no-interactive".to_owned(),
                false => format!("{line} --no-interactive"),
            };
            let refused = sandbox.ntro(&line).input(request).run();
            assert!(!refused.stdout.contains(KEY), "{refused}");
            if is_cargo {
                assert!(refused.stdout.contains("\"kind\":\"other\""), "{refused}");
            } else {
                refused.exits(5).done();
            }
        }
    }
    // The terminal is asked while the pipes carry the protocol.
    let question = "Give the API key of `local` to another program?";
    for (answer, code, given) in [("y", 0, true), ("n", 9, false)] {
        let line =
            "printf 'protocol=https\\nhost=api.ntropii.com\\n' | ntro helper git get > answer";
        let mut terminal = Terminal::shell(&sandbox, line);
        terminal.expect(question).line(answer);
        terminal.end().exits(code).hides(KEY).done();
        let written = fs::read_to_string(sandbox.home().join("answer")).unwrap();
        assert_eq!(written.contains(KEY), given);
    }
}

#[test]
fn key_never_travels_unencrypted() {
    let sandbox = logged_in("http://git.acme.test/v1 --insecure-http");
    let request = "protocol=http\nhost=git.acme.test\n";
    let refused = sandbox.ntro("helper git get").input(request).run();
    assert_eq!(refused.stdout, "");
    refused.complains("would travel unencrypted").done();
}

#[test]
fn cargo_answers_line_by_line() {
    let sandbox = logged_in("https://api.ntropii.com/v1");
    log_in(&sandbox, "second", "https://api.ntropii.com/v1", OTHER);
    let line = |url: &str, kind: &str, args: &str| {
        format!(
            "{{\"v\":1,\"registry\":{{\"index-url\":\"{url}\"}},\"kind\":\"{kind}\",\"args\":{args}}}\n"
        )
    };
    let own = "sparse+https://api.ntropii.com/index/";
    let input = [
        line(own, "get", "[]"),
        line(own, "get", r#"["-c","second"]"#),
        line("sparse+https://index.crates.io/", "get", "[]"),
        line("https://github.com/rust-lang/crates.io-index", "get", "[]"),
        line(own, "login", "[]"),
        line(own, "get", r#"["--evil"]"#),
        "nonsense\n".to_owned(),
    ];
    let outcome = sandbox.ntro("--cargo-plugin").input(input.concat()).run();
    let outcome = outcome.success();
    let mut lines = outcome.stdout.lines();
    assert_eq!(lines.next(), Some("{\"v\":[1]}"));
    let answers: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<_> = answers
        .iter()
        .map(|answer| &answer["Err"]["kind"])
        .collect();
    assert_eq!(answers[0]["Ok"]["token"], format!("Bearer {KEY}"));
    assert_eq!(answers[0]["Ok"]["cache"], "session");
    assert_eq!(answers[1]["Ok"]["token"], format!("Bearer {OTHER}"));
    assert_eq!(kinds[2..4], ["url-not-supported", "url-not-supported"]);
    assert_eq!(kinds[4], "operation-not-supported");
    assert_eq!(kinds[5..], ["other", "other"]);
}

/// A private registry that demands the key for its index and its crates.
#[test]
fn cargo_fetches_from_a_private_registry() {
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path().join("hello-1.0.0");
    fs::create_dir_all(package.join("src")).unwrap();
    let manifest = "[package]\nname = \"hello\"\nversion = \"1.0.0\"\nedition = \"2021\"\n";
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    fs::write(package.join("src/lib.rs"), "").unwrap();
    let packed = Command::new("tar")
        .current_dir(folder.path())
        .args(["czf", "hello.crate", "hello-1.0.0"])
        .status();
    assert!(packed.unwrap().success());
    let bytes = fs::read(folder.path().join("hello.crate")).unwrap();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
    let sum: String = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let served = folder.path().join("served");
    fs::create_dir_all(served.join("index/he/ll")).unwrap();
    fs::create_dir_all(served.join("dl/hello/1.0.0")).unwrap();
    fs::write(served.join("dl/hello/1.0.0/download"), &bytes).unwrap();
    let entry = json!({
        "name": "hello", "vers": "1.0.0", "deps": [], "cksum": sum, "features": {},
        "yanked": false,
    });
    fs::write(served.join("index/he/ll/hello"), format!("{entry}\n")).unwrap();

    let bearer = format!("Bearer {KEY}");
    let files = Files::serve(
        served.clone(),
        vec![bearer.clone()],
        &["Cargo login_url=\"https://crates.acme.test/me\""],
    );
    let config = json!({"dl": format!("{}/dl", files.origin()), "auth-required": true});
    fs::write(served.join("index/config.json"), config.to_string()).unwrap();
    let sandbox = logged_in(&files.origin());

    let project = sandbox.home().join("project");
    fs::create_dir_all(project.join("src")).unwrap();
    fs::write(project.join("src/lib.rs"), "").unwrap();
    let manifest = "[package]\nname = \"project\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n\
                    [dependencies]\nhello = { version = \"1\", registry = \"acme\" }\n";
    fs::write(project.join("Cargo.toml"), manifest).unwrap();
    let fetch = |provider: &str| {
        // The programs themselves: those of rustup look for settings in the home.
        let cargo = PathBuf::from(std::env::var_os("CARGO").unwrap());
        let mut command = Command::new(&cargo);
        sandbox.prepare(&mut command);
        command
            .env("RUSTC", cargo.with_file_name("rustc"))
            .current_dir(&project)
            .arg("fetch")
            .env("CARGO_HOME", sandbox.home().join("cargo"))
            .env("CARGO_NET_RETRY", "0")
            .env(
                "CARGO_REGISTRIES_ACME_INDEX",
                format!("sparse+{}/index/", files.origin()),
            )
            .env("CARGO_REGISTRIES_ACME_CREDENTIAL_PROVIDER", provider)
            .output()
            .unwrap()
    };
    let fetched = fetch(NTRO);
    assert!(fetched.status.success(), "{fetched:?}");
    assert_eq!(files.accepted(), [bearer]);
    assert!(project.join("Cargo.lock").exists());
    let cache = sandbox.files();
    assert!(
        cache.iter().any(|name| name.ends_with("hello-1.0.0.crate")),
        "{cache:?}"
    );
    sandbox.assert_nowhere(KEY);
}

/// uv calls a program `keyring` for the index and its files: that of the page.
#[test]
#[ignore = "needs uv: run scripts/test"]
fn uv_installs_from_a_private_index() {
    const WHEEL: &str = "
import zipfile
with zipfile.ZipFile('hello-1.0-py3-none-any.whl', 'w') as wheel:
    info = 'hello-1.0.dist-info/'
    wheel.writestr('hello.py', 'word = \"installed\"')
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: hello\\nVersion: 1.0\\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(info + 'RECORD', 'hello.py,,\\n')
";
    let clients = Clients::find();
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("simple/hello");
    fs::create_dir_all(&index).unwrap();
    let link = "<a href=\"hello-1.0-py3-none-any.whl\">hello-1.0-py3-none-any.whl</a>";
    fs::write(index.join("index.html"), link).unwrap();
    let password = basic("ntro", KEY);
    let files = Files::serve(
        folder.path().to_owned(),
        vec![password.clone()],
        &["Basic realm=\"x\""],
    );
    let sandbox = logged_in(&files.origin());
    let python = clients.path("python");
    let made = sandbox.program(&python).args("-c").arg(WHEEL);
    made.in_folder(&index).run().success().done();

    let scripts = blocks("docs/helpers.md", "sh");
    let script = scripts.iter().find(|script| script.contains("# keyring"));
    let script = script.unwrap().strip_prefix("#!/bin/sh\n").unwrap();
    sandbox.add_script(
        "keyring",
        &script.replace("ntro helper", &format!("'{NTRO}' helper")),
    );
    let install = |origin: &str| {
        let index = format!("{}/simple", origin.replace("//", "//ntro@"));
        let path = std::env::var("PATH").unwrap();
        let uv = sandbox.program(&clients.path("uv"));
        uv.args("pip install --no-cache --no-config --python")
            .arg(&python)
            .args("--target site --keyring-provider subprocess --index-url")
            .arg(index)
            .arg("hello")
            .env("PATH", format!("{}:{path}", sandbox.home().display()))
            .run()
    };
    install(&files.origin()).success().done();
    let installed = fs::read_to_string(sandbox.home().join("site/hello.py")).unwrap();
    assert_eq!(installed, "word = \"installed\"");
    assert_eq!(files.accepted().as_slice(), std::slice::from_ref(&password));
    sandbox.assert_nowhere(KEY);

    fs::remove_dir_all(sandbox.home().join("site")).unwrap();
    let elsewhere = Files::serve(
        folder.path().to_owned(),
        vec![password],
        &["Basic realm=\"x\""],
    );
    let refused = install(&elsewhere.origin());
    assert_ne!(refused.code, Some(0), "{refused}");
    assert!(elsewhere.accepted().is_empty());
}

/// As Claude Code and Codex run it: a line for a shell, from few variables, without input.
#[test]
fn clients_run_the_headers_helper() {
    let sandbox = logged_in("https://api.ntropii.com/v1");
    let bearer = json!({"Authorization": format!("Bearer {KEY}")});
    let url = "https://api.ntropii.com/v1/mcp";
    let claude = [
        ("CLAUDE_CODE_MCP_SERVER_NAME", "acme"),
        ("CLAUDE_CODE_MCP_SERVER_URL", url),
    ];
    let codex_url = format!("ntro helper headers --url {url}");
    for (line, more) in [
        ("ntro helper headers", &claude[..]),
        (&*codex_url, &[]),
        ("ntro helper headers -c local", &[]),
    ] {
        let begun = Instant::now();
        let outcome = as_client(&sandbox, line, more).success();
        // Claude Code gives up after 10 s.
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert_eq!(outcome.json(), bearer, "{line}");
        assert_eq!(outcome.stderr, "", "{line}");
        let is_text = |value: &Value| value.as_object().unwrap().values().all(Value::is_string);
        assert!(is_text(&outcome.json()));
    }
    // Another server of the same configuration gets nothing, on standard output or in the log.
    let elsewhere = [("CLAUDE_CODE_MCP_SERVER_URL", "https://mcp.example/mcp")];
    let refused = as_client(&sandbox, "ntro helper headers", &elsewhere).exits(5);
    assert_eq!(refused.stdout, "");
    assert!(!refused.stderr.contains(KEY));
}

/// Runs a line as MCP clients do, in the variables that they pass on.
fn as_client(sandbox: &Sandbox, line: &str, more: &[(&str, &str)]) -> Outcome {
    let program = Path::new(NTRO).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let usual = [
        ("HOME", sandbox.home().display().to_string()),
        ("LOGNAME", "ada".to_owned()),
        ("PATH", format!("{}:{path}", program.display())),
        ("SHELL", "/bin/sh".to_owned()),
        ("TERM", "xterm".to_owned()),
        ("USER", "ada".to_owned()),
    ];
    let more = more
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    let run = sandbox.program("env".as_ref()).arg("-i");
    let variables = usual.into_iter().chain(more);
    let run = variables.fold(run, |run, (name, value)| run.arg(format!("{name}={value}")));
    run.args("sh -c").arg(line).run()
}

/// The client is answered before it gives up, and not with half an answer.
#[test]
#[ignore = "needs a Secret Service: run scripts/test"]
fn hung_keyring_ends_headers_helper() {
    let service = SecretService::start(Mode::Hung);
    let mut sandbox = Sandbox::new();
    sandbox.plug_in(&service);
    sandbox.write_config(
        "default_connection_name = 'local'\n[connections.local]\n\
         host = 'https://api.ntropii.com/v1'\nprovider = 'ntropii'\nstore = 'keyring'\n",
    );
    let begun = Instant::now();
    let helper = sandbox.ntro("helper headers").env(
        "CLAUDE_CODE_MCP_SERVER_URL",
        "https://api.ntropii.com/v1/mcp",
    );
    let outcome = helper.run().exits(8);
    assert!(begun.elapsed() < Duration::from_secs(9));
    assert_eq!(outcome.stdout, "");
}
