//! The registry: durability, private files, and refused input.

use axum::http::StatusCode;
use ntro_authority::{
    Authority, AuthoritySettings, Claims, Database, Error, Issuer, JwksSource, StoreError,
    TenantStatus,
};
use ntro_base::Provider;

use crate::support::{App, database, key, new_key, open};

#[tokio::test]
async fn restart_keeps_everything() {
    let app = App::start().await;
    let (live, dead) = (
        app.key(Provider::Ntropii).await,
        app.key(Provider::Ntropii).await,
    );
    app.registry().revoke_key(dead.record.id).await.unwrap();
    let (_, globex) = app.stranger().await;
    let theirs = key(app.registry(), &globex, Provider::Ontora).await;
    app.registry()
        .set_tenant_status(globex.id, TenantStatus::Suspended)
        .await
        .unwrap();
    let admin = app.admin();
    app.get("/v1/me").key(&live).expect(StatusCode::OK).await;
    app.authority.record_use().await.unwrap();

    let app = app.restart().await;
    app.get("/v1/me").key(&live).expect(StatusCode::OK).await;
    app.get("/v1/me")
        .key(&dead)
        .expect(StatusCode::UNAUTHORIZED)
        .await;
    app.get("/v1/api-keys/current")
        .key(&theirs)
        .expect(StatusCode::FORBIDDEN)
        .await;
    app.get("/v1/workspaces")
        .bearer(&admin)
        .expect(StatusCode::OK)
        .await;
    let keys = app
        .registry()
        .keys(Some(app.tenant.id), None)
        .await
        .unwrap();
    assert_eq!(keys[0].id, dead.record.id);
    assert!(keys[0].revoked_at.is_some() && keys[0].last_used_at.is_none());
    assert!(keys[1].last_used_at.is_some());
}

#[tokio::test]
async fn failed_record_of_use_is_repeated() {
    let app = App::start().await;
    let key = app.key(Provider::Ntropii).await;
    let last_use = async |app: &App| {
        let keys = app.registry().keys(None, None).await.unwrap();
        keys[0].last_used_at
    };
    app.get("/v1/me").key(&key).expect(StatusCode::OK).await;
    let beside = rusqlite::Connection::open(app.folder.path().join("registry.db")).unwrap();
    let full =
        "CREATE TRIGGER full BEFORE UPDATE ON api_keys BEGIN SELECT raise(FAIL, 'full'); END";
    beside.execute_batch(full).unwrap();
    app.authority.record_use().await.unwrap_err();
    assert_eq!(last_use(&app).await, None);
    beside.execute_batch("DROP TRIGGER full").unwrap();
    app.authority.record_use().await.unwrap();
    assert!(last_use(&app).await.is_some());
}

#[tokio::test]
async fn files_are_private_and_hold_no_key() {
    let app = App::start().await;
    let minted = app.key(Provider::Ntropii).await;
    let secret = minted.key.expose().rsplit('_').next().unwrap().as_bytes();
    let mut folders = vec![app.folder.path().to_owned()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt as _;
                let mode = std::fs::metadata(&path).unwrap().permissions().mode();
                assert_eq!(mode & 0o077, 0, "{}", path.display());
            }
        }
    }
    assert!(files >= 5, "database, its log, pepper, issuer, locks");
}

#[tokio::test]
async fn only_one_process_serves() {
    let app = App::start().await;
    let second = Authority::open(&app.database(), AuthoritySettings::default());
    assert!(matches!(
        second.err().unwrap(),
        Error::Store(StoreError::Served { .. })
    ));
    let beside = open(&app.database()).unwrap();
    assert_eq!(beside.organisations().await.unwrap().len(), 1);
}

#[tokio::test]
async fn foreign_or_newer_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let open =
        |name: &str| crate::support::open(&Database::Sqlite(folder.path().join(name))).map(drop);

    std::fs::write(folder.path().join("text.db"), "no database, ".repeat(100)).unwrap();
    let error = open("text.db").unwrap_err();
    assert!(
        matches!(error, Error::Store(StoreError::NotOurs { .. })),
        "{error}"
    );

    let other = rusqlite::Connection::open(folder.path().join("other.db")).unwrap();
    other.execute_batch("CREATE TABLE t (x)").unwrap();
    let error = open("other.db").unwrap_err();
    assert!(
        matches!(error, Error::Store(StoreError::NotOurs { .. })),
        "{error}"
    );

    open("ours.db").unwrap();
    let newer = rusqlite::Connection::open(folder.path().join("ours.db")).unwrap();
    newer.execute_batch("PRAGMA user_version = 99").unwrap();
    let error = open("ours.db").unwrap_err().to_string();
    assert!(error.contains("schema 99"), "{error}");
}

#[tokio::test]
async fn lost_or_wrong_pepper_is_refused() {
    let app = App::start().await;
    app.key(Provider::Ntropii).await;
    let database = app.database();
    let pepper = app.folder.path().join("registry.db.private").join("pepper");
    let good = std::fs::read(&pepper).unwrap();
    std::fs::remove_file(&pepper).unwrap();
    let error = open(&database).map(drop).unwrap_err();
    assert!(
        matches!(error, Error::Store(StoreError::NoPepper { .. })),
        "{error}"
    );
    std::fs::write(&pepper, [7; 32]).unwrap();
    let error = open(&database).map(drop).unwrap_err();
    assert!(
        matches!(error, Error::Store(StoreError::WrongPepper { .. })),
        "{error}"
    );
    std::fs::write(&pepper, good).unwrap();
    open(&database).unwrap();
}

#[tokio::test]
async fn invalid_input_is_refused() {
    let app = App::start().await;
    let registry = app.registry();
    let conflict = registry
        .create_organisation("Acme 2", Some("org_acme"))
        .await;
    assert!(matches!(
        conflict.unwrap_err(),
        Error::Store(StoreError::Conflict { .. })
    ));
    let mut new = new_key(Provider::Ontora);
    new.scopes.clear();
    let error = registry.create_key(&app.tenant, new).await.unwrap_err();
    assert!(matches!(error, Error::ScopesMissing));
    for days in [0, 366] {
        let mut new = new_key(Provider::Ntropii);
        new.expires_in_days = Some(days);
        let error = registry.create_key(&app.tenant, new).await.unwrap_err();
        assert!(matches!(error, Error::Life { .. }));
    }
    let error = registry.revoke_key(app.tenant.id).await.unwrap_err();
    assert!(matches!(error, Error::NoKey { .. }));
    // Some issuers send an empty id for a user without an organisation.
    for nothing in ["", " "] {
        let error = registry.create_organisation("Initech", Some(nothing)).await;
        assert!(matches!(error.unwrap_err(), Error::Name(_)), "{nothing:?}");
    }
}

#[tokio::test]
async fn removed_tenant_keeps_its_status() {
    let app = App::start().await;
    let key = app.key(Provider::Ntropii).await;
    let path = "/v1/workspace/tenants/acme-fund-admin";
    let take_down = || app.delete(path).bearer(&app.admin());
    take_down().expect(StatusCode::OK).await;
    for status in [TenantStatus::Suspended, TenantStatus::Active] {
        let changed = app
            .registry()
            .set_tenant_status(app.tenant.id, status)
            .await;
        let error = changed.unwrap_err().to_string();
        assert!(error.contains("DEPROVISIONING"), "{error}");
        let refused = app.get("/v1/me").key(&key).send().await;
        assert_eq!(refused.status, 403, "{}", refused.body);
    }
    take_down().expect(StatusCode::OK).await;
    let tenant = app.registry().tenant("acme-fund-admin").await.unwrap();
    assert_eq!(tenant.status, TenantStatus::Deprovisioning);
}

#[tokio::test]
async fn missing_key_set_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text");
    std::fs::write(&text, "no key set").unwrap();
    for (path, why) in [
        (folder.path().join("jwks.json"), "no such file"),
        (folder.path().to_owned(), "directory"),
        (text, "holds no JSON Web Key Set"),
        ("HTTP://id.example.test/keys".into(), "no such file"),
    ] {
        let settings = AuthoritySettings {
            issuers: vec![Issuer {
                issuer: "https://id.example.test".to_owned(),
                audience: None,
                keys: JwksSource::File(path.clone()),
                claims: Claims::default(),
            }],
            ..AuthoritySettings::default()
        };
        let opened = Authority::open(&database(&folder), settings).map(drop);
        let error = opened.unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
        assert!(error.contains(why), "{error}");
    }
}

#[tokio::test]
async fn duplicate_organisation_is_refused() {
    let app = App::start().await;
    let id = app.organisation.id.to_string();
    for (name, external_id) in [
        ("Acme", None),
        (" Acme ", None),
        ("ACME", None),
        ("ORG_acme", None),
        (&id, None),
        ("Globex", Some("acme")),
        ("Initech", Some(id.as_str())),
    ] {
        let error = app.registry().create_organisation(name, external_id).await;
        let error = error.unwrap_err();
        assert!(
            matches!(error, Error::Store(StoreError::Conflict { .. })),
            "{error}"
        );
    }
    assert_eq!(app.registry().organisations().await.unwrap().len(), 1);
}

#[tokio::test]
async fn rename_reaches_live_keys() {
    let app = App::start().await;
    let (globex, other) = app.stranger().await;
    let keys = [
        app.key(Provider::Ntropii).await,
        app.key(Provider::Ontora).await,
    ];
    let theirs = key(app.registry(), &other, Provider::Ontora).await;
    let names = async |organisation: &str, tenant: &str| {
        let me = app.get("/v1/me").key(&keys[0]).send().await.body;
        let current = app.get("/v1/api-keys/current").key(&keys[1]);
        let current = current.send().await.body;
        assert_eq!(me["orgName"], organisation, "{me}");
        assert_eq!(me["tenants"][0]["name"], tenant);
        assert_eq!(current["organisation_name"], organisation, "{current}");
        assert_eq!(current["workspace_name"], tenant);
        let unchanged = app.get("/v1/api-keys/current").key(&theirs).send().await;
        assert_eq!(unchanged.body["organisation_name"], "Globex");
        assert_eq!(unchanged.body["workspace_name"], "globex-capital");
    };
    names("Acme", "acme-fund-admin").await;
    // One process serves, the other renames.
    let beside = open(&app.database()).unwrap();
    let renamed = beside.rename_organisation(app.organisation.id, " Acme Group ");
    assert_eq!(renamed.await.unwrap().name, "Acme Group");
    names("Acme Group", "acme-fund-admin").await;
    let renamed = beside.rename_tenant(app.tenant.id, "Fund Admin").await;
    assert_eq!(renamed.unwrap().slug, "acme-fund-admin");
    names("Acme Group", "Fund Admin").await;
    // Names stay distinct; the present one may be written anew.
    for name in ["globex", "org_globex", &globex.id.to_string()] {
        let error = beside.rename_organisation(app.organisation.id, name);
        let error = error.await.unwrap_err();
        assert!(
            matches!(error, Error::Store(StoreError::Conflict { .. })),
            "{error}"
        );
    }
    let same = beside.rename_organisation(app.organisation.id, "ACME group");
    same.await.unwrap();
    let missing = beside.rename_organisation(app.tenant.id, "A").await;
    assert!(matches!(missing.unwrap_err(), Error::NoOrganisation { .. }));
    let missing = beside.rename_tenant(app.organisation.id, "A").await;
    assert!(matches!(missing.unwrap_err(), Error::NoTenant { .. }));
    let empty = beside.rename_tenant(app.tenant.id, " ").await;
    assert!(matches!(empty.unwrap_err(), Error::Name(_)));
    // A rename leaves the state of keys and tenants alone.
    let suspended = TenantStatus::Suspended;
    let changed = beside.set_tenant_status(app.tenant.id, suspended).await;
    changed.unwrap();
    let renamed = beside.rename_tenant(app.tenant.id, "Closed").await;
    assert_eq!(renamed.unwrap().status, suspended);
    let refused = app.get("/v1/me").key(&keys[0]);
    refused.expect(StatusCode::FORBIDDEN).await;
    let changed = beside.set_tenant_status(app.tenant.id, TenantStatus::Active);
    changed.await.unwrap();
    names("ACME group", "Closed").await;
    beside.revoke_key(keys[0].record.id).await.unwrap();
    beside.rename_tenant(app.tenant.id, "Open").await.unwrap();
    let refused = app.get("/v1/me").key(&keys[0]);
    refused.expect(StatusCode::UNAUTHORIZED).await;
}

#[tokio::test]
async fn names_of_earlier_versions_are_cleaned() {
    let app = App::start().await;
    let minted = app.key(Provider::Ntropii).await;
    let connection = rusqlite::Connection::open(app.folder.path().join("registry.db")).unwrap();
    for (name, shown) in [
        ("a\u{1b}[31m\u{202e}b", "a<U+001B>[31m<U+202E>b"),
        ("\u{7}", "<U+0007>"),
        ("\u{20}", "unnamed"),
    ] {
        connection
            .execute("UPDATE api_keys SET name = ?1", [name])
            .unwrap();
        let keys = app.registry().keys(None, None).await.unwrap();
        assert_eq!(keys[0].id, minted.record.id);
        assert_eq!(keys[0].name.as_str(), shown);
    }
    drop(connection);
    let app = app.restart().await;
    app.get("/v1/me").key(&minted).expect(StatusCode::OK).await;
}
