use clap_complete::engine::ArgValueCompleter;
use jiff::Timestamp;
use ntro_base::{ConnectionName, Policy, escaped, shown_host};
use ntro_client::resolve::{Inputs, Source, Trace};
use ntro_client::secrets::StoreKind;
use serde::Serialize;

use super::super::expiry;
use crate::commands::completions::connections;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Column, Paint, Report, Table, whole_seconds};

/// List connections; opens no store and contacts no server
///
/// `-c NAME` lists that connection alone. A narrow terminal shows fewer columns; `--wide` shows all.
#[derive(clap::Args, Debug)]
pub(crate) struct ListArgs {
    /// Part of a name: list only the connections that contain it; `*` stands for any text
    #[arg(value_name = "PATTERN", add = ArgValueCompleter::new(connections))]
    pattern: Option<String>,
}

/// One object for each connection.
#[derive(Debug, Serialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Connections {
    rows: Vec<ConnectionRow>,
}

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
    /// Base URL as it is called; an invalid one without any password.
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
    expires_at: Option<Timestamp>,
}

pub(crate) fn run(args: ListArgs, cx: &Context) -> Result<Exit, CliError> {
    let inputs = cx.inputs()?;
    let active = inputs.active();
    let only = match cx.global().connection {
        Some(_) => active.outcome?.map(|name| name.value),
        None => None,
    };
    let active = active.trace?;
    let active = active.winner().and_then(|winner| winner.found.as_deref());
    let is_meant = |name: &str| {
        only.as_ref().is_none_or(|only| only.as_str() == name)
            && args
                .pattern
                .as_ref()
                .is_none_or(|pattern| matches(pattern, name))
    };
    let mut rows = Vec::new();
    for (name, entry) in &cx.config()?.connections {
        if !is_meant(name) {
            continue;
        }
        let known = name.parse().ok();
        let known = known.map(|name| Known::of(inputs, &name));
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
        cx.printer().note(&match &args.pattern {
            Some(pattern) => format!("No connection has a name with `{pattern}` in it."),
            None => "There are no connections yet: run `ntro auth login`.".to_owned(),
        });
    }
    cx.printer().print(&Connections { rows })?;
    Ok(Exit::Success)
}

/// Returns whether a name contains a pattern, in which `*` stands for any text. Case is ignored.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    let mut rest = name.as_str();
    pattern.split('*').all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
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
    fn of(inputs: Inputs<'_>, name: &ConnectionName) -> Self {
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
            production: one.is_production(),
        }
    }
}

const COLUMNS: [Column; 10] = [
    Column::always(""),
    Column::always("NAME"),
    Column::ranked("PROVIDER", 9),
    Column::ranked("HOST", 5),
    Column::id("TENANT", 6),
    Column::ranked("STORE", 7),
    Column::ranked("KEY", 1),
    Column::ranked("EXPIRES", 3),
    Column::ranked("PROD", 2),
    Column::ranked("POLICY", 8),
];

/// The index of the column `KEY`.
const KEY: usize = 6;

impl Report for Connections {
    fn text(&self, paint: Paint) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        // The last columns are there if a row has something to say.
        let any = |says: fn(&ConnectionRow) -> bool| self.rows.iter().any(says);
        let expires = any(|row| row.expires_at.is_some());
        let production = any(|row| row.production);
        let guarded = any(|row| row.policy != Policy::Open.as_str());
        let is_shown = [
            true, true, true, true, true, true, true, expires, production, guarded,
        ];
        let mut columns = COLUMNS;
        if self.rows.iter().all(|row| row.logged_in) {
            // Says the same of every connection.
            columns[KEY] = Column::ranked("KEY", 4);
        }
        let mut table = Table::some(paint, &columns, &is_shown);
        for row in &self.rows {
            table.row(row.cells());
        }
        table.text()
    }
}

impl ConnectionRow {
    fn cells(&self) -> [String; 10] {
        let or_dash =
            |text: &Option<String>| text.as_deref().map_or("-".into(), escaped).into_owned();
        [
            if self.active { "●" } else { "" }.to_owned(),
            escaped(&self.name).into_owned(),
            or_dash(&self.provider),
            or_dash(&self.host),
            or_dash(&self.default_tenant),
            or_dash(&self.store),
            if self.logged_in { "stored" } else { "none" }.to_owned(),
            self.expires_at
                .map_or("-".to_owned(), |at| expiry::brief(at, Timestamp::now())),
            if self.production { "yes" } else { "" }.to_owned(),
            self.policy.to_owned(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_is_part_of_name() {
        for (pattern, name, fits) in [
            ("acme", "acme-prod", true),
            ("PROD", "acme-prod", true),
            ("acme*prod", "acme-eu-prod", true),
            ("prod*acme", "acme-prod", false),
            ("a*a", "a", false),
            ("*", "x", true),
            ("", "x", true),
            ("uat", "acme-prod", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }
}
