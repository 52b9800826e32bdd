//! What the calls of an administrator have in common.

use ntro_base::{ConnectionName, Host, Provider, TenantSlug};
use ntro_client::api::{self, AdminClient, AdminTarget, Tenant};
use ntro_client::resolve::{Connection, ResolvedValue, Source, Sourced};

use super::super::identity;
use crate::admin_token;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Kind;

/// Options of every command that acts as an administrator.
#[derive(clap::Args, Debug)]
pub(super) struct AdminArgs {
    /// Read the admin token from standard input, instead of from `NTRO_ADMIN_TOKEN` or the
    /// connection's `admin_token_command`
    #[arg(long)]
    admin_token_stdin: bool,
}

/// An administrator at a server.
pub(super) struct Admin {
    pub(super) client: AdminClient,
    pub(super) provider: Provider,
    pub(super) host: Host,
    pub(super) connection: Option<ConnectionName>,
}

impl Admin {
    /// Decides where to go, and gets the token for it.
    pub(super) fn open(args: &AdminArgs, cx: &Context) -> Result<Self, CliError> {
        let resolution = cx.resolution()?;
        // A key plays no part in these calls.
        cx.tell_shadows(&[
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

    /// Makes a call, and explains a refusal.
    pub(super) fn call<T>(
        &self,
        cx: &Context,
        call: impl Future<Output = Result<T, api::Error>>,
    ) -> Result<T, CliError> {
        cx.block_on(call)?.map_err(explained)
    }

    /// Returns the tenant whose keys are meant: the one that is named, else the only one that the
    /// connection's own key reaches, else the only one that the administrator sees.
    pub(super) fn tenant(&self, cx: &Context) -> Result<TenantSlug, CliError> {
        let resolution = cx.resolution()?;
        if let Some(tenant) = resolution.tenant()?.cloned() {
            if let Source::Pin(_) = &tenant.source {
                self.reaches(cx, &tenant)?;
            }
            return self.known(cx, tenant);
        }
        // An administrator needs no key, so one that is not there or not accepted is no failure.
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

    /// Returns what the server calls a tenant. Ontora's endpoints take the id of a workspace alone,
    /// so anything else is looked for among the workspaces that the administrator sees.
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

    /// Makes sure that a project's pin and the connection that is meant are about the same tenant.
    /// Only the key can tell: where there is none that the server accepts, nothing speaks against.
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

/// Says what a refusal means to whoever shows an admin token.
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
                    "the token is good, but not an administrator's: only an admin of the organisation manages keys"
                }
                Some("workspace_forbidden") => {
                    "the token is another organisation's than the tenant: check `--tenant`, or get a token of the right one"
                }
                _ => {
                    "the token is good, but not an admin's of the tenant's organisation, who alone manages its keys"
                }
            },
        ),
        api::Error::NotFound(_) => (
            None,
            "check the tenant and the id of the key; servers of Ntropii itself manage no keys, an authority does",
        ),
        _ => return error.into(),
    };
    let plain = CliError::from(error);
    CliError {
        message: message.unwrap_or(plain.message),
        hint: Some(hint.to_owned()),
        ..plain
    }
}
