use clap::Subcommand;
use jiff::Timestamp;
use ntro_authority::Registry;
use ntro_base::KeyName;
use serde::Serialize;

use super::{display_name, or_dash, organisation};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Column, Done, Paint, Report, Table, whole_seconds};

#[derive(Subcommand, Debug)]
#[command(defer = true)]
pub(super) enum Command {
    /// Create an organisation
    Create(CreateArgs),
    /// Give an organisation another name
    Rename(RenameArgs),
    /// List organisations
    List,
}

#[derive(clap::Args, Debug)]
pub(super) struct CreateArgs {
    /// Display name
    #[arg(value_parser = display_name)]
    name: KeyName,
    /// Id of the organisation in its admins' tokens
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
}

#[derive(clap::Args, Debug)]
pub(super) struct RenameArgs {
    /// Organisation: id, external id or name
    #[arg(value_name = "NAME")]
    organisation: String,
    /// New display name
    #[arg(value_name = "NEW", value_parser = display_name)]
    name: KeyName,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct OrganisationRow {
    /// Id of the organisation.
    id: String,
    /// Display name.
    name: String,
    /// Id of the organisation in its admins' tokens.
    external_id: Option<String>,
    /// When the organisation was created.
    created_at: Timestamp,
}

/// One object for each organisation.
#[derive(Debug, Serialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct OrganisationList(Vec<OrganisationRow>);

impl Command {
    pub(super) fn run(self, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Create(args) => create(&args, registry, cx),
            Self::Rename(args) => rename(&args, registry, cx),
            Self::List => list(registry, cx),
        }
    }
}

fn create(args: &CreateArgs, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
    let external_id = args.external_id.as_deref();
    let made = cx.block_on(registry.create_organisation(args.name.as_str(), external_id))??;
    cx.printer().confirm(&Done {
        text: format!("created the organisation `{}` ({})", made.name, made.id),
        value: OrganisationRow::from(made),
    })?;
    Ok(Exit::Success)
}

fn rename(args: &RenameArgs, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
    let (before, after) = cx.block_on(async {
        let before = organisation(registry, Some(&args.organisation)).await?;
        let renamed = registry.rename_organisation(before.id, args.name.as_str());
        Ok::<_, CliError>((before.name, renamed.await?))
    })??;
    cx.printer().confirm(&Done {
        text: format!("the organisation `{before}` is now `{}`", after.name),
        value: OrganisationRow::from(after),
    })?;
    Ok(Exit::Success)
}

fn list(registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
    let all = cx.block_on(registry.organisations())??;
    let all = all.into_iter().map(OrganisationRow::from).collect();
    cx.printer().print(&OrganisationList(all))?;
    Ok(Exit::Success)
}

impl From<ntro_authority::OrganisationRecord> for OrganisationRow {
    fn from(row: ntro_authority::OrganisationRecord) -> Self {
        Self {
            id: row.id.to_string(),
            name: row.name,
            external_id: row.external_id,
            created_at: whole_seconds(row.created_at),
        }
    }
}

const COLUMNS: [Column; 3] = [
    Column::id("ID", 0),
    Column::always("NAME"),
    Column::id("EXTERNAL ID", 1),
];

impl Report for OrganisationList {
    fn text(&self, paint: Paint) -> String {
        let mut table = Table::new(paint, &COLUMNS);
        for row in &self.0 {
            table.row([
                row.id.clone(),
                row.name.clone(),
                or_dash(row.external_id.as_ref()),
            ]);
        }
        table.text()
    }
}
