//! `ntro-mcp`, the MCP server of Ntropii, over stdio.

use ntro_base::Provider;
use serde_json::{Value, json};

use super::{REFUSAL, Stage, TENANT};

/// Returns the response of a tool or resource, which is JSON in a text.
#[track_caller]
fn text(content: &Value) -> Value {
    let text = content[0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("no text: {content}"));
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// D.4, the first line. It makes no call to the authority, so any key works.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn server_lists_tools_without_call() {
    let stage = Stage::new();
    let host = stage.host(Provider::Ntropii);
    let answers = stage.mcp(
        &format!("--transport stdio --ntro-host {host} --ntro-api-key ntro_prod_abc123"),
        &json!([
            ["list_tools"],
            ["list_resources"],
            ["list_resource_templates"],
            ["list_prompts"],
        ]),
    );
    assert_eq!(answers[0]["result"]["serverInfo"]["name"], "ntro");
    let counts: Vec<_> = ["tools", "resources", "resourceTemplates", "prompts"]
        .iter()
        .zip(&answers[1..])
        .map(|(what, answer)| answer["result"][what].as_array().unwrap().len())
        .collect();
    assert_eq!(counts, [8, 6, 5, 3]);
    assert_eq!(stage.witness.take(), []);
}

/// D.4, the second and the third line: with a connection, and with arguments and no file.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn tools_show_key_and_tenant() {
    let stage = Stage::new();
    let key = stage.key();
    let host = stage.host(Provider::Ntropii);
    let calls = json!([
        ["call_tool", "ntro_whoami", {}],
        ["read_resource", "ntro://whoami"],
        ["read_resource", "ntro://tenants"],
        ["read_resource", format!("ntro://tenants/{TENANT}")],
    ]);
    let by_arguments = stage.mcp(
        &format!("--ntro-host {host} --ntro-api-key {}", key.key),
        &calls,
    );
    assert_eq!(stage.sandbox.files(), Vec::<String>::new());
    stage.official_login("selfhost", &key);
    let by_connection = stage.mcp("--transport stdio --connection selfhost", &calls);
    assert_eq!(by_arguments, by_connection);

    let tool = &by_connection[1]["result"];
    assert_eq!(tool["isError"], false);
    let profile = text(&tool["content"]);
    let members: Vec<_> = profile.as_object().unwrap().keys().collect();
    assert_eq!(members, ["email", "id", "name", "orgId", "roles"]);
    assert_eq!(profile["id"], key.id);
    let resource = |index: usize| text(&by_connection[index]["result"]["contents"]);
    assert_eq!(resource(2), profile);
    assert_eq!(resource(3).as_array().unwrap().len(), 1);
    assert_eq!(resource(3)[0]["slug"], TENANT);
    assert_eq!(resource(4)["id"], key.tenant_id);
    assert_eq!(
        stage.witness.take_lines()[4..],
        [
            "GET /v1/me",
            "GET /v1/me",
            "GET /v1/workspace/tenants",
            &*format!("GET /v1/workspace/tenants/{TENANT}"),
        ]
    );
}

/// D.4, the last line.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn revoked_key_fails_every_call() {
    let stage = Stage::new();
    let key = stage.key();
    stage.official_login("selfhost", &key);
    stage.authority.revoke(&key);
    let answers = stage.mcp(
        "--connection selfhost",
        &json!([
            ["call_tool", "ntro_whoami", {}],
            ["read_resource", "ntro://tenants"],
        ]),
    );
    let refused = format!("HTTP 401: {REFUSAL}");
    let tool = &answers[1]["result"];
    assert_eq!(tool["isError"], true);
    assert_eq!(
        tool["content"][0]["text"],
        format!("Error executing tool ntro_whoami: {refused}")
    );
    let resource = answers[2]["error"].as_str().unwrap();
    assert!(resource.contains(&refused), "{resource}");
}
