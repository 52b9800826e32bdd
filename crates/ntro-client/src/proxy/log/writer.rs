use std::fs::{File, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use ntro_base::disk::{self, FileLock};

use super::queue::Queue;
use super::{Decision, KEPT, LARGEST, LONGEST_LINE, LogEntry, NO_HASH, hash};

/// How long to wait after an error.
const RETRY: Duration = Duration::from_millis(500);
/// The calls without a token that are logged in a minute.
const UNKNOWN_CALLERS: u64 = 60;

/// Appends to a log from a separate thread. Clones share it; the last one to be dropped waits
/// until all entries are written.
#[derive(Clone)]
pub(in crate::proxy) struct LogWriter(Arc<Shared>);

struct Shared {
    entries: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
    is_broken: Arc<AtomicBool>,
    /// Refused calls that are not logged.
    omitted: Arc<AtomicU64>,
}

impl LogWriter {
    /// Opens a log, and appends nothing yet.
    pub(in crate::proxy) fn open(path: &Path) -> Result<Self, disk::Error> {
        let mut log = Appender::new(path);
        log.append(&mut Vec::new())?;
        let entries = Arc::new(Queue::default());
        let queue = Arc::clone(&entries);
        let is_broken = Arc::new(AtomicBool::new(false));
        let omitted = Arc::default();
        let flag = Arc::clone(&is_broken);
        let mut limit = CallerLimit::new(Arc::clone(&omitted));
        let thread = std::thread::Builder::new()
            .name("proxy log".to_owned())
            .spawn(move || write_all(&mut log, &mut limit, &queue, &flag))
            .map_err(disk::Error::io("start the thread that writes", path))?;
        Ok(Self(Arc::new(Shared {
            entries,
            thread: Mutex::new(Some(thread)),
            is_broken,
            omitted,
        })))
    }

    /// Returns whether entries cannot be written at present.
    pub(in crate::proxy) fn is_broken(&self) -> bool {
        self.0.is_broken.load(Ordering::Relaxed)
    }

    pub(in crate::proxy) fn write(&self, entry: LogEntry) {
        // Memory is bounded while nothing is written: no further call is forwarded.
        if entry.decision == Decision::Refused && self.is_broken() {
            self.0.omitted.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.0.entries.push(entry);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.entries.close();
        let thread = self.thread.get_mut();
        if let Some(thread) = thread.unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

/// Writes entries in batches until the queue is closed.
fn write_all(log: &mut Appender, limit: &mut CallerLimit, entries: &Queue, is_broken: &AtomicBool) {
    while let Some(taken) = entries.take() {
        let admitted = taken.into_iter().filter_map(|entry| limit.admit(entry));
        let mut batch: Vec<_> = admitted.collect();
        if batch.is_empty() {
            continue;
        }
        // No further calls are accepted meanwhile.
        while let Err(error) = log.append(&mut batch) {
            tracing::error!(%error, "the log of calls cannot be written");
            is_broken.store(true, Ordering::Relaxed);
            if entries.is_closed() {
                return;
            }
            std::thread::sleep(RETRY);
        }
        is_broken.store(false, Ordering::Relaxed);
    }
}

/// Bounds the entries about callers without a token, so that they cannot fill the log.
struct CallerLimit {
    minute: i64,
    logged: u64,
    omitted: Arc<AtomicU64>,
}

impl CallerLimit {
    fn new(omitted: Arc<AtomicU64>) -> Self {
        Self {
            minute: 0,
            logged: 0,
            omitted,
        }
    }

    fn admit(&mut self, mut entry: LogEntry) -> Option<LogEntry> {
        let minute = Timestamp::now().as_second() / 60;
        if minute != self.minute {
            (self.minute, self.logged) = (minute, 0);
        }
        if entry.child.is_none() && entry.decision == Decision::Refused {
            if self.logged >= UNKNOWN_CALLERS {
                self.omitted.fetch_add(1, Ordering::Relaxed);
                return None;
            }
            self.logged += 1;
        }
        entry.omitted = self.omitted.swap(0, Ordering::Relaxed);
        Some(entry)
    }
}

/// Appends to the log at a path, among other processes that do the same.
struct Appender {
    path: PathBuf,
    lock: PathBuf,
    /// The end of the log after the last append, and the file that it was in.
    tail: Option<(FileId, Tail)>,
}

/// The last line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tail {
    length: u64,
    sequence: u64,
    hash: String,
}

impl Appender {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            lock: lock_path(path),
            tail: None,
        }
    }

    /// Appends entries, and removes them from the batch.
    fn append(&mut self, batch: &mut Vec<LogEntry>) -> Result<(), disk::Error> {
        let lock = FileLock::acquire(&self.lock)?;
        let mut file = disk::open_log(&self.path, &lock)?;
        let mut tail = self.read_tail(&mut file)?;
        if tail.length > LARGEST {
            disk::rotate_log(&self.path, KEPT, &lock)?;
            file = disk::open_log(&self.path, &lock)?;
            tail.length = 0;
        }
        let mut lines = Vec::new();
        for entry in batch.iter_mut() {
            entry.sequence = tail.sequence + 1;
            entry.previous = std::mem::take(&mut tail.hash);
            let line = serde_json::to_vec(entry).map_err(|error| self.error(error.into()))?;
            tail.sequence += 1;
            tail.hash = hash(&line);
            lines.extend_from_slice(&line);
            lines.push(b'\n');
        }
        self.tail = None;
        file.write_all(&lines).map_err(|error| self.error(error))?;
        tail.length += lines.len() as u64;
        let metadata = file.metadata().map_err(|error| self.error(error))?;
        self.tail = FileId::of(&metadata).map(|id| (id, tail));
        batch.clear();
        Ok(())
    }

    /// Returns the end of the log, and removes an incomplete line there.
    fn read_tail(&self, file: &mut File) -> Result<Tail, disk::Error> {
        let of_path = |error| self.error(error);
        let metadata = file.metadata().map_err(of_path)?;
        let length = metadata.len();
        if let Some((id, tail)) = &self.tail
            && FileId::of(&metadata).as_ref() == Some(id)
            && tail.length == length
        {
            return Ok(tail.clone());
        }
        let (complete, last) = last_line(file, length).map_err(of_path)?;
        if complete < length {
            file.set_len(complete).map_err(of_path)?;
        }
        if let Some(last) = last {
            return Ok(tail_of(complete, &last));
        }
        // The chain goes on from the log that was rotated.
        let older = disk::older_log(&self.path, 1);
        let last = match File::open(&older) {
            Ok(mut file) => {
                let length = file.metadata().map_err(of_path)?.len();
                last_line(&mut file, length).map_err(of_path)?.1
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(of_path(error)),
        };
        Ok(match last {
            Some(last) => tail_of(0, &last),
            None => Tail {
                length: 0,
                sequence: 0,
                hash: NO_HASH.to_owned(),
            },
        })
    }

    fn error(&self, error: io::Error) -> disk::Error {
        disk::Error::io("write to", &self.path)(error)
    }
}

/// Returns the path of the lock that all writers and readers of a log hold.
pub(super) fn lock_path(log: &Path) -> PathBuf {
    log.with_extension("lock")
}

fn tail_of(length: u64, line: &[u8]) -> Tail {
    // A line that was damaged breaks the chain, and the number cannot repair it.
    let entry = serde_json::from_slice::<LogEntry>(line);
    Tail {
        length,
        sequence: entry.map_or(0, |entry| entry.sequence),
        hash: hash(line),
    }
}

/// Returns the length of a log up to its last line break, and the line before that.
fn last_line(file: &mut File, length: u64) -> io::Result<(u64, Option<Vec<u8>>)> {
    let start = length.saturating_sub(2 * LONGEST_LINE as u64);
    file.seek(SeekFrom::Start(start))?;
    let mut end = Vec::new();
    file.take(length - start).read_to_end(&mut end)?;
    let Some(last) = end.iter().rposition(|&byte| byte == b'\n') else {
        // A single incomplete line, unless the file holds something else.
        return Ok((if start == 0 { 0 } else { length }, None));
    };
    let line = end[..last].rsplit(|&byte| byte == b'\n').next();
    Ok((start + last as u64 + 1, line.map(<[u8]>::to_vec)))
}

/// Identifies a file, whatever its path.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FileId(u64, u64);

impl FileId {
    #[cfg(unix)]
    #[expect(clippy::unnecessary_wraps, reason = "the counterpart returns none")]
    fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;

        Some(Self(metadata.dev(), metadata.ino()))
    }

    /// Without a number, the end of the log is read each time.
    #[cfg(not(unix))]
    fn of(_metadata: &Metadata) -> Option<Self> {
        None
    }
}
