use clap_complete::engine::ArgValueCompleter;
use ntro_base::TenantSlug;
use ntro_client::ops;
use ntro_client::resolve::{Source, Sourced};
use serde::Serialize;

use super::super::identity;
use crate::commands::completions::tenants;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Done;

/// Set the default tenant of the connection, if its key reaches it
#[derive(clap::Args, Debug)]
pub(crate) struct UseArgs {
    /// Slug or id of the tenant
    #[arg(value_name = "SLUG", add = ArgValueCompleter::new(tenants))]
    slug: TenantSlug,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct DefaultTenant {
    /// Name of the connection.
    connection: String,
    /// Slug of its new default tenant.
    default_tenant: String,
}

pub(crate) fn run(args: UseArgs, cx: &Context) -> Result<Exit, CliError> {
    let name = cx.connection_name()?;
    let connection = cx.connection()?;
    let tenants = cx.block_on(cx.client(&connection)?.tenants())??;
    let Some(tenant) = tenants.iter().find(|tenant| tenant.is(&args.slug)) else {
        return Err(identity::out_of_reach(
            cx,
            &args.slug,
            "the command line",
            &tenants,
        ));
    };
    ops::set_default_tenant(cx.home()?, &name, &tenant.slug)?;
    // The earlier value from the configuration was just replaced.
    let stronger = connection
        .tenant
        .filter(|now| !matches!(now.source, Source::Config { .. }) && !tenant.is(&now.value));
    if let Some(Sourced { value, source }) = stronger {
        cx.printer()
            .warn(&format!("{source} overrides it with `{value}`"));
    }
    cx.printer().confirm(&Done {
        text: format!("`{name}` uses the tenant `{}` now", tenant.slug),
        value: DefaultTenant {
            connection: name.to_string(),
            default_tenant: tenant.slug.to_string(),
        },
    })?;
    Ok(Exit::Success)
}
