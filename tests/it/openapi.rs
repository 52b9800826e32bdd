//! The OpenAPI document, and the server measured against it by `schemathesis`.

use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::Value;

use crate::support::{Clients, ServerFolder, Serving, project, tell, wire};

/// No error of the server, and nothing that the document does not describe.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";

fn document(server: &Serving) -> String {
    let answer = wire::ask(server.address, "GET", "/openapi.json", "accept: */*", "");
    let (status, body) = answer.unwrap();
    assert_eq!(status, 200, "{body}");
    body
}

#[test]
fn document_is_published() {
    let folder = ServerFolder::new();
    let served: Value = serde_json::from_str(&document(&folder.serve())).unwrap();
    let file = std::fs::read_to_string(project("docs/openapi.json")).unwrap();
    assert_eq!(served, serde_json::from_str::<Value>(&file).unwrap());
}

#[test]
#[ignore = "needs a linter for OpenAPI: run scripts/test"]
fn document_is_valid() {
    let linted = Command::new(Clients::find().path("openapi-spec-validator"))
        .args(["--schema", "3.1", "--subschema-errors", "all"])
        .arg(project("docs/openapi.json"))
        .output()
        .unwrap();
    assert!(linted.status.success(), "{linted:?}");
}

/// A caller of every endpoint.
struct Caller<'a> {
    name: &'a str,
    headers: Vec<String>,
    /// The operations that would take away what the others need.
    without: &'a [&'a str],
}

impl Caller<'_> {
    fn ask_everything(&self, server: &Serving, settings: &Path) {
        let Self {
            name,
            headers,
            without,
        } = self;
        let mut command = Command::new(Clients::find().path("schemathesis"));
        command
            .arg("--config-file")
            .arg(settings)
            .args(["run", &format!("http://{}/openapi.json", server.address)])
            .args(["--checks", CHECKS, "--phases", "coverage,fuzzing"])
            .args(["--max-examples", "5", "--seed", "44", "--workers", "1"])
            .args(["--no-shrink", "--continue-on-failure", "--warnings", "off"]);
        for header in headers {
            command.args(["--header", header]);
        }
        for operation in *without {
            command.args(["--exclude-operation-id", operation]);
        }
        let folder = tempfile::tempdir().unwrap();
        let output = command
            .env("NO_COLOR", "1")
            .current_dir(folder.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {text} {output:?}");
        let counts: Vec<_> = text.lines().rev().take(12).collect();
        tell(&format!("{name}: {counts:?}"));
    }
}

#[test]
#[ignore = "needs schemathesis: run scripts/test"]
fn server_keeps_to_its_document() {
    let folder = ServerFolder::new();
    folder.admin_ok("organisation create Globex --external-id org_globex");
    folder.admin_ok("tenant create globex-capital --organisation Globex");
    let token = |organisation: &str| {
        let token = folder.admin_ok(&format!(
            "token --organisation {organisation} --expires-in 1h"
        ));
        format!("authorization: Bearer {}", token["token"].as_str().unwrap())
    };
    let keys = [folder.key("ntropii").1, folder.key("ontora").1];
    let foreign =
        folder.admin_ok("key create --tenant globex-capital --provider ontora --scope exports");
    let tenants = folder.admin_ok("tenant list");
    let tenants = tenants.as_array().unwrap().iter();
    let mut ids = tenants.filter(|tenant| tenant["slug"] == "acme-fund-admin");
    let id = ids.next().unwrap()["id"].as_str().unwrap().to_owned();
    let settings = folder.folder().join("schemathesis.toml");
    let parameters = format!(
        "[parameters]\n\"path.tenant\" = \"acme-fund-admin\"\n\"path.workspace\" = \"{id}\"\n\
         \"query.workspace_id\" = \"{id}\"\n"
    );
    std::fs::write(&settings, parameters).unwrap();
    let server = folder.serve();
    let own = ["revokeCurrentKey", "deprovisionTenant", "rotate"];
    let callers = [
        Caller {
            name: "bad credentials",
            headers: vec![
                "authorization: Bearer ntro_prod_guess".to_owned(),
                "x-api-key: ont_live_guess".to_owned(),
            ],
            without: &[],
        },
        Caller {
            name: "good keys",
            headers: vec![
                format!("authorization: Bearer {}", keys[0]),
                format!("x-api-key: {}", keys[1]),
            ],
            without: &own,
        },
        Caller {
            name: "foreign key and admin",
            headers: vec![
                token("Globex"),
                format!("x-api-key: {}", foreign["key"].as_str().unwrap()),
            ],
            without: &[],
        },
        Caller {
            name: "admin",
            headers: vec![token("Acme")],
            without: &own,
        },
    ];
    // Two at a time: each has one thread.
    for two in callers.chunks(2) {
        thread::scope(|scope| {
            for caller in two {
                scope.spawn(|| caller.ask_everything(&server, &settings));
            }
        });
    }
    assert_eq!(server.verify(&keys[0]), 200);
    assert!(server.end().success());
    let audit = folder.admin("audit verify");
    assert!(audit.status.success(), "{audit:?}");
}
