//! `ntro dev` in the background.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::Sandbox;

/// A running `ntro dev`, killed when the test ends.
pub struct Dev {
    process: Child,
    /// Its output up to the line that it is ready.
    pub output: String,
}

impl Dev {
    /// Starts it and waits until it is ready.
    pub fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ntro"));
        sandbox.prepare(&mut command);
        let mut process = command
            .arg("dev")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut output = String::new();
        while !output.contains("Ctrl-C") {
            let line = lines.next().expect("`ntro dev` is ready before it ends");
            output.push_str(&line.unwrap());
            output.push('\n');
        }
        Self { process, output }
    }

    /// Returns the address of the authority, without a path.
    pub fn origin(&self) -> &str {
        let origin = self.output.strip_prefix("✓ authority on ").unwrap();
        origin.split_whitespace().next().unwrap()
    }

    /// Returns the port of the authority.
    pub fn port(&self) -> u16 {
        self.origin().rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Interrupts it and waits until it has ended.
    pub fn stop(mut self) {
        kill_process(Pid::from_child(&self.process), Signal::INT).unwrap();
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
