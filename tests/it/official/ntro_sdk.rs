//! `ntro`, the Python SDK of Ntropii.

use ntro_base::Provider;
use serde_json::{Value, json};

use super::{RATE_LIMITED, REFUSAL, Stage, TENANT};

/// Asserts that an answer is an exception of this class of the SDK.
#[track_caller]
fn assert_raised(answer: &Value, class: &str, status: u16, message: &Value, detail: &str) {
    assert_eq!(answer["error"], class, "{answer}");
    let parents = answer["parents"].as_array().unwrap();
    let family: Vec<_> = parents
        .iter()
        .map(|parent| parent.as_str().unwrap())
        .collect();
    assert!(family.contains(&"NtroError"), "{answer}");
    assert!(
        class == "NtroAPIError" || family.contains(&"NtroAPIError"),
        "{answer}"
    );
    assert_eq!(
        (
            &answer["status_code"],
            &answer["message"],
            &answer["detail"]
        ),
        (&json!(status), message, &json!(detail))
    );
}

/// D.3, the calls that succeed.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn client_sees_itself_and_tenant() {
    let stage = Stage::new();
    let key = stage.key();
    stage.official_login("selfhost", &key);
    let calls = json!([
        ["identity.whoami_sync"],
        ["tenants.list_sync"],
        ["tenants.list_sync", {"status": "ACTIVE"}],
        ["tenants.list_sync", {"status": "SUSPENDED"}],
        ["tenants.get_sync", TENANT],
        ["tenants.get_sync", key.tenant_id],
    ]);
    let client = json!({"host": stage.host(Provider::Ntropii), "api_key": key.key});
    let by_arguments = stage.sdk(&json!({"client": client, "calls": calls}));
    let by_name = stage.sdk(&json!({"connection": "selfhost", "calls": calls}));
    let by_default = stage.sdk(&json!({"connection": null, "calls": calls}));
    assert_eq!(by_arguments, by_name);
    assert_eq!(by_arguments, by_default);

    let [whoami, all, active, suspended, by_slug, by_id] = <[Value; 6]>::try_from(by_name).unwrap();
    assert_eq!(whoami["result"]["id"], key.id);
    assert_eq!(all["result"].as_array().unwrap().len(), 1);
    assert_eq!(all["result"][0]["slug"], TENANT);
    assert_eq!(all["result"][0]["dataPlatform"], "managed-postgres");
    assert_eq!(active, all);
    assert_eq!(suspended["result"], json!([]));
    assert_eq!(by_slug["result"], all["result"][0]);
    assert_eq!(by_slug, by_id);
    let mut lines = stage.witness.take_lines();
    lines.truncate(4);
    assert_eq!(
        lines,
        [
            "GET /v1/me",
            "GET /v1/workspace/tenants",
            "GET /v1/workspace/tenants?status=ACTIVE",
            "GET /v1/workspace/tenants?status=SUSPENDED",
        ]
    );
}

/// D.3, the status filter.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn unknown_status_is_bad_request() {
    let stage = Stage::new();
    let client = json!({"host": stage.host(Provider::Ntropii), "api_key": stage.key().key});
    let calls = json!([["tenants.list_sync", {"status": "DORMANT"}]]);
    let answers = stage.sdk(&json!({"client": client, "calls": calls}));
    let message = &answers[0]["message"];
    assert_raised(&answers[0], "NtroAPIError", 400, message, "Bad Request");
    let messages = message.as_array().unwrap();
    assert!(
        messages[0].as_str().unwrap().starts_with("status: "),
        "{message}"
    );
}

/// D.3, 401.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn bad_key_is_authentication_error() {
    let stage = Stage::new();
    let (good, revoked) = (stage.key(), stage.key());
    stage.authority.revoke(&revoked);
    let ontora = stage.authority.key(Provider::Ontora, TENANT);
    let mut mistyped = good.key.clone();
    let last = mistyped.pop().unwrap();
    mistyped.push(if last == 'a' { 'b' } else { 'a' });
    for key in [
        "bad",
        "",
        "ntro_prod_abc123",
        &mistyped,
        &revoked.key,
        &ontora.key,
    ] {
        let client = json!({"host": stage.host(Provider::Ntropii), "api_key": key});
        let calls = json!([["identity.whoami_sync"], ["tenants.list_sync"]]);
        for answer in stage.sdk(&json!({"client": client, "calls": calls})) {
            let message = json!(REFUSAL);
            assert_raised(
                &answer,
                "AuthenticationError",
                401,
                &message,
                "Unauthorized",
            );
        }
    }
}

/// D.3, 403.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn forbidden_call_is_authorization_error() {
    let stage = Stage::new();
    let key = stage.key();
    let client = json!({"host": stage.host(Provider::Ntropii), "api_key": key.key});
    let new = json!({"name": "New", "slug": "new", "dataPlatform": "managed-postgres"});
    let calls = json!([
        ["tenants.create_sync", new],
        ["tenants.deprovision_sync", TENANT],
    ]);
    for answer in stage.sdk(&json!({"client": client, "calls": calls})) {
        let message = &answer["message"];
        assert_raised(&answer, "AuthorizationError", 403, message, "Forbidden");
    }

    // The same for a valid key whose tenant is suspended.
    stage.authority.suspend(TENANT);
    let calls = json!([["identity.whoami_sync"]]);
    let answers = stage.sdk(&json!({"client": client, "calls": calls}));
    let message = json!("The tenant of this API key is not active");
    assert_raised(
        &answers[0],
        "AuthorizationError",
        403,
        &message,
        "Forbidden",
    );
}

/// D.3, 404.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn foreign_tenant_is_not_found_error() {
    let stage = Stage::new();
    let client = json!({"host": stage.host(Provider::Ntropii), "api_key": stage.key().key});
    let other = stage.authority.key(Provider::Ntropii, "globex-capital");
    let calls = json!([
        ["tenants.get_sync", "globex-capital"],
        ["tenants.get_sync", other.tenant_id],
        ["tenants.get_sync", "no-such-tenant"],
        ["tenants.update_sync", "globex-capital", {"config": {}}],
        ["tenants.deprovision_sync", "globex-capital"],
    ]);
    for answer in stage.sdk(&json!({"client": client, "calls": calls})) {
        let message = json!("Tenant not found");
        assert_raised(&answer, "NotFoundError", 404, &message, "Not Found");
    }
}

/// D.3, 409, and all admin operations of the SDK.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn admin_creates_tenant_once() {
    let stage = Stage::new();
    let token = stage.authority.token("admin");
    let client = json!({"host": stage.host(Provider::Ntropii), "api_key": token});
    let new = json!({"name": "New", "slug": "new", "dataPlatform": "managed-postgres"});
    let calls = json!([
        ["tenants.create_sync", new],
        ["tenants.create_sync", new],
        ["tenants.update_sync", "new", {"config": {"ai": {"provider": "none"}}}],
        ["tenants.deprovision_sync", "new"],
        ["tenants.list_sync", {"status": "DEPROVISIONING"}],
    ]);
    let answers = stage.sdk(&json!({"client": client, "calls": calls}));
    assert_eq!(answers[0]["result"]["slug"], "new");
    let message = &answers[1]["message"];
    assert_raised(&answers[1], "ConflictError", 409, message, "Conflict");
    assert!(message.as_str().unwrap().contains("new"), "{message}");
    assert_eq!(answers[2]["result"]["config"]["ai"]["provider"], "none");
    assert_eq!(answers[3]["result"]["status"], "DEPROVISIONING");
    assert_eq!(answers[4]["result"], json!([answers[3]["result"]]));
}

/// D.2 10, as the SDK reports it.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn rate_limit_is_api_error() {
    let stage = Stage::with_one_request_a_minute();
    let client = json!({"host": stage.host(Provider::Ntropii), "api_key": stage.key().key});
    let calls = json!([["identity.whoami_sync"], ["identity.whoami_sync"]]);
    let answers = stage.sdk(&json!({"client": client, "calls": calls}));
    assert!(answers[0]["result"].is_object(), "{}", answers[0]);
    let message = json!(RATE_LIMITED);
    assert_raised(
        &answers[1],
        "NtroAPIError",
        429,
        &message,
        "Too Many Requests",
    );
    assert_eq!(stage.witness.take_lines(), ["GET /v1/me"; 2]);
}
