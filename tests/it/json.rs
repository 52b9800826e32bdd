//! Output of every command with `--output json`, compared with `docs/schemas.json`.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use ntro_base::Provider;
use serde_json::Value;

use crate::support::{Authority, Outcome, Sandbox};

const SCHEMAS: &str = include_str!("../../docs/schemas.json");

/// Schemas of what commands print, by command.
struct Schemas(Value);

impl Schemas {
    fn read() -> Self {
        Self(serde_json::from_str(SCHEMAS).unwrap())
    }

    fn commands(&self) -> impl Iterator<Item = &str> {
        let definitions = self.0["$defs"].as_object().unwrap();
        definitions.keys().map(String::as_str)
    }

    /// Compares printed JSON with the command's schema: every field of one is in the other.
    #[track_caller]
    fn check(&self, command: &str, printed: &Value) {
        let Some(schema) = self.0["$defs"].get(command) else {
            panic!("`ntro {command}` has no schema");
        };
        let is_empty = printed.as_array().is_some_and(Vec::is_empty);
        assert!(!is_empty, "{command}: nothing was printed");
        if let Err(difference) = matches(schema, printed, "") {
            panic!("{command}: {difference}");
        }
    }
}

/// Checks the keywords that the schemas use, and refuses fields that are not described.
fn matches(schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    if let Some(forms) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
        let failures: Vec<_> = forms
            .iter()
            .filter_map(|form| matches(form, value, path).err())
            .collect();
        return match failures.len() < forms.len() {
            true => Ok(()),
            false => Err(failures.join("; ")),
        };
    }
    let differs = |keyword: &str| Err(format!("`{path}`: {value} is not {}", schema[keyword]));
    if let Some(expected) = schema.get("const")
        && expected != value
    {
        return differs("const");
    }
    if let Some(values) = schema["enum"].as_array()
        && !values.contains(value)
    {
        return differs("enum");
    }
    let types = match &schema["type"] {
        Value::String(name) => vec![name.as_str()],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => return Err(format!("`{path}` has no type: {schema}")),
    };
    let actual = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.contains(&actual) {
        return differs("type");
    }
    if let (Some("date-time"), Some(time)) = (schema["format"].as_str(), value.as_str())
        && time.parse::<jiff::Timestamp>().is_err()
    {
        return differs("format");
    }
    for item in value.as_array().into_iter().flatten() {
        matches(&schema["items"], item, &format!("{path}[]"))?;
    }
    if let Some(object) = value.as_object() {
        matches_fields(schema, object, path)?;
    }
    Ok(())
}

fn matches_fields(
    schema: &Value,
    object: &serde_json::Map<String, Value>,
    path: &str,
) -> Result<(), String> {
    // An object whose names are not known beforehand.
    if let (None, Some(any)) = (schema.get("properties"), schema.get("additionalProperties")) {
        let mut fields = object.iter();
        return fields.try_for_each(|(name, value)| matches(any, value, &format!("{path}.{name}")));
    }
    let properties = schema["properties"].as_object().unwrap();
    let required = schema["required"].as_array().unwrap();
    for (name, value) in object {
        let path = format!("{path}.{name}");
        match properties.get(name) {
            Some(schema) => matches(schema, value, &path)?,
            None => return Err(format!("`{path}` is not in the schema")),
        }
    }
    for name in properties.keys() {
        if !required.iter().any(|required| required == name) {
            return Err(format!("`{path}.{name}` is not always there"));
        }
        if !object.contains_key(name) {
            return Err(format!("`{path}.{name}` was not printed"));
        }
    }
    Ok(())
}

/// Refuses to compare with a schema that accepts anything.
#[test]
fn schema_check_finds_differences() {
    let schemas = Schemas::read();
    let schema = &schemas.0["$defs"]["auth rename"];
    let check = |printed: Value| matches(schema, &printed, "");
    assert_eq!(
        check(serde_json::json!({"from": "a", "connection": "b"})),
        Ok(())
    );
    for (printed, difference) in [
        (
            serde_json::json!({"from": "a"}),
            "`.connection` was not printed",
        ),
        (
            serde_json::json!({"from": "a", "connection": "b", "x": 1}),
            "`.x` is not in the schema",
        ),
        (
            serde_json::json!({"from": "a", "connection": null}),
            "`.connection`: null is not \"string\"",
        ),
    ] {
        assert_eq!(check(printed), Err(difference.to_owned()));
    }
}

/// Sandbox with one connection to an authority for each provider.
struct Story {
    sandbox: Sandbox,
    authority: Authority,
    schemas: Schemas,
}

impl Story {
    fn run(&self, line: &str) -> Outcome {
        self.sandbox.ntro(&format!("{line} -o json")).run()
    }

    /// Runs a command and compares its output with the schema.
    #[track_caller]
    fn check(&self, command: &str, options: &str) -> Value {
        let printed = self.run(&format!("{command} {options}")).success().json();
        self.schemas.check(command, &printed);
        printed
    }
}

#[test]
fn json_of_every_command_matches_schema() {
    let authority = Authority::start();
    let mut sandbox = Sandbox::new();
    sandbox.make_identity();
    sandbox.set("NTRO_ADMIN_TOKEN", authority.admin_token());
    let story = Story {
        sandbox,
        authority,
        schemas: Schemas::read(),
    };
    let described = story
        .schemas
        .commands()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    let mut checked = Vec::new();
    for (provider, name) in [(Provider::Ntropii, "local"), (Provider::Ontora, "research")] {
        let key = story.authority.key(provider, "acme-fund-admin");
        let host = story.authority.host(provider);
        let login = format!("--no-interactive --store file --name {name} --host {host}");
        let login = format!("auth login --api-key-stdin {login} -o json");
        let login = story.sandbox.ntro(&login).input(&key.key).run().success();
        story.schemas.check("auth login", &login.json());
    }
    checked.push("auth login");
    for (command, options) in [
        ("auth whoami", ""),
        ("auth whoami", "-c research"),
        ("auth list", ""),
        ("auth status", "--all"),
        ("auth use", "research"),
        ("auth use", "local"),
        ("auth set", "research --policy confirm --yes"),
        ("auth set", "research --policy none --yes"),
        ("auth test", ""),
        ("auth token", ""),
        ("auth explain", ""),
        ("env", ""),
        ("env", "-c research --unset"),
        ("helper headers", ""),
        ("helper json", ""),
        ("tenant list", ""),
        ("tenant info", "acme-fund-admin"),
        ("tenant use", "acme-fund-admin"),
        ("key list", ""),
        ("key list", "-c research"),
        ("key current", ""),
        ("key current", "-c research"),
        ("auth rotate", "--dry-run"),
        ("auth rotate", ""),
        ("auth rotate", "--all --older-than 60d --yes"),
        ("auth rotate", "--all --grace 1h --no-wait --yes"),
        ("auth rotate", "local --grace 0s"),
        ("auth rotate", "research --abandon"),
        ("auth migrate", "--all --to plaintext"),
        ("auth migrate", "local --to plaintext --dry-run"),
        ("auth lock", ""),
        ("auth rename", "research other"),
        ("auth logout", "other"),
        ("auth remove", "other"),
        ("doctor", "--offline"),
        ("prove", ""),
        ("admin init", ""),
        ("admin organisation create", "Acme"),
        ("admin organisation rename", "Acme Globex"),
        ("admin organisation list", ""),
        ("admin tenant create", "acme"),
        ("admin tenant rename", "acme Acme"),
        ("admin tenant list", ""),
        ("admin tenant suspend", "acme"),
        ("admin tenant resume", "acme"),
        (
            "admin key create",
            "--provider ontora --scope * --tenant acme",
        ),
        ("admin key list", ""),
        ("admin policy set", "--tenant acme --require-expiry"),
        ("admin policy show", "--tenant acme"),
        ("admin audit verify", ""),
        ("admin audit checkpoint", "--tenant acme"),
        ("admin audit prove", "1"),
        ("admin token", ""),
    ] {
        story.check(command, options);
        checked.push(command);
    }
    let made = story.check("key create", "--name x");
    let id = made["id"].as_str().unwrap();
    story.check("key pause", id);
    story.check("key resume", id);
    story.check("key revoke", &format!("{id} --yes"));
    let keys = story.check("admin key list", "");
    let id = keys[0]["id"].as_str().unwrap();
    for command in ["admin key pause", "admin key resume", "admin key revoke"] {
        story.check(command, id);
        checked.push(command);
    }
    checked.extend(["key create", "key pause", "key resume", "key revoke"]);
    story.check(
        "key create",
        "--name y --save-as local --store file --overwrite",
    );
    let line = "auth status --all --watch 60s";
    let printed = first_value(&story.sandbox, line);
    story.schemas.check("auth status", &printed);
    let failed = story.run("auth whoami -c absent").exits(3).stderr;
    let failed = serde_json::from_str(&failed).unwrap();
    story.schemas.check("error", &failed);
    checked.push("error");
    story.check("pin", "local acme-fund-admin");
    checked.push("pin");
    // A proxy that is killed may not have logged its first call.
    let logged = serde_json::json!({
        "sequence": 1, "time": "2026-11-21T09:08:07Z", "child": "agent", "method": "GET",
        "path": "/v1/me", "status": 200, "sent": 0, "received": 90, "milliseconds": 3,
        "decision": "forwarded", "previous": "0".repeat(64),
    });
    let log = story.sandbox.ntro_home().join("proxy.log");
    std::fs::write(log, format!("{logged}\n")).unwrap();
    let printed = first_value(&story.sandbox, "proxy -c local");
    story.schemas.check("proxy", &printed);
    story.check("proxy log", "");
    story.check("proxy log", "--verify");
    checked.extend(["proxy", "proxy log"]);
    for (command, options) in [
        ("serve", "--listen 127.0.0.1:0 --database sqlite:serve.db"),
        ("dev", "--listen 127.0.0.1:0 --ephemeral"),
    ] {
        let sandbox = Sandbox::new();
        let printed = first_value(&sandbox, &format!("{command} {options}"));
        story.schemas.check(command, &printed);
        checked.push(command);
    }
    let unchecked = described
        .iter()
        .filter(|name| !checked.contains(&name.as_str()));
    assert_eq!(unchecked.collect::<Vec<_>>(), [] as [&String; 0]);
}

/// Returns the first value printed by a command that does not end.
fn first_value(sandbox: &Sandbox, line: &str) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ntro"));
    sandbox.prepare(&mut command);
    let mut process = command
        .args(line.split(' '))
        .args(["-o", "json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut text = String::new();
    while let Some(Ok(line)) = lines.next() {
        text.push_str(&line);
        // Only the last line of a value is not indented.
        if line.ends_with('}') && (text.len() == line.len() || !line.starts_with(' ')) {
            break;
        }
    }
    process.kill().unwrap();
    process.wait().unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{line}: {error}: {text}"))
}
