use ntro_base::{ConnectionName, Policy, escaped, shown_host};
use ntro_client::resolve::{Inputs, Source, Trace};
use ntro_client::secrets::StoreKind;
use serde::Serialize;

use crate::cli::Format;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Paint, Report, Table, whole_seconds};

/// List connections; opens no store and contacts no server
#[derive(clap::Args, Debug)]
pub(crate) struct ListArgs {}

/// One object for each connection.
#[derive(Debug, Serialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Connections(Vec<ConnectionRow>);

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ConnectionRow {
    /// Name of the connection.
    #[serde(rename = "connection")]
    name: String,
    /// Whether a call without options would use it.
    active: bool,
    /// `ntropii` or `ontora`; an unknown provider as written in the file.
    provider: Option<String>,
    /// Base URL, without any password.
    host: Option<String>,
    /// Tenant used unless another is named.
    default_tenant: Option<String>,
    /// Store of the key, or the store that a login would use; an unknown store as written in the
    /// file.
    store: Option<String>,
    /// Restriction on use of the key.
    #[cfg_attr(test, schemars(with = "crate::schema::PolicyName"))]
    policy: &'static str,
    /// Whether the connection is production.
    production: bool,
    /// Whether the connection has a key.
    logged_in: bool,
    /// Prefix of the key stored at login.
    key_prefix: Option<String>,
    /// When that key expires, if the server reported it.
    expires_at: Option<jiff::Timestamp>,
}

pub(crate) fn run(_args: ListArgs, cx: &Context) -> Result<Exit, CliError> {
    let inputs = cx.inputs()?;
    let active = inputs.active().trace?;
    let active = active.winner().and_then(|winner| winner.found.as_deref());
    // JSON has a field that the table has no room for.
    let in_full = cx.global().output == Format::Json;
    let mut rows = Vec::new();
    for (name, entry) in &cx.config()?.connections {
        let known = name.parse().ok();
        let known = known.map(|name| Known::of(inputs, &name, in_full));
        let known = known.unwrap_or_default();
        let login = cx.logins()?.get(name).filter(|_| known.stored);
        rows.push(ConnectionRow {
            name: name.clone(),
            active: active == Some(name.as_str()),
            provider: known.provider.or_else(|| entry.provider.clone()),
            host: entry.host.as_deref().map(shown_host),
            default_tenant: entry.default_tenant.clone(),
            store: known.store.or_else(|| entry.store.clone()),
            policy: known.policy.as_str(),
            production: known.production,
            logged_in: known.logged_in,
            key_prefix: login.map(|login| login.key_prefix.clone()),
            expires_at: login.and_then(|login| login.expires_at).map(whole_seconds),
        });
    }
    if rows.is_empty() {
        cx.printer()
            .note("There are no connections yet: run `ntro auth login`.");
    }
    cx.printer().print(&Connections(rows))?;
    Ok(Exit::Success)
}

/// Facts about a connection that need no access to its store.
#[derive(Default)]
struct Known {
    provider: Option<String>,
    store: Option<String>,
    logged_in: bool,
    /// Whether the key is the one stored at the last login.
    stored: bool,
    policy: Policy,
    production: bool,
}

impl Known {
    fn of(inputs: Inputs<'_>, name: &ConnectionName, in_full: bool) -> Self {
        let one = inputs.summary(name);
        let winner = one.key.as_ref().ok().and_then(Trace::winner);
        let (store, is_stored) = match winner.map(|key| &key.source) {
            Some(Source::Store(kind)) => (Some(*kind), true),
            // A key in the file counts as stored until it is edited there.
            Some(_) => {
                let stored = one.facts.stored();
                let is_own = stored.is_ok_and(|key| key.prefix.is_some());
                (Some(StoreKind::Plaintext), is_own)
            }
            None => (
                one.facts.store.as_ref().ok().map(|store| store.value),
                false,
            ),
        };
        Self {
            provider: match &one.provider.outcome {
                Ok(Some(found)) => Some(found.value.to_string()),
                _ => None,
            },
            store: store.map(|store| store.to_string()),
            logged_in: winner.is_some(),
            stored: is_stored,
            policy: one.facts.policy(),
            production: in_full && one.is_production(),
        }
    }
}

impl Report for Connections {
    fn text(&self, paint: Paint) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let guarded = self.0.iter().any(|row| row.policy != Policy::Open.as_str());
        let mut head = vec![
            "",
            "NAME",
            "PROVIDER",
            "HOST",
            "TENANT",
            "STORE",
            "LOGGED IN",
        ];
        if guarded {
            head.push("POLICY");
        }
        let mut table = Table::new(paint, &head);
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        for row in &self.0 {
            let mut cells = vec![
                if row.active { "●" } else { "" }.to_owned(),
                escaped(&row.name).into_owned(),
                or_dash(&row.provider),
                or_dash(&row.host),
                or_dash(&row.default_tenant),
                or_dash(&row.store),
                if row.logged_in { "yes" } else { "no" }.to_owned(),
            ];
            if guarded {
                cells.push(row.policy.to_owned());
            }
            table.row(cells);
        }
        table.text()
    }
}
