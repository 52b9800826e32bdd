use std::fmt::Write as _;

use clap::ValueEnum;
use ntro_client::exec::{Selection, Variable};
use serde::{Serialize, Serializer};

use super::handover::Handover;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Paint, Report};
use crate::shell::{quoted, quoted_for_fish, quoted_for_powershell};

/// Print the connection's host, key and tenant as variables for a shell to evaluate
///
/// The shell and all programs that it starts then have the key. `ntro exec` gives it to one program
/// alone.
#[derive(clap::Args, Debug)]
pub(crate) struct EnvArgs {
    /// Shell that evaluates the output
    #[arg(long, value_name = "SHELL", default_value = "sh")]
    shell: Syntax,
    /// Remove the variables of both systems; needs no connection
    #[arg(long)]
    unset: bool,
}

/// The syntax of a family of shells.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Syntax {
    /// sh, bash, zsh, dash and ksh
    Sh,
    /// fish
    Fish,
    /// PowerShell
    #[value(name = "powershell", alias = "pwsh")]
    PowerShell,
}

/// Values of variables by their names; null for one that is removed.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(
    test,
    schemars(with = "std::collections::BTreeMap<String, Option<String>>")
)]
pub(crate) struct Assignments {
    shell: Syntax,
    variables: Vec<(String, Option<String>)>,
}

pub(crate) fn run(args: EnvArgs, cx: &Context) -> Result<Exit, CliError> {
    let variables = match args.unset {
        true => Variable::names()
            .map(|name| (name.to_owned(), None))
            .collect(),
        false => active(cx)?,
    };
    cx.printer().print(&Assignments {
        shell: args.shell,
        variables,
    })?;
    Ok(Exit::Success)
}

/// Returns the variables of the active connection. One that has no value is removed: it would be of
/// another connection.
fn active(cx: &Context) -> Result<Vec<(String, Option<String>)>, CliError> {
    let handover = Handover::new(cx, &Selection::default())?;
    let values: Vec<_> = handover.variables.set().collect();
    let value = |name: &str| values.iter().find(|(known, _)| *known == name);
    let names = Variable::ALL.map(|variable| variable.name(handover.provider));
    let variables = names.map(|name| {
        let value = value(name).map(|(_, value)| (*value).to_owned());
        (name.to_owned(), value)
    });
    Ok(variables.into())
}

impl Serialize for Assignments {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.variables.iter().map(|(name, value)| (name, value)))
    }
}

impl Report for Assignments {
    fn text(&self, _: Paint) -> String {
        let mut text = String::new();
        for (name, value) in &self.variables {
            let _ = match (self.shell, value) {
                (Syntax::Sh, Some(value)) => writeln!(text, "export {name}={}", quoted(value)),
                (Syntax::Sh, None) => writeln!(text, "unset {name}"),
                (Syntax::Fish, Some(value)) => {
                    writeln!(text, "set -gx {name} {}", quoted_for_fish(value))
                }
                (Syntax::Fish, None) => writeln!(text, "set -e {name}"),
                (Syntax::PowerShell, Some(value)) => {
                    writeln!(text, "$env:{name} = {}", quoted_for_powershell(value))
                }
                (Syntax::PowerShell, None) => writeln!(text, "$env:{name} = $null"),
            };
        }
        text
    }
}
