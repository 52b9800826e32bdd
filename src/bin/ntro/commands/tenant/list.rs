use ntro_client::api::Tenant;
use serde::Serialize;

use super::super::identity;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Column, Paint, Report, Table};

/// List the tenants that the key reaches
#[derive(clap::Args, Debug)]
pub(crate) struct ListArgs {}

const COLUMNS: [Column; 5] = [
    Column::always(""),
    Column::always("SLUG"),
    Column::ranked("NAME", 1),
    Column::ranked("STATUS", 2),
    Column::id("ID", 3),
];

/// One object for each tenant.
#[derive(Debug, Serialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct TenantList(Vec<TenantRow>);

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct TenantRow {
    /// Name used in URLs and settings.
    slug: String,
    /// Whether a call would use it.
    active: bool,
    /// Display name.
    name: Option<String>,
    /// Status, as the server reports it.
    status: Option<String>,
    /// Id of the tenant.
    id: String,
}

pub(crate) fn run(_args: ListArgs, cx: &Context) -> Result<Exit, CliError> {
    let connection = cx.connection()?;
    let tenants = cx.block_on(cx.client(&connection)?.tenants())??;
    let active = match identity::active_tenant(cx, &connection, &tenants) {
        Ok(active) => active,
        // List the tenants, so that another one can be chosen.
        Err(error) => {
            cx.printer().warn(&error.message);
            None
        }
    };
    let rows = tenants.iter().map(|tenant| TenantRow::new(tenant, active));
    if tenants.is_empty() {
        cx.printer().note("The key reaches no tenant.");
    }
    cx.printer().print(&TenantList(rows.collect()))?;
    Ok(Exit::Success)
}

impl TenantRow {
    fn new(tenant: &Tenant, active: Option<&Tenant>) -> Self {
        Self {
            slug: tenant.slug.to_string(),
            active: active == Some(tenant),
            name: tenant.name.clone(),
            status: tenant.status.clone(),
            id: tenant.id.clone(),
        }
    }
}

impl Report for TenantList {
    fn text(&self, paint: Paint) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let mut table = Table::new(paint, &COLUMNS);
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        for row in &self.0 {
            table.row([
                if row.active { "●" } else { "" }.to_owned(),
                row.slug.clone(),
                or_dash(&row.name),
                or_dash(&row.status),
                row.id.clone(),
            ]);
        }
        table.text()
    }
}
