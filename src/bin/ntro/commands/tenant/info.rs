use clap_complete::engine::ArgValueCompleter;
use jiff::Timestamp;
use ntro_base::TenantSlug;
use ntro_client::api::{self, Tenant};
use serde::Serialize;

use super::super::identity;
use crate::commands::completions::tenants;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Fields, Paint, Report, whole_seconds};

/// Show a tenant as the server reports it
#[derive(clap::Args, Debug)]
pub(crate) struct InfoArgs {
    /// Slug or id of the tenant
    #[arg(value_name = "SLUG", add = ArgValueCompleter::new(tenants))]
    slug: TenantSlug,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct TenantInfo {
    /// Name used in URLs and settings.
    slug: String,
    /// Display name.
    name: Option<String>,
    /// Status, as the server reports it.
    status: Option<String>,
    /// Id of the tenant.
    id: String,
    /// Platform that holds the tenant's data.
    data_platform: Option<String>,
    /// Number of entities.
    entity_count: Option<u64>,
    /// When the tenant was created.
    created_at: Option<Timestamp>,
}

pub(crate) fn run(args: InfoArgs, cx: &Context) -> Result<Exit, CliError> {
    let connection = cx.connection()?;
    let client = cx.client(&connection)?;
    let tenant = match cx.block_on(client.tenant(&args.slug))? {
        Err(api::Error::NotFound(_) | api::Error::OutOfReach { .. }) => {
            let reached = cx.block_on(client.tenants())??;
            return Err(identity::out_of_reach(
                cx,
                &args.slug,
                "the command line",
                &reached,
            ));
        }
        tenant => tenant?,
    };
    cx.printer().print(&TenantInfo::from(tenant))?;
    Ok(Exit::Success)
}

impl From<Tenant> for TenantInfo {
    fn from(tenant: Tenant) -> Self {
        Self {
            slug: tenant.slug.to_string(),
            name: tenant.name,
            status: tenant.status,
            id: tenant.id,
            data_platform: tenant.data_platform,
            entity_count: tenant.entity_count,
            created_at: tenant.created_at.map(whole_seconds),
        }
    }
}

impl Report for TenantInfo {
    fn text(&self, paint: Paint) -> String {
        let mut fields = Fields::new(paint);
        fields.put("slug", &self.slug);
        fields.put_some("name", self.name.as_deref());
        fields.put_some("status", self.status.as_deref());
        fields.put("id", &self.id);
        fields.put_some("data platform", self.data_platform.as_deref());
        let entities = self.entity_count.map(|count| count.to_string());
        fields.put_some("entities", entities.as_deref());
        let created = self.created_at.map(|at| at.to_string());
        fields.put_some("created", created.as_deref());
        fields.text()
    }
}
