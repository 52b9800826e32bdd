use std::path::PathBuf;

use anyhow::Context as _;
use clap_mangen::Man;

use crate::cli::Cli;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
use crate::process::with_users_umask;

/// Print the manual page of a command, or write all pages to a folder
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Command whose page to print, such as `auth login`
    command: Vec<String>,
    /// Folder to write all pages to
    #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
    folder: Option<PathBuf>,
}

pub(crate) fn run(args: Args, cx: &Context) -> Result<Exit, CliError> {
    let page = match &args.folder {
        Some(folder) => {
            // The user's umask decides who can read the pages.
            with_users_umask(|| {
                std::fs::create_dir_all(folder)
                    .and_then(|()| clap_mangen::generate_to(Cli::tree(), folder))
            })
            .map_err(|error| {
                CliError::new(
                    Kind::Failure,
                    format!("cannot write into `{}`: {error}", folder.display()),
                )
            })?;
            return Ok(Exit::Success);
        }
        None => page(&args.command),
    };
    let page = page.map_err(|error| {
        CliError::usage(format!("{error:#}")).hint("see `ntro --help` for the commands")
    })?;
    cx.printer().raw(&page)?;
    Ok(Exit::Success)
}

fn page(path: &[String]) -> anyhow::Result<Vec<u8>> {
    let mut command = Cli::tree();
    command.build();
    let mut name = "ntro".to_owned();
    for part in path {
        name = format!("{name} {part}");
        command = command
            .find_subcommand(part)
            .with_context(|| format!("there is no command `{name}`"))?
            .clone();
    }
    let mut page = Vec::new();
    let title = name.replace(' ', "-");
    Man::new(command).title(title).render(&mut page)?;
    Ok(page)
}
