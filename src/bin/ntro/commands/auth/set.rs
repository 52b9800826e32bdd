use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap_complete::engine::ArgValueCompleter;
use ntro_base::{ConnectionName, Policy};
use ntro_client::config::SafetySettings;
use ntro_client::ops::{self, SafetyChange};
use serde::Serialize;

use crate::commands::completions::connections;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
use crate::output::Done;
use crate::production::ConfirmArgs;

/// Change the policy of a connection, and whether it is production
///
/// Asks before it loosens either; needs `--yes` for that without a terminal.
#[derive(clap::Args, Debug)]
pub(crate) struct SetArgs {
    /// Connection to change
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(connections))]
    name: ConnectionName,
    /// Restrict use of the key
    #[arg(
        long,
        value_name = "POLICY",
        required_unless_present = "production",
        value_parser = PossibleValuesParser::new(["keyless", "confirm", "none"])
            .try_map(|policy| policy.parse::<Policy>())
    )]
    policy: Option<Policy>,
    /// Whether changes on its server need confirmation; `auto` decides by host and name
    #[arg(
        long,
        value_name = "WHEN",
        value_parser = PossibleValuesParser::new(["true", "false", "auto"])
    )]
    production: Option<String>,
    #[command(flatten)]
    sure: ConfirmArgs,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ConnectionSafety {
    /// Name of the connection.
    connection: String,
    /// Restriction on use of the key.
    #[cfg_attr(test, schemars(with = "crate::schema::PolicyName"))]
    policy: &'static str,
    /// Whether the connection is production; null if its host and name decide.
    production: Option<bool>,
}

pub(crate) fn run(args: SetArgs, cx: &Context) -> Result<Exit, CliError> {
    cx.set_subject(&args.name);
    let change = SafetyChange {
        policy: args.policy,
        production: args.production.map(|production| production.parse().ok()),
    };
    let before = ops::safety_of(cx.home()?, &args.name)?;
    let after = change.applied(before);
    if loosens(before, after) && !args.sure.yes {
        let question = format!("This loosens the protection of `{}`. Go on?", args.name);
        if !cx.prompter().is_interactive() {
            let message = format!("this loosens the protection of `{}`", args.name);
            return Err(CliError::usage(message).hint("give `--yes` to confirm"));
        }
        if !cx.prompter().confirm(&question)? {
            let message = format!("`{}` was not changed", args.name);
            return Err(CliError::new(Kind::Conflict, message));
        }
    }
    ops::set_safety(cx.home()?, &args.name, change)?;
    let policy = after.policy.unwrap_or_default().as_str();
    let production = match after.production {
        Some(true) => "yes",
        Some(false) => "no",
        None => "decided by its host and name",
    };
    cx.printer().confirm(&Done {
        text: format!("`{}`: policy {policy}, production {production}", args.name),
        value: ConnectionSafety {
            connection: args.name.to_string(),
            policy,
            production: after.production,
        },
    })?;
    Ok(Exit::Success)
}

fn loosens(before: SafetySettings, after: SafetySettings) -> bool {
    // The policies are in order, from the weakest.
    let rank = |safety: SafetySettings| {
        let policy = safety.policy.unwrap_or_default();
        Policy::ALL.iter().position(|one| *one == policy)
    };
    // Without a setting, host and name may decide either way.
    let opens = after.production == Some(false) && before.production != Some(false);
    let forgets = after.production.is_none() && before.production == Some(true);
    rank(after) < rank(before) || opens || forgets
}
