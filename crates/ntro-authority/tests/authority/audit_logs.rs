//! The audit logs: every way to change one is found, and the tiles are those of the log.

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ntro_authority::{
    AuditLogName, AuditReport, Error, KeptCheckpoint, Registry, Role, StoreError,
};
use ntro_base::Provider;
use ntro_base::disk::FileLock;

use crate::audit::connect;
use crate::support::{App, key, open};

/// An authority whose tenant has a log of three entries, with a checkpoint of them.
async fn with_three_entries() -> (App, AuditLogName) {
    let app = App::start().await;
    let key = app.key(Provider::Ntropii).await;
    app.registry().revoke_key(key.record.id).await.unwrap();
    let log = AuditLogName::tenant(app.tenant.id);
    app.authority.sign_audit_logs().await;
    (app, log)
}

async fn verified(registry: &Registry, kept: &[&str]) -> AuditReport {
    let kept: Vec<_> = kept
        .iter()
        .map(|text| KeptCheckpoint {
            name: "`kept`".to_owned(),
            text: (*text).to_owned(),
        })
        .collect();
    registry.verify_audit(None, &kept).await.unwrap()
}

/// Returns the faults of all logs.
fn faults(report: &AuditReport) -> Vec<String> {
    let logs = report.logs.iter();
    logs.flat_map(|log| &log.faults)
        .map(ToString::to_string)
        .collect()
}

#[tokio::test]
async fn changes_grow_the_logs() {
    let (app, log) = with_three_entries().await;
    let report = verified(app.registry(), &[]).await;
    assert!(report.is_clean(), "{report:?}");
    let sizes: Vec<_> = report.logs.iter().map(|log| log.size).collect();
    assert_eq!(sizes, [1, 3]);
    let lines = app.registry().audit_lines(&log, 0).await.unwrap();
    let actions: Vec<_> = lines
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["action"].clone())
        .collect();
    assert_eq!(actions, ["tenant.create", "key.create", "key.revoke"]);
    assert_eq!(app.registry().audit_lines(&log, 2).await.unwrap().len(), 1);
    assert!(
        app.registry()
            .audit_lines(&log, 3)
            .await
            .unwrap()
            .is_empty()
    );
    let checkpoint = report.logs[1].checkpoint.as_deref().unwrap();
    let origin = format!("ntro-audit/tenant/{}\n3\n", app.tenant.id);
    assert!(checkpoint.starts_with(&origin), "{checkpoint}");
    // The same checkpoint is not signed twice.
    let again = app.registry().audit_checkpoint(&log).await.unwrap();
    assert_eq!(again, checkpoint);
}

#[tokio::test]
async fn tampering_is_found() {
    const LAST: &str = "its last checkpoint";
    let shifted = "UPDATE audit SET id = -1 WHERE id = 3; UPDATE audit SET id = 3 WHERE id = 4; \
                   UPDATE audit SET id = 4 WHERE id = -1";
    let rehashed = "UPDATE audit SET actor_id = 'x' WHERE id = 3; \
                    UPDATE audit_hashes SET hash = zeroblob(32) WHERE event = 3";
    let truncated = "DELETE FROM audit WHERE id = 4; DELETE FROM audit_hashes WHERE event = 4; \
                     UPDATE audit_logs SET size = 2, edge = zeroblob(32) WHERE size = 3";
    let forked = format!("the log was forked: its first 3 entries are not those of {LAST}");
    let tree = "the tree was changed: it is not the tree of the entries".to_owned();
    let changed = |id: i64, index: u64| format!("the row {id} of entry {index} was changed");
    let cut = format!("the log was truncated: it has 2 entries, {LAST} has 3");
    let replaced = |why: &str| {
        vec![format!(
            "the checkpoint in the database was replaced: {why}"
        )]
    };
    for (sql, expected) in [
        (
            "UPDATE audit SET details = '{}' WHERE id = 3",
            vec![changed(3, 1)],
        ),
        (
            "UPDATE audit SET at = at + 1 WHERE id = 4",
            vec![changed(4, 2)],
        ),
        (
            "DELETE FROM audit WHERE id = 4",
            vec!["the row of entry 2 was deleted".to_owned()],
        ),
        (shifted, vec![changed(3, 1), changed(4, 2)]),
        (
            "UPDATE audit SET tenant_id = NULL WHERE id = 3",
            vec![changed(3, 1)],
        ),
        (rehashed, vec![changed(3, 1), tree.clone(), forked.clone()]),
        (truncated, vec![tree.clone(), cut]),
        (
            "DELETE FROM audit_hashes WHERE event = 3",
            vec![
                "the hash of entry 1 was deleted".to_owned(),
                tree.clone(),
                format!("the log was truncated: it has 2 entries, {LAST} has 3"),
            ],
        ),
        (
            "UPDATE audit_logs SET edge = zeroblob(64) WHERE size = 3",
            vec![tree],
        ),
        (
            "UPDATE audit_logs SET checkpoint = replace(checkpoint, char(10, 51, 10), \
             char(10, 52, 10)) WHERE size = 3",
            replaced("its signature does not match"),
        ),
        (
            "UPDATE audit_logs SET checkpoint = replace(checkpoint, '— ', '— other/') WHERE size = 3",
            replaced("the key has not signed it"),
        ),
        (
            "UPDATE audit_logs SET checkpoint = 'none' WHERE size = 3",
            replaced("it is not a signed note"),
        ),
    ] {
        let (app, log) = with_three_entries().await;
        connect(&app).execute_batch(sql).unwrap();
        let report = verified(app.registry(), &[]).await;
        assert_eq!(faults(&report), expected, "{sql}");
        assert!(!report.is_clean());
        let faulty: Vec<_> = report
            .logs
            .iter()
            .filter(|log| !log.faults.is_empty())
            .collect();
        assert_eq!(faulty.len(), 1, "{sql}");
        assert_eq!((&faulty[0].log, &faulty[0].checkpoint), (&log, &None));
    }
    let (app, _) = with_three_entries().await;
    let added = "INSERT INTO audit (at, actor_kind, action, target_kind, target_id, details) \
                 VALUES (1, 'system', 'key.create', 'key', 'k', '{}')";
    connect(&app).execute_batch(added).unwrap();
    let report = verified(app.registry(), &[]).await;
    assert_eq!((report.unlogged, report.is_clean()), (1, false));
}

#[tokio::test]
async fn fork_is_not_signed() {
    let (app, log) = with_three_entries().await;
    // The tree of another history, which has the same size.
    let edit = "UPDATE audit_logs SET edge = zeroblob(64) WHERE size = 3";
    connect(&app).execute_batch(edit).unwrap();
    key(app.registry(), &app.tenant, Provider::Ntropii).await;
    app.authority.sign_audit_logs().await;
    let refused = app.registry().audit_checkpoint(&log).await;
    assert!(
        matches!(refused, Err(Error::AuditLog { .. })),
        "{refused:?}"
    );
    let kept: String = connect(&app)
        .query_row(
            "SELECT checkpoint FROM audit_logs WHERE id LIKE 'tenant/%'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(kept.lines().nth(1), Some("3"));
}

/// Copies the database and its key material.
fn copy(app: &App) -> (tempfile::TempDir, Registry) {
    connect(app)
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let database = crate::support::database(&folder);
    let from = |name: &str| app.folder.path().join(name);
    std::fs::copy(from("registry.db"), folder.path().join("registry.db")).unwrap();
    // Makes the private folder.
    drop(FileLock::acquire(&folder.path().join("registry.db.private/lock")).unwrap());
    for file in ["pepper", "issuer.pk8", "audit.pk8"] {
        let file = format!("registry.db.private/{file}");
        std::fs::copy(from(&file), folder.path().join(&file)).unwrap();
    }
    (folder, open(&database).unwrap())
}

#[tokio::test]
async fn kept_checkpoint_finds_truncation_and_fork() {
    let (app, log) = with_three_entries().await;
    let old = app.registry().audit_checkpoint(&log).await.unwrap();
    let (_folder, backup) = copy(&app);
    key(app.registry(), &app.tenant, Provider::Ntropii).await;
    let new = app.registry().audit_checkpoint(&log).await.unwrap();
    let report = verified(app.registry(), &[&old, &new]).await;
    assert!(report.is_clean(), "{report:?}");
    let proofs = &report.logs[1].consistency;
    let sizes: Vec<_> = proofs
        .iter()
        .map(|proof| (proof.old_size, proof.new_size, proof.path.len()))
        .collect();
    assert_eq!(sizes, [(3, 4, 3), (4, 4, 0)]);
    // The copy is whole by itself.
    let report = verified(&backup, &[&old]).await;
    assert!(report.is_clean(), "{report:?}");
    let report = verified(&backup, &[&new]).await;
    let expected = "the log was truncated: it has 3 entries, `kept` has 4";
    assert_eq!(faults(&report), [expected]);
    key(&backup, &app.tenant, Provider::Ntropii).await;
    let report = verified(&backup, &[&new]).await;
    let expected = "the log was forked: its first 4 entries are not those of `kept`";
    assert_eq!(faults(&report), [expected]);
    // A log that is gone is truncated to nothing.
    connect(&app)
        .execute_batch("DELETE FROM audit_logs; DELETE FROM audit_hashes; DELETE FROM audit")
        .unwrap();
    let report = verified(app.registry(), &[&new]).await;
    let expected = "the log was truncated: it has 0 entries, `kept` has 4";
    assert_eq!(faults(&report), [expected]);
}

#[tokio::test]
async fn foreign_checkpoint_is_refused() {
    let (app, _) = with_three_entries().await;
    let (other, log) = with_three_entries().await;
    let foreign = other.registry().audit_checkpoint(&log).await.unwrap();
    for (text, why) in [
        (foreign.as_str(), "the key has not signed it"),
        ("example.com/log\n1\n", "it is not for an audit log"),
        ("", "it is not for an audit log"),
    ] {
        let kept = KeptCheckpoint {
            name: "`kept`".to_owned(),
            text: text.to_owned(),
        };
        let refused = app.registry().verify_audit(None, &[kept]).await;
        let expected = format!("`kept` is not a checkpoint of this authority: {why}");
        assert_eq!(refused.unwrap_err().to_string(), expected);
    }
}

#[tokio::test]
async fn proof_has_its_event() {
    let (app, log) = with_three_entries().await;
    let proved = app.registry().prove_audit_event(3).await.unwrap();
    assert_eq!((&proved.log, proved.index), (&log, 1));
    let lines = app.registry().audit_lines(&log, 0).await.unwrap();
    assert_eq!(proved.line, lines[1]);
    let extra = format!("\nextra {}\nindex 1\n", STANDARD.encode(&lines[1]));
    assert!(proved.proof.starts_with("c2sp.org/tlog-proof@v1\n"));
    assert!(proved.proof.contains(&extra), "{}", proved.proof);
    let unknown = app.registry().prove_audit_event(99).await;
    assert!(matches!(unknown, Err(Error::NoAuditEvent { id: 99 })));
    connect(&app)
        .execute_batch("UPDATE audit SET action = 'x' WHERE id = 3")
        .unwrap();
    let changed = app.registry().prove_audit_event(3).await;
    assert!(
        matches!(changed, Err(Error::AuditLog { .. })),
        "{changed:?}"
    );
}

/// A server of an earlier version would add rows without entries.
#[tokio::test]
async fn migration_waits_for_an_old_server() {
    let folder = tempfile::tempdir().unwrap();
    let database = crate::support::database(&folder);
    let connection = rusqlite::Connection::open(folder.path().join("registry.db")).unwrap();
    for step in [
        include_str!("../../src/store/sqlite/migrations/0001_registry.sql"),
        include_str!("../../src/store/sqlite/migrations/0002_rotation.sql"),
        include_str!("../../src/store/sqlite/migrations/0003_audit.sql"),
        include_str!("../../src/store/sqlite/migrations/0004_children.sql"),
    ] {
        connection.execute_batch(step).unwrap();
    }
    connection
        .execute_batch("PRAGMA application_id = 0x6e74726f; PRAGMA user_version = 4")
        .unwrap();
    let serving = FileLock::acquire(&folder.path().join("registry.db.private/serving")).unwrap();
    let refused = open(&database).map(drop);
    assert!(matches!(
        refused,
        Err(Error::Store(StoreError::Served { .. }))
    ));
    drop(serving);
    open(&database).unwrap();
}

fn hash(prefix: u8, parts: &[&[u8]]) -> Vec<u8> {
    let bytes: Vec<u8> = [&[prefix][..]]
        .iter()
        .chain(parts)
        .copied()
        .flatten()
        .copied()
        .collect();
    digest(&SHA256, &bytes).as_ref().to_vec()
}

#[tokio::test]
async fn tiles_are_the_log() {
    let (app, log) = with_three_entries().await;
    let path = "/v1/workspace/tenants/acme-fund-admin/audit";
    let admin = app.admin();
    let get = |path: String| app.get(&path).bearer(&admin).bytes();
    let (status, checkpoint) = get(format!("{path}/checkpoint")).await;
    assert_eq!(status, 200);
    let checkpoint = String::from_utf8(checkpoint).unwrap();
    let lines = app.registry().audit_lines(&log, 0).await.unwrap();
    let leaves: Vec<_> = lines
        .iter()
        .map(|line| hash(0, &[line.as_bytes()]))
        .collect();
    let left = hash(1, &[&leaves[0], &leaves[1]]);
    let root = hash(1, &[&left, &leaves[2]]);
    let expected = format!(
        "{}\n3\n{}\n",
        "ntro-audit/".to_owned() + log.as_str(),
        STANDARD.encode(root)
    );
    assert!(checkpoint.starts_with(&expected), "{checkpoint}");
    for width in 1..=3 {
        let tile = get(format!("{path}/tile/0/000.p/{width}")).await;
        assert_eq!(tile, (200, leaves[..width].concat()));
    }
    let bundle: Vec<u8> = lines
        .iter()
        .flat_map(|line| {
            let length = u16::try_from(line.len()).unwrap().to_be_bytes();
            [length.as_slice(), line.as_bytes()].concat()
        })
        .collect();
    assert_eq!(
        get(format!("{path}/tile/entries/000.p/3")).await,
        (200, bundle)
    );
    for missing in [
        "0/000",
        "0/000.p/4",
        "1/000.p/1",
        "entries/001.p/1",
        "0/00",
        "x",
    ] {
        assert_eq!(
            get(format!("{path}/tile/{missing}")).await.0,
            404,
            "{missing}"
        );
    }
    let organisation = "/v1/workspace/audit";
    let (status, checkpoint) = get(format!("{organisation}/checkpoint")).await;
    let origin = format!("ntro-audit/organisation/{}\n", app.organisation.id);
    assert!(status == 200 && checkpoint.starts_with(origin.as_bytes()));
    // The first request has added a member.
    assert_eq!(get(format!("{organisation}/tile/0/000.p/2")).await.0, 200);
}

#[tokio::test]
async fn tiles_need_an_admin_of_the_organisation() {
    let (app, _) = with_three_entries().await;
    let (globex, _) = app.stranger().await;
    let key = app.key(Provider::Ntropii).await;
    let stranger = app.token(&globex, Role::Admin);
    for file in ["checkpoint", "tile/0/000.p/1", "tile/entries/000.p/1"] {
        let path = format!("/v1/workspace/tenants/acme-fund-admin/audit/{file}");
        let get = || app.get(&path);
        get().expect(StatusCode::UNAUTHORIZED).await;
        get().bearer(&stranger).expect(StatusCode::NOT_FOUND).await;
        get()
            .bearer(&app.member())
            .expect(StatusCode::FORBIDDEN)
            .await;
        get().key(&key).expect(StatusCode::FORBIDDEN).await;
        let own = format!("/v1/workspace/audit/{file}");
        app.get(&own).expect(StatusCode::UNAUTHORIZED).await;
        let (status, bytes) = app.get(&own).bearer(&stranger).bytes().await;
        assert_eq!(status, 200);
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(&app.organisation.id.to_string()), "{text}");
    }
}

#[tokio::test]
async fn public_key_is_apart_from_token_keys() {
    let app = App::start().await;
    let keys = app
        .get("/.well-known/ntro-audit.json")
        .expect(StatusCode::OK)
        .await;
    let x = keys.body["keys"][0]["x"].as_str().unwrap();
    let tokens = app
        .get("/.well-known/jwks.json")
        .expect(StatusCode::OK)
        .await;
    assert!(!tokens.body.to_string().contains(x));
}
