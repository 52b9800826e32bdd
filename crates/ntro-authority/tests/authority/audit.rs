//! The audit table: one row for each change, with its actor, in the change's transaction.

use axum::http::StatusCode;
use ntro_authority::{Actor, Error, Registry, StoreError, TenantStatus};
use ntro_base::Provider;
use serde_json::{Value, json};

use crate::support::{App, database, key, new_key, open};

/// A row of the audit table.
#[derive(Debug)]
pub(crate) struct AuditRow {
    pub(crate) actor: (String, Option<String>, Option<String>),
    pub(crate) action: String,
    pub(crate) target: (String, String),
    organisation: Option<String>,
    tenant: Option<String>,
    pub(crate) details: Value,
}

pub(crate) fn connect(app: &App) -> rusqlite::Connection {
    rusqlite::Connection::open(app.folder.path().join("registry.db")).unwrap()
}

/// Returns every row, oldest first.
pub(crate) fn rows(app: &App) -> Vec<AuditRow> {
    let connection = connect(app);
    let mut rows = connection
        .prepare(
            "SELECT actor_kind, actor_issuer, actor_id, action, target_kind, target_id, \
             organisation_id, tenant_id, details FROM audit ORDER BY id",
        )
        .unwrap();
    let rows = rows.query_map([], |row| {
        let details: String = row.get(8)?;
        Ok(AuditRow {
            actor: (row.get(0)?, row.get(1)?, row.get(2)?),
            action: row.get(3)?,
            target: (row.get(4)?, row.get(5)?),
            organisation: row.get(6)?,
            tenant: row.get(7)?,
            details: serde_json::from_str(&details).unwrap(),
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// Returns the actions after the first `skip` rows.
fn actions(app: &App, skip: usize) -> Vec<String> {
    let rows = rows(app).into_iter().skip(skip);
    rows.map(|row| row.action).collect()
}

fn command_line() -> (String, Option<String>, Option<String>) {
    ("command_line".to_owned(), None, None)
}

#[tokio::test]
async fn command_line_changes_are_audited() {
    let app = App::start().await;
    let beside = open(&app.database()).unwrap();
    let minted = key(&beside, &app.tenant, Provider::Ontora).await;
    beside.revoke_key(minted.record.id).await.unwrap();
    for status in [TenantStatus::Suspended, TenantStatus::Active] {
        let changed = beside.set_tenant_status(app.tenant.id, status).await;
        changed.unwrap();
    }
    beside
        .set_tenant_config(app.tenant.id, json!({"secret": "hush"}))
        .await
        .unwrap();
    let rows = rows(&app);
    let actions: Vec<_> = rows.iter().map(|row| row.action.as_str()).collect();
    assert_eq!(
        actions,
        [
            "organisation.create",
            "tenant.create",
            "key.create",
            "key.revoke",
            "tenant.set_status",
            "tenant.set_status",
            "tenant.set_config",
        ]
    );
    let organisation = Some(app.organisation.id.to_string());
    let tenant = Some(app.tenant.id.to_string());
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row.actor, command_line());
        assert_eq!(row.organisation, organisation);
        assert_eq!(row.tenant, tenant.clone().filter(|_| index > 0));
    }
    let id = minted.record.id.to_string();
    assert_eq!(rows[2].target, ("key".to_owned(), id.clone()));
    assert_eq!(rows[3].target, ("key".to_owned(), id));
    assert_eq!(rows[2].details["prefix"], minted.record.prefix.as_str());
    assert_eq!(
        rows[4].details,
        json!({"from": "ACTIVE", "to": "SUSPENDED"})
    );
    assert_eq!(rows[6].details, json!({}));
}

#[tokio::test]
async fn admin_changes_name_issuer_and_subject() {
    let app = App::start().await;
    let before = rows(&app).len();
    let admin = app.admin();
    let path = "/v1/workspace/tenants/acme-fund-admin";
    let keys = format!("{path}/api-keys");
    let made = app.post(&keys, &json!({"name": "CI"})).bearer(&admin);
    let made = made.expect(StatusCode::CREATED).await;
    let id = made.body["id"].as_str().unwrap();
    let revoke = app.delete(&format!("{keys}/{id}")).bearer(&admin);
    revoke.expect(StatusCode::OK).await;
    let remove = app.delete(path).bearer(&admin);
    remove.expect(StatusCode::OK).await;
    let rows = rows(&app).split_off(before);
    let actions: Vec<_> = rows.iter().map(|row| row.action.as_str()).collect();
    // The first request has shown a new member.
    assert_eq!(
        actions,
        [
            "member.record",
            "key.create",
            "key.revoke",
            "tenant.set_status"
        ]
    );
    for row in &rows {
        let (kind, issuer, subject) = &row.actor;
        assert_eq!(kind, "user");
        assert_eq!(issuer.as_deref(), Some("urn:ntro:authority"));
        assert_eq!(subject.as_deref(), Some("user_1"));
        assert_eq!(row.organisation, Some(app.organisation.id.to_string()));
    }
    assert_eq!(rows[0].target, ("member".to_owned(), "user_1".to_owned()));
}

#[tokio::test]
async fn key_changes_name_the_key() {
    let app = App::start().await;
    let old = app.key(Provider::Ntropii).await;
    let before = rows(&app).len();
    let current = "/v1/api-keys/current";
    let rotate = app.call("POST", &format!("{current}/rotate")).key(&old);
    let first = rotate.expect(StatusCode::CREATED).await;
    let cancel = app.delete(&format!("{current}/successor")).key(&old);
    cancel.expect(StatusCode::NO_CONTENT).await;
    let rotate = app.call("POST", &format!("{current}/rotate")).key(&old);
    let second = rotate.expect(StatusCode::CREATED).await;
    let new = second.body["key"].as_str().unwrap();
    let complete = app.delete(&format!("{current}/predecessor")).bearer(new);
    complete.expect(StatusCode::NO_CONTENT).await;
    let revoke = app.delete(current).bearer(new);
    revoke.expect(StatusCode::NO_CONTENT).await;
    let old = old.record.id.to_string();
    let id = |body: &Value| {
        body["id"]
            .as_str()
            .unwrap()
            .trim_start_matches("key_")
            .to_owned()
    };
    let (first, second) = (id(&first.body), id(&second.body));
    let rows = rows(&app).split_off(before);
    let changes: Vec<_> = rows
        .iter()
        .map(|row| {
            let actor = row.actor.2.as_deref().unwrap();
            (actor, row.action.as_str(), row.target.1.as_str())
        })
        .collect();
    assert_eq!(
        changes,
        [
            (old.as_str(), "key.create_successor", first.as_str()),
            (&old, "key.revoke_successor", &first),
            (&old, "key.create_successor", &second),
            (&second, "key.revoke_predecessor", &old),
            (&second, "key.revoke", &second),
        ]
    );
    for row in &rows {
        assert_eq!(row.actor.0, "key");
        assert_eq!(row.tenant, Some(app.tenant.id.to_string()));
    }
}

#[tokio::test]
async fn repeated_change_adds_no_row() {
    let app = App::start().await;
    let key = app.key(Provider::Ntropii).await;
    app.registry().revoke_key(key.record.id).await.unwrap();
    let before = rows(&app).len();
    app.registry().revoke_key(key.record.id).await.unwrap();
    let taken = app.registry().create_organisation("A", Some("org_acme"));
    let error = taken.await.unwrap_err();
    assert!(matches!(error, Error::Store(StoreError::Conflict { .. })));
    let admin = app.admin();
    for _ in 0..2 {
        let list = app.get("/v1/workspaces").bearer(&admin);
        list.expect(StatusCode::OK).await;
    }
    assert_eq!(actions(&app, before), ["member.record"]);
}

#[tokio::test]
async fn change_and_row_share_a_transaction() {
    let app = App::start().await;
    let live = app.key(Provider::Ntropii).await;
    let (keys, audited) = (1, i64::try_from(rows(&app).len()).unwrap());
    let faults = connect(&app);
    let counts = || {
        let count = |table: &str| {
            let sql = format!("SELECT count(*) FROM {table}");
            faults
                .query_row(&sql, [], |row| row.get::<_, i64>(0))
                .unwrap()
        };
        assert_eq!(count("audit"), count("audit_hashes"));
        (count("api_keys"), count("audit"))
    };
    let create = || {
        app.registry()
            .create_key(&app.tenant, new_key(Provider::Ntropii))
    };
    for (table, event) in [
        ("audit", "INSERT"),
        ("audit_hashes", "INSERT"),
        ("api_keys", "INSERT"),
    ] {
        let trigger = format!(
            "CREATE TRIGGER fault AFTER {event} ON {table} BEGIN SELECT raise(FAIL, 'fault'); END"
        );
        faults.execute_batch(&trigger).unwrap();
        create().await.unwrap_err();
        assert_eq!(counts(), (keys, audited), "{table}");
        if table.starts_with("audit") {
            // A revocation without its row is no revocation.
            let revoked = app.registry().revoke_key(live.record.id).await;
            revoked.unwrap_err();
            app.get("/v1/me").key(&live).expect(StatusCode::OK).await;
        }
        faults.execute_batch("DROP TRIGGER fault").unwrap();
    }
    create().await.unwrap();
    assert_eq!(counts(), (keys + 1, audited + 1));
}

#[tokio::test]
async fn audit_holds_no_secret() {
    let app = App::start().await;
    let minted = app.key(Provider::Ntropii).await;
    let secret = minted.key.expose().rsplit('_').next().unwrap();
    for row in rows(&app) {
        assert!(!format!("{row:?}").contains(secret));
    }
}

/// A database of an earlier version gets what it lacks.
#[tokio::test]
async fn older_database_gets_the_audit_table() {
    const STEPS: [&str; 3] = [
        include_str!("../../src/store/sqlite/migrations/0001_registry.sql"),
        include_str!("../../src/store/sqlite/migrations/0002_rotation.sql"),
        include_str!("../../src/store/sqlite/migrations/0003_audit.sql"),
    ];
    for version in 1..=STEPS.len() {
        let folder = tempfile::tempdir().unwrap();
        let database = database(&folder);
        let connection = rusqlite::Connection::open(folder.path().join("registry.db")).unwrap();
        for step in &STEPS[..version] {
            connection.execute_batch(step).unwrap();
        }
        let marks = format!("PRAGMA application_id = 0x6e74726f; PRAGMA user_version = {version}");
        connection.execute_batch(&marks).unwrap();
        let earlier = u64::from(version == STEPS.len());
        if earlier == 1 {
            let row = "INSERT INTO audit (at, actor_kind, action, target_kind, target_id, details) \
                       VALUES (1, 'system', 'tenant.create', 'tenant', 't', '{\"a\": 1}')";
            connection.execute_batch(row).unwrap();
        }
        let registry: Registry = open(&database).unwrap().acting_as(Actor::System);
        registry.create_organisation("Acme", None).await.unwrap();
        let kind: String = connection
            .query_row("SELECT actor_kind FROM audit", [], |row| row.get(0))
            .unwrap();
        assert_eq!(kind, "system");
        let report = registry.verify_audit(None, &[]).await.unwrap();
        assert!(report.is_clean(), "{report:?}");
        let sizes: Vec<_> = report.logs.iter().map(|log| log.size).collect();
        assert_eq!(sizes, vec![1; usize::try_from(earlier).unwrap() + 1]);
        let children: u32 = connection
            .query_row("SELECT count(parent) FROM api_keys", [], |row| row.get(0))
            .unwrap();
        assert_eq!(children, 0);
    }
}
