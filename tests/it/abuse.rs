//! Abuse of a real `ntro serve`: the memory it takes, the codes it answers with, and what works
//! meanwhile and afterwards.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};
use serde_json::{Value, json};

use crate::support::{ServerFolder, Serving, tell, wire};

const LOCAL: &str = "accept: */*";
/// The most connections of a server.
const CONNECTIONS: usize = 8_192;
const BODY: usize = 100 * 1024 * 1024;

/// Returns a figure of the server's memory in KiB.
fn memory(server: &Serving, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.unwrap().trim_start_matches(':').trim();
    number.trim_end_matches(" kB").parse().unwrap()
}

/// Asserts that the server's memory peaked at most `most` MiB above `before`.
fn expect_growth(server: &Serving, what: &str, before: u64, most: u64) {
    let growth = memory(server, "VmHWM").saturating_sub(before) / 1024;
    tell(&format!("{what}: {growth} MiB"));
    assert!(growth <= most, "{what}: {growth} MiB, at most {most}");
}

/// Returns a sample of the metrics.
fn metric(server: &Serving, name: &str) -> u64 {
    let page = wire::ask(server.address, "GET", "/metrics", LOCAL, "").unwrap();
    let sample = page.1.lines().find_map(|line| line.strip_prefix(name));
    sample.unwrap().trim().parse().unwrap()
}

fn admin_header(folder: &ServerFolder) -> String {
    let token = folder.admin_ok("token --expires-in 1h")["token"].clone();
    format!("authorization: Bearer {}", token.as_str().unwrap())
}

/// Starts a server with limits.
fn start(folder: &ServerFolder, arguments: &[&str]) -> Serving {
    let mut command = folder.command();
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    command.args(arguments);
    Serving::start_as_is(command)
}

#[test]
fn idle_connections_leave_room() {
    const WANTED: u64 = 10_000;
    const OTHERS: u64 = 1_000;

    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    let possible = limit
        .maximum
        .map_or(WANTED, |most| most.saturating_sub(OTHERS));
    let count = WANTED.min(possible);
    tell(&format!("{count} idle connections of {WANTED}"));
    let folder = ServerFolder::new();
    let (_, key) = folder.key("ntropii");
    let server = folder.serve();
    assert_eq!(server.verify(&key), 200);
    let before = memory(&server, "VmHWM");
    let mut peaks = Vec::new();
    for _ in 0..2 {
        let idle: Vec<_> = (0..count)
            .map(|_| TcpStream::connect(server.address).unwrap())
            .collect();
        for _ in 0..20 {
            let asked = Instant::now();
            assert_eq!(server.verify(&key), 200);
            let took = asked.elapsed();
            assert!(took < Duration::from_secs(10), "{took:?}");
        }
        assert!(metric(&server, "ntro_connections ") <= CONNECTIONS as u64);
        peaks.push(memory(&server, "VmHWM"));
        drop(idle);
        while metric(&server, "ntro_connections ") > 10 {
            thread::sleep(Duration::from_millis(20));
        }
    }
    if count as usize > CONNECTIONS {
        let evicted = metric(&server, "ntro_connections_evicted_total ");
        assert!(evicted > 0, "{evicted}");
    }
    expect_growth(&server, "idle connections", before, 256);
    // The second wave uses the memory of the first.
    assert!(peaks[1] - peaks[0] < (peaks[0] - before) / 2, "{peaks:?}");
}

#[test]
fn slow_senders_are_closed() {
    const SENDERS: usize = 300;

    let folder = ServerFolder::new();
    let (_, key) = folder.key("ntropii");
    let admin = admin_header(&folder);
    let server = folder.serve();
    let body = format!(
        "POST /v1/api-keys HTTP/1.1\r\nhost: a\r\n{admin}\r\ncontent-length: 1000\r\n\r\n{{"
    );
    let mut bodies: Vec<_> = (0..10)
        .map(|_| {
            let mut stream = wire::connect(server.address);
            stream.write_all(body.as_bytes()).unwrap();
            stream
        })
        .collect();
    let started = Instant::now();
    let mut heads: Vec<_> = (0..SENDERS)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream
                .write_all(b"GET /v1/me HTTP/1.1\r\nx-slow: ")
                .unwrap();
            stream
        })
        .collect();
    while !heads.is_empty() {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{}",
            heads.len()
        );
        heads.retain_mut(|stream| stream.write_all(b"a").is_ok());
        assert_eq!(server.verify(&key), 200);
        thread::sleep(Duration::from_millis(500));
    }
    assert!(started.elapsed() > Duration::from_secs(25));
    for stream in &mut bodies {
        assert_eq!(wire::status(&wire::rest(stream)), Some(408));
    }
}

/// Sends a head and endless bytes, and reads the answer meanwhile; returns its status, which a reset
/// of the connection may take away.
fn pour(server: &Serving, head: &str, chunk: &[u8], most: usize) -> Option<u16> {
    let mut stream = wire::connect(server.address);
    let mut reading = stream.try_clone().unwrap();
    let answer = thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4_096];
        while let Ok(read @ 1..) = reading.read(&mut buffer) {
            bytes.extend_from_slice(&buffer[..read]);
        }
        bytes
    });
    let mut sent = 0;
    let mut written = stream.write_all(head.as_bytes());
    while written.is_ok() && sent < most {
        written = stream.write_all(chunk);
        sent += chunk.len();
    }
    if written.is_ok() {
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
    let answer = String::from_utf8_lossy(&answer.join().unwrap()).into_owned();
    wire::status(&answer)
}

#[test]
fn large_bodies_take_no_memory() {
    let folder = ServerFolder::new();
    let (_, key) = folder.key("ntropii");
    let admin = admin_header(&folder);
    let server = folder.serve();
    assert_eq!(server.verify(&key), 200);
    let before = memory(&server, "VmHWM");
    let head = |line: &str, coding: &str| {
        format!("{line} HTTP/1.1\r\nhost: a\r\n{admin}\r\n{coding}\r\n\r\n")
    };
    let length = format!("content-length: {BODY}");
    let mut chunk = format!("{:x}\r\n", 64 * 1024).into_bytes();
    chunk.extend(vec![b'a'; 64 * 1024]);
    chunk.extend(b"\r\n");
    let chunked = "transfer-encoding: chunked";
    let plain = vec![b'a'; 64 * 1024];
    let mut seen = Vec::new();
    thread::scope(|scope| {
        let mut pouring = Vec::new();
        for line in [
            "POST /v1/api-keys",
            "POST /v1/workspace/tenants",
            "POST /v1/introspect",
        ] {
            for (coding, chunk) in [(&*length, &plain), (chunked, &chunk)] {
                for _ in 0..3 {
                    let head = head(line, coding);
                    let server = &server;
                    pouring.push(scope.spawn(move || pour(server, &head, chunk, BODY)));
                }
            }
        }
        assert_eq!(server.verify(&key), 200);
        seen.extend(pouring.into_iter().map(|one| one.join().unwrap()));
    });
    assert!(
        seen.iter()
            .all(|status| matches!(status, None | Some(413 | 415))),
        "{seen:?}"
    );
    assert!(seen.contains(&Some(413)), "{seen:?}");
    // An endpoint that reads no body.
    let bearer = format!("GET /v1/me HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\n");
    let status = pour(&server, &format!("{bearer}{length}\r\n\r\n"), &plain, BODY);
    assert!(matches!(status, None | Some(200)), "{status:?}");
    expect_growth(&server, "bodies of 100 MB", before, 32);
    assert_eq!(server.verify(&key), 200);
}

#[test]
fn header_floods_are_refused() {
    let folder = ServerFolder::new();
    let (_, key) = folder.key("ntropii");
    let server = folder.serve();
    assert_eq!(server.verify(&key), 200);
    let before = memory(&server, "VmHWM");
    let floods: [(&str, &[u8]); 4] = [
        ("GET /v1/me HTTP/1.1\r\nhost: a\r\n", b"a: b\r\n"),
        ("GET /v1/me HTTP/1.1\r\nhost: a\r\nx-long: ", &[b'a'; 4_096]),
        ("GET /", &[b'a'; 4_096]),
        ("", &[b'A'; 4_096]),
    ];
    let mut seen = Vec::new();
    thread::scope(|scope| {
        let mut pouring = Vec::new();
        for (head, chunk) in floods {
            for _ in 0..10 {
                let server = &server;
                pouring.push(scope.spawn(move || pour(server, head, chunk, BODY)));
            }
        }
        assert_eq!(server.verify(&key), 200);
        seen.extend(pouring.into_iter().map(|one| one.join().unwrap()));
    });
    let refused = |status: &Option<u16>| matches!(status, None | Some(400 | 414 | 431));
    assert!(seen.iter().all(refused), "{seen:?}");
    assert!(seen.contains(&Some(431)), "{seen:?}");
    expect_growth(&server, "floods of headers", before, 32);
    assert_eq!(server.verify(&key), 200);
}

/// Sends requests with wrong keys over one connection, with a header each; returns the statuses and
/// the last answer.
fn guess(stream: &mut TcpStream, headers: &[String]) -> (Vec<u16>, String) {
    let request = |header: &String| {
        format!("GET /v1/me HTTP/1.1\r\nhost: a\r\n{header}\r\nauthorization: Bearer guess\r\n\r\n")
    };
    let requests: String = headers.iter().map(request).collect();
    stream.write_all(requests.as_bytes()).unwrap();
    let mut answers = String::new();
    let mut buffer = [0; 64 * 1024];
    while answers.matches("HTTP/1.1 ").count() < headers.len() || !answers.ends_with('}') {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "closed after {answers}");
        answers.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    let each = answers.split("HTTP/1.1 ").skip(1);
    let statuses = each.clone().map(|answer| answer[..3].parse().unwrap());
    (statuses.collect(), each.last().unwrap().to_owned())
}

#[test]
fn key_guessing_is_bounded() {
    /// More than the server has buckets.
    const ADDRESSES: u32 = 20_000;
    const AT_ONCE: u32 = 100;

    let folder = ServerFolder::new();
    let (_, key) = folder.key("ntropii");
    let server = start(&folder, &["--trusted-proxy", "127.0.0.1"]);
    let mut stream = wire::connect(server.address);
    // From one address, which also sends the requests of a live key.
    let same = vec!["x-forwarded-for: 192.0.2.1".to_owned(); 200];
    let (statuses, last) = guess(&mut stream, &same);
    let unknown = statuses.iter().filter(|status| **status == 401).count();
    assert!((60..=80).contains(&unknown), "{statuses:?}");
    assert_eq!(statuses[199], 429);
    let last = last.to_ascii_lowercase();
    for header in [
        "retry-after: 1\r\n",
        "ratelimit-policy: \"address\";q=60;w=60\r\n",
        "ratelimit: \"address\";r=0;t=1\r\n",
    ] {
        assert!(last.contains(header), "{header}: {last}");
    }
    let live = format!("authorization: Bearer {key}\r\n{}", same[0]);
    let (status, _) = wire::ask(server.address, "GET", "/v1/me", &live, "").unwrap();
    assert_eq!(status, 200);
    // From many networks, each with a guess.
    let mut warm = 0;
    for start in (0..ADDRESSES).step_by(AT_ONCE as usize) {
        let header = |number: u32| {
            let (high, low) = (number >> 16, number & 0xffff);
            format!("x-forwarded-for: 2001:db8:{high:x}:{low:x}::1")
        };
        let headers: Vec<_> = (start..start + AT_ONCE).map(header).collect();
        let (statuses, _) = guess(&mut stream, &headers);
        let expected = |status: &u16| matches!(status, 401 | 429);
        assert!(statuses.iter().all(expected), "{statuses:?}");
        if start == 10 * AT_ONCE {
            warm = memory(&server, "VmHWM");
        }
    }
    expect_growth(&server, "guesses from 20,000 networks", warm, 4);
    let (status, _) = wire::ask(server.address, "GET", "/v1/me", &live, "").unwrap();
    assert_eq!(status, 200);
    let limited = metric(&server, "ntro_failures_limited_total ");
    assert!(limited >= 120, "{limited}");
}

/// A server with a full disk, and how its owner makes room.
struct FullDisk<'a> {
    folder: &'a ServerFolder,
    server: Serving,
    make_room: Box<dyn Fn(&Serving)>,
}

impl FullDisk<'_> {
    /// Creates keys until the disk is full and after; asserts that no key that was answered is lost.
    fn fill_and_recover(self) {
        let Self {
            folder,
            server,
            make_room,
        } = self;
        let admin = admin_header(folder);
        let tenants = folder.admin_ok("tenant list");
        let body = json!({"name": "CI", "workspace_id": tenants[0]["id"], "scopes": ["*"]});
        let body = body.to_string();
        let make = || {
            let made = wire::ask(server.address, "POST", "/v1/api-keys", &admin, &body);
            let (status, body) = made.unwrap();
            (status, serde_json::from_str::<Value>(&body).unwrap())
        };
        let mut keys = Vec::new();
        let refused = loop {
            let (status, body) = make();
            if status != 201 {
                break (status, body);
            }
            keys.push(body["key"].as_str().unwrap().to_owned());
            assert!(keys.len() < 10_000, "the disk is never full");
        };
        assert_eq!(refused.0, 503, "{}", refused.1);
        assert_eq!(refused.1["code"], "unavailable");
        for _ in 0..20 {
            assert_eq!(make().0, 503);
        }
        assert_eq!(server.verify(&keys[0]), 200);
        let before = memory(&server, "VmHWM");
        make_room(&server);
        let started = Instant::now();
        loop {
            let (status, body) = make();
            if status == 201 {
                keys.push(body["key"].as_str().unwrap().to_owned());
                break;
            }
            assert_eq!(status, 503, "{body}");
            assert!(started.elapsed() < Duration::from_secs(30), "never again");
            thread::sleep(Duration::from_millis(50));
        }
        tell(&format!(
            "{} keys, again after {:?}",
            keys.len(),
            started.elapsed()
        ));
        while wire::ask(server.address, "GET", "/readyz", LOCAL, "")
            .unwrap()
            .0
            != 200
        {
            assert!(started.elapsed() < Duration::from_secs(30), "never ready");
            thread::sleep(Duration::from_millis(50));
        }
        for key in &keys {
            assert_eq!(server.verify(key), 200);
        }
        expect_growth(&server, "a full disk", before, 16);
        assert!(server.end().success());
    }
}

#[test]
fn full_disk_recovers_without_restart() {
    let folder = ServerFolder::new();
    let mut command = Command::new("sh");
    command.env_clear().env("NTRO_HOME", folder.folder());
    // Ignored signals stay ignored, so that a write fails instead of ending the process.
    let script = "trap '' XFSZ; ulimit -S -f 1200; exec \"$0\" serve \"$@\"";
    command.args(["-c", script, env!("CARGO_BIN_EXE_ntro")]);
    let disk = FullDisk {
        folder: &folder,
        server: Serving::start(command),
        make_room: Box::new(|server| {
            let process = Pid::from_raw(i32::try_from(server.id()).unwrap());
            let unlimited = Rlimit {
                current: None,
                maximum: None,
            };
            prlimit(process, Resource::Fsize, unlimited).unwrap();
        }),
    };
    disk.fill_and_recover();
    let audit = folder.admin("audit verify");
    assert!(audit.status.success(), "{audit:?}");
}

#[test]
#[ignore = "needs to mount a file system: run scripts/test"]
fn full_file_system_recovers_without_restart() {
    const SCRIPT: &str = r#"
set -e
mount -t tmpfs -o size=4m,mode=700 tmpfs "$1/small"
cp -a "$1"/authority.db* "$1/small/"
head -c 2M /dev/zero >"$1/small/ballast"
timeout 300 sh -c 'read -r _ <"$1/room"; rm "$1/small/ballast"' sh "$1" >/dev/null &
ntro=$2 database=sqlite:$1/small/authority.db
shift 2
exec "$ntro" serve --database "$database" "$@"
"#;

    let folder = ServerFolder::new();
    let path = |name: &str| folder.folder().join(name);
    std::fs::create_dir(path("small")).unwrap();
    let made = Command::new("mkfifo").arg(path("room")).status().unwrap();
    assert!(made.success());
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--mount", "sh", "-c", SCRIPT, "sh"]);
    command.arg(folder.folder()).arg(env!("CARGO_BIN_EXE_ntro"));
    command.env("NTRO_HOME", folder.folder());
    let room: PathBuf = path("room");
    let disk = FullDisk {
        folder: &folder,
        server: Serving::start(command),
        make_room: Box::new(move |_| std::fs::write(&room, "\n").unwrap()),
    };
    disk.fill_and_recover();
}
