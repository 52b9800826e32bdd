use serde::Serialize;

use super::row::KeyRow;
use crate::commands::identity;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Fields, Paint, Report};

/// Show the connection's key as its server reports it
#[derive(clap::Args, Debug)]
pub(crate) struct CurrentArgs {}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct CurrentKey {
    /// Name of the connection, if one is used.
    connection: Option<String>,
    /// System that the key belongs to.
    #[cfg_attr(test, schemars(with = "crate::schema::ProviderName"))]
    provider: &'static str,
    /// Base URL of the server.
    host: String,
    #[serde(flatten)]
    key: KeyRow,
}

pub(crate) fn run(_args: CurrentArgs, cx: &Context) -> Result<Exit, CliError> {
    identity::require_pinned_tenant(cx)?;
    let connection = cx.connection()?;
    let info = cx.block_on(cx.client(&connection)?.current_key())??;
    let mut key = KeyRow::new(&info, cx.now());
    key.key_prefix
        .get_or_insert_with(|| connection.key.value.prefix().to_string());
    cx.printer().print(&CurrentKey {
        connection: connection.name.map(|name| name.value.to_string()),
        provider: connection.provider.value.as_str(),
        host: connection.host.value.to_string(),
        key,
    })?;
    Ok(Exit::Success)
}

impl Report for CurrentKey {
    fn text(&self, paint: Paint) -> String {
        let key = &self.key;
        let mut fields = Fields::new(paint);
        let time = |at: Option<jiff::Timestamp>| at.map(|at| at.to_string());
        fields.put_some("prefix", key.key_prefix.as_deref());
        fields.put_some("id", key.id.as_deref());
        fields.put_some("name", key.name.as_deref());
        let tenant = match (&key.tenant_name, &key.tenant) {
            (Some(name), Some(id)) => Some(format!("{name} ({id})")),
            (name, id) => name.clone().or_else(|| id.clone()),
        };
        fields.put_some("tenant", tenant.as_deref());
        match key.scopes.as_deref() {
            Some([]) => fields.put("scopes", "none"),
            Some(scopes) => fields.put_list("scopes", scopes),
            None => {}
        }
        fields.put_some("expires", time(key.expires_at).as_deref());
        fields.put_some("created", time(key.created_at).as_deref());
        fields.put_some("last used", time(key.last_used_at).as_deref());
        fields.put_some("connection", self.connection.as_deref());
        fields.put("host", &format!("{} ({})", self.host, self.provider));
        fields.text()
    }
}
