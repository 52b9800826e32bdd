use super::admin::{Admin, AdminArgs};
use super::revoke::found;
use super::row::KeyRow;
use crate::commands::key_choice::KeyChoice;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Done;
use crate::production::{self, ConfirmArgs};

/// Refuse a key until it is resumed; needs an admin token of an authority
#[derive(clap::Args, Debug)]
pub(crate) struct PauseArgs {
    /// Id or prefix of the key
    #[arg(value_name = "ID|PREFIX", value_parser = KeyChoice::parse)]
    key: KeyChoice,
    #[command(flatten)]
    sure: ConfirmArgs,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Accept a paused key again; needs an admin token of an authority
#[derive(clap::Args, Debug)]
pub(crate) struct ResumeArgs {
    /// Id or prefix of the key
    #[arg(value_name = "ID|PREFIX", value_parser = KeyChoice::parse)]
    key: KeyChoice,
    #[command(flatten)]
    sure: ConfirmArgs,
    #[command(flatten)]
    admin: AdminArgs,
}

pub(crate) fn run(args: PauseArgs, cx: &Context) -> Result<Exit, CliError> {
    production::confirm(cx, cx.resolution()?, args.sure, "pause the key")?;
    set_paused(&args.key, &args.admin, true, cx)
}

pub(crate) fn resume(args: ResumeArgs, cx: &Context) -> Result<Exit, CliError> {
    production::confirm(cx, cx.resolution()?, args.sure, "resume the key")?;
    set_paused(&args.key, &args.admin, false, cx)
}

fn set_paused(
    choice: &KeyChoice,
    admin: &AdminArgs,
    paused: bool,
    cx: &Context,
) -> Result<Exit, CliError> {
    let admin = Admin::open(admin, cx)?;
    let tenant = admin.tenant(cx)?;
    let (id, _) = found(cx, &admin, &tenant, choice)?;
    let info = admin.call(cx, admin.client.set_paused(&tenant, &id, paused))?;
    let done = if paused { "paused" } else { "resumed" };
    let name = info.name.as_deref().unwrap_or(&id);
    cx.printer().confirm(&Done {
        text: format!("{done} the key `{name}` ({id})"),
        value: KeyRow::new(&info, cx.now()),
    })?;
    Ok(Exit::Success)
}
