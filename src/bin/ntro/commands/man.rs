use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::Cli;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
use crate::help::{self, Example, Topic};
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
    let mut tree = Cli::tree();
    tree.build();
    let Some(folder) = &args.folder else {
        let command = find(&tree, &args.command).map_err(|error| {
            CliError::usage(format!("{error:#}")).hint("see `ntro --help` for the commands")
        })?;
        cx.printer().raw(page(command).as_bytes())?;
        return Ok(Exit::Success);
    };
    // The user's umask decides who can read the pages.
    with_users_umask(|| std::fs::create_dir_all(folder).and_then(|()| write(&tree, folder)))
        .map_err(|error| {
            let folder = folder.display();
            CliError::new(
                Kind::Failure,
                format!("cannot write into `{folder}`: {error}"),
            )
        })?;
    Ok(Exit::Success)
}

fn find<'a>(tree: &'a Command, path: &[String]) -> anyhow::Result<&'a Command> {
    let mut name = "ntro".to_owned();
    path.iter().try_fold(tree, |command, part| {
        name = format!("{name} {part}");
        command
            .find_subcommand(part)
            .with_context(|| format!("there is no command `{name}`"))
    })
}

/// Writes the pages of a command and of all commands below it.
fn write(command: &Command, folder: &Path) -> io::Result<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the pages are the user's, with permissions from the umask"
    )]
    std::fs::write(folder.join(format!("{}.1", title(command))), page(command))?;
    below(command).try_for_each(|command| write(command, folder))
}

fn below(command: &Command) -> impl Iterator<Item = &Command> {
    let all = command.get_subcommands();
    all.filter(|command| command.get_name() != "help" && !command.is_hide_set())
}

/// Returns the name of a page, such as `ntro-auth-login`.
fn title(command: &Command) -> String {
    format!("ntro {}", help::path(command))
        .trim_end()
        .replace(' ', "-")
}

fn page(command: &Command) -> String {
    // An option that `-h` omits has a description all the same.
    let shown = command
        .clone()
        .mut_args(|option| option.hide_short_help(false))
        .mut_subcommands(|below| match below.get_name() {
            "help" => below.hide(true),
            _ => below,
        });
    let man = Man::new(shown)
        .title(title(command))
        // Without a date the title would lack an argument.
        .date(" ")
        .source(concat!("ntro ", env!("CARGO_PKG_VERSION")))
        .manual("ntro manual");
    let mut sections = vec![
        of(|page| man.render_title(page)),
        of(|page| man.render_name_section(page)),
        synopsis(command).render(),
        of(|page| man.render_description_section(page)),
        of(|page| man.render_options_section(page)),
    ];
    if command.has_subcommands() {
        sections.push(of(|page| man.render_subcommands_section(page)));
    }
    sections.push(example_section(command).render());
    if help::path(command).is_empty() {
        sections.push(section("PRECEDENCE", &Topic::precedence()).render());
    }
    for (heading, topic) in [
        ("ENVIRONMENT", Topic::environment()),
        ("FILES", Topic::files()),
        ("EXIT STATUS", Topic::exit_codes()),
    ] {
        sections.push(section(heading, &topic).render());
    }
    sections.push(see_also(command).render());
    let preamble = Roff::new().render();
    let body = sections.concat().replace(&preamble, "");
    preamble + &with_bold_code(&body)
}

/// Renders a part of the page; writing into a buffer cannot fail.
fn of(render: impl Fn(&mut dyn io::Write) -> io::Result<()>) -> String {
    let mut part = Vec::new();
    let _ = render(&mut part);
    String::from_utf8_lossy(&part).into_owned()
}

/// Returns the usage in one line; the library would list all options.
fn synopsis(command: &Command) -> Roff {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage);
    let name = format!("ntro {}", help::path(command));
    let name = name.trim_end();
    let arguments = usage.strip_prefix(name).unwrap_or(usage);
    let mut section = Roff::new();
    section.control("SH", ["SYNOPSIS"]);
    section.text([bold(name), roman(arguments)]);
    section
}

fn example_section(command: &Command) -> Roff {
    let mut section = Roff::new();
    section.control("SH", ["EXAMPLES"]);
    for example in Example::of(help::path(command)) {
        section.control("PP", []);
        section.text([roman(example.purpose), roman(":")]);
        section.control("RS", ["4"]);
        section.control("nf", []);
        for line in example.line.lines() {
            section.text([bold(line)]);
        }
        section.control("fi", []);
        section.control("RE", []);
    }
    section
}

fn section(heading: &str, topic: &Topic) -> Roff {
    let mut section = Roff::new();
    section.control("SH", [heading]);
    section.text([roman(topic.before)]);
    for (term, description) in topic.terms() {
        section.control("TP", []);
        section.text([bold(term)]);
        section.text([roman(description)]);
    }
    if !topic.after.is_empty() {
        section.control("PP", []);
        section.text([roman(topic.after)]);
    }
    section
}

/// Names the pages above a command and beside it.
fn see_also(command: &Command) -> Roff {
    let name = title(command);
    let (parent, _) = name.rsplit_once('-').unwrap_or(("ntro", ""));
    let mut names = vec!["ntro".to_owned(), parent.to_owned()];
    let mut tree = Cli::tree();
    tree.build();
    let path: Vec<_> = help::path(command).split(' ').map(str::to_owned).collect();
    if let Ok(parent) = find(&tree, &path[..path.len() - 1]) {
        names.extend(below(parent).map(title));
    }
    names.dedup();
    names.retain(|other| *other != name);
    let mut section = Roff::new();
    section.control("SH", ["SEE ALSO"]);
    for (index, name) in names.iter().enumerate() {
        let end = if index + 1 < names.len() {
            "(1),"
        } else {
            "(1)"
        };
        section.text([bold(name), roman(end)]);
    }
    section
}

/// Makes text between backticks bold; a terminal would show the marks as quotation marks.
fn with_bold_code(page: &str) -> String {
    let line = |line: &str| {
        let mut text = String::new();
        for (index, part) in line.split('`').enumerate() {
            match index % 2 {
                0 => text.push_str(part),
                _ => text.push_str(&format!("\\fB{part}\\fR")),
            }
        }
        text + "\n"
    };
    page.lines().map(line).collect()
}
