//! Choosing a default tenant that the key reaches.

use ntro_base::TenantSlug;
use ntro_client::api::{Tenant, Whoami};
use ntro_client::ops;

use super::{LoginArgs, Target};
use crate::commands::{destination, identity};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Kind;
use crate::prompt::{Asked, Stop};

pub(super) fn choose(
    args: &LoginArgs,
    cx: &Context,
    target: &Target<'_>,
    checked: Option<&Whoami>,
) -> Result<Asked<Option<TenantSlug>>, Stop> {
    let (wanted, option) = match &args.default_tenant {
        Some(tenant) => (Some(tenant), "`--default-tenant`"),
        None => (cx.global().tenant.as_ref(), "`--tenant`"),
    };
    let Some(Whoami { tenants, .. }) = checked else {
        return Ok(Asked::before(wanted.cloned()));
    };
    if let Some(wanted) = wanted {
        let reached = tenants.iter().any(|tenant| tenant.is(wanted));
        return match reached {
            true => Ok(Asked::before(Some(wanted.clone()))),
            false => Err(identity::out_of_reach(cx, wanted, option, tenants).into()),
        };
    }
    let current = current(cx, target)?;
    let kept = tenants
        .iter()
        .position(|tenant| current.as_ref().is_some_and(|current| tenant.is(current)));
    let choice = match tenants.as_slice() {
        [] => return Ok(Asked::before(None)),
        [only] => Asked::before(only),
        several if cx.prompter().is_interactive() => {
            let items: Vec<_> = several.iter().map(described).collect();
            let question = "Default tenant";
            let choice = cx.prompter().select(question, &items, kept.unwrap_or(0))?;
            Asked::now(&several[choice])
        }
        several => match (kept, &current) {
            (Some(kept), _) => Asked::before(&several[kept]),
            (None, None) => return Ok(Asked::before(None)),
            (None, Some(_)) => Asked::before(&several[0]),
        },
    };
    let slug = choice.answer.slug.clone();
    match current.filter(|_| kept.is_none() && !args.overwrite) {
        None => Ok(Asked {
            answer: Some(slug),
            is_asked: choice.is_asked,
        }),
        Some(current) => move_to(cx, target, &current, slug),
    }
}

/// Returns the default tenant of the connection that the login replaces, unless it moves to another
/// server.
fn current(cx: &Context, target: &Target<'_>) -> Result<Option<TenantSlug>, CliError> {
    let entry = cx.config()?.connections.get(target.name.as_str());
    let current = entry.and_then(|entry| entry.default_tenant.as_ref()?.parse().ok());
    let replaced = ops::replaced(cx.home()?, target.name, &target.host)?;
    Ok(current.filter(|_| replaced.is_some_and(|replaced| replaced.same_origin)))
}

/// Asks whether the connection may change its tenant: commands that name no tenant would then change
/// another one than before.
fn move_to(
    cx: &Context,
    target: &Target<'_>,
    current: &TenantSlug,
    slug: TenantSlug,
) -> Result<Asked<Option<TenantSlug>>, Stop> {
    let name = target.name;
    if !cx.prompter().is_interactive() {
        let message =
            format!("`{name}` is for the tenant `{current}`, which this key does not reach");
        return Err(CliError::new(Kind::Conflict, message)
            .hint("give `--overwrite`, or another `--name`")
            .into());
    }
    let question = format!(
        "`{name}` is for the tenant `{current}`, which this key does not reach. Use `{slug}` instead?"
    );
    match cx.prompter().confirm(&question)? {
        true => Ok(Asked::now(Some(slug))),
        false => Err(destination::not_changed(name).into()),
    }
}

fn described(tenant: &Tenant) -> String {
    match &tenant.name {
        Some(name) => format!("{} ({name})", tenant.slug),
        None => tenant.slug.to_string(),
    }
}
