//! A terminal of a given size with an interactive shell, as a person uses and sees it.

use std::cell::Cell;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Sandbox;

/// How long a text may take to appear.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The sizes of a terminal that people have: columns and rows.
pub const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (40, 20)];

/// A separate tmux server with `bash`, job control and the tested `ntro`.
pub struct Screen<'a> {
    sandbox: &'a Sandbox,
    socket: PathBuf,
    width: Cell<usize>,
}

impl<'a> Screen<'a> {
    /// Starts a shell on a terminal of this size.
    pub fn start(sandbox: &'a Sandbox, (columns, rows): (u16, u16)) -> Self {
        let screen = Self {
            sandbox,
            socket: sandbox.home().with_file_name("tmux"),
            width: Cell::new(columns.into()),
        };
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_ntro"));
        let folder = program.parent().unwrap().display();
        let shell = format!("PATH={folder}:$PATH HISTFILE= PS1='$ ' bash --norc --noprofile -i");
        let (columns, rows) = (columns.to_string(), rows.to_string());
        screen.tmux(&["new-session", "-d", "-x", &columns, "-y", &rows, &shell]);
        screen.tmux(&["set-option", "-g", "history-limit", "10000"]);
        screen.expect("$ ");
        screen
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        self.sandbox.prepare(&mut command);
        command.args(["-u", "-f", "/dev/null", "-S"]);
        command.arg(&self.socket).stdin(Stdio::null());
        command
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = self.command().args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Returns all lines since the start; a wrapped line is one.
    pub fn text(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-J", "-S", "-"])
    }

    /// Returns the rows since the start, without trailing blanks.
    pub fn rows(&self) -> Vec<String> {
        let text = self.tmux(&["capture-pane", "-p", "-S", "-"]);
        text.trim_end()
            .lines()
            .map(|row| row.trim_end().to_owned())
            .collect()
    }

    /// Waits for a text, wherever its words are wrapped.
    #[track_caller]
    pub fn expect(&self, text: &str) -> &Self {
        let text = joined(text);
        self.wait(&text, |screen| screen.contains(&text))
    }

    /// Waits until a text is there so many times.
    #[track_caller]
    pub fn expect_times(&self, text: &str, times: usize) -> &Self {
        let text = joined(text);
        self.wait(&text, |screen| screen.matches(&text).count() == times)
    }

    /// Waits until the last words on the screen are these.
    #[track_caller]
    pub fn expect_last(&self, text: &str) -> &Self {
        let text = joined(text);
        self.wait(&text, |screen| screen.ends_with(&text))
    }

    /// Waits until one of the rows is this one.
    #[track_caller]
    pub fn expect_row(&self, row: &str) -> &Self {
        self.wait(row, |_| self.rows().iter().any(|one| one == row))
    }

    /// Waits until the last row begins with this text. A menu cuts its rows off.
    #[track_caller]
    pub fn expect_last_row(&self, start: &str) -> &Self {
        self.wait(start, |_| {
            self.rows().last().is_some_and(|row| row.starts_with(start))
        })
    }

    #[track_caller]
    fn wait(&self, text: &str, is_there: impl Fn(&str) -> bool) -> &Self {
        let deadline = Instant::now() + TIMEOUT;
        while !is_there(&joined(&self.text())) {
            assert!(Instant::now() < deadline, "no {text:?} on\n{}", self.text());
            std::thread::sleep(Duration::from_millis(20));
        }
        self
    }

    /// Changes the size of the terminal.
    pub fn resize(&self, (columns, rows): (u16, u16)) -> &Self {
        self.width.set(columns.into());
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.tmux(&["resize-window", "-x", &columns, "-y", &rows]);
        self
    }

    /// Types a text without Enter.
    pub fn text_in(&self, text: &str) -> &Self {
        self.tmux(&["send-keys", "-l", "--", text]);
        self
    }

    /// Types a line.
    pub fn line(&self, text: &str) -> &Self {
        if !text.is_empty() {
            self.text_in(text);
        }
        self.key("Enter")
    }

    /// Presses a key, by its name in tmux.
    pub fn key(&self, name: &str) -> &Self {
        self.tmux(&["send-keys", name]);
        self
    }

    /// Pastes a text as a terminal does: in brackets if the program asked for them.
    pub fn paste(&self, text: &str) -> &Self {
        self.paste_with(text, &["-p"])
    }

    /// Pastes a text as a terminal without brackets does.
    pub fn paste_plainly(&self, text: &str) -> &Self {
        self.paste_with(text, &[])
    }

    fn paste_with(&self, text: &str, options: &[&str]) -> &Self {
        let mut load = self.command();
        load.args(["load-buffer", "-"]).stdin(Stdio::piped());
        let mut load = load.spawn().unwrap();
        load.stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        assert!(load.wait().unwrap().success());
        self.tmux(&[&["paste-buffer", "-d"], options].concat());
        self
    }

    /// Waits for the shell's prompt, and asserts that the shell echoes, has got nothing else, and
    /// that a text has not been on the screen.
    #[track_caller]
    pub fn assert_back_in_shell(&self, secret: &str) {
        self.expect_last("$");
        self.line("echo back-$((40+2))");
        self.expect_last("$ echo back-$((40+2)) back-42 $");
        self.assert_never_shown(secret);
        self.tmux(&["clear-history"]);
        self.line("clear").expect_last("$");
    }

    /// Asserts that a text has not been on the screen, in one row or several.
    #[track_caller]
    pub fn assert_never_shown(&self, secret: &str) {
        let text = self.text();
        assert!(!text.replace('\n', "").contains(secret), "{text}");
    }

    /// Asserts that the terminal has not wrapped any row.
    #[track_caller]
    pub fn assert_no_broken_row(&self) {
        let text = self.text();
        assert_eq!(text.trim_end().lines().count(), self.rows().len(), "{text}");
    }

    /// Asserts that no row is wider than the screen, and none is there twice in a row.
    #[track_caller]
    pub fn assert_no_doubled_row(&self) {
        let rows = self.rows();
        for pair in rows.windows(2) {
            assert!(
                pair[0].is_empty() || pair[0] != pair[1],
                "doubled {:?} on\n{}",
                pair[0],
                rows.join("\n")
            );
            assert!(pair[0].chars().count() <= self.width.get());
        }
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        self.sandbox.remember_text(&self.text());
        let _ = self.command().arg("kill-server").output();
    }
}

/// Joins words that are wrapped.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
