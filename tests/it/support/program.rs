//! Programs that tests put into a home and execute there.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::PathBuf;
use std::process::Command;

use super::Sandbox;

impl Sandbox {
    /// Copies the tested `ntro` into the home, for users who cannot reach the original.
    pub fn copy_ntro(&self) -> PathBuf {
        self.add_program("program", File::open(env!("CARGO_BIN_EXE_ntro")).unwrap())
    }

    /// Writes a shell script into the home.
    pub fn add_script(&self, name: &str, text: &str) -> PathBuf {
        let mut file = tempfile::tempfile().unwrap();
        write!(file, "#!/bin/sh\n{text}").unwrap();
        file.rewind().unwrap();
        self.add_program(name, file)
    }

    /// Writes an executable file.
    ///
    /// A child process writes it. A process that another test starts at that moment would inherit
    /// the open file from this one, and the kernel executes no file that is open for writing ("text
    /// file busy").
    fn add_program(&self, name: &str, content: File) -> PathBuf {
        let path = self.home().join(name);
        let write = Command::new("sh")
            .args(["-c", "cat >\"$0\" && chmod 755 \"$0\""])
            .arg(&path)
            .stdin(content)
            .status();
        assert!(write.unwrap().success());
        path
    }
}
