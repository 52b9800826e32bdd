//! A command on a pseudo-terminal, with typed input.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use super::Sandbox;

/// How long a command may take to print an expected text.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A command that runs on its own pseudo-terminal.
pub struct Terminal<'a> {
    sandbox: &'a Sandbox,
    session: PtySession,
    screen: File,
    heard: String,
    settings: String,
}

/// A command that has run on a terminal.
#[must_use]
pub struct Ended {
    /// The exit code, as a shell sees it.
    pub code: i32,
    /// All output on the terminal, including escape sequences.
    pub heard: String,
}

impl<'a> Terminal<'a> {
    /// Starts `ntro`.
    pub fn ntro(sandbox: &'a Sandbox, arguments: &str) -> Self {
        Self::shell(sandbox, &format!("ntro {arguments}"))
    }

    /// Starts a shell command in which `ntro` is the tested program.
    ///
    /// The shell stays on the terminal, as a user's would, and reports the state of the terminal at
    /// the end.
    pub fn shell(sandbox: &'a Sandbox, line: &str) -> Self {
        let mut command = Command::new("sh");
        sandbox.prepare(&mut command);
        command
            .arg0("sh")
            .arg("-c")
            .arg(format!(
                "ntro() {{ '{}' \"$@\"; }}\n\
                 trap : INT\n\
                 stty sane\n\
                 echo \"[before $(stty -g)]\"\n\
                 {line}\n\
                 echo \"[exit $?]\"\n\
                 echo \"[after $(stty -g)]\"",
                env!("CARGO_BIN_EXE_ntro")
            ))
            .env("TERM", "xterm");
        let options = Options::new().timeout_ms(Some(TIMEOUT.as_millis() as u64));
        let session = spawn_with_options(command, options).unwrap();
        let screen = session.process().get_file_handle().unwrap();
        let mut terminal = Self {
            sandbox,
            session,
            screen,
            heard: String::new(),
            settings: String::new(),
        };
        terminal.settings = terminal.told("before");
        terminal
    }

    /// Waits for a text after the previous match.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> &mut Self {
        match self.session.exp_string(text) {
            Ok(before) => {
                self.heard.push_str(&before);
                self.heard.push_str(text);
            }
            Err(error) => panic!("no {text:?} after {:?}: {error}", self.heard),
        }
        self
    }

    /// Types a line.
    pub fn line(&mut self, text: &str) -> &mut Self {
        self.press(&format!("{text}\r"))
    }

    /// Types a line once the terminal has stopped echoing.
    #[track_caller]
    pub fn secret(&mut self, text: &str) -> &mut Self {
        let deadline = Instant::now() + TIMEOUT;
        let shown = || {
            let modes = tcgetattr(&self.screen).unwrap().local_modes;
            modes.contains(LocalModes::ECHO)
        };
        while shown() {
            assert!(
                Instant::now() < deadline,
                "the terminal shows what is typed"
            );
            std::thread::yield_now();
        }
        self.line(text)
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) -> &mut Self {
        self.session.send(keys).unwrap();
        self.session.flush().unwrap();
        self
    }

    /// Presses the down arrow and Enter.
    pub fn choose_second(&mut self) -> &mut Self {
        self.press("\x1b[B\r")
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&mut self) -> &mut Self {
        self.press("\x03")
    }

    /// Gives the terminal another size.
    pub fn resize(&mut self, rows: u16, columns: u16) -> &mut Self {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.screen, size).unwrap();
        self
    }

    /// Waits until the command ends, and asserts that it restored the terminal.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let code = self.told("exit");
        let settings = self.told("after");
        assert_eq!(settings, self.settings, "the terminal was left otherwise");
        let cursor = ["\x1b[?25l", "\x1b[?25h"].map(|what| self.heard.rfind(what));
        assert!(cursor[0] <= cursor[1], "no cursor: {:?}", self.heard);
        self.session.exp_eof().unwrap();
        self.sandbox.remember_text(&self.heard);
        Ended {
            code: code.parse().unwrap(),
            heard: self.heard,
        }
    }

    /// Waits for the shell's report in brackets.
    #[track_caller]
    fn told(&mut self, what: &str) -> String {
        self.expect(&format!("[{what} "));
        let value = self.session.exp_string("]").unwrap();
        self.heard.push_str(&format!("{value}]"));
        value
    }
}

impl Ended {
    /// Asserts an exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{:?}", self.heard);
        self
    }

    /// Asserts that the terminal has shown a text.
    #[track_caller]
    pub fn shows(self, text: &str) -> Self {
        assert!(self.heard.contains(text), "no {text:?} in {:?}", self.heard);
        self
    }

    /// Asserts that the terminal has not shown a text.
    #[track_caller]
    pub fn hides(self, text: &str) -> Self {
        assert!(!self.heard.contains(text), "{text:?} in {:?}", self.heard);
        self
    }

    /// Ends a chain of assertions.
    pub fn done(self) {}
}
