use ntro::connection::Flags;
use ntro::domain::ConnectionName;
use serde::Serialize;

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Paint, Report, Table};

/// List every connection; touches no store and no network
#[derive(clap::Args, Debug)]
pub(crate) struct ListArgs {}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Connections(Vec<Row>);

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    active: bool,
    provider: Option<String>,
    host: Option<String>,
    default_tenant: Option<String>,
    store: Option<String>,
    logged_in: bool,
    key_prefix: Option<String>,
    expires_at: Option<jiff::Timestamp>,
}

pub(crate) fn run(_args: ListArgs, cx: &Context) -> Result<Exit, CliError> {
    let resolver = cx.resolver()?;
    let active = resolver.explain_connection()?;
    let active = active.winner().and_then(|winner| winner.found.as_deref());
    let mut rows = Vec::new();
    for (name, entry) in &cx.config()?.connections {
        let login = cx.logins()?.get(name);
        let parsed: Option<ConnectionName> = name.parse().ok();
        let flags = Flags {
            connection: parsed.clone(),
            ..Flags::default()
        };
        let one = resolver.alone(&flags);
        let provider = one
            .provider()
            .ok()
            .map(|provider| provider.value.to_string());
        let store = parsed.and_then(|name| one.store(&name).ok());
        rows.push(Row {
            name: name.clone(),
            active: active == Some(name.as_str()),
            provider: provider.or_else(|| entry.provider.clone()),
            host: entry.host.clone(),
            default_tenant: entry.default_tenant.clone(),
            store: store
                .map(|store| store.value.to_string())
                .or_else(|| entry.store.clone()),
            logged_in: login.is_some() || entry.api_key.is_some(),
            key_prefix: login.map(|login| login.key_prefix.clone()),
            expires_at: login.and_then(|login| login.expires_at),
        });
    }
    if rows.is_empty() {
        cx.printer()
            .note("There are no connections yet: run `ntro auth login`.");
    }
    cx.printer().print(&Connections(rows))?;
    Ok(Exit::Fine)
}

impl Report for Connections {
    fn text(&self, paint: Paint) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let head = [
            "",
            "NAME",
            "PROVIDER",
            "HOST",
            "TENANT",
            "STORE",
            "LOGGED IN",
        ];
        let mut table = Table::new(paint, &head);
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        for row in &self.0 {
            table.row([
                if row.active { "●" } else { "" }.to_owned(),
                row.name.clone(),
                or_dash(&row.provider),
                or_dash(&row.host),
                or_dash(&row.default_tenant),
                or_dash(&row.store),
                if row.logged_in { "yes" } else { "no" }.to_owned(),
            ]);
        }
        table.text()
    }
}
