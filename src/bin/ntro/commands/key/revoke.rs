use ntro_base::TenantSlug;
use ntro_client::api::KeyInfo;
use ntro_client::resolve::Production;
use serde::Serialize;

use super::admin::{Admin, AdminArgs};
use crate::commands::key_choice::KeyChoice;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
use crate::output::Done;
use crate::production::{self, ConfirmArgs};

/// Revoke a key immediately and permanently; needs an admin token
#[derive(clap::Args, Debug)]
pub(crate) struct RevokeArgs {
    /// Id or prefix of the key
    #[arg(value_name = "ID|PREFIX", value_parser = KeyChoice::parse)]
    key: KeyChoice,
    #[command(flatten)]
    sure: ConfirmArgs,
    #[command(flatten)]
    admin: AdminArgs,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct RevokedKey {
    /// Id of the key.
    id: String,
    /// Prefix of the key, if it was looked up.
    key_prefix: Option<String>,
    /// Display name of the key, if it was looked up.
    name: Option<String>,
    /// Always true.
    revoked: bool,
}

pub(crate) fn run(args: RevokeArgs, cx: &Context) -> Result<Exit, CliError> {
    if matches!(&args.key, KeyChoice::Id(id) if id.is_empty()) {
        return Err(CliError::usage("the id of the key is empty").hint("see `ntro key list`"));
    }
    let resolution = cx.resolution()?;
    let production = production::unanswered(cx, resolution, args.sure, "revoke the key")?;
    let admin = Admin::open(&args.admin, cx)?;
    let tenant = admin.tenant(cx)?;
    let asks = !args.sure.yes && cx.prompter().is_interactive();
    let (id, info) = match &args.key {
        KeyChoice::Id(id) if !asks => (id.clone(), None),
        which => {
            let (id, info) = found(cx, &admin, &tenant, which)?;
            (id, Some(info))
        }
    };
    if let Some(info) = info.as_ref().filter(|_| asks) {
        confirm(cx, production.as_ref(), &tenant, &id, info)?;
    }
    admin.call(cx, admin.client.revoke_key(&tenant, &id))?;
    let name = info.as_ref().and_then(|info| info.name.clone());
    let called = match &name {
        Some(name) => format!("`{name}` ({id})"),
        None => format!("`{id}`"),
    };
    cx.printer().confirm(&Done {
        text: format!("revoked the key {called}"),
        value: RevokedKey {
            id,
            name,
            key_prefix: info.and_then(|info| Some(info.prefix?.to_string())),
            revoked: true,
        },
    })?;
    Ok(Exit::Success)
}

/// Finds the key on the server.
pub(super) fn found(
    cx: &Context,
    admin: &Admin,
    tenant: &TenantSlug,
    which: &KeyChoice,
) -> Result<(String, KeyInfo), CliError> {
    let keys = admin.call(cx, admin.client.list_keys(tenant))?;
    let mut matches = keys
        .into_iter()
        .filter(|key| which.is(key.id.as_deref(), key.prefix.as_ref()));
    let problem = match (matches.next(), matches.next()) {
        (Some(key), None) => match key.id.clone() {
            Some(id) => return Ok((id, key)),
            None => "the server does not report the id of the key".to_owned(),
        },
        (Some(_), Some(_)) => format!("several keys of `{tenant}` have {}", which.shown()),
        (None, _) => format!("no key of `{tenant}` has {}", which.shown()),
    };
    Err(CliError::new(Kind::Failure, problem).hint("see `ntro key list`"))
}

fn confirm(
    cx: &Context,
    production: Option<&Production>,
    tenant: &TenantSlug,
    id: &str,
    info: &KeyInfo,
) -> Result<(), CliError> {
    let name = info.name.as_deref().unwrap_or(id);
    let prefix = match &info.prefix {
        Some(prefix) => format!(" ({prefix}…)"),
        None => String::new(),
    };
    let of = match production {
        Some(production) => format!("{production} is production. "),
        None => String::new(),
    };
    let question = format!("{of}Revoke the key `{name}`{prefix} of `{tenant}` for good?");
    match cx.prompter().confirm(&question)? {
        true => Ok(()),
        false => Err(CliError::new(
            Kind::Conflict,
            format!("the key `{name}` was not changed"),
        )),
    }
}
