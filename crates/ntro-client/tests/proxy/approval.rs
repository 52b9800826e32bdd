//! Calls that a person decides on.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use ntro_base::Provider;
use ntro_client::proxy::{
    ApprovalMessage, Approver, AskedCall, Decision, PendingAnswer, Rules, Settings,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::AsyncWriteExt as _;

use crate::support::{Front, TIMEOUT, Upstream, answer, body, read_all, status};

/// What a person does with a call.
type Person = dyn Fn(&AskedCall, PendingAnswer) + Send;

fn asking(approver: Approver) -> impl FnOnce(&mut Settings) {
    move |settings| {
        settings.rules = Rules {
            allow: vec!["GET /v1/me".parse().unwrap()],
            ask: vec!["* /v1/jobs*".parse().unwrap()],
            ..Rules::default()
        };
        settings.approver = approver;
    }
}

/// Starts a person who decides on one call after another.
fn person(
    act: impl Fn(&AskedCall, PendingAnswer) + Send + 'static,
) -> (Approver, Receiver<AskedCall>) {
    let act: Box<Person> = Box::new(act);
    let (calls, waiting) = channel();
    let (seen, all) = channel();
    thread::spawn(move || {
        for stream in waiting {
            let (pending, message) = PendingAnswer::receive(stream).unwrap();
            let ApprovalMessage::Call(call) = message else {
                panic!("{message:?}");
            };
            act(&call, pending);
            let _ = seen.send(call);
        }
    });
    (Approver::Terminal(calls), all)
}

async fn upstream() -> Upstream {
    Upstream::start(|seen| answer("200 OK", &[], &seen.body.len().to_string())).await
}

/// Waits until a question is withdrawn.
fn wait(pending: &PendingAnswer) {
    let mut source = [PollFd::new(pending, PollFlags::IN)];
    let limit = Timespec::try_from(TIMEOUT).unwrap();
    assert_eq!(poll(&mut source, Some(&limit)), Ok(1));
    assert!(pending.is_withdrawn());
}

#[tokio::test]
async fn person_decides_on_calls() {
    let upstream = upstream().await;
    let (approver, calls) =
        person(|call, pending| pending.answer(!call.target.contains("/secret")).unwrap());
    let mut front = Front::start_with(Provider::Ntropii, upstream.address, asking(approver)).await;
    assert_eq!(status(&front.get("/v1/me").await), 200);
    assert!(calls.try_recv().is_err());
    let post = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\n{}Content-Length: 5\r\n\r\nhello",
            front.lines()
        )
    };
    let approved = front.send(post("/v1/jobs%2D1?force=1")).await;
    assert_eq!((status(&approved), body(&approved)), (200, "5"));
    let call = calls.recv().unwrap();
    let expected = AskedCall {
        program: "one".to_owned(),
        pid: Some(7),
        method: "POST".to_owned(),
        target: "/v1/jobs%2D1?force=1".to_owned(),
        rule: "* /v1/jobs*".to_owned(),
        server: format!("http://{}/v1", upstream.address),
        connection: Some("acme".to_owned()),
    };
    assert_eq!(call, expected);
    let refused = front.send(post("/v1/jobs/secret")).await;
    assert_eq!(status(&refused), 403, "{refused}");
    assert!(
        body(&refused).contains(
            "the proxy does not forward `POST /v1/jobs/secret`, which needs a person's approval by `--ask '* /v1/jobs*'`: the person refused it"
        ),
        "{refused}"
    );
    assert!(
        refused.contains("x-ntro-proxy: refused_by_person"),
        "{refused}"
    );
    assert_eq!(upstream.seen().len(), 2);
    front.stop().await;
    let logged: Vec<_> = front.log().entries().unwrap();
    let logged: Vec<_> = logged
        .iter()
        .map(|entry| (entry.decision, entry.approved, entry.reason.as_deref()))
        .collect();
    assert_eq!(
        logged,
        [
            (Decision::Forwarded, false, None),
            (Decision::Forwarded, true, None),
            (Decision::Refused, false, Some("refused_by_person")),
        ]
    );
    assert!(front.log().verify().unwrap().is_ok());
}

#[tokio::test]
async fn call_without_person_is_refused() {
    let upstream = upstream().await;
    let (gone, _) = channel();
    for approver in [Approver::None, Approver::Terminal(gone)] {
        let mut front =
            Front::start_with(Provider::Ntropii, upstream.address, asking(approver)).await;
        let answer = front.get("/v1/jobs").await;
        assert_eq!(status(&answer), 403, "{answer}");
        assert!(
            body(&answer).contains("run `ntro proxy approve` on another terminal"),
            "{answer}"
        );
        front.stop().await;
        let entries = front.log().entries().unwrap();
        assert_eq!(entries[0].reason.as_deref(), Some("no_approver"));
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn undecided_call_is_refused() {
    let upstream = upstream().await;
    let (approver, _calls) = person(|_, pending| drop(pending));
    let front = Front::start_with(Provider::Ntropii, upstream.address, asking(approver)).await;
    let left = front.get("/v1/jobs").await;
    assert_eq!(status(&left), 403, "{left}");
    assert!(body(&left).contains("it was left undecided"), "{left}");

    let (approver, calls) = person(|_, pending| wait(&pending));
    let front = Front::start_with(Provider::Ntropii, upstream.address, |settings| {
        asking(approver)(settings);
        settings.timeouts.answer = Duration::from_millis(20);
    })
    .await;
    let late = front.get("/v1/jobs").await;
    assert_eq!(status(&late), 403, "{late}");
    assert!(body(&late).contains("got no answer within 20ms"), "{late}");
    assert!(late.contains("x-ntro-proxy: unanswered"), "{late}");
    calls.recv_timeout(TIMEOUT).unwrap();
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn program_that_leaves_withdraws_question() {
    let upstream = upstream().await;
    // The second body is never read to its end.
    for request in [
        "GET /v1/jobs HTTP/1.1\r\n",
        "POST /v1/jobs HTTP/1.1\r\nContent-Length: 100000\r\n",
    ] {
        let (begun, has_begun) = tokio::sync::mpsc::unbounded_channel();
        let (approver, calls) = person(move |_, pending| {
            begun.send(()).unwrap();
            wait(&pending);
        });
        let mut has_begun = has_begun;
        let mut front =
            Front::start_with(Provider::Ntropii, upstream.address, asking(approver)).await;
        let mut stream = front.connect().await;
        let request = format!("{request}{}\r\n{}", front.lines(), "x".repeat(5));
        stream.write_all(request.as_bytes()).await.unwrap();
        has_begun.recv().await.unwrap();
        drop(stream);
        tokio::task::spawn_blocking(move || calls.recv_timeout(TIMEOUT).unwrap())
            .await
            .unwrap();
        front.stop().await;
        let entry = &front.log().entries().unwrap()[0];
        assert_eq!(entry.reason.as_deref(), Some("withdrawn"), "{entry:?}");
        assert_eq!((entry.decision, entry.status), (Decision::Refused, None));
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn body_waits_for_answer() {
    const LENGTH: usize = 64 << 20;

    let upstream = upstream().await;
    let (decide, decided): (Sender<()>, _) = channel();
    let (approver, _calls) = person(move |_, pending| {
        decided.recv().unwrap();
        pending.answer(true).unwrap();
    });
    let front = Front::start_with(Provider::Ntropii, upstream.address, asking(approver)).await;
    let mut stream = front.connect().await;
    let head = format!(
        "POST /v1/jobs HTTP/1.1\r\n{}Content-Length: {LENGTH}\r\n\r\n",
        front.lines()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = vec![b'x'; 1 << 16];
    let mut sent = 0;
    // More than the buffers of the system hold.
    while let Ok(written) =
        tokio::time::timeout(Duration::from_millis(500), stream.write(&chunk)).await
    {
        sent += written.unwrap();
        assert!(sent < LENGTH / 2, "the body is read");
    }
    decide.send(()).unwrap();
    while sent < LENGTH {
        let rest = chunk.len().min(LENGTH - sent);
        sent += stream.write(&chunk[..rest]).await.unwrap();
    }
    let answer = read_all(&mut stream).await;
    assert_eq!(
        (status(&answer), body(&answer)),
        (200, &*LENGTH.to_string())
    );
}

#[tokio::test]
async fn waiting_calls_are_bounded() {
    const MOST: usize = 16;

    let upstream = upstream().await;
    let (calls, waiting) = channel();
    let approver = Approver::Terminal(calls);
    let front = Front::start_with(Provider::Ntropii, upstream.address, asking(approver)).await;
    let request = format!("GET /v1/jobs HTTP/1.1\r\n{}\r\n", front.lines());
    let mut streams = Vec::new();
    for _ in 0..MOST {
        let mut stream = front.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        streams.push(stream);
    }
    let (waiting, pending) = tokio::task::spawn_blocking(move || {
        let next = |_| waiting.recv_timeout(TIMEOUT).unwrap();
        let pending: Vec<_> = (0..MOST).map(next).collect();
        (waiting, pending)
    })
    .await
    .unwrap();
    let answer = front.send(&request).await;
    assert_eq!(status(&answer), 429, "{answer}");
    assert!(body(&answer).contains("too many calls wait"), "{answer}");
    let target = format!("/v1/jobs?{}", "x".repeat(2_048));
    let answer = front.get(&target).await;
    assert_eq!(status(&answer), 403);
    assert!(body(&answer).contains("too long to be shown"), "{answer}");
    assert!(waiting.try_recv().is_err());
    for stream in pending {
        let (pending, _) = PendingAnswer::receive(stream).unwrap();
        pending.answer(true).unwrap();
    }
    for mut stream in streams {
        assert_eq!(status(&read_all(&mut stream).await), 200);
    }
}
