//! Owner of a key and the tenants it reaches, for `auth whoami` and `auth login`.

use jiff::Timestamp;
use ntro_base::TenantSlug;
use ntro_client::api::{self, Expiry, Identity, Tenant};
use ntro_client::resolve::{Connection, Source};
use serde::Serialize;

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Kind;
use crate::output::{Fields, Paint, Report, whole_seconds};
use crate::shell::quoted;

/// Owner of a key, and the tenants that it reaches.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Whoami {
    /// Name of the connection, if one is used.
    pub(crate) connection: Option<String>,
    /// System that the key belongs to.
    #[cfg_attr(test, schemars(with = "crate::schema::ProviderName"))]
    pub(crate) provider: &'static str,
    /// Base URL of the server.
    pub(crate) host: String,
    /// Id of the key's owner.
    pub(crate) id: String,
    /// Name of the key's owner.
    pub(crate) name: String,
    /// E-mail address of the key's owner.
    pub(crate) email: Option<String>,
    /// Name of the organisation of the key's owner; its id if the server does not name it.
    pub(crate) organisation: Option<String>,
    /// Id of the organisation of the key's owner.
    pub(crate) organisation_id: Option<String>,
    /// Roles of the key's owner.
    pub(crate) roles: Vec<String>,
    /// Slug of the tenant that a call would use.
    pub(crate) tenant: Option<String>,
    /// Tenants that the key reaches.
    pub(crate) tenants: Vec<TenantName>,
    /// Prefix of the key.
    pub(crate) key_prefix: String,
    /// Description of where the key came from.
    pub(crate) key_source: String,
    /// Kind of that source.
    pub(crate) key_source_code: &'static str,
    /// Scopes of the key, if the server reports them.
    pub(crate) scopes: Option<Vec<String>>,
    /// When the key expires, if the server reports it.
    pub(crate) expires_at: Option<Timestamp>,
    /// Region of the server.
    pub(crate) region: Option<String>,
}

/// Id and names of a tenant.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct TenantName {
    /// Id of the tenant.
    pub(crate) id: String,
    /// Slug of the tenant.
    pub(crate) slug: String,
    /// Display name of the tenant.
    pub(crate) name: Option<String>,
}

impl TenantName {
    /// Returns the display name with the slug, or the slug alone.
    pub(crate) fn shown(&self) -> String {
        match &self.name {
            Some(name) if *name != self.slug => format!("{name} ({})", self.slug),
            _ => self.slug.clone(),
        }
    }
}

impl From<&Tenant> for TenantName {
    fn from(tenant: &Tenant) -> Self {
        Self {
            id: tenant.id.clone(),
            slug: tenant.slug.to_string(),
            name: tenant.name.clone(),
        }
    }
}

/// Returns the [active](Tenant::active) tenant of a connection. Fails if the key does not reach the
/// named tenant.
pub(crate) fn active_tenant<'a>(
    cx: &Context,
    connection: &Connection,
    tenants: &'a [Tenant],
) -> Result<Option<&'a Tenant>, CliError> {
    let named = connection.tenant.as_ref();
    match (
        named,
        Tenant::active(named.map(|named| &named.value), tenants),
    ) {
        (Some(wanted), None) => Err(out_of_reach(
            cx,
            &wanted.value,
            &wanted.source.to_string(),
            tenants,
        )),
        (_, active) => Ok(active),
    }
}

/// Checks that the key of the active connection reaches the tenant of the project's pin, before the
/// key is used for a call that is not about a tenant.
pub(crate) fn require_pinned_tenant(cx: &Context) -> Result<(), CliError> {
    let tenant = cx.resolution()?.tenant()?;
    if !tenant.is_some_and(|tenant| matches!(&tenant.source, Source::Pin(_))) {
        return Ok(());
    }
    let connection = cx.connection()?;
    let tenants = cx.block_on(cx.client(&connection)?.tenants())??;
    active_tenant(cx, &connection, &tenants).map(drop)
}

/// Returns the error for a tenant that the key does not reach. Names a connection that reaches it,
/// if one does.
pub(crate) fn out_of_reach(
    cx: &Context,
    wanted: &TenantSlug,
    source: &str,
    tenants: &[Tenant],
) -> CliError {
    let reached: Vec<_> = tenants.iter().map(|tenant| tenant.slug.as_str()).collect();
    let message = format!("the API key does not reach the tenant `{wanted}` (named by {source})");
    let reaches = match reached.as_slice() {
        [] => "it reaches none".to_owned(),
        reached => format!("it reaches {}", reached.join(", ")),
    };
    CliError::new(Kind::Forbidden, message).hint(match cx.connection_for(wanted) {
        Some(name) => format!(
            "{reaches}; the connection for `{wanted}` is `{name}`: `-c {}`",
            quoted(&name)
        ),
        None => {
            format!("{reaches}; log in with a key of `{wanted}`: `ntro auth login --name NAME`")
        }
    })
}

/// Calls the server and builds the output of `auth whoami`.
pub(crate) fn whoami(cx: &Context, connection: &Connection) -> Result<Whoami, CliError> {
    let client = cx.client(connection)?;
    let api::Whoami { identity, tenants } = cx.block_on(client.whoami())??;
    let tenant = active_tenant(cx, connection, &tenants)?;
    Ok(Whoami::new(connection, identity, &tenants, tenant))
}

impl Whoami {
    fn new(
        connection: &Connection,
        identity: Identity,
        tenants: &[Tenant],
        tenant: Option<&Tenant>,
    ) -> Self {
        let key = identity.key.as_ref();
        Self {
            connection: connection.name.as_ref().map(|name| name.value.to_string()),
            provider: connection.provider.value.as_str(),
            host: connection.host.value.to_string(),
            tenant: tenant.map(|tenant| tenant.slug.to_string()),
            tenants: tenants.iter().map(TenantName::from).collect(),
            key_prefix: connection.key.value.prefix().to_string(),
            key_source: connection.key.source.to_string(),
            key_source_code: connection.key.source.code(),
            scopes: key.and_then(|key| key.scopes.clone()),
            expires_at: key.and_then(|key| key.expires.at()).map(whole_seconds),
            id: identity.id,
            name: identity.name,
            email: identity.email,
            organisation: identity.organisation,
            organisation_id: identity.organisation_id,
            roles: identity.roles,
            region: identity.region,
        }
    }
}

impl Report for Whoami {
    fn text(&self, paint: Paint) -> String {
        let mut fields = Fields::new(paint);
        fields.put("name", &self.name);
        fields.put_some("email", self.email.as_deref());
        fields.put("id", &self.id);
        fields.put_some("organisation", self.organisation.as_deref());
        fields.put_list("roles", &self.roles);
        let tenants: Vec<_> = self
            .tenants
            .iter()
            .map(|tenant| {
                let active = self.tenant.as_ref() == Some(&tenant.slug);
                match (&tenant.name, active && self.tenants.len() > 1) {
                    (Some(name), true) if *name != tenant.slug => {
                        format!("{name} ({}, active)", tenant.slug)
                    }
                    (_, true) => format!("{} (active)", tenant.slug),
                    (_, false) => tenant.shown(),
                }
            })
            .collect();
        fields.put_list("tenants", &tenants);
        let active = |tenant: &&TenantName| self.tenant.as_ref() == Some(&tenant.slug);
        let active = self.tenants.iter().find(active).map(TenantName::shown);
        fields.put_some("tenant", active.as_deref());
        fields.put(
            "key",
            &format!("{}… from {}", self.key_prefix, self.key_source),
        );
        if let Some(scopes) = &self.scopes {
            match scopes.as_slice() {
                [] => fields.put("scopes", "none"),
                scopes => fields.put_list("scopes", scopes),
            }
        }
        fields.put_some(
            "expires",
            self.expires_at.map(|at| at.to_string()).as_deref(),
        );
        fields.put_some("region", self.region.as_deref());
        fields.put_some("connection", self.connection.as_deref());
        fields.put("host", &format!("{} ({})", self.host, self.provider));
        fields.text()
    }
}

/// Returns the expiry of a key, if the server reports it.
pub(crate) fn expiry(identity: &Identity) -> Option<Timestamp> {
    identity
        .key
        .as_ref()
        .map_or(Expiry::Unknown, |key| key.expires)
        .at()
}
