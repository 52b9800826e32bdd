use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use jiff::Timestamp;
use ntro_authority::{DataPlatform, NewTenant, Registry, TenantStatus};
use ntro_base::{KeyName, TenantSlug};
use serde::Serialize;

use super::{display_name, organisation};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Done, Paint, Report, Table};

#[derive(Subcommand, Debug)]
#[command(defer = true)]
pub(super) enum Command {
    /// Create an active tenant
    Create(CreateArgs),
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
            Self::List(args) => list(&args, registry, cx),
            Self::Suspend(args) => set_status(&args, TenantStatus::Suspended, registry, cx),
            Self::Resume(args) => set_status(&args, TenantStatus::Active, registry, cx),
        }
    }
}

fn create(args: CreateArgs, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
    let made = cx.block_on(async {
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
        Ok::<_, CliError>(registry.create_tenant(new).await?)
    })??;
    cx.printer().confirm(&Done {
        text: format!("created the tenant `{}` ({})", made.slug, made.id),
        value: AdminTenantRow::from(made),
    })?;
    Ok(Exit::Success)
}

fn list(args: &ListArgs, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
    let all = cx.block_on(async {
        let owner = match &args.organisation {
            Some(name) => Some(organisation(registry, Some(name)).await?.id),
            None => None,
        };
        Ok::<_, CliError>(registry.tenants(owner, args.status).await?)
    })??;
    let all = all.into_iter().map(AdminTenantRow::from).collect();
    cx.printer().print(&AdminTenantList(all))?;
    Ok(Exit::Success)
}

fn set_status(
    args: &NameArgs,
    status: TenantStatus,
    registry: &Registry,
    cx: &Context,
) -> Result<Exit, CliError> {
    let now = cx.block_on(async {
        let tenant = registry.tenant(&args.name).await?;
        registry.set_tenant_status(tenant.id, status).await
    })??;
    let done = match status {
        TenantStatus::Active => "accepted again",
        _ => "refused from now on",
    };
    cx.printer().confirm(&Done {
        text: format!("keys of the tenant `{}` are {done}", now.slug),
        value: AdminTenantRow::from(now),
    })?;
    Ok(Exit::Success)
}

impl From<ntro_authority::TenantRecord> for AdminTenantRow {
    fn from(row: ntro_authority::TenantRecord) -> Self {
        Self {
            id: row.id.to_string(),
            slug: row.slug,
            name: row.name,
            organisation_id: row.organisation_id.to_string(),
            status: row.status.as_str(),
            data_platform: row.data_platform.as_str(),
            data_platform_config_id: row.data_platform_config_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl Report for AdminTenantList {
    fn text(&self, paint: Paint) -> String {
        let mut table = Table::new(paint, &["ID", "SLUG", "NAME", "STATUS", "ORGANISATION"]);
        for row in &self.0 {
            table.row([
                row.id.clone(),
                row.slug.clone(),
                row.name.clone(),
                row.status.to_owned(),
                row.organisation_id.clone(),
            ]);
        }
        table.text()
    }
}
