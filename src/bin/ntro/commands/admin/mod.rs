//! `ntro admin`: manages the authority's registry on the machine that holds its database.

mod audit;
mod init;
mod key;
mod organisation;
mod policy;
mod tenant;
mod token;

use clap::Subcommand;
use ntro_authority::{OrganisationRecord, Registry};
use ntro_base::{KeyName, NameError};

use super::database::DatabaseArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
#[cfg(test)]
use crate::schema::{CommandOutput, schemas};

/// Manage the authority's registry on the machine of its database
///
/// Works with or without a running `ntro serve`. When a command has succeeded, the server refuses
/// every key that it has revoked or suspended, and knows every key that it has created. A server that
/// hangs learns of new keys when it continues.
#[derive(clap::Args, Debug)]
pub(crate) struct AdminArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
#[command(defer = true)]
enum Command {
    /// Make the tables of the database and the key material, where they are missing
    ///
    /// PostgreSQL needs it once. A SQLite database is made by `ntro serve` as well.
    Init,
    /// Create, rename and list organisations, which own tenants
    #[command(subcommand)]
    Organisation(organisation::Command),
    /// Create, rename, list, suspend and resume tenants
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Create, list, pause and revoke keys
    #[command(subcommand)]
    Key(key::Command),
    /// Show and replace the rules for the new keys of a tenant
    #[command(subcommand)]
    Policy(policy::Command),
    Token(token::TokenArgs),
    /// Verify, export and prove the audit logs
    #[command(subcommand)]
    Audit(audit::Command),
}

pub(crate) fn run(args: AdminArgs, cx: &Context) -> Result<Exit, CliError> {
    let registry = |make| args.database.registry(cx, make);
    match args.command {
        Command::Init => init::run(&args.database, cx),
        // Every other command needs an organisation, which a new registry does not have.
        Command::Organisation(command) => {
            let begins = matches!(command, organisation::Command::Create(_));
            command.run(&registry(begins)?, cx)
        }
        Command::Tenant(command) => command.run(&registry(false)?, cx),
        Command::Key(command) => command.run(&registry(false)?, cx),
        Command::Policy(command) => command.run(&registry(false)?, cx),
        Command::Token(args) => token::run(args, &registry(false)?, cx),
        Command::Audit(command) => command.run(&registry(false)?, cx),
    }
}

/// Returns the schemas of what each command prints as JSON.
#[cfg(test)]
pub(crate) fn outputs() -> Vec<CommandOutput> {
    vec![
        CommandOutput::new("init", schemas![init::InitialRegistry]),
        CommandOutput::new(
            "organisation create",
            schemas![organisation::OrganisationRow],
        ),
        CommandOutput::new(
            "organisation rename",
            schemas![organisation::OrganisationRow],
        ),
        CommandOutput::new(
            "organisation list",
            schemas![organisation::OrganisationList],
        ),
        CommandOutput::new("tenant create", schemas![tenant::AdminTenantRow]),
        CommandOutput::new("tenant rename", schemas![tenant::AdminTenantRow]),
        CommandOutput::new("tenant list", schemas![tenant::AdminTenantList]),
        CommandOutput::new("tenant suspend", schemas![tenant::AdminTenantRow]),
        CommandOutput::new("tenant resume", schemas![tenant::AdminTenantRow]),
        CommandOutput::new("key create", schemas![key::CreatedAdminKey<'_>]),
        CommandOutput::new("key list", schemas![key::AdminKeyList]),
        CommandOutput::new("key pause", schemas![key::AdminKeyRow]),
        CommandOutput::new("key resume", schemas![key::AdminKeyRow]),
        CommandOutput::new("key revoke", schemas![key::AdminKeyRow, key::RevokedKeys]),
        CommandOutput::new("policy show", schemas![policy::PolicyRow]),
        CommandOutput::new("policy set", schemas![policy::PolicyRow]),
        CommandOutput::new("token", schemas![token::AdminTokenRow<'_>]),
        CommandOutput::new("audit verify", schemas![audit::AuditVerification]),
        CommandOutput::new("audit prove", schemas![audit::ProvedAuditEvent]),
        CommandOutput::new("audit checkpoint", schemas![audit::SignedCheckpoints]),
    ]
}

/// Finds an organisation by its id, its external id, or its name if that is unique; without a name,
/// the only organisation.
async fn organisation(
    registry: &Registry,
    wanted: Option<&str>,
) -> Result<OrganisationRecord, CliError> {
    let Some(wanted) = wanted else {
        let mut all = registry.organisations().await?;
        return match (all.pop(), all.len()) {
            (Some(only), 0) => Ok(only),
            (None, _) => Err(CliError::new(Kind::Failure, "there is no organisation yet")
                .hint("create one: `ntro admin organisation create NAME`")),
            (Some(_), _) => Err(CliError::usage("there are several organisations")
                .hint("name one: `--organisation NAME`")),
        };
    };
    match registry.organisation(wanted).await {
        Err(ntro_authority::Error::NoOrganisation { .. }) => {}
        found => return Ok(found?),
    }
    let mut named = registry.organisations().await?;
    named.retain(|organisation| organisation.name == wanted);
    match (named.pop(), named.len()) {
        (Some(only), 0) => Ok(only),
        (Some(_), _) => Err(CliError::usage(format!(
            "several organisations have the name `{wanted}`"
        ))
        .hint("give the id: `ntro admin organisation list`")),
        (None, _) => Err(ntro_authority::Error::NoOrganisation {
            name: wanted.to_owned(),
        }
        .into()),
    }
}

/// Reads the display name of an organisation or a tenant.
fn display_name(text: &str) -> Result<KeyName, NameError> {
    // The rules are those of keys' names.
    let name = text.parse::<KeyName>();
    name.map_err(|error| error.about("name"))
}

/// Returns a table cell; a dash for an absent value.
fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
