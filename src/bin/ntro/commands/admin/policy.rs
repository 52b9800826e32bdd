use clap::Subcommand;
use ntro_authority::{KeyPolicy, LONGEST_LIFE_IN_DAYS, Registry, TenantRecord};
use ntro_base::Scope;
use serde::Serialize;

use super::key::scope;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Done, Paint, Report};

#[derive(Subcommand, Debug)]
#[command(defer = true)]
pub(super) enum Command {
    /// Show the rules for the new keys of the tenant of `--tenant`
    Show,
    /// Replace the rules for the new keys of the tenant of `--tenant`; without options, remove them
    ///
    /// They hold for keys that admins create, for rotation and for child keys. Keys that exist stay
    /// as they are.
    Set(SetArgs),
}

#[derive(clap::Args, Debug)]
pub(super) struct SetArgs {
    /// Most days from the creation of a key to its expiry; every key must then expire
    #[arg(
        long,
        value_name = "DAYS",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(LONGEST_LIFE_IN_DAYS))
    )]
    longest_life_in_days: Option<u32>,
    /// Require every key to expire
    #[arg(long)]
    require_expiry: bool,
    /// Scope that keys may have; repeat it, or separate several with commas [default: every scope]
    #[arg(
        long = "allow-scope",
        value_name = "SCOPE",
        value_delimiter = ',',
        value_parser = scope()
    )]
    allowed_scopes: Vec<Scope>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct PolicyRow {
    /// Id of the tenant.
    tenant_id: String,
    /// Slug of the tenant.
    tenant: String,
    /// Most days from the creation of a key to its expiry.
    longest_life_in_days: Option<u32>,
    /// Whether every key must expire.
    expiry_required: bool,
    /// Scopes that keys may have; none for every scope.
    allowed_scopes: Option<Vec<&'static str>>,
}

impl Command {
    pub(super) fn run(self, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
        let Some(slug) = &cx.global().tenant else {
            return Err(CliError::usage("a policy belongs to a tenant")
                .hint("name it: `--tenant SLUG`; see `ntro admin tenant list`"));
        };
        let tenant = cx.block_on(registry.tenant(slug.as_str()))??;
        match self {
            Self::Show => {
                let policy = cx.block_on(registry.policy(tenant.id))??;
                cx.printer().print(&PolicyRow::new(&tenant, &policy))?;
            }
            Self::Set(args) => {
                let policy = args.policy();
                let policy = cx.block_on(registry.set_policy(tenant.id, policy))??;
                cx.printer().confirm(&Done {
                    text: format!("replaced the policy of the tenant `{}`", tenant.slug),
                    value: PolicyRow::new(&tenant, &policy),
                })?;
            }
        }
        Ok(Exit::Success)
    }
}

impl SetArgs {
    fn policy(self) -> KeyPolicy {
        let scopes = self.allowed_scopes;
        KeyPolicy {
            longest_life_in_days: self.longest_life_in_days,
            expiry_required: self.require_expiry,
            allowed_scopes: (!scopes.is_empty()).then_some(scopes),
        }
    }
}

impl PolicyRow {
    fn new(tenant: &TenantRecord, policy: &KeyPolicy) -> Self {
        Self {
            tenant_id: tenant.id.to_string(),
            tenant: tenant.slug.clone(),
            longest_life_in_days: policy.longest_life_in_days,
            expiry_required: policy.expiry_required,
            allowed_scopes: policy.allowed_scope_names(),
        }
    }
}

impl Report for PolicyRow {
    fn text(&self, _: Paint) -> String {
        let life = match self.longest_life_in_days {
            Some(1) => "at most one day".to_owned(),
            Some(days) => format!("at most {days} days"),
            None if self.expiry_required => "limited".to_owned(),
            None => "unlimited".to_owned(),
        };
        let scopes = match &self.allowed_scopes {
            Some(scopes) => scopes.join(", "),
            None => "all".to_owned(),
        };
        format!("Life of new keys: {life}\nAllowed scopes: {scopes}\n")
    }
}
