use std::fs;
use std::io::Write as _;

use ntro_base::Provider;
use ntro_client::proxy::{CallLog, Decision, LogEntry};

use crate::support::{Front, NTROPII_KEY, TIMEOUT, Upstream, answer, status};

async fn stage() -> (Upstream, Front) {
    let upstream = Upstream::start(|_| answer("200 OK", &[], "hello")).await;
    let front = Front::start(Provider::Ntropii, upstream.address).await;
    (upstream, front)
}

#[tokio::test]
async fn calls_are_logged() {
    let (_upstream, mut front) = stage().await;
    front.get("/v1/me?secret=1").await;
    let upload = format!(
        "POST /v1/%78 HTTP/1.1\r\n{}Content-Length: 3\r\n\r\nxyz",
        front.lines()
    );
    front.send(upload).await;
    front.get("/v2/me").await;
    front.get(&format!("/v1/{NTROPII_KEY}")).await;
    front.get(&format!("/v1/{}", front.token)).await;
    front
        .send(format!(
            "GET /v1/me HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
            front.port
        ))
        .await;
    front.stop().await;
    let entries = front.log().entries().unwrap();
    let shown: Vec<_> = entries
        .iter()
        .map(|entry| {
            (
                entry.sequence,
                entry.child.as_deref().unwrap_or("-"),
                format!("{} {}", entry.method, entry.path),
                entry.status.unwrap(),
                (entry.sent, entry.received),
                entry.decision,
                entry.reason.as_deref().unwrap_or("-"),
            )
        })
        .collect();
    let masked = |text: &str| format!("GET /v1/{}", "*".repeat(text.len()));
    assert_eq!(
        shown,
        [
            (
                1,
                "one",
                "GET /v1/me".to_owned(),
                200,
                (0, 5),
                Decision::Forwarded,
                "-"
            ),
            (
                2,
                "one",
                "POST /v1/x".to_owned(),
                200,
                (3, 5),
                Decision::Forwarded,
                "-"
            ),
            (
                3,
                "one",
                "GET /v2/me".to_owned(),
                403,
                (0, 0),
                Decision::Refused,
                "outside_prefix"
            ),
            (
                4,
                "one",
                masked(NTROPII_KEY),
                200,
                (0, 5),
                Decision::Forwarded,
                "-"
            ),
            (
                5,
                "one",
                masked(&front.token),
                400,
                (0, 0),
                Decision::Refused,
                "malformed_request"
            ),
            (
                6,
                "-",
                "GET /v1/me".to_owned(),
                401,
                (0, 0),
                Decision::Refused,
                "invalid_api_key"
            ),
        ]
    );
    assert_eq!(entries[0].pid, Some(7));
    let text = fs::read_to_string(front.log_path()).unwrap();
    for secret in [NTROPII_KEY, &front.token, "secret", "hello", "xyz"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let checked = front.log().verify().unwrap().unwrap();
    assert_eq!(
        (checked.lines, checked.first, checked.is_incomplete),
        (6, 1, false)
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(front.log_path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn changed_log_is_detected() {
    let (_upstream, mut front) = stage().await;
    for _ in 0..5 {
        front.get("/v1/me").await;
    }
    front.stop().await;
    let path = front.log_path();
    let original = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = original.lines().collect();
    assert_eq!(lines.len(), 5);
    let verify = |text: String| {
        fs::write(&path, text).unwrap();
        CallLog::at(&path).verify().unwrap()
    };
    let join = |lines: &[&str]| {
        lines
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    assert_eq!(verify(original.clone()).unwrap().lines, 5);
    // Edited: the line after it shows it.
    let edited = lines[1].replace("/v1/me", "/v1/we");
    let broken = verify(join(&[lines[0], &edited, lines[2], lines[3], lines[4]])).unwrap_err();
    assert_eq!(broken.line, 3);
    assert!(
        broken
            .to_string()
            .ends_with("has not the hash of the line before, which was changed")
    );
    // Removed, at the front and in the middle.
    assert_eq!(verify(join(&lines[1..])).unwrap_err().line, 1);
    assert_eq!(verify(join(&[lines[0], lines[2]])).unwrap_err().line, 2);
    // Exchanged.
    assert_eq!(
        verify(join(&[lines[0], lines[2], lines[1]]))
            .unwrap_err()
            .line,
        2
    );
    // Cut off in the middle, and written on.
    let half = &lines[1][..40];
    assert_eq!(
        verify(format!("{}\n{half}\n{}\n", lines[0], lines[2]))
            .unwrap_err()
            .line,
        2
    );
    assert_eq!(
        verify(format!("{}\n{half}{}\n", lines[0], lines[2]))
            .unwrap_err()
            .line,
        2
    );
    // Cut off at the end, as a kill may leave it.
    let checked = verify(format!("{}\n{half}", lines[0])).unwrap();
    assert_eq!((checked.lines, checked.is_incomplete), (1, true));
    // Too long to be a line of the log, and not the last one.
    let long = "x".repeat(32 << 10);
    let inserted = format!("{}\n{long}{}\n", lines[0], lines[1]);
    assert_eq!(verify(inserted).unwrap_err().line, 2);
    assert_eq!(verify(String::new()).unwrap().lines, 0);
    assert_eq!(verify("junk\n".to_owned()).unwrap_err().line, 1);
}

#[tokio::test]
async fn incomplete_line_is_removed_by_next_writer() {
    let (upstream, mut front) = stage().await;
    front.get("/v1/me").await;
    front.stop().await;
    let path = front.log_path();
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"sequence\":2,\"ti").unwrap();
    let log = path.clone();
    let mut next = Front::start_with(Provider::Ntropii, upstream.address, move |settings| {
        settings.log = Some(log);
    })
    .await;
    next.get("/v1/me").await;
    next.stop().await;
    let checked = CallLog::at(&path).verify().unwrap().unwrap();
    assert_eq!((checked.lines, checked.is_incomplete), (2, false));
}

#[tokio::test]
async fn several_writers_share_chain() {
    let (upstream, mut front) = stage().await;
    let path = front.log_path();
    let mut fronts = Vec::new();
    for _ in 0..3 {
        let log = path.clone();
        fronts.push(
            Front::start_with(Provider::Ntropii, upstream.address, move |settings| {
                settings.log = Some(log);
            })
            .await,
        );
    }
    for _ in 0..20 {
        for front in fronts.iter().chain([&front]) {
            front.get("/v1/me").await;
        }
    }
    front.stop().await;
    for front in &mut fronts {
        front.stop().await;
    }
    assert_eq!(CallLog::at(&path).verify().unwrap().unwrap().lines, 80);
}

#[tokio::test]
async fn log_is_rotated() {
    let (upstream, mut front) = stage().await;
    front.get("/v1/me").await;
    front.stop().await;
    let path = front.log_path();
    // Makes each log too large, with lines of the same chain.
    for round in 0..7 {
        let log = path.clone();
        let mut front = Front::start_with(Provider::Ntropii, upstream.address, move |settings| {
            settings.log = Some(log);
        })
        .await;
        let long = "x".repeat(2_000);
        let requests = (0..2_200).map(|_| {
            format!(
                "GET /v2/{long} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{}\r\n\r\n",
                front.port,
                front.credential()
            )
        });
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = front.connect().await;
        let mut buffer = vec![0; 1 << 16];
        for request in requests {
            stream.write_all(request.as_bytes()).await.unwrap();
            assert!(stream.read(&mut buffer).await.unwrap() > 0);
        }
        drop(stream);
        front.stop().await;
        let checked = CallLog::at(&path).verify().unwrap();
        let checked = checked.unwrap_or_else(|broken| panic!("{round}: {broken}"));
        assert!(round != 0 || checked.first == 1, "{checked:?}");
        assert!(round != 6 || checked.first > 1, "{checked:?}");
    }
    let files = fs::read_dir(front.folder.path()).unwrap();
    let mut names: Vec<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        "proxy.lock",
        "proxy.log",
        "proxy.log.1",
        "proxy.log.2",
        "proxy.log.3",
        "proxy.log.4",
    ];
    assert_eq!(names, expected);
    // A log is missing in between.
    fs::remove_file(front.folder.path().join("proxy.log.2")).unwrap();
    let broken = CallLog::at(&path).verify().unwrap().unwrap_err();
    assert!(broken.to_string().contains("lines are missing"), "{broken}");
}

#[tokio::test]
async fn unknown_callers_cannot_fill_log() {
    let (_upstream, mut front) = stage().await;
    let request = format!(
        "GET /v1/me HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
        front.port
    );
    for _ in 0..150 {
        assert_eq!(status(&front.send(&request).await), 401);
    }
    front.get("/v1/me").await;
    front.stop().await;
    let entries = front.log().entries().unwrap();
    // A new minute may begin meanwhile.
    assert!((61..=121).contains(&entries.len()), "{}", entries.len());
    let omitted: u64 = entries.iter().map(|entry| entry.omitted).sum();
    assert_eq!(entries.len() as u64 + omitted, 151);
    assert_eq!(entries.last().unwrap().child.as_deref(), Some("one"));
}

#[cfg(unix)]
#[tokio::test]
async fn no_call_goes_unlogged() {
    let (upstream, mut front) = stage().await;
    let repair = break_log(front.log_path());
    assert_eq!(status(&front.get("/v1/me").await), 200);
    refused_with(&front, "log_unavailable").await;
    let answer = front.get("/v1/me").await;
    assert_eq!(status(&answer), 503, "{answer}");
    assert!(answer.contains("log_unavailable"));
    assert_eq!(upstream.seen().len(), 1);
    repair();
    refused_with(&front, "outside_prefix").await;
    assert_eq!(status(&front.get("/v1/me").await), 200);
    front.stop().await;
    // Refused calls are counted meanwhile, since their number has no limit.
    let entries = front.log().entries().unwrap();
    let forwarded = |entry: &&LogEntry| entry.decision == Decision::Forwarded;
    assert_eq!(entries.iter().filter(forwarded).count(), 2);
    assert!(entries.iter().any(|entry| entry.omitted > 0), "{entries:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn proxy_ends_while_log_is_broken() {
    let (_upstream, mut front) = stage().await;
    let repair = break_log(front.log_path());
    front.get("/v1/me").await;
    refused_with(&front, "log_unavailable").await;
    front.stop().await;
    repair();
}

/// Makes a log impossible to write. Returns the function that repairs it.
#[cfg(unix)]
fn break_log(path: std::path::PathBuf) -> impl FnOnce() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    let set_mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    // Permissions do not bind root: a folder in place of the log does.
    let is_root = ntro_base::disk::is_root();
    if is_root {
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
    } else {
        set_mode(&path, 0o400);
    }
    move || match is_root {
        true => fs::remove_dir(&path).unwrap(),
        false => set_mode(&path, 0o600),
    }
}

/// Makes calls that are not forwarded in any case until they are refused for this reason.
#[cfg(unix)]
async fn refused_with(front: &Front, reason: &str) {
    let calls = async { while !front.get("/v2/me").await.contains(reason) {} };
    let waited = tokio::time::timeout(TIMEOUT, calls).await;
    waited.expect("the calls are refused for the reason");
}
