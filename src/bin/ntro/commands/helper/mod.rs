//! `ntro helper`: gives a key to other tools, in the protocols in which they ask.

mod bazel;
mod cargo;
mod git;
mod handed;
mod headers;
mod json;

use std::ffi::OsString;

use crate::cli::Reader;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
#[cfg(test)]
use crate::schema::{CommandOutput, schemas};

#[derive(clap::Subcommand, Debug)]
#[command(defer = true)]
pub(crate) enum Command {
    Headers(headers::HeadersArgs),
    Json(json::JsonArgs),
    Git(git::GitArgs),
    Cargo(cargo::CargoArgs),
    Bazel(bazel::BazelArgs),
}

impl Command {
    pub(crate) fn run(self, cx: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Headers(args) => headers::run(args, cx),
            Self::Json(args) => json::run(args, cx),
            Self::Git(args) => git::run(&args, cx),
            Self::Cargo(args) => cargo::run(args, cx),
            Self::Bazel(args) => bazel::run(&args, cx),
        }
    }

    /// Returns the schemas of the commands whose JSON is no protocol of another tool.
    #[cfg(test)]
    pub(crate) fn outputs() -> Vec<CommandOutput> {
        vec![
            CommandOutput::new("headers", schemas![headers::Headers<'_>]),
            CommandOutput::new("json", schemas![json::Described<'_>]),
        ]
    }

    /// Parses the command that the first word of a line names.
    pub(crate) fn read(line: &[OsString], reader: &mut Reader) -> Option<Self> {
        match line.first()?.to_str()? {
            "headers" => reader.arguments(line).map(Self::Headers),
            "json" => reader.arguments(line).map(Self::Json),
            "git" => reader.arguments(line).map(Self::Git),
            "cargo" => reader.arguments(line).map(Self::Cargo),
            "bazel" => reader.arguments(line).map(Self::Bazel),
            _ => None,
        }
    }
}

/// Returns the arguments that a line of Cargo stands for: it calls a provider with one option.
pub(crate) fn called_by_cargo(arguments: &[OsString]) -> Option<Vec<OsString>> {
    let [program, option] = arguments else {
        return None;
    };
    (option == "--cargo-plugin").then(|| {
        vec![
            program.clone(),
            OsString::from("helper"),
            OsString::from("cargo"),
        ]
    })
}
