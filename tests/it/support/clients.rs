//! The official clients, as released.

use std::path::PathBuf;

use super::{Run, Sandbox, project};

/// The Python environment in which `scripts/test` installs the official clients.
pub struct Clients {
    programs: PathBuf,
}

impl Clients {
    /// Finds the clients.
    pub fn find() -> Self {
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let programs = target.parent().unwrap().join("clients/bin");
        assert!(
            programs.join("ontora").is_file(),
            "no official clients in {}: run scripts/test",
            programs.display()
        );
        Self { programs }
    }

    /// Prepares a run of the Ntropii command line, which is also called `ntro`.
    pub fn ntro<'a>(&self, sandbox: &'a Sandbox, arguments: &str) -> Run<'a> {
        sandbox.program(&self.programs.join("ntro")).args(arguments)
    }

    /// Prepares a run of the Ontora command line.
    pub fn ontora<'a>(&self, sandbox: &'a Sandbox, arguments: &str) -> Run<'a> {
        sandbox
            .program(&self.programs.join("ontora"))
            .args(arguments)
    }

    /// Prepares a run of a Python program in `tests/clients`, which can import the SDK and an MCP
    /// client.
    pub fn python<'a>(&self, sandbox: &'a Sandbox, file: &str) -> Run<'a> {
        sandbox
            .program(&self.programs.join("python"))
            .arg("-I")
            .arg(project("tests/clients").join(file))
    }

    /// Returns the folder with the packages for Node.js.
    pub fn packages(&self) -> PathBuf {
        self.path("..")
    }

    /// Returns the path of a program.
    pub fn path(&self, program: &str) -> PathBuf {
        self.programs.join(program)
    }
}
