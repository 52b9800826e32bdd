use clap::Subcommand;
use jiff::Timestamp;
use ntro_authority::Registry;
use ntro_base::KeyName;
use serde::Serialize;

use super::{display_name, or_dash};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Done, Paint, Report, Table};

#[derive(Subcommand, Debug)]
#[command(defer = true)]
pub(super) enum Command {
    /// Create an organisation
    Create(CreateArgs),
    /// List every organisation
    List,
}

#[derive(clap::Args, Debug)]
pub(super) struct CreateArgs {
    /// Display name
    #[arg(value_parser = display_name)]
    name: KeyName,
    /// Id of the organisation at the issuer of its admins' tokens
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
}

#[derive(Debug, Serialize)]
struct Organisation {
    id: String,
    name: String,
    external_id: Option<String>,
    created_at: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Organisations(Vec<Organisation>);

impl Command {
    pub(super) fn run(self, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Create(args) => create(&args, registry, cx),
            Self::List => list(registry, cx),
        }
    }
}

fn create(args: &CreateArgs, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
    let external_id = args.external_id.as_deref();
    let made = cx.block_on(registry.create_organisation(args.name.as_str(), external_id))??;
    cx.printer().confirm(&Done {
        text: format!("created the organisation `{}` ({})", made.name, made.id),
        value: Organisation::from(made),
    })?;
    Ok(Exit::Fine)
}

fn list(registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
    let all = cx.block_on(registry.organisations())??;
    let all = all.into_iter().map(Organisation::from).collect();
    cx.printer().print(&Organisations(all))?;
    Ok(Exit::Fine)
}

impl From<ntro_authority::Organisation> for Organisation {
    fn from(row: ntro_authority::Organisation) -> Self {
        Self {
            id: row.id.to_string(),
            name: row.name,
            external_id: row.external_id,
            created_at: row.created_at,
        }
    }
}

impl Report for Organisations {
    fn text(&self, paint: Paint) -> String {
        let mut table = Table::new(paint, &["ID", "NAME", "EXTERNAL ID"]);
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
