//! `ntro auth rotate`: replaces the keys of one connection or of all.

mod fleet;
mod one;
mod report;
mod wait;

use clap_complete::engine::ArgValueCompleter;
use ntro_base::env;
use ntro_base::{ConnectionName, Period};
use ntro_client::ops::rotate;

use self::one::RotateOne;
pub(super) use self::report::RotationRow;
use self::report::RotationState;
#[cfg(test)]
pub(super) use self::report::Rotations;
use crate::commands::completions::connections;
use crate::commands::identity;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::production::ConfirmArgs;

/// Replace the key of a connection with a new one, and revoke the old one
///
/// The key creates its own successor if the server allows it; otherwise an admin token does, or a
/// prompt asks for a new key. The new key is checked, stored and checked again before the old one is
/// revoked, so one of them works at all times. The next run finishes an interrupted rotation.
#[derive(clap::Args, Debug)]
pub(crate) struct RotateArgs {
    /// Connection whose key to rotate [default: the one named by `-c`, or the default connection]
    #[arg(value_name = "NAME", conflicts_with = "all", add = ArgValueCompleter::new(connections))]
    name: Option<ConnectionName>,
    /// Rotate the keys of all connections that are logged in
    #[arg(long)]
    all: bool,
    /// With `--all`, rotate only keys older than this, such as `60d`
    #[arg(long, value_name = "AGE", requires = "all")]
    older_than: Option<Period>,
    /// Keep the old key live for this time, such as `10m` or `24h`, and wait for it [default: 0s]
    #[arg(long, value_name = "TIME")]
    grace: Option<Period>,
    /// With `--grace`, do not wait; the next run after the grace period revokes the old key
    #[arg(long)]
    no_wait: bool,
    /// Let the server revoke the old key once it has not been used for this time, such as `1h`; needs
    /// an authority
    #[arg(long, value_name = "TIME", conflicts_with_all = ["grace", "no_wait", "api_key_stdin", "admin_token_stdin", "abandon"])]
    when_quiet: Option<Period>,
    /// Read the new key from standard input instead of creating one
    #[arg(long, conflicts_with_all = ["all", "admin_token_stdin"])]
    api_key_stdin: bool,
    /// Read the admin token from standard input [default: from `NTRO_ADMIN_TOKEN` or the
    /// connection's `admin_token_command`]
    #[arg(long, conflicts_with = "all")]
    admin_token_stdin: bool,
    /// Show what would be rotated without changing anything
    #[arg(long)]
    dry_run: bool,
    /// Discard the record of a rotation that cannot be finished; its keys are not revoked
    #[arg(long, conflicts_with_all = ["all", "dry_run", "grace", "no_wait", "api_key_stdin", "admin_token_stdin"])]
    abandon: bool,
    #[command(flatten)]
    sure: ConfirmArgs,
}

pub(crate) fn run(args: RotateArgs, cx: &Context) -> Result<Exit, CliError> {
    if cx.env().is_set(&env::NTRO_API_KEY) {
        return Err(CliError::usage(
            "the variable `NTRO_API_KEY` is set: the key in it is stored nowhere and cannot be rotated",
        )
        .hint("unset it to rotate the stored key"));
    }
    if cx.global().host.is_some() {
        return Err(
            CliError::usage("a stored key is rotated at its own host").hint("leave `--host` out")
        );
    }
    if args.all {
        if cx.env().is_set(&env::NTRO_ADMIN_TOKEN) {
            cx.printer().warn(
                "the variable `NTRO_ADMIN_TOKEN` is not used with `--all`: it would go to every server",
            );
        }
        return fleet::run(&args, cx);
    }
    if args.abandon {
        return abandon(&args, cx);
    }
    let name = match &args.name {
        Some(name) => name.clone(),
        None => {
            let name = cx.connection_name()?;
            identity::require_pinned_tenant(cx)?;
            name
        }
    };
    cx.set_subject(&name);
    let row = RotateOne::new(&args, cx, &name).rotate()?;
    if row.state == RotationState::Manual {
        cx.printer().note(&format!(
            "note: the old key {}… is still live: revoke it in the web application",
            row.old_prefix.as_deref().unwrap_or_default()
        ));
    }
    cx.printer().confirm(&row)?;
    Ok(Exit::Success)
}

fn abandon(args: &RotateArgs, cx: &Context) -> Result<Exit, CliError> {
    // Also of a connection that is not there any more.
    let name = match (&args.name, &cx.global().connection) {
        (Some(name), _) | (None, Some(name)) => name.clone(),
        (None, None) => cx.connection_name()?,
    };
    cx.set_subject(&name);
    let recorded = rotate::abandon(cx.home()?, &name)?;
    if let Some(recorded) = &recorded {
        let keys: Vec<_> = [Some(&recorded.old_prefix), recorded.new_prefix.as_ref()]
            .into_iter()
            .flatten()
            .map(|prefix| format!("{prefix}…"))
            .collect();
        let one_more = match recorded.new_prefix {
            Some(_) => "",
            None => ", and one more that was made and not recorded",
        };
        cx.printer().warn(&format!(
            "these keys may be live at {}{one_more}: {}",
            recorded.origin,
            keys.join(", ")
        ));
    }
    cx.printer()
        .confirm(&RotationRow::abandoned(&name, recorded.as_ref()))?;
    Ok(Exit::Success)
}
