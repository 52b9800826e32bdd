//! Keeps a program from answering questions about its own calls.

use std::fs;

use rustix::process::geteuid;
use tokio::net::UnixStream;

/// The terminals of a program.
#[derive(Debug)]
pub(super) struct ProgramTerminal {
    program: u32,
    /// The one that it was started on, which it may leave.
    first: Option<i32>,
}

/// A process, as `/proc` shows it.
#[derive(Debug, PartialEq, Eq)]
struct Process {
    parent: u32,
    /// The number of its controlling terminal; 0 without one.
    terminal: i32,
}

impl ProgramTerminal {
    pub(super) fn of(program: u32) -> Self {
        let first = Process::read(program).map(|process| process.terminal);
        Self { program, first }
    }

    /// Checks that the process at the other end is the user's, has a terminal, and that the program
    /// neither has this terminal nor has started the process.
    pub(super) fn check(&self, stream: &UnixStream) -> Result<(), &'static str> {
        const UNKNOWN: &str = "the process that answers cannot be seen";

        let peer = stream.peer_cred().map_err(|_| UNKNOWN)?;
        if peer.uid() != geteuid().as_raw() {
            return Err("the process that answers belongs to another user");
        }
        let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok());
        let pid = pid.ok_or(UNKNOWN)?;
        let process = Process::read(pid).ok_or(UNKNOWN)?;
        let now = Process::read(self.program).map(|process| process.terminal);
        match process.terminal {
            0 => Err("the process that answers has no terminal"),
            terminal if [self.first, now].contains(&Some(terminal)) => {
                Err("the process that answers is on the terminal of the program")
            }
            _ if is_below(pid, self.program) => {
                Err("the process that answers was started by the program")
            }
            _ => Ok(()),
        }
    }
}

/// Returns whether a process is `ancestor`, or has it among its ancestors.
fn is_below(pid: u32, ancestor: u32) -> bool {
    // A process may end meanwhile, and its number be used again: no path is that long.
    const LONGEST: usize = 1_000;

    let parent = |pid: &u32| Process::read(*pid).map(|process| process.parent);
    let mut line = std::iter::successors(Some(pid), parent).take(LONGEST);
    line.any(|pid| pid == ancestor)
}

impl Process {
    fn read(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Parses `/proc/PID/stat`, in which the name of the program may hold anything.
    fn parse(text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace();
        Some(Self {
            parent: fields.nth(1)?.parse().ok()?,
            terminal: fields.nth(2)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_of_process_is_skipped() {
        let expected = Process {
            parent: 7,
            terminal: 34816,
        };
        for name in ["sh", "a) S 1 1 1 1 (b", ""] {
            let text = format!("42 ({name}) S 7 42 42 34816 43 4194304 1 2 3\n");
            assert_eq!(Process::parse(&text).as_ref(), Some(&expected), "{name}");
        }
        for text in ["", "42 (sh)", "42 (sh) S x 42 42 0 1", "42 (sh) S 7 42"] {
            assert_eq!(Process::parse(text), None, "{text}");
        }
    }

    #[test]
    fn own_process_has_ancestors() {
        let own = std::process::id();
        let parent = Process::read(own).unwrap().parent;
        assert!(is_below(own, own) && is_below(own, parent));
        assert!(!is_below(parent, own));
    }

    #[tokio::test]
    async fn process_without_terminal_is_refused() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let own = Process::read(std::process::id()).unwrap().terminal;
        let other = ProgramTerminal {
            program: u32::MAX,
            first: None,
        };
        let reason = other.check(&ours);
        assert_eq!(reason.is_err(), own == 0, "{reason:?}");
        let program = ProgramTerminal::of(std::process::id());
        assert!(program.check(&ours).is_err());
    }
}
