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

const COLUMNS: [Column; 8] = [
    Column::always(""),
    Column::always("PREFIX"),
    Column::ranked("NAME", 2),
    Column::ranked("STATE", 1),
    Column::ranked("EXPIRES", 3),
    Column::ranked("LAST USED", 5),
    Column::ranked("SCOPES", 6),
    Column::id("ID", 4),
];
/// The index of the column that only keys with scopes need.
const SCOPES: usize = 6;

impl Report for KeyList {
    fn text(&self, paint: Paint) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let scoped = self.0.iter().any(|row| row.key.scopes.is_some());
        let mut columns = COLUMNS.to_vec();
        if !scoped {
            columns.remove(SCOPES);
        }
        let mut table = Table::new(paint, &columns);
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        for ListedKey { active, key } in &self.0 {
            let mut cells = vec![
                if *active { "●" } else { "" }.to_owned(),
                or_dash(&key.key_prefix),
                or_dash(&key.name),
                key.state.to_owned(),
                day(key.expires_at),
                day(key.last_used_at),
            ];
            if scoped {
                cells.push(key.scopes.as_deref().unwrap_or_default().join(", "));
            }
            cells.push(or_dash(&key.id));
            table.row(cells);
        }
        table.text()
    }
}
