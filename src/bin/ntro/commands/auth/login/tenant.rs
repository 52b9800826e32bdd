//! Choosing a default tenant that the key reaches.

use ntro_base::{ConnectionName, TenantSlug};
use ntro_client::api::Tenant;

use super::LoginArgs;
use crate::commands::identity;
use crate::context::Context;
use crate::error::CliError;
use ntro_client::api::Whoami;

pub(super) fn choose(
    args: &LoginArgs,
    cx: &Context,
    name: &ConnectionName,
    checked: Option<&Whoami>,
) -> Result<Option<TenantSlug>, CliError> {
    let (wanted, option) = match &args.default_tenant {
        Some(tenant) => (Some(tenant), "`--default-tenant`"),
        None => (cx.global().tenant.as_ref(), "`--tenant`"),
    };
    let Some(Whoami { tenants, .. }) = checked else {
        return Ok(wanted.cloned());
    };
    if let Some(wanted) = wanted {
        let reached = tenants.iter().any(|tenant| tenant.is(wanted));
        return match reached {
            true => Ok(Some(wanted.clone())),
            false => Err(identity::out_of_reach(cx, wanted, option, tenants)),
        };
    }
    let kept = cx.config()?.connections.get(name.as_str());
    let kept = kept.and_then(|entry| entry.default_tenant.as_ref()?.parse().ok());
    let kept = tenants
        .iter()
        .position(|tenant| kept.as_ref().is_some_and(|kept| tenant.is(kept)));
    let choice = match tenants.as_slice() {
        [] => return Ok(None),
        [only] => return Ok(Some(only.slug.clone())),
        several if cx.prompter().is_interactive() => {
            let items: Vec<_> = several.iter().map(described).collect();
            cx.prompter()
                .select("Default tenant", &items, kept.unwrap_or(0))?
        }
        _ => match kept {
            Some(kept) => kept,
            None => return Ok(None),
        },
    };
    Ok(Some(tenants[choice].slug.clone()))
}

fn described(tenant: &Tenant) -> String {
    match &tenant.name {
        Some(name) => format!("{} ({name})", tenant.slug),
        None => tenant.slug.to_string(),
    }
}
