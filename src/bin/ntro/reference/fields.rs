//! Tables of output fields, from the schemas of the commands.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::schema::CommandOutput;

/// Returns the paragraphs and tables of one command.
pub(super) fn described(output: &CommandOutput) -> String {
    let mut text = String::new();
    let mut earlier = Vec::new();
    for (index, form) in output.forms.iter().enumerate() {
        let form = form.as_value();
        let start = match index {
            0 => "With `--output json`:",
            _ => "Or",
        };
        let _ = write!(text, "\n{start} {}.", form_type(form));
        if let Some(description) = form.get("description").and_then(Value::as_str) {
            let _ = write!(text, " {description}");
        }
        let mut rows = String::new();
        add_fields(&mut rows, form.get("items").unwrap_or(form), "");
        if rows.is_empty() {
            text.push('\n');
        } else if earlier.contains(&rows) {
            text.push_str(" The fields are the same.\n");
        } else {
            let _ = write!(
                text,
                "\n\n| field | type | description |\n| --- | --- | --- |\n{rows}"
            );
            earlier.push(rows);
        }
    }
    text
}

fn form_type(schema: &Value) -> &'static str {
    match schema.get("type").and_then(Value::as_str) {
        Some("array") => "an array of objects",
        _ => "an object",
    }
}

/// Adds a row for each field of an object, nested ones below with their path.
fn add_fields(rows: &mut String, object: &Value, path: &str) {
    let Some(properties) = object.get("properties").and_then(Value::as_object) else {
        return;
    };
    for name in in_order(object, properties) {
        let field = &properties[name];
        let description = field.get("description").and_then(Value::as_str);
        let description = description.unwrap_or_default().trim_end_matches('.');
        let description = description.split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = writeln!(
            rows,
            "| `{path}{name}` | {} | {description} |",
            type_name(field)
        );
        add_fields(rows, field, &format!("{path}{name}."));
        if let Some(items) = field.get("items") {
            add_fields(rows, items, &format!("{path}{name}[]."));
        }
    }
}

/// Returns the names of fields as they are printed: `required` keeps that order, `properties` is
/// sorted.
fn in_order<'a>(object: &'a Value, properties: &'a Map<String, Value>) -> Vec<&'a str> {
    let required = object.get("required").and_then(Value::as_array);
    let mut names: Vec<_> = required
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let others = properties.keys().map(String::as_str);
    let others: Vec<_> = others.filter(|name| !names.contains(name)).collect();
    names.extend(others);
    names
}

fn type_name(field: &Value) -> String {
    if let Some(names) = string_values(field) {
        return names;
    }
    let types: Vec<_> = match field.get("type") {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let name = match types.first() {
        Some(&"string")
            if field
                .get("format")
                .is_some_and(|format| format == "date-time") =>
        {
            "time".to_owned()
        }
        Some(&"array") => match field.get("items").map(type_name) {
            Some(item) => format!("array of {item}s"),
            None => "array".to_owned(),
        },
        Some(&name) => name.to_owned(),
        None => panic!("no type: {field}"),
    };
    match types.contains(&"null") {
        true => format!("{name} or null"),
        false => name,
    }
}

/// Returns the values of a string with a closed set of them.
fn string_values(field: &Value) -> Option<String> {
    let variants = field.get("oneOf").and_then(Value::as_array);
    let values: Vec<_> = match (field.get("enum").and_then(Value::as_array), variants) {
        (Some(values), _) => values.iter().collect(),
        (None, Some(variants)) => variants
            .iter()
            .flat_map(
                |variant| match variant.get("enum").and_then(Value::as_array) {
                    Some(values) => values.iter().collect(),
                    None => vec![&variant["const"]],
                },
            )
            .collect(),
        (None, None) => return None,
    };
    let names: Vec<_> = values
        .iter()
        .map(|value| match value.as_str() {
            Some(name) => format!("`{name}`"),
            None => "null".to_owned(),
        })
        .collect();
    let (last, first) = names.split_last()?;
    Some(match first {
        [] => last.clone(),
        first => format!("{} or {last}", first.join(", ")),
    })
}
