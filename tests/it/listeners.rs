//! The listeners of `ntro serve`: Unix sockets, and TLS with HTTP/1.1 and HTTP/2.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;

use rustix::process::Signal;

use crate::support::{ServerFolder, Serving};

/// A certificate of `localhost` and its key, both from `openssl`.
struct Pair {
    chain: PathBuf,
    key: PathBuf,
}

impl Pair {
    fn new(folder: &Path, name: &str) -> Self {
        let pair = Self {
            chain: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
        };
        let made = Command::new("openssl")
            .args(["req", "-x509", "-nodes", "-newkey", "ec", "-days", "2"])
            .args(["-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-subj", &format!("/CN={name}")])
            .args(["-addext", "subjectAltName=DNS:localhost"])
            .args([Path::new("-keyout"), &pair.key])
            .args([Path::new("-out"), &pair.chain])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        pair
    }

    fn serve(&self, folder: &ServerFolder) -> Serving {
        let mut command = folder.command();
        command
            .arg("serve")
            .args([Path::new("--tls-cert"), &self.chain])
            .args([Path::new("--tls-key"), &self.key]);
        command.stderr(Stdio::piped());
        Serving::start(command)
    }

    fn replace(&self, other: &Self) {
        std::fs::copy(&other.key, &self.key).unwrap();
        std::fs::copy(&other.chain, &self.chain).unwrap();
    }

    /// Returns the status, the HTTP version and the body of a request.
    fn curl(&self, server: &Serving, arguments: &[&str]) -> (String, String) {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "60"])
            .args(["--write-out", "\n%{http_version} %{http_code}"])
            .arg("--resolve")
            .arg(format!("localhost:{}:127.0.0.1", server.address.port()))
            .args([Path::new("--cacert"), &self.chain])
            .args(arguments)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap_or_else(|| {
            panic!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr))
        });
        (status.to_owned(), body.to_owned())
    }
}

/// Makes a TLS handshake with `openssl s_client`, and nothing more.
fn handshake(server: &Serving, arguments: &[&str]) -> Output {
    Command::new("openssl")
        .args(["s_client", "-connect", &server.address.to_string()])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Returns the name of the server's certificate.
fn subject(server: &Serving) -> String {
    let shown = String::from_utf8(handshake(server, &[]).stdout).unwrap();
    let subject = shown.lines().find_map(|line| line.strip_prefix("subject="));
    let name = subject.unwrap_or_else(|| panic!("{shown}"));
    name.rsplit('=').next().unwrap().trim().to_owned()
}

/// An open TLS connection, over `openssl s_client`.
struct Open {
    client: Child,
    input: ChildStdin,
    lines: mpsc::Receiver<String>,
}

impl Open {
    fn new(server: &Serving) -> Self {
        let mut client = Command::new("openssl")
            .args([
                "s_client",
                "-quiet",
                "-connect",
                &server.address.to_string(),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(client.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self {
            input: client.stdin.take().unwrap(),
            client,
            lines,
        }
    }

    /// Sends a request and returns the first line of the response.
    fn ask(&mut self) -> String {
        let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
        self.input.write_all(request).unwrap();
        let line = self.lines.iter().find(|line| line.contains("HTTP/1.1 "));
        let line = line.expect("the connection is open");
        // The body before it has no line feed.
        line[line.find("HTTP/").unwrap()..].trim().to_owned()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

fn curl_socket(socket: &Path, key: &str) -> Output {
    Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "60"])
        .args(["--write-out", " %{http_code}", "--unix-socket"])
        .arg(socket)
        .args(["--header", &format!("authorization: Bearer {key}")])
        .arg("http://localhost/v1/me")
        .output()
        .unwrap()
}

#[test]
#[ignore = "needs curl: run scripts/test"]
fn unix_socket_lives_with_server() {
    let folder = ServerFolder::new();
    let (_, key) = folder.key("ntropii");
    let socket = folder.folder().join("ntro.sock");
    let option = format!("unix:{}", socket.display());
    let server = folder.serve_with(&["--listen", &option]);
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o660);
    let answer = curl_socket(&socket, &key);
    assert!(answer.stdout.ends_with(b" 200"), "{answer:?}");
    assert!(
        curl_socket(&socket, "ntro_prod_x")
            .stdout
            .ends_with(b" 401")
    );
    // The TCP listener answers as well.
    assert_eq!(server.verify(&key), 200);
    // A second server does not take the socket away.
    let other = format!("sqlite:{}", folder.folder().join("other.db").display());
    let refused = folder
        .command()
        .args(["serve", "--database", &other, "--listen", &option])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(9), "{refused:?}");
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(
        error.contains("Address already in use") || error.contains("address in use"),
        "{error}"
    );
    assert!(curl_socket(&socket, &key).stdout.ends_with(b" 200"));
    // What a kill leaves is replaced.
    server.kill();
    assert!(socket.exists());
    let server = folder.serve_with(&["--listen", &option]);
    assert!(curl_socket(&socket, &key).stdout.ends_with(b" 200"));
    assert!(server.end().success());
    assert!(!socket.exists());
}

#[test]
fn socket_replaces_no_other_file() {
    let folder = ServerFolder::new();
    let file = folder.folder().join("notes.txt");
    std::fs::write(&file, "notes").unwrap();
    let option = format!("unix:{}", file.display());
    let refused = folder
        .command()
        .args(["serve", "--listen", &option])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(error.contains("another file is there"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "notes");
}

#[test]
#[ignore = "needs openssl: run scripts/test"]
fn tls_is_version_1_2_at_least() {
    let folder = ServerFolder::new();
    let pair = Pair::new(folder.folder(), "first");
    let server = pair.serve(&folder);
    for (arguments, expected) in [
        (&["-tls1_3", "-alpn", "h2"][..], Some("ALPN protocol: h2")),
        (
            &["-tls1_2", "-alpn", "h2,http/1.1"],
            Some("ALPN protocol: h2"),
        ),
        (
            &["-tls1_2", "-alpn", "http/1.1"],
            Some("ALPN protocol: http/1.1"),
        ),
        (&["-tls1_2"], Some("No ALPN negotiated")),
        (&["-tls1_3", "-alpn", "smtp"], None),
        (&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], None),
        (&["-tls1", "-cipher", "ALL:@SECLEVEL=0"], None),
    ] {
        let output = handshake(&server, arguments);
        let shown = String::from_utf8_lossy(&output.stdout);
        let is_open = shown.contains("subject=CN = first");
        assert_eq!(is_open, expected.is_some(), "{arguments:?}: {shown}");
        let expected = expected.unwrap_or_default();
        assert!(shown.contains(expected), "{arguments:?}: {shown}");
    }
}

#[test]
#[ignore = "needs openssl and curl: run scripts/test"]
fn tls_serves_both_versions_of_http() {
    let folder = ServerFolder::new();
    let (_, key) = folder.key("ntropii");
    let admin = folder.admin_ok("token --expires-in 1h")["token"].clone();
    let admin = format!("authorization: Bearer {}", admin.as_str().unwrap());
    let pair = Pair::new(folder.folder(), "first");
    let server = pair.serve(&folder);
    let url = |path: &str| format!("https://localhost:{}{path}", server.address.port());
    let bearer = format!("authorization: Bearer {key}");
    let huge = format!("x-huge: {}", "a".repeat(60_000));
    let (me, keys) = (url("/v1/me"), url("/v1/api-keys"));
    let text = "content-type: text/plain";
    for (option, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let ask = |arguments: &[&str]| pair.curl(&server, &[&[option], arguments].concat());
        let status = |arguments: &[&str], expected: u16| {
            let (status, body) = ask(arguments);
            assert_eq!(
                status,
                format!("{version} {expected}"),
                "{arguments:?}: {body}"
            );
            body
        };
        status(&["-H", &bearer, &me], 200);
        status(&["-H", &bearer, "--head", &me], 200);
        let refused = status(&["-i", "-H", "authorization: Bearer ntro_prod_x", &me], 401);
        assert!(
            refused
                .to_lowercase()
                .contains("\r\nwww-authenticate: bearer"),
            "{refused}"
        );
        // `Host` is `:authority` in HTTP/2.
        for host in ["user@localhost", "localhost:99999"] {
            let refused = status(&["-H", &format!("host: {host}"), "-H", &bearer, &me], 400);
            assert!(refused.contains("malformed_request"), "{refused}");
        }
        // No transfer coding but `chunked`, of which HTTP/2 has none.
        if version == "1.1" {
            status(
                &["-H", "transfer-encoding: gzip, chunked", "-H", &bearer, &me],
                501,
            );
        }
        status(&["-H", &admin, "-H", text, "--data", "{}", &keys], 415);
        status(
            &[
                "-H",
                &admin,
                "--json",
                &format!("{{{}}}", " ".repeat(70_000)),
                &keys,
            ],
            413,
        );
        let (refused, _) = ask(&["-H", &huge, &me]);
        assert!(refused.ends_with(" 431") || refused == "0 000", "{refused}");
        status(&["-H", &bearer, &me], 200);
    }
    // Without TLS, there is no response.
    let plain = url("/healthz").replace("https", "http");
    assert_eq!(pair.curl(&server, &[&plain]).0, "0 000");
}

#[test]
#[ignore = "needs openssl: run scripts/test"]
fn certificate_reload_keeps_connections() {
    let folder = ServerFolder::new();
    let pair = Pair::new(folder.folder(), "first");
    let second = Pair::new(folder.folder(), "second");
    let third = Pair::new(folder.folder(), "third");
    let mut server = pair.serve(&folder);
    let (sender, logged) = mpsc::channel();
    let log = BufReader::new(server.take_stderr());
    thread::spawn(move || {
        for line in log.lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let wait_for = |text: &str| {
        let line = logged.iter().find(|line| line.contains(text));
        line.unwrap_or_else(|| panic!("not logged: {text}"))
    };
    let mut open = Open::new(&server);
    assert_eq!(open.ask(), "HTTP/1.1 200 OK");
    assert_eq!(subject(&server), "first");

    // A key of another certificate, as between the two writes of a renewal.
    std::fs::copy(&second.key, &pair.key).unwrap();
    server.signal(Signal::HUP);
    let error = wait_for("the certificate stays as it was");
    assert!(error.contains("not the key of the certificate"), "{error}");
    assert_eq!(subject(&server), "first");

    std::fs::copy(&second.chain, &pair.chain).unwrap();
    server.signal(Signal::HUP);
    wait_for("the certificate was loaded again");
    assert_eq!(subject(&server), "second");

    // Without a signal, the change of the files is noticed.
    pair.replace(&third);
    while subject(&server) != "third" {
        thread::yield_now();
    }
    assert_eq!(open.ask(), "HTTP/1.1 200 OK");
    drop(open);
    assert!(server.end().success());
}

#[test]
#[ignore = "needs openssl: run scripts/test"]
fn bad_certificate_is_refused() {
    let folder = ServerFolder::new();
    let pair = Pair::new(folder.folder(), "first");
    let other = Pair::new(folder.folder(), "second");
    let empty = folder.folder().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let missing = folder.folder().join("missing.pem");
    for (chain, key, expected) in [
        (&pair.chain, &other.key, "not the key of the certificate"),
        (&pair.key, &pair.key, "no PEM block of the expected kind"),
        (
            &pair.chain,
            &pair.chain,
            "no PEM block of the expected kind",
        ),
        (&empty, &pair.key, "no PEM block of the expected kind"),
        (&missing, &pair.key, "No such file or directory"),
    ] {
        let refused = folder
            .command()
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args([Path::new("--tls-cert"), chain, Path::new("--tls-key"), key])
            .output()
            .unwrap();
        assert_eq!(refused.status.code(), Some(3), "{refused:?}");
        let error = String::from_utf8(refused.stderr).unwrap();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("PRIVATE KEY"), "{error}");
    }
    let half = folder
        .command()
        .args([Path::new("serve"), Path::new("--tls-cert"), &pair.chain])
        .output()
        .unwrap();
    assert_eq!(half.status.code(), Some(2), "{half:?}");
}
