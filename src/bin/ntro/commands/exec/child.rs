//! `ntro exec --child`: the program gets a key that ends with it.
//!
//! The process beside the program creates the key and revokes it. The one that becomes the program
//! never reads the connection's key.

use std::process::Command;
use std::time::Duration;

use ntro_base::{ApiKey, Period, Provider, Scope};
use ntro_client::exec::{Selection, Values, Variables};

use super::sidecar::{self, ChildTerms};
use crate::commands::key::scope_parser;
use crate::context::Context;
use crate::error::CliError;

/// The life of a child key without `--ttl`.
const LIFE: Period = Period::seconds(60 * 60);

/// The options of a child key.
#[derive(clap::Args, Debug)]
pub(super) struct ChildArgs {
    /// Give the program a key that is created for it and revoked when it ends; needs a server that
    /// has child keys, such as `ntro serve`
    #[arg(long)]
    child: bool,
    /// Scope of the child key; repeat for several [default: those of the connection's key]
    #[arg(
        long = "scope",
        value_name = "SCOPE",
        requires = "child",
        value_delimiter = ',',
        value_parser = scope_parser()
    )]
    scopes: Vec<Scope>,
    /// Time after which the child key expires in any case, such as `30m` [default: 1h]
    #[arg(long, value_name = "PERIOD", requires = "child")]
    ttl: Option<Period>,
}

impl ChildArgs {
    /// Returns whether the program gets a child key.
    pub(super) fn is_given(&self) -> bool {
        self.child
    }

    /// Returns the child key to create, if one is.
    pub(super) fn terms(&self, provider: Provider) -> Result<Option<ChildTerms>, CliError> {
        if provider == Provider::Ntropii && !self.scopes.is_empty() {
            return Err(CliError::usage(
                "keys of Ntropii have no scopes, so `--scope` cannot narrow a child key",
            )
            .hint("remove `--scope`; `--ttl` bounds the life of the key"));
        }
        let life = self.ttl.unwrap_or(LIFE).duration();
        if life < Duration::from_secs(1) {
            return Err(CliError::usage("`--ttl` is shorter than a second"));
        }
        Ok(self.child.then(|| ChildTerms {
            scopes: self.scopes.iter().map(Scope::to_string).collect(),
            life,
        }))
    }
}

/// Creates the key, and completes the command that this process becomes.
///
/// The process beside it warns about variables that override the connection.
pub(super) fn prepare(
    args: &ChildArgs,
    selection: &Selection,
    command: &mut Command,
    cx: &Context,
) -> Result<ApiKey, CliError> {
    let resolution = cx.resolution()?;
    let provider = resolution.provider()?.value;
    selection.check(provider)?;
    if !selection.needs_key(provider) {
        return Err(CliError::usage(
            "`--child` creates a key, and `--only` sets no variable to it",
        )
        .hint("remove `--child`, or name the variable with `--only`"));
    }
    let terms = args.terms(provider)?;
    let (_, ready) = sidecar::start(cx, command, terms, None)?;
    let key = ready.key()?;
    let values = Values {
        connection: resolution.name()?.map(|name| &name.value),
        host: &resolution.host()?.value,
        key: Some(&key),
        tenant: resolution.tenant()?.map(|tenant| &tenant.value),
    };
    let variables = Variables::new(provider, &values, selection, cx.env())?;
    ready.inherited.remove(&variables, command, cx);
    super::set(command, &variables);
    Ok(key)
}
