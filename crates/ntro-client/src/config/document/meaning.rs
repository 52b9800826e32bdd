//! The meaning of a document, before and after an edit.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::{CONNECTIONS, DEFAULT, Value};

/// A change of what a document says.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    Default(Option<String>),
    Set {
        name: String,
        key: String,
        value: Value,
    },
    Unset {
        name: String,
        key: String,
    },
    Remove(String),
    Rename {
        from: String,
        to: String,
    },
}

/// Returns whether `after` is a valid document that says what `before` says, changed by `edits`.
pub(super) fn is_edited(before: &str, edits: &[Edit], after: &str) -> bool {
    let (Ok(before), Ok(after)) = (DeTable::parse(before), DeTable::parse(after)) else {
        return false;
    };
    let (mut expected, mut after) = (before.into_inner(), after.into_inner());
    for edit in edits {
        apply(edit, &mut expected);
    }
    prune(&mut expected);
    prune(&mut after);
    same_tables(&expected, &after)
}

fn apply<'i>(edit: &'i Edit, table: &mut DeTable<'i>) {
    match edit {
        Edit::Default(Some(name)) => put(table, DEFAULT, text(name)),
        Edit::Default(None) => _ = table.remove(DEFAULT),
        Edit::Set { name, key, value } => {
            if let Some(connections) = inner(table, CONNECTIONS)
                && let Some(connection) = inner(connections, name)
            {
                put(connection, key, said(value));
            }
        }
        Edit::Unset { name, key } => {
            if let Some(connections) = inner(table, CONNECTIONS)
                && connections.contains_key(name.as_str())
                && let Some(connection) = inner(connections, name)
            {
                connection.remove(key.as_str());
            }
        }
        Edit::Remove(name) => {
            if let Some(connections) = inner(table, CONNECTIONS) {
                connections.remove(name.as_str());
            }
        }
        Edit::Rename { from, to } => {
            if let Some(connections) = inner(table, CONNECTIONS)
                && let Some(connection) = connections.remove(from.as_str())
            {
                put(connections, to, connection.into_inner());
            }
        }
    }
}

fn said(value: &Value) -> DeValue<'_> {
    match value {
        Value::Text(value) => text(value),
        Value::Flag(flag) => DeValue::Boolean(*flag),
        Value::Words(words) => {
            DeValue::Array(words.iter().map(|word| spanned(text(word))).collect())
        }
    }
}

fn text(text: &str) -> DeValue<'_> {
    DeValue::String(Cow::Borrowed(text))
}

fn spanned<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}

fn put<'i>(table: &mut DeTable<'i>, key: &'i str, value: DeValue<'i>) {
    table.insert(spanned(DeString::Borrowed(key)), spanned(value));
}

/// Returns the table at a key, which is created if there is none.
fn inner<'t, 'i>(table: &'t mut DeTable<'i>, key: &'i str) -> Option<&'t mut DeTable<'i>> {
    if !table.contains_key(key) {
        put(table, key, DeValue::Table(DeTable::new()));
    }
    match table.get_mut(key)?.get_mut() {
        DeValue::Table(inner) => Some(inner),
        _ => None,
    }
}

/// Drops empty connections: a connection written in dotted keys is gone with the last of them.
fn prune(table: &mut DeTable<'_>) {
    let is_empty = |value: &DeValue<'_>| value.as_table().is_some_and(DeTable::is_empty);
    if let Some(value) = table.get_mut(CONNECTIONS)
        && let DeValue::Table(connections) = value.get_mut()
    {
        let entries = connections.iter();
        let empty: Vec<_> = entries
            .filter(|(_, connection)| is_empty(connection.get_ref()))
            .map(|(name, _)| name.clone())
            .collect();
        for name in empty {
            connections.remove(name.get_ref().as_ref());
        }
        if connections.is_empty() {
            table.remove(CONNECTIONS);
        }
    }
}

fn same_tables(first: &DeTable<'_>, second: &DeTable<'_>) -> bool {
    first.len() == second.len()
        && first.iter().all(|(key, value)| {
            let other = second.get(key.get_ref().as_ref());
            other.is_some_and(|other| same(value.get_ref(), other.get_ref()))
        })
}

fn same(first: &DeValue<'_>, second: &DeValue<'_>) -> bool {
    use DeValue as V;
    match (first, second) {
        (V::String(first), V::String(second)) => first == second,
        (V::Integer(first), V::Integer(second)) => {
            (first.radix(), first.as_str()) == (second.radix(), second.as_str())
        }
        // As text: `nan` is not equal to itself.
        (V::Float(first), V::Float(second)) => first.as_str() == second.as_str(),
        (V::Boolean(first), V::Boolean(second)) => first == second,
        (V::Datetime(first), V::Datetime(second)) => first == second,
        (V::Array(first), V::Array(second)) => {
            first.len() == second.len()
                && first
                    .iter()
                    .zip(second)
                    .all(|(first, second)| same(first.get_ref(), second.get_ref()))
        }
        (V::Table(first), V::Table(second)) => same_tables(first, second),
        _ => false,
    }
}
