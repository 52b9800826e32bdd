use std::io::{self, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use ntro_base::env;
use ntro_base::{ApiKey, printable};

/// Enough for the longest key, and for a list of thousands of names.
const LONGEST: usize = 1 << 20;
/// Helper messages are held back for this time, until the exit status is known. Later ones are
/// shown immediately, since the helper may be asking the user to touch a device.
const HOLD_BACK: Duration = Duration::from_millis(500);
/// The time for which processes left by the helper may keep its output open.
const LINGER: Duration = Duration::from_millis(250);

/// The exit status and output of a helper.
pub(super) struct Ran {
    pub(super) status: ExitStatus,
    pub(super) output: Zeroizing<Vec<u8>>,
    pub(super) said: String,
}

pub(super) enum Failure {
    /// It could not be started.
    Start(io::Error),
    /// It exceeded its time limit, and was killed with its child processes.
    Late,
    /// Waiting for its end failed.
    Wait(io::Error),
}

enum Event {
    Said(String),
    End,
}

/// Runs a helper to its end, with the key on standard input if there is one.
pub(super) fn run(
    program: &str,
    arguments: &[String],
    key: Option<&ApiKey>,
    timeout: Duration,
    report: &dyn Fn(&str),
) -> Result<Ran, Failure> {
    let start = Instant::now();
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(if key.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for variable in env::SECRETS {
        command.env_remove(variable.name);
    }
    // A separate process group, so that child processes can be killed with it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(Failure::Start)?;

    let (events, received) = mpsc::channel();
    // Allocated for any key: a growing buffer leaves copies behind.
    let output = Arc::new(Mutex::new(Zeroizing::new(Vec::with_capacity(4_096))));
    if let Some(pipe) = child.stdout.take() {
        let (output, events) = (Arc::clone(&output), events.clone());
        thread::spawn(move || keep(pipe, &output, &events));
    }
    if let Some(pipe) = child.stderr.take() {
        let events = events.clone();
        thread::spawn(move || listen(pipe, &events));
    }
    drop(events);
    if let (Some(mut pipe), Some(key)) = (child.stdin.take(), key) {
        // A key fits into the pipe's buffer. A helper that does not read it is detected later.
        let _ = pipe.write_all(key.expose().as_bytes());
    }

    let mut said = Said {
        text: String::new(),
        shown: 0,
        key,
    };
    let ended = wait(&mut child, &received, start, timeout, &mut said, report);
    let status = match ended {
        Ok(Some(status)) => status,
        Ok(None) => {
            end(&mut child);
            return Err(Failure::Late);
        }
        Err(error) => {
            end(&mut child);
            return Err(Failure::Wait(error));
        }
    };
    let until = Instant::now() + LINGER;
    while let Ok(event) = received.recv_timeout(until.saturating_duration_since(Instant::now())) {
        said.take(event);
    }
    let output = std::mem::take(&mut *output.lock().unwrap_or_else(PoisonError::into_inner));
    if status.success() {
        said.show(report);
    }
    Ok(Ran {
        status,
        output,
        said: said.text,
    })
}

/// Waits for the helper to end; `None` on timeout.
fn wait(
    child: &mut Child,
    received: &Receiver<Event>,
    start: Instant,
    timeout: Duration,
    said: &mut Said<'_>,
    report: &dyn Fn(&str),
) -> io::Result<Option<ExitStatus>> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let left = timeout.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(None);
        }
        match received.recv_timeout(pause.min(left)) {
            Ok(event) => said.take(event),
            Err(RecvTimeoutError::Timeout) => pause = (pause * 2).min(Duration::from_millis(20)),
            // The helper closed its output and keeps running.
            Err(RecvTimeoutError::Disconnected) => thread::sleep(pause.min(left)),
        }
        if start.elapsed() > HOLD_BACK {
            said.show(report);
        }
    }
}

/// Kills the helper and its process group.
fn end(child: &mut Child) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process_group};

        let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// The messages of a helper, and how many were shown.
struct Said<'a> {
    text: String,
    shown: usize,
    key: Option<&'a ApiKey>,
}

impl Said<'_> {
    fn take(&mut self, event: Event) {
        let Event::Said(line) = event else { return };
        if self.text.len() + line.len() > LONGEST {
            return;
        }
        self.text.push_str(&match self.key {
            Some(key) => line.replace(key.expose(), "…"),
            None => line,
        });
    }

    fn show(&mut self, report: &dyn Fn(&str)) {
        let lines = self.text[self.shown..].lines();
        for line in lines.map(|line| printable(line, 500)) {
            if !line.is_empty() {
                report(&line);
            }
        }
        self.shown = self.text.len();
    }
}

fn keep(mut pipe: impl Read, output: &Mutex<Zeroizing<Vec<u8>>>, events: &Sender<Event>) {
    let mut chunk = Zeroizing::new([0; 4_096]);
    while let Ok(length @ 1..) = pipe.read(&mut *chunk) {
        let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
        if output.len() + length > LONGEST {
            break;
        }
        output.extend_from_slice(&chunk[..length]);
    }
    let _ = events.send(Event::End);
}

/// Passes lines on, including line breaks.
fn listen(pipe: impl Read, events: &Sender<Event>) {
    let mut pipe = io::BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        // An overlong line is passed on in parts.
        let mut part = io::Read::take(&mut pipe, 8_192);
        match io::BufRead::read_until(&mut part, b'\n', &mut line) {
            Ok(1..) => {
                let text = String::from_utf8_lossy(&line).into_owned();
                if events.send(Event::Said(text)).is_err() {
                    // The receiver is gone, but the helper may block on a full pipe.
                    let _ = io::copy(&mut pipe, &mut io::sink());
                    return;
                }
            }
            _ => break,
        }
    }
    let _ = events.send(Event::End);
}
