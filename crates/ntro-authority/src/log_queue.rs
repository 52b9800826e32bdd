//! A log that never delays a request: lines wait in a bounded queue for the thread that writes them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use crate::metrics::METRICS;

/// Lines that wait; further ones are dropped and counted.
const LONGEST_QUEUE: usize = 8_192;
/// How long the end of the process waits for the last lines.
const FLUSH: Duration = Duration::from_secs(1);

/// A queue of lines for a file or standard error. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LogQueue(SyncSender<Order>);

#[derive(Debug)]
enum Order {
    Line(Vec<u8>),
    Reopen,
    Flush(SyncSender<()>),
}

enum Output {
    Stderr,
    File(File, PathBuf),
}

impl LogQueue {
    /// Starts a log on standard error.
    pub fn to_stderr() -> io::Result<Self> {
        Self::start(Output::Stderr)
    }

    /// Starts a log at the end of a file, which is made for owner and group if it is missing.
    pub fn to_file(path: PathBuf) -> io::Result<Self> {
        Self::start(Output::File(open(&path)?, path))
    }

    fn start(output: Output) -> io::Result<Self> {
        let (sender, orders) = sync_channel(LONGEST_QUEUE);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || output.write(&orders))?;
        Ok(Self(sender))
    }

    /// Queues a line, which ends with a line feed, or drops it if the queue is full.
    pub fn push(&self, line: Vec<u8>) {
        if self.0.try_send(Order::Line(line)).is_err() {
            METRICS.log_lines_dropped.add(1);
        }
    }

    /// Opens the file again, after it was moved away.
    pub fn reopen(&self) {
        // With a full queue, the next signal reopens it.
        let _ = self.0.try_send(Order::Reopen);
    }

    /// Waits until all lines are written, for a bounded time.
    pub fn flush(&self) {
        let (sender, done) = sync_channel(1);
        if self.0.try_send(Order::Flush(sender)).is_ok() {
            let _ = done.recv_timeout(FLUSH);
        }
    }
}

impl Output {
    /// Writes lines until all queues are gone; as many as there are in one system call.
    fn write(mut self, orders: &Receiver<Order>) {
        let mut lines = Vec::new();
        while let Ok(first) = orders.recv() {
            let mut count = 0;
            for order in std::iter::once(first).chain(orders.try_iter().take(LONGEST_QUEUE)) {
                match order {
                    Order::Line(mut line) => {
                        count += 1;
                        lines.append(&mut line);
                    }
                    Order::Reopen => {
                        self.send(&mut lines, &mut count);
                        self.reopen();
                    }
                    Order::Flush(done) => {
                        self.send(&mut lines, &mut count);
                        let _ = done.send(());
                    }
                }
            }
            self.send(&mut lines, &mut count);
        }
    }

    fn send(&mut self, lines: &mut Vec<u8>, count: &mut usize) {
        let written = match self {
            Self::Stderr => io::stderr().write_all(lines),
            Self::File(file, _) => file.write_all(lines),
        };
        if written.is_err() {
            METRICS.log_lines_dropped.add(*count);
        }
        lines.clear();
        *count = 0;
    }

    fn reopen(&mut self) {
        if let Self::File(file, path) = self {
            match open(path) {
                Ok(opened) => *file = opened,
                Err(error) => tracing::error!(%error, "the log file could not be opened again"),
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moved_file_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let [path, moved] = ["access.log", "access.log.1"].map(|name| folder.path().join(name));
        let log = LogQueue::to_file(path.clone()).unwrap();
        log.push(b"one\n".to_vec());
        log.flush();
        std::fs::rename(&path, &moved).unwrap();
        log.push(b"two\n".to_vec());
        log.reopen();
        log.push(b"three\n".to_vec());
        log.flush();
        assert_eq!(std::fs::read_to_string(moved).unwrap(), "one\ntwo\n");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "three\n");
    }

    #[test]
    fn stuck_log_drops_lines() {
        let (sender, stuck) = sync_channel(2);
        let log = LogQueue(sender);
        let before = METRICS.log_lines_dropped.get();
        for _ in 0..5 {
            log.push(b"line\n".to_vec());
        }
        log.reopen();
        log.flush();
        assert!(METRICS.log_lines_dropped.get() >= before + 3);
        assert_eq!(stuck.try_iter().count(), 2);
    }
}
