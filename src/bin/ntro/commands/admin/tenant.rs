use std::collections::HashMap;

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use jiff::Timestamp;
use ntro_authority::{DataPlatform, NewTenant, Registry, TenantRecord, TenantStatus};
use ntro_base::{KeyName, TenantSlug};
use serde::Serialize;

use super::{display_name, organisation};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Column, Done, Paint, Report, Table, whole_seconds};

#[derive(Subcommand, Debug)]
#[command(defer = true)]
pub(super) enum Command {
    /// Create an active tenant
    Create(CreateArgs),
    /// Give a tenant another display name; its slug stays
    Rename(RenameArgs),
    /// List tenants, oldest first
    List(ListArgs),
    /// Refuse a tenant's keys until it is resumed
    Suspend(NameArgs),
    /// Accept a tenant's keys again
    Resume(NameArgs),
}

#[derive(clap::Args, Debug)]
pub(super) struct CreateArgs {
    /// Name used in URLs: lower-case letters, digits and dashes
    slug: TenantSlug,
    /// Display name [default: the slug]
    #[arg(long, value_parser = display_name)]
    name: Option<KeyName>,
    /// Organisation that owns the tenant: id, external id or name [default: the only one]
    #[arg(long, value_name = "NAME")]
    organisation: Option<String>,
    /// Platform of its data
    #[arg(
        long,
        value_name = "PLATFORM",
        default_value = DataPlatform::ManagedPostgres.as_str(),
        value_parser = PossibleValuesParser::new(DataPlatform::ALL.iter().map(|one| one.as_str()))
            .try_map(|text| text.parse::<DataPlatform>())
    )]
    data_platform: DataPlatform,
    /// Id of the platform's configuration, for every platform but `managed-postgres`
    #[arg(long, value_name = "ID")]
    data_platform_config: Option<String>,
}

#[derive(clap::Args, Debug)]
pub(super) struct ListArgs {
    /// Only tenants of this organisation: id, external id or name
    #[arg(long, value_name = "NAME")]
    organisation: Option<String>,
    /// Only tenants with this status
    #[arg(
        long,
        ignore_case = true,
        value_parser = PossibleValuesParser::new(TenantStatus::ALL.iter().map(|one| one.as_str()))
            .try_map(|text| text.to_ascii_uppercase().parse::<TenantStatus>())
    )]
    status: Option<TenantStatus>,
}

#[derive(clap::Args, Debug)]
pub(super) struct RenameArgs {
    /// Slug or id of the tenant
    #[arg(value_name = "SLUG|ID")]
    slug: String,
    /// New display name
    #[arg(value_name = "NEW", value_parser = display_name)]
    name: KeyName,
}

#[derive(clap::Args, Debug)]
pub(super) struct NameArgs {
    /// Slug or id of the tenant
    #[arg(value_name = "SLUG|ID")]
    name: String,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct AdminTenantRow {
    /// Id of the tenant.
    id: String,
    /// Name used in URLs.
    slug: String,
    /// Display name.
    name: String,
    /// Id of the organisation that owns the tenant.
    organisation_id: String,
    /// Name of the organisation that owns the tenant.
    organisation: String,
    /// Status; keys are accepted only while it is `ACTIVE`.
    #[cfg_attr(test, schemars(with = "crate::schema::TenantStatusName"))]
    status: &'static str,
    /// Platform that holds the tenant's data.
    #[cfg_attr(test, schemars(with = "crate::schema::DataPlatformName"))]
    data_platform: &'static str,
    /// Id of the platform's configuration.
    data_platform_config_id: Option<String>,
    /// When the tenant was created.
    created_at: Timestamp,
    /// When the tenant was last changed.
    updated_at: Timestamp,
}

/// One object for each tenant.
#[derive(Debug, Serialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct AdminTenantList(Vec<AdminTenantRow>);

impl Command {
    pub(super) fn run(self, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Create(args) => create(args, registry, cx),
            Self::Rename(args) => rename(&args, registry, cx),
            Self::List(args) => list(&args, registry, cx),
            Self::Suspend(args) => set_status(&args, TenantStatus::Suspended, registry, cx),
            Self::Resume(args) => set_status(&args, TenantStatus::Active, registry, cx),
        }
    }
}

fn create(args: CreateArgs, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
    let (made, owner) = cx.block_on(async {
        let owner = organisation(registry, args.organisation.as_deref()).await?;
        let new = NewTenant {
            organisation_id: owner.id,
            name: match args.name {
                Some(name) => name.to_string(),
                None => args.slug.to_string(),
            },
            slug: args.slug.to_string(),
            data_platform: args.data_platform,
            data_platform_config_id: args.data_platform_config,
        };
        Ok::<_, CliError>((registry.create_tenant(new).await?, owner))
    })??;
    cx.printer().confirm(&Done {
        text: format!("created the tenant `{}` ({})", made.slug, made.id),
        value: AdminTenantRow::new(made, owner.name),
    })?;
    Ok(Exit::Success)
}

fn rename(args: &RenameArgs, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
    let (before, after, owner) = cx.block_on(async {
        let before = registry.tenant(&args.slug).await?;
        let after = registry
            .rename_tenant(before.id, args.name.as_str())
            .await?;
        let owner = owner(registry, &after).await?;
        Ok::<_, ntro_authority::Error>((before, after, owner))
    })??;
    cx.printer().confirm(&Done {
        text: format!(
            "the tenant `{}` is now called `{}`, no longer `{}`",
            after.slug, after.name, before.name
        ),
        value: AdminTenantRow::new(after, owner),
    })?;
    Ok(Exit::Success)
}

/// Returns the name of the organisation that owns a tenant.
async fn owner(
    registry: &Registry,
    tenant: &TenantRecord,
) -> Result<String, ntro_authority::Error> {
    let id = tenant.organisation_id.to_string();
    Ok(registry.organisation(&id).await?.name)
}

fn list(args: &ListArgs, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
    let (all, owners) = cx.block_on(async {
        let owner = match &args.organisation {
            Some(name) => Some(organisation(registry, Some(name)).await?.id),
            None => None,
        };
        let tenants = registry.tenants(owner, args.status).await?;
        Ok::<_, CliError>((tenants, registry.organisations().await?))
    })??;
    let names: HashMap<_, _> = owners.into_iter().map(|one| (one.id, one.name)).collect();
    let rows = all.into_iter().map(|tenant| {
        let owner = names.get(&tenant.organisation_id);
        AdminTenantRow::new(tenant, owner.cloned().unwrap_or_default())
    });
    cx.printer().print(&AdminTenantList(rows.collect()))?;
    Ok(Exit::Success)
}

fn set_status(
    args: &NameArgs,
    status: TenantStatus,
    registry: &Registry,
    cx: &Context,
) -> Result<Exit, CliError> {
    let (now, owner) = cx.block_on(async {
        let tenant = registry.tenant(&args.name).await?;
        let tenant = registry.set_tenant_status(tenant.id, status).await?;
        let owner = owner(registry, &tenant).await?;
        Ok::<_, ntro_authority::Error>((tenant, owner))
    })??;
    let done = match status {
        TenantStatus::Active => "accepted again",
        _ => "refused from now on",
    };
    cx.printer().confirm(&Done {
        text: format!("keys of the tenant `{}` are {done}", now.slug),
        value: AdminTenantRow::new(now, owner),
    })?;
    Ok(Exit::Success)
}

impl AdminTenantRow {
    fn new(row: TenantRecord, organisation: String) -> Self {
        Self {
            id: row.id.to_string(),
            slug: row.slug,
            name: row.name,
            organisation_id: row.organisation_id.to_string(),
            organisation,
            status: row.status.as_str(),
            data_platform: row.data_platform.as_str(),
            data_platform_config_id: row.data_platform_config_id,
            created_at: whole_seconds(row.created_at),
            updated_at: whole_seconds(row.updated_at),
        }
    }
}

const COLUMNS: [Column; 5] = [
    Column::id("ID", 3),
    Column::always("SLUG"),
    Column::ranked("NAME", 1),
    Column::ranked("STATUS", 2),
    Column::id("ORGANISATION", 4),
];

impl Report for AdminTenantList {
    fn text(&self, paint: Paint) -> String {
        let mut table = Table::new(paint, &COLUMNS);
        for row in &self.0 {
            table.row([
                row.id.clone(),
                row.slug.clone(),
                row.name.clone(),
                row.status.to_owned(),
                row.organisation.clone(),
            ]);
        }
        table.text()
    }
}
