//! Calls with an admin token.

use ntro_base::{ConnectionName, Host, Provider, TenantSlug};
use ntro_client::api::{self, AdminClient, AdminTarget, Tenant};
use ntro_client::resolve::{Connection, ResolvedValue, Source, Sourced};

use super::super::identity;
use crate::admin_token;
use crate::context::Context;
use crate::error::{CliError, has_wrong_version, not_there};
use crate::exit::Kind;

/// Options of every command that uses an admin token.
#[derive(clap::Args, Debug)]
pub(super) struct AdminArgs {
    /// Read the admin token from standard input [default: from `NTRO_ADMIN_TOKEN` or the
    /// connection's `admin_token_command`]
    #[arg(long)]
    admin_token_stdin: bool,
}

/// Server, and the admin token for it.
pub(super) struct Admin {
    pub(super) client: AdminClient,
    pub(super) provider: Provider,
    pub(super) host: Host,
    pub(super) connection: Option<ConnectionName>,
}

impl Admin {
    /// Resolves the server and gets an admin token for it.
    pub(super) fn open(args: &AdminArgs, cx: &Context) -> Result<Self, CliError> {
        let resolution = cx.resolution()?;
        // These calls use no key.
        cx.check_shadows(&[
            ResolvedValue::Connection,
            ResolvedValue::Host,
            ResolvedValue::Tenant,
        ])?;
        let host = resolution.host()?.value.clone();
        let provider = resolution.provider()?.value;
        let token = admin_token::get(cx, args.admin_token_stdin, host.origin())?;
        let target = AdminTarget {
            provider,
            host: host.clone(),
            token,
            insecure_http: cx.global().insecure_http,
        };
        Ok(Self {
            client: cx.session().admin_client(target)?,
            provider,
            host,
            connection: resolution.name()?.map(|name| name.value.clone()),
        })
    }

    /// Makes a call, and explains a failure.
    pub(super) fn call<T>(
        &self,
        cx: &Context,
        call: impl Future<Output = Result<T, api::Error>>,
    ) -> Result<T, CliError> {
        cx.block_on(call)?.map_err(explained)
    }

    /// Returns the tenant of the call: the named one, or else the only one that the connection's key
    /// reaches, or else the only one that the admin token sees.
    pub(super) fn tenant(&self, cx: &Context) -> Result<TenantSlug, CliError> {
        let resolution = cx.resolution()?;
        if let Some(tenant) = resolution.tenant()?.cloned() {
            if let Source::Pin(_) = &tenant.source {
                self.reaches(cx, &tenant)?;
            }
            return self.known(cx, tenant);
        }
        // The call needs no key, so a missing or rejected one is no failure.
        if let Ok([only]) = self.reached(cx).as_deref() {
            return Ok(only.slug.clone());
        }
        let seen = self.call(cx, self.client.tenants())?;
        match seen.as_slice() {
            [only] => Ok(only.slug.clone()),
            [] => Err(
                CliError::new(Kind::Forbidden, "the admin token's owner sees no tenant")
                    .hint("get a token of the organisation that owns the tenant"),
            ),
            several => {
                let slugs: Vec<_> = several.iter().map(|tenant| tenant.slug.as_str()).collect();
                Err(CliError::usage("several tenants are possible")
                    .hint(format!("name one with `--tenant`: {}", slugs.join(", "))))
            }
        }
    }

    /// Returns the name of a tenant on the server. Ontora's endpoints accept only the id of a
    /// workspace, so other names are looked up among the workspaces that the admin token sees.
    fn known(&self, cx: &Context, tenant: Sourced<TenantSlug>) -> Result<TenantSlug, CliError> {
        let is_id = uuid::Uuid::try_parse(tenant.value.as_str()).is_ok();
        if self.provider != Provider::Ontora || is_id {
            return Ok(tenant.value);
        }
        let seen = self.call(cx, self.client.tenants())?;
        if let Some(found) = seen.iter().find(|seen| seen.is(&tenant.value)) {
            return Ok(found.id.parse().unwrap_or(tenant.value));
        }
        let Sourced { value, source } = tenant;
        let message =
            format!("the admin token's owner sees no workspace `{value}` (named by {source})");
        let ids: Vec<_> = seen.iter().map(|seen| seen.id.as_str()).collect();
        Err(CliError::new(Kind::Failure, message).hint(match &*ids {
            [] => "get a token of the organisation that owns it".to_owned(),
            ids => format!("name one by its id with `--tenant`: {}", ids.join(", ")),
        }))
    }

    /// Checks that the connection's key reaches the tenant of a project's pin. Passes if the
    /// connection has no key that the server accepts.
    fn reaches(&self, cx: &Context, tenant: &Sourced<TenantSlug>) -> Result<(), CliError> {
        match self.reached(cx) {
            Ok(tenants) if !tenants.iter().any(|reached| reached.is(&tenant.value)) => {
                let source = tenant.source.to_string();
                Err(identity::out_of_reach(cx, &tenant.value, &source, &tenants))
            }
            _ => Ok(()),
        }
    }

    fn reached(&self, cx: &Context) -> Result<Vec<Tenant>, CliError> {
        let connection: Connection = cx.resolution()?.connection(cx.stores()?)?;
        Ok(cx.block_on(cx.client(&connection)?.tenants())??)
    }
}

/// Explains an error in terms of the admin token.
fn explained(error: api::Error) -> CliError {
    let (message, hint) = match &error {
        api::Error::Rejected(refusal) => (
            Some(format!(
                "`{}` rejected the admin token ({refusal})",
                refusal.origin
            )),
            "it may have expired, or be for another server: get a fresh one",
        ),
        api::Error::Forbidden(refusal) => (
            None,
            match refusal.code.as_deref() {
                Some("admin_required") => {
                    "the token is valid, but not for an admin: only admins of the organisation manage keys"
                }
                Some("workspace_forbidden") => {
                    "the token is for another organisation than the tenant: check `--tenant`, or get a token of the tenant's organisation"
                }
                _ => {
                    "the token is valid, but not for an admin of the tenant's organisation, who manages its keys"
                }
            },
        ),
        api::Error::NotFound(_) => (
            None,
            "check the tenant and the id of the key; servers of Ntropii itself manage no keys, an authority does",
        ),
        _ => return error.into(),
    };
    let refusal = error.refusal().map(|refusal| &refusal.expected);
    let hint = match refusal.filter(|expected| has_wrong_version(expected)) {
        Some(expected) if !matches!(error, api::Error::Forbidden(_)) => {
            format!("{}; else {hint}", not_there(expected))
        }
        _ => hint.to_owned(),
    };
    let plain = CliError::from(error);
    CliError {
        message: message.unwrap_or(plain.message),
        hint: Some(hint),
        ..plain
    }
}
