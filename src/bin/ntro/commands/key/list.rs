use std::collections::HashMap;

use serde::Serialize;

use super::admin::{Admin, AdminArgs};
use super::row::{KeyRow, day};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Column, Paint, Report, Table};

/// List the keys of a tenant, including revoked and expired ones; needs an admin token
#[derive(clap::Args, Debug)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    admin: AdminArgs,
}

/// One object for each key.
#[derive(Debug, Serialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct KeyList(Vec<ListedKey>);

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ListedKey {
    /// Whether the connection uses this key.
    active: bool,
    #[serde(flatten)]
    key: KeyRow,
}

pub(crate) fn run(args: ListArgs, cx: &Context) -> Result<Exit, CliError> {
    let admin = Admin::open(&args.admin, cx)?;
    let tenant = admin.tenant(cx)?;
    let keys = admin.call(cx, admin.client.list_keys(&tenant))?;
    let login = match &admin.connection {
        Some(name) => cx.logins()?.get(name.as_str()),
        None => None,
    };
    let rows = keys.iter().map(|info| {
        let key = KeyRow::new(info, cx.now());
        ListedKey {
            active: login.is_some_and(|login| key.key_prefix.as_ref() == Some(&login.key_prefix)),
            key,
        }
    });
    if keys.is_empty() {
        cx.printer().note(&format!("`{tenant}` has no keys."));
    }
    cx.printer().print(&KeyList(rows.collect()))?;
    Ok(Exit::Success)
}

const COLUMNS: [Column; 9] = [
    Column::always(""),
    Column::always("PREFIX"),
    Column::ranked("CHILD OF", 1),
    Column::ranked("NAME", 2),
    Column::ranked("STATE", 1),
    Column::ranked("EXPIRES", 3),
    Column::ranked("LAST USED", 5),
    Column::ranked("SCOPES", 6),
    Column::id("ID", 4),
];
/// The index of the column that only lists with child keys need.
const PARENT: usize = 2;
/// The index of the column that only keys with scopes need.
const SCOPES: usize = 7;

impl Report for KeyList {
    fn text(&self, paint: Paint) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let keys = || self.0.iter().map(|row| &row.key);
        let mut is_shown = [true; COLUMNS.len()];
        is_shown[PARENT] = keys().any(|key| key.parent_id.is_some());
        is_shown[SCOPES] = keys().any(|key| key.scopes.is_some());
        let mut table = Table::some(paint, &COLUMNS, &is_shown);
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let prefixes: HashMap<_, _> = keys()
            .filter_map(|key| Some((key.id.as_ref()?, &key.key_prefix)))
            .collect();
        let parent = |key: &KeyRow| {
            let id = key.parent_id.as_ref();
            let prefix = id.and_then(|id| prefixes.get(id).copied());
            or_dash(prefix.unwrap_or(&key.parent_id))
        };
        for ListedKey { active, key } in &self.0 {
            table.row([
                if *active { "●" } else { "" }.to_owned(),
                or_dash(&key.key_prefix),
                parent(key),
                or_dash(&key.name),
                key.state.to_owned(),
                day(key.expires_at),
                day(key.last_used_at),
                key.scopes.as_deref().unwrap_or_default().join(", "),
                or_dash(&key.id),
            ]);
        }
        table.text()
    }
}
