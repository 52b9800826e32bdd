//! The promises of a store, for every database.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::sql::{SqlStore, values};
use super::sqlite::{self, SqliteFiles};
use super::*;
use crate::actor::Actor;
use ntro_base::{KeyPrefix, Provider, Scope};

/// Runs each story over both databases.
macro_rules! stories {
    ($($(#[$attribute:meta])* $story:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $story() {
                super::$story(super::Fixture::sqlite().await).await;
            })+
        }

        mod on_postgres {
            $(#[tokio::test]
            #[ignore = "needs PostgreSQL"]
            async fn $story() {
                super::$story(super::Fixture::postgres().await).await;
            })+
        }
    };
}

stories![
    organisations_are_kept,
    members_are_kept,
    tenants_are_kept,
    keys_are_kept,
    key_names_are_unique,
    idempotency_key_lasts_a_day,
    answer_lasts_a_day,
    lists_have_parts,
    revoked_key_ends_with_successor,
    successor_replaces_predecessor,
    cancelled_successor_is_never_made,
    children_end_with_parent,
    children_are_bounded,
    tripwires_are_kept,
    uses_are_kept,
    pauses_are_kept,
    policies_are_kept,
    keys_end_with_owner,
    changes_reach_subscriber,
    failed_change_spares_its_batch,
    restart_loads_live_keys,
];

/// Records the changes that it gets.
#[derive(Default)]
struct Recorder {
    epochs: Mutex<Vec<Epoch>>,
    /// The kind of a change and the id of its object.
    changes: Mutex<Vec<String>>,
}

impl Subscriber for Recorder {
    fn apply(&self, epoch: Epoch, changes: Vec<RegistryChange>) {
        self.epochs.lock().unwrap().push(epoch);
        self.changes
            .lock()
            .unwrap()
            .extend(changes.into_iter().map(|change| match change {
                RegistryChange::Tenant(row, organisation) => {
                    format!("tenant {} of {organisation} {}", row.id, row.status)
                }
                RegistryChange::Key(row) => {
                    let state = if row.revoked_at.is_some() {
                        "dead"
                    } else {
                        "live"
                    };
                    format!("key {} {state}", row.id)
                }
                RegistryChange::Tripwire(row) => format!("tripwire of {}", row.key),
            }));
    }
}

impl Recorder {
    /// Takes a change out, if it was recorded.
    fn take_one(&self, change: &str) -> bool {
        let mut changes = self.changes.lock().unwrap();
        let found = changes.iter().position(|one| one == change);
        found.map(|index| changes.remove(index)).is_some()
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.changes.lock().unwrap())
    }
}

/// Where the database of a story is.
enum Place {
    Sqlite(tempfile::TempDir),
    Postgres(PostgresUrl),
}

impl Place {
    async fn serve(&self) -> (SqlStore, Arc<Recorder>) {
        let recorder = Arc::new(Recorder::default());
        let store = match self {
            Self::Sqlite(folder) => {
                let files = SqliteFiles::new(&folder.path().join("registry.db"));
                sqlite::serve(&files, recorder.clone()).unwrap()
            }
            Self::Postgres(url) => {
                let joining = postgres::join(url).unwrap();
                postgres::serve(joining, recorder.clone()).unwrap()
            }
        };
        (store, recorder)
    }
}

/// A served registry with the organisation Acme and its tenant.
struct Fixture {
    store: SqlStore,
    recorder: Arc<Recorder>,
    organisation: OrganisationRecord,
    tenant: TenantRecord,
    place: Place,
}

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn after(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

fn stamp(at: Timestamp) -> Stamp {
    Stamp {
        actor: Actor::System,
        at,
    }
}

fn organisation(name: &str, external_id: Option<&str>) -> OrganisationRecord {
    OrganisationRecord {
        id: Uuid::new_v4(),
        name: name.to_owned(),
        external_id: external_id.map(str::to_owned),
        created_at: start(),
    }
}

fn tenant(organisation: &OrganisationRecord, slug: &str) -> TenantRecord {
    TenantRecord {
        id: Uuid::new_v4(),
        organisation_id: organisation.id,
        slug: slug.to_owned(),
        name: slug.to_owned(),
        data_platform: DataPlatform::ManagedPostgres,
        data_platform_config_id: None,
        status: TenantStatus::Active,
        config: None,
        created_at: start(),
        updated_at: start(),
    }
}

fn once(request: u8, body: u8, at: Timestamp) -> IdempotencyRecord {
    IdempotencyRecord {
        request: [request; 32],
        body: [body; 32],
        forget_before: at - SignedDuration::from_hours(24),
    }
}

impl Fixture {
    async fn sqlite() -> Self {
        Self::over(Place::Sqlite(tempfile::tempdir().unwrap())).await
    }

    async fn postgres() -> Self {
        let url = cluster::Cluster::shared().database().parse().unwrap();
        postgres::init(&url).unwrap();
        Self::over(Place::Postgres(url)).await
    }

    async fn over(place: Place) -> Self {
        let (store, recorder) = place.serve().await;
        let organisation = organisation("Acme", Some("org_acme"));
        let created = store.create_organisation(organisation.clone(), stamp(start()));
        created.await.unwrap();
        let tenant = tenant(&organisation, "acme");
        let created = store.create_tenant(tenant.clone(), stamp(start()));
        created.await.unwrap();
        recorder.take();
        Self {
            store,
            recorder,
            organisation,
            tenant,
            place,
        }
    }

    fn record(&self) -> ApiKeyRecord {
        let id = Uuid::new_v4();
        let mut hash = [0; 32];
        hash[..16].copy_from_slice(id.as_bytes());
        ApiKeyRecord {
            id,
            tenant_id: self.tenant.id,
            provider: Provider::Ontora,
            name: "CI".parse().unwrap(),
            prefix: KeyPrefix::recorded(&format!("ont_live_{}", id.simple())),
            hash: KeyHash(hash),
            scopes: vec![Scope::All],
            created_at: start(),
            created_by: Some("user_1".to_owned()),
            expires_at: Some(after(1_000_000)),
            last_used_at: None,
            last_used_address: None,
            last_used_agent: None,
            revoked_at: None,
            may_rotate: true,
            predecessor: None,
            is_pending: false,
            parent: None,
            tripped_at: None,
            paused_at: None,
            owner: None,
        }
    }

    async fn key(&self) -> ApiKeyRecord {
        let row = self.record();
        let created = self.store.create_key(row.clone(), None, stamp(start()));
        assert!(matches!(created.await.unwrap(), CreateKeyOutcome::New));
        row
    }

    fn successor_of(&self, key: &ApiKeyRecord) -> ApiKeyRecord {
        ApiKeyRecord {
            predecessor: Some(key.id),
            is_pending: true,
            ..self.record()
        }
    }

    fn child_of(&self, key: &ApiKeyRecord) -> ApiKeyRecord {
        ApiKeyRecord {
            parent: Some(key.id),
            expires_at: Some(after(3_600)),
            ..self.record()
        }
    }

    async fn successor(&self, key: &ApiKeyRecord) -> SuccessorOutcome {
        let row = self.successor_of(key);
        let created = self.store.create_successor(row, None, stamp(after(1)));
        created.await.unwrap()
    }

    async fn read(&self, id: Uuid) -> ApiKeyRecord {
        self.store.key(id).await.unwrap().unwrap()
    }

    async fn is_live(&self, id: Uuid) -> bool {
        self.read(id).await.revoked_at.is_none()
    }

    /// Returns the actions of the audit table.
    async fn audit(&self) -> Vec<String> {
        let actions = self.store.read(|session| {
            session.rows("SELECT action FROM audit ORDER BY id", values![], |row| {
                row.get(0)
            })
        });
        actions.await.unwrap()
    }
}

fn is_conflict<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict { .. }))
}

async fn organisations_are_kept(fixture: Fixture) {
    let Fixture { store, .. } = &fixture;
    let create = |row: &OrganisationRecord| store.create_organisation(row.clone(), stamp(start()));
    let globex = organisation("Globex", None);
    create(&globex).await.unwrap();
    for taken in [
        organisation("ACME", None),
        organisation("Initech", Some("org_acme")),
        organisation(&globex.id.to_string(), None),
    ] {
        assert!(is_conflict(create(&taken).await), "{taken:?}");
    }
    let all = store.organisations().await.unwrap();
    assert_eq!(all, [fixture.organisation.clone(), globex.clone()]);
    let find = |name: &str| store.organisation(name.to_owned());
    let id = globex.id.to_string();
    assert_eq!(find(&id).await.unwrap(), Some(globex.clone()));
    let named = find("org_acme").await.unwrap();
    assert_eq!(named, Some(fixture.organisation.clone()));
    for nothing in ["", "Globex", "a\0b", "é"] {
        assert_eq!(find(nothing).await.unwrap(), None, "{nothing:?}");
    }
    let rename = |id, name: &str| store.rename_organisation(id, name.to_owned(), stamp(after(1)));
    assert_eq!(rename(Uuid::new_v4(), "A").await.unwrap(), None);
    assert!(is_conflict(rename(globex.id, "acme").await));
    let renamed = rename(fixture.organisation.id, "Acme Group").await.unwrap();
    assert_eq!(renamed.unwrap().name, "Acme Group");
    let shown = format!("tenant {} of Acme Group ACTIVE", fixture.tenant.id);
    assert_eq!(fixture.recorder.take(), [shown]);
    let expected = [
        "organisation.create",
        "tenant.create",
        "organisation.create",
        "organisation.rename",
    ];
    assert_eq!(fixture.audit().await, expected);
}

async fn members_are_kept(fixture: Fixture) {
    let Fixture { store, .. } = &fixture;
    let organisation = fixture.organisation.id;
    let member = |user: &str, role| MemberRecord {
        user_id: user.to_owned(),
        role,
        created_at: start(),
    };
    let record = |row| store.record_member(organisation, row, stamp(start()));
    record(member("b", Role::Member)).await.unwrap();
    record(member("a", Role::Admin)).await.unwrap();
    record(member("b", Role::Member)).await.unwrap();
    record(member("b", Role::Admin)).await.unwrap();
    let expected = [member("b", Role::Admin), member("a", Role::Admin)];
    assert_eq!(store.members(organisation).await.unwrap(), expected);
    assert_eq!(store.members(Uuid::new_v4()).await.unwrap(), []);
    assert_eq!(fixture.audit().await[2..], ["member.record"; 3]);
}

async fn tenants_are_kept(fixture: Fixture) {
    let Fixture { store, .. } = &fixture;
    let create = |row: &TenantRecord| store.create_tenant(row.clone(), stamp(start()));
    let globex = organisation("Globex", None);
    let created = store.create_organisation(globex.clone(), stamp(start()));
    created.await.unwrap();
    let second = TenantRecord {
        data_platform: DataPlatform::Snowflake,
        data_platform_config_id: Some("config".to_owned()),
        config: Some(json!({"a": ["\u{0}", 1]})),
        ..tenant(&globex, "globex")
    };
    create(&second).await.unwrap();
    assert!(is_conflict(create(&tenant(&globex, "acme")).await));
    let orphan = tenant(&organisation("Nowhere", None), "orphan");
    create(&orphan).await.unwrap_err();
    let list = |organisation, status| {
        store.tenants(TenantFilter {
            organisation,
            status,
            ..TenantFilter::default()
        })
    };
    let first = fixture.tenant.clone();
    let both = [first.clone(), second.clone()];
    assert_eq!(list(None, None).await.unwrap(), both);
    assert_eq!(list(Some(globex.id), None).await.unwrap(), both[1..]);
    let suspended = Some(TenantStatus::Suspended);
    assert_eq!(list(None, suspended).await.unwrap(), []);
    for name in [second.id.to_string(), "globex".to_owned()] {
        assert_eq!(store.tenant(name).await.unwrap(), Some(second.clone()));
    }
    assert_eq!(store.tenant("a\0".to_owned()).await.unwrap(), None);

    let unknown = Uuid::new_v4();
    let rename = |id| store.rename_tenant(id, "New".to_owned(), stamp(after(1)));
    assert_eq!(rename(unknown).await.unwrap(), None);
    let renamed = rename(second.id).await.unwrap().unwrap();
    assert_eq!((&*renamed.name, renamed.updated_at), ("New", after(1)));
    let set = |id, status| store.set_tenant_status(id, status, stamp(after(2)));
    assert_eq!(set(unknown, TenantStatus::Active).await.unwrap(), None);
    for (wanted, result) in [
        (TenantStatus::Suspended, TenantStatus::Suspended),
        (TenantStatus::Active, TenantStatus::Active),
        (TenantStatus::Deprovisioning, TenantStatus::Deprovisioning),
        (TenantStatus::Active, TenantStatus::Deprovisioning),
    ] {
        let tenant = set(second.id, wanted).await.unwrap().unwrap();
        assert_eq!(tenant.status, result);
    }
    let configure = |id| store.set_tenant_config(id, json!({"b": 2}), stamp(after(3)));
    assert_eq!(configure(unknown).await.unwrap(), None);
    let configured = configure(first.id).await.unwrap().unwrap();
    assert_eq!(configured.config, Some(json!({"b": 2})));
}

async fn keys_are_kept(fixture: Fixture) {
    let Fixture { store, .. } = &fixture;
    let first = fixture.key().await;
    let second = ApiKeyRecord {
        provider: Provider::Ntropii,
        scopes: Vec::new(),
        created_by: None,
        expires_at: None,
        may_rotate: false,
        ..fixture.record()
    };
    let created = store.create_key(second.clone(), None, stamp(start()));
    created.await.unwrap();
    let list = |tenant, provider, limit, offset| {
        store.keys(KeyFilter {
            tenant,
            provider,
            after: None,
            limit,
            offset,
        })
    };
    let both = [second.clone(), first.clone()];
    assert_eq!(list(None, None, u32::MAX, 0).await.unwrap(), both);
    let tenant = Some(fixture.tenant.id);
    assert_eq!(list(tenant, None, 1, 0).await.unwrap(), both[..1]);
    assert_eq!(list(tenant, None, 9, 1).await.unwrap(), both[1..]);
    let ntropii = Some(Provider::Ntropii);
    assert_eq!(list(tenant, ntropii, 9, 0).await.unwrap(), both[..1]);
    let unknown = Some(Uuid::new_v4());
    assert_eq!(list(unknown, None, 9, 0).await.unwrap(), []);
    assert_eq!(list(None, None, 9, u64::MAX).await.unwrap(), []);
    assert_eq!(store.key(second.id).await.unwrap(), Some(second));
    assert_eq!(store.key(Uuid::new_v4()).await.unwrap(), None);
}

async fn key_names_are_unique(fixture: Fixture) {
    let first = fixture.key().await;
    let second = ApiKeyRecord {
        prefix: first.prefix.clone(),
        ..fixture.record()
    };
    let created = fixture.store.create_key(second, None, stamp(start()));
    created.await.unwrap_err();
    assert!(fixture.is_live(first.id).await);
    fixture.key().await;
}

async fn idempotency_key_lasts_a_day(fixture: Fixture) {
    let made = start();
    let ask = |body: u8, at: Timestamp| {
        let row = fixture.record();
        fixture
            .store
            .create_key(row, Some(once(7, body, at)), stamp(at))
    };
    assert!(matches!(ask(1, made).await, Ok(CreateKeyOutcome::New)));
    let last = made + SignedDuration::from_hours(24);
    assert!(matches!(
        ask(1, last).await,
        Ok(CreateKeyOutcome::Replayed(_))
    ));
    assert!(matches!(ask(2, last).await, Ok(CreateKeyOutcome::Conflict)));
    let later = last + SignedDuration::from_millis(1);
    // The record's own time is that of the key.
    assert!(matches!(ask(2, later).await, Ok(CreateKeyOutcome::New)));
}

async fn answer_lasts_a_day(fixture: Fixture) {
    let Fixture { store, .. } = &fixture;
    let create = |slug: &str, body: u8, at: Timestamp| {
        let response = ResponseRecord {
            once: once(7, body, at),
            response: format!("made {slug}"),
        };
        let row = tenant(&fixture.organisation, slug);
        store.create_tenant_once(row, response, stamp(at))
    };
    let made = start();
    assert_eq!(create("one", 1, made).await.unwrap(), OnceOutcome::New(()));
    let last = made + SignedDuration::from_hours(24);
    let replayed = OnceOutcome::Replayed("made one".to_owned());
    assert_eq!(create("other", 1, last).await.unwrap(), replayed);
    let conflict = create("other", 2, last).await.unwrap();
    assert_eq!(conflict, OnceOutcome::Conflict);
    let later = last + SignedDuration::from_millis(1);
    assert!(is_conflict(create("one", 1, later).await));
    let other = create("other", 2, later).await.unwrap();
    assert_eq!(other, OnceOutcome::New(()));

    let key = fixture.key().await.id;
    let set = |hash: u8, key: Uuid| {
        let response = ResponseRecord {
            once: once(8, hash, made),
            response: "set".to_owned(),
        };
        let tripwire = TripwireRecord {
            hash: TokenHash([hash; 32]),
            key,
            expires_at: after(60),
        };
        store.set_tripwire_once(tripwire, response, stamp(made))
    };
    // A refused request is not remembered.
    let gone = set(1, Uuid::new_v4()).await.unwrap();
    assert_eq!(gone, OnceOutcome::New(TripwireOutcome::Gone));
    let new = set(2, key).await.unwrap();
    assert_eq!(new, OnceOutcome::New(TripwireOutcome::Set));
    let replayed = OnceOutcome::Replayed("set".to_owned());
    assert_eq!(set(2, key).await.unwrap(), replayed);
    assert_eq!(set(1, key).await.unwrap(), OnceOutcome::Conflict);
    let rows = fixture.audit().await;
    let count = |action: &str| rows.iter().filter(|row| *row == action).count();
    assert_eq!((count("tenant.create"), count("tripwire.set")), (3, 1));
}

async fn lists_have_parts(fixture: Fixture) {
    let Fixture { store, .. } = &fixture;
    let mut tenants = vec![fixture.tenant.clone()];
    let mut keys = vec![fixture.key().await];
    let mut members = Vec::new();
    for number in 0..3 {
        let row = tenant(&fixture.organisation, &format!("t{number}"));
        let created = store.create_tenant(row.clone(), stamp(start()));
        created.await.unwrap();
        tenants.push(row);
        keys.insert(0, fixture.key().await);
        let member = MemberRecord {
            user_id: format!("user {number}"),
            role: Role::Member,
            created_at: start(),
        };
        let recorded = store.record_member(fixture.organisation.id, member.clone(), stamp(start()));
        recorded.await.unwrap();
        members.push(member);
    }
    for (index, row) in tenants.iter().enumerate() {
        let filter = TenantFilter {
            organisation: Some(fixture.organisation.id),
            after: Some(row.id),
            limit: Some(2),
            ..TenantFilter::default()
        };
        let end = tenants.len().min(index + 3);
        assert_eq!(
            store.tenants(filter).await.unwrap(),
            tenants[index + 1..end]
        );
    }
    for (index, row) in keys.iter().enumerate() {
        let filter = KeyFilter {
            tenant: Some(fixture.tenant.id),
            provider: None,
            after: Some(row.id),
            limit: 2,
            offset: 0,
        };
        let end = keys.len().min(index + 3);
        assert_eq!(store.keys(filter).await.unwrap(), keys[index + 1..end]);
    }
    let page = |after: Option<&str>, limit| {
        store.member_page(fixture.organisation.id, after.map(str::to_owned), limit)
    };
    assert_eq!(page(None, 2).await.unwrap().unwrap(), members[..2]);
    assert_eq!(page(None, u32::MAX).await.unwrap().unwrap(), members);
    for (index, row) in members.iter().enumerate() {
        let rest = page(Some(&row.user_id), 2).await.unwrap().unwrap();
        assert_eq!(rest, members[index + 1..]);
    }
    assert_eq!(page(Some("user 9"), 2).await.unwrap(), None);
}

async fn revoked_key_ends_with_successor(fixture: Fixture) {
    let Fixture { store, .. } = &fixture;
    let key = fixture.key().await;
    let successor = fixture.successor_of(&key);
    let created = store.create_successor(successor.clone(), None, stamp(after(1)));
    assert_eq!(created.await.unwrap(), SuccessorOutcome::New);
    fixture.recorder.take();
    let revoke = |at| store.revoke_key(key.id, stamp(after(at)));
    let revoked = revoke(2).await.unwrap().unwrap();
    assert_eq!(revoked.revoked_at, Some(after(2)));
    assert!(!fixture.is_live(successor.id).await);
    let mut changes = fixture.recorder.take();
    changes.sort();
    let mut expected = [key.id, successor.id].map(|id| format!("key {id} dead"));
    expected.sort();
    assert_eq!(changes, expected);
    // The second time changes nothing but the epoch.
    let again = revoke(3).await.unwrap().unwrap();
    assert_eq!(again.revoked_at, Some(after(2)));
    let unknown = store.revoke_key(Uuid::new_v4(), stamp(after(4)));
    assert_eq!(unknown.await.unwrap(), None);
    let actions = fixture.audit().await;
    let revocations = actions.iter().filter(|action| *action == "key.revoke");
    assert_eq!(revocations.count(), 1);
}

async fn successor_replaces_predecessor(fixture: Fixture) {
    let Fixture { store, .. } = &fixture;
    let key = fixture.key().await;
    let first = fixture.successor_of(&key);
    let create =
        |row: &ApiKeyRecord, record| store.create_successor(row.clone(), record, stamp(after(1)));
    let record = once(1, 1, after(1));
    let created = create(&first, Some(record.clone())).await.unwrap();
    assert_eq!(created, SuccessorOutcome::New);
    let repeated = create(&fixture.successor_of(&key), Some(record)).await;
    assert_eq!(repeated.unwrap(), SuccessorOutcome::Repeated);
    assert_eq!(fixture.successor(&first).await, SuccessorOutcome::Pending);
    // Another successor replaces the first.
    let second = fixture.successor_of(&key);
    let created = create(&second, None).await.unwrap();
    assert_eq!(created, SuccessorOutcome::New);
    assert!(!fixture.is_live(first.id).await);
    let forbidden = ApiKeyRecord {
        may_rotate: false,
        ..fixture.record()
    };
    let made = store.create_key(forbidden.clone(), None, stamp(start()));
    made.await.unwrap();
    let outcome = fixture.successor(&forbidden).await;
    assert_eq!(outcome, SuccessorOutcome::Forbidden);
    let gone = fixture.successor(&first).await;
    assert_eq!(gone, SuccessorOutcome::Gone);

    let confirm = |id| store.revoke_predecessor(id, stamp(after(2)));
    assert!(!confirm(first.id).await.unwrap(), "a revoked key");
    assert!(confirm(second.id).await.unwrap());
    assert!(!fixture.is_live(key.id).await);
    assert!(!fixture.read(second.id).await.is_pending);
    assert!(confirm(second.id).await.unwrap(), "the second time");
    assert!(confirm(forbidden.id).await.unwrap(), "no predecessor");
}

async fn cancelled_successor_is_never_made(fixture: Fixture) {
    let Fixture { store, .. } = &fixture;
    let key = fixture.key().await;
    let create = |request| {
        let record = once(request, 1, after(1));
        store.create_successor(fixture.successor_of(&key), Some(record), stamp(after(1)))
    };
    let cancel = |request| {
        let record = once(request, 1, after(1));
        store.revoke_successor(key.id, Some(record), stamp(after(2)))
    };
    cancel(1).await.unwrap();
    assert_eq!(create(1).await.unwrap(), SuccessorOutcome::Repeated);
    assert_eq!(create(2).await.unwrap(), SuccessorOutcome::New);
    cancel(1).await.unwrap();
    let keys = || async {
        let filter = KeyFilter {
            tenant: None,
            provider: None,
            after: None,
            limit: 9,
            offset: 0,
        };
        let keys = store.keys(filter).await.unwrap();
        keys.iter().filter(|key| key.revoked_at.is_none()).count()
    };
    assert_eq!(keys().await, 2);
    cancel(2).await.unwrap();
    assert_eq!(keys().await, 1);
    assert_eq!(fixture.successor(&key).await, SuccessorOutcome::New);
    let revoked = store.revoke_successor(key.id, None, stamp(after(3)));
    revoked.await.unwrap();
    let nothing = store.revoke_successor(key.id, None, stamp(after(3)));
    nothing.await.unwrap();
    assert_eq!(keys().await, 1);
}

async fn children_end_with_parent(fixture: Fixture) {
    let Fixture { store, .. } = &fixture;
    let parent = fixture.key().await;
    let child = fixture.child_of(&parent);
    let create =
        |row: &ApiKeyRecord, record| store.create_child(row.clone(), record, stamp(after(1)));
    let record = || Some(once(1, 1, after(1)));
    let outcome = create(&child, record()).await.unwrap();
    assert!(matches!(outcome, ChildOutcome::New));
    let outcome = create(&fixture.child_of(&parent), record()).await.unwrap();
    assert!(matches!(outcome, ChildOutcome::Replayed(row) if row.id == child.id));
    let other = Some(once(1, 2, after(1)));
    let outcome = create(&fixture.child_of(&parent), other).await.unwrap();
    assert!(matches!(outcome, ChildOutcome::Conflict));
    let outcome = create(&fixture.child_of(&child), None).await.unwrap();
    assert!(matches!(outcome, ChildOutcome::OfChild));
    let orphan = fixture.child_of(&fixture.record());
    let outcome = create(&orphan, None).await.unwrap();
    assert!(matches!(outcome, ChildOutcome::Gone));
    let longer = ApiKeyRecord {
        expires_at: None,
        ..fixture.child_of(&parent)
    };
    let outcome = create(&longer, None).await.unwrap();
    assert!(matches!(outcome, ChildOutcome::Exceeds(Excess::Life(_))));

    // Cancelling one leaves the other.
    let second = fixture.child_of(&parent);
    let outcome = create(&second, Some(once(2, 1, after(1)))).await.unwrap();
    assert!(matches!(outcome, ChildOutcome::New));
    let cancel = |request| {
        let record = once(request, 9, after(2));
        store.cancel_child(parent.id, record, stamp(after(2)))
    };
    cancel(2).await.unwrap();
    cancel(3).await.unwrap();
    assert!(fixture.is_live(child.id).await && !fixture.is_live(second.id).await);
    let outcome = create(&fixture.child_of(&parent), Some(once(3, 1, after(2)))).await;
    assert!(matches!(outcome.unwrap(), ChildOutcome::Conflict));

    fixture.recorder.take();
    let revoked = store.revoke_key(parent.id, stamp(after(3)));
    revoked.await.unwrap();
    assert_eq!(fixture.read(child.id).await.revoked_at, Some(after(3)));
    let changes = fixture.recorder.take();
    assert!(changes.contains(&format!("key {} dead", child.id)));
    let outcome = create(&fixture.child_of(&parent), None).await.unwrap();
    assert!(matches!(outcome, ChildOutcome::Gone));
}

async fn children_are_bounded(fixture: Fixture) {
    let Fixture { store, .. } = &fixture;
    let parent = fixture.key().await;
    let create = |at| store.create_child(fixture.child_of(&parent), None, stamp(at));
    // All are queued before the first is awaited.
    let all: Vec<_> = (0..MOST_CHILDREN).map(|_| create(after(1))).collect();
    for made in all {
        assert!(matches!(made.await.unwrap(), ChildOutcome::New));
    }
    assert!(matches!(
        create(after(2)).await.unwrap(),
        ChildOutcome::TooMany
    ));
    // Expired ones end, and are deleted a day later.
    let expired = after(3_601);
    let late = ApiKeyRecord {
        expires_at: Some(after(200_000)),
        ..fixture.child_of(&parent)
    };
    let made = store.create_child(late.clone(), None, stamp(expired));
    assert!(matches!(made.await.unwrap(), ChildOutcome::New));
    let again = ApiKeyRecord {
        expires_at: Some(after(200_000)),
        ..fixture.child_of(&parent)
    };
    let made = store.create_child(again, None, stamp(after(150_000)));
    assert!(matches!(made.await.unwrap(), ChildOutcome::New));
    let filter = KeyFilter {
        tenant: None,
        provider: None,
        after: None,
        limit: u32::MAX,
        offset: 0,
    };
    assert_eq!(store.keys(filter).await.unwrap().len(), 3);
}

async fn tripwires_are_kept(fixture: Fixture) {
    let Fixture { store, .. } = &fixture;
    let key = fixture.key().await;
    let tripwire = |hash: u8, key: &ApiKeyRecord, expires_at| TripwireRecord {
        hash: TokenHash([hash; 32]),
        key: key.id,
        expires_at,
    };
    let set = |row| store.set_tripwire(row, stamp(after(1)));
    let end = after(100);
    let outcome = set(tripwire(1, &key, end)).await.unwrap();
    assert_eq!(outcome, TripwireOutcome::Set);
    let outcome = set(tripwire(1, &key, after(200))).await.unwrap();
    assert_eq!(outcome, TripwireOutcome::Set);
    let other = fixture.key().await;
    let outcome = set(tripwire(1, &other, end)).await.unwrap();
    assert_eq!(outcome, TripwireOutcome::Taken);
    let outcome = set(tripwire(2, &fixture.record(), end)).await.unwrap();
    assert_eq!(outcome, TripwireOutcome::Gone);
    let child = fixture.child_of(&key);
    let made = store.create_child(child.clone(), None, stamp(after(1)));
    made.await.unwrap();
    let outcome = set(tripwire(2, &child, end)).await.unwrap();
    assert_eq!(outcome, TripwireOutcome::OfChild);
    for hash in 2..=MOST_TRIPWIRES {
        let hash = u8::try_from(hash).unwrap();
        let outcome = set(tripwire(hash, &key, end)).await.unwrap();
        assert_eq!(outcome, TripwireOutcome::Set);
    }
    let outcome = set(tripwire(200, &key, end)).await.unwrap();
    assert_eq!(outcome, TripwireOutcome::TooMany);

    let trip = |hash: u8, at| {
        let trip = Trip {
            hash: TokenHash([hash; 32]),
            prefix: "ont_live_x".to_owned(),
            source: Some("192.0.2.1".parse().unwrap()),
            times: 3,
        };
        store.record_trip(trip, stamp(after(at)))
    };
    trip(250, 9).await.unwrap();
    trip(1, 9).await.unwrap();
    trip(1, 8).await.unwrap();
    assert_eq!(fixture.read(key.id).await.tripped_at, Some(after(9)));
    let actions = fixture.audit().await;
    let trips = actions.iter().filter(|action| *action == "tripwire.trip");
    assert_eq!(trips.count(), 2);
}

async fn uses_are_kept(fixture: Fixture) {
    let Fixture { store, .. } = &fixture;
    let key = fixture.key().await;
    let used = |key: Uuid, at, times| KeyUsage {
        key,
        last: Some(LastUse {
            at: after(at),
            address: Some("192.0.2.1".parse().unwrap()),
            agent: Some(format!("curl/{at}")),
        }),
        counts: vec![
            UseCount {
                hour: start(),
                outcome: UseOutcome::Accepted,
                times,
            },
            UseCount {
                hour: after(3_600),
                outcome: UseOutcome::Scope,
                times: 1,
            },
        ],
    };
    for (at, last) in [(5, 5), (3, 5), (7, 7)] {
        let used = vec![used(key.id, at, 2), used(Uuid::new_v4(), at, 1)];
        store.record_use(used, after(9)).await.unwrap();
        let found = fixture.read(key.id).await;
        assert_eq!(found.last_used_at, Some(after(last)));
        assert_eq!(found.last_used_agent, Some(format!("curl/{last}")));
        assert_eq!(found.last_used_address.unwrap().to_string(), "192.0.2.1");
    }
    let counts = async |since| {
        let counts = store.use_counts(key.id, since).await.unwrap();
        let counts = counts.iter().map(|one| (one.hour, one.outcome, one.times));
        counts.collect::<Vec<_>>()
    };
    let scope = (after(3_600), UseOutcome::Scope, 3);
    let both = [(start(), UseOutcome::Accepted, 6), scope];
    assert_eq!(counts(start()).await, both);
    assert_eq!(counts(after(1)).await, [scope]);
    // Refusals alone are no use.
    let refused = KeyUsage {
        key: key.id,
        last: None,
        counts: Vec::new(),
    };
    let month = i64::from(COUNTED_HOURS) * 3_600;
    let recorded = store.record_use(vec![refused], after(month));
    recorded.await.unwrap();
    assert_eq!(counts(start()).await, [scope]);
    assert_eq!(fixture.read(key.id).await.last_used_at, Some(after(7)));
}

async fn pauses_are_kept(fixture: Fixture) {
    let Fixture { store, .. } = &fixture;
    let key = fixture.key().await;
    let successor = fixture.successor_of(&key);
    let made = store.create_successor(successor.clone(), None, stamp(after(1)));
    assert_eq!(made.await.unwrap(), SuccessorOutcome::New);
    let (own, other) = (fixture.child_of(&key), fixture.child_of(&key));
    let grandchild = fixture.child_of(&successor);
    for child in [&own, &other, &grandchild] {
        let made = store.create_child(child.clone(), None, stamp(after(1)));
        assert!(matches!(made.await.unwrap(), ChildOutcome::New));
    }
    let pause = |id, at| store.pause_key(id, stamp(after(at)));
    let resume = |id| store.resume_key(id, stamp(after(9)));
    assert_eq!(pause(Uuid::new_v4(), 2).await.unwrap(), None);
    assert_eq!(resume(Uuid::new_v4()).await.unwrap(), None);
    pause(own.id, 2).await.unwrap();
    fixture.recorder.take();
    for at in [3, 4] {
        let paused = pause(key.id, at).await.unwrap().unwrap();
        assert_eq!(paused.paused_at, Some(after(3)));
    }
    let all = [&key, &successor, &other, &grandchild];
    for one in all {
        assert_eq!(fixture.read(one.id).await.paused_at, Some(after(3)));
        let change = format!("key {} live", one.id);
        assert!(fixture.recorder.take_one(&change), "{change}");
    }
    let outcome = fixture.successor(&key).await;
    assert_eq!(outcome, SuccessorOutcome::Paused);
    let made = store.create_child(fixture.child_of(&key), None, stamp(after(4)));
    assert!(matches!(made.await.unwrap(), ChildOutcome::Paused));
    let ended = store.revoke_predecessor(successor.id, stamp(after(4)));
    assert!(!ended.await.unwrap());
    // A child is resumed with its parent.
    let still = resume(other.id).await.unwrap().unwrap();
    assert_eq!(still.paused_at, Some(after(3)));
    assert_eq!(resume(key.id).await.unwrap().unwrap().paused_at, None);
    for one in all {
        assert_eq!(fixture.read(one.id).await.paused_at, None);
    }
    assert_eq!(fixture.read(own.id).await.paused_at, Some(after(2)));
    store.revoke_key(own.id, stamp(after(9))).await.unwrap();
    let dead = resume(own.id).await.unwrap().unwrap();
    assert_eq!(dead.revoked_at, Some(after(9)));
    let audit = fixture.audit().await;
    let of = |action: &str| audit.iter().filter(|one| *one == action).count();
    assert_eq!((of("key.pause"), of("key.resume")), (2, 1));
}

async fn policies_are_kept(fixture: Fixture) {
    let Fixture { store, tenant, .. } = &fixture;
    let set = |id, policy: &KeyPolicy| store.set_policy(id, policy.clone(), stamp(after(1)));
    let none = KeyPolicy::default();
    assert_eq!(store.policy(tenant.id).await.unwrap(), none);
    assert!(!set(Uuid::new_v4(), &none).await.unwrap());
    let policy = KeyPolicy {
        longest_life_in_days: Some(1),
        expiry_required: true,
        allowed_scopes: Some(vec![Scope::Exports]),
    };
    assert!(set(tenant.id, &policy).await.unwrap());
    assert_eq!(store.policy(tenant.id).await.unwrap(), policy);
    let create = |row: &ApiKeyRecord| store.create_key(row.clone(), None, stamp(start()));
    let Err(StoreError::Policy(refused)) = create(&fixture.record()).await else {
        panic!("a key beyond the policy");
    };
    let expected = [
        PolicyViolation::LongestLife(1),
        PolicyViolation::Scope(Scope::All),
    ];
    assert_eq!(refused.0, expected);
    let allowed = ApiKeyRecord {
        scopes: vec![Scope::Exports],
        expires_at: Some(after(24 * 3_600)),
        ..fixture.record()
    };
    create(&allowed).await.unwrap();
    let narrower = KeyPolicy {
        allowed_scopes: Some(vec![Scope::Mcp]),
        ..policy
    };
    assert!(set(tenant.id, &narrower).await.unwrap());
    let child = ApiKeyRecord {
        scopes: vec![Scope::Exports],
        ..fixture.child_of(&allowed)
    };
    let made = store.create_child(child, None, stamp(after(1)));
    assert!(matches!(made.await, Err(StoreError::Policy(_))));
    let successor = fixture.successor_of(&allowed);
    let made = store.create_successor(successor, None, stamp(after(1)));
    assert!(matches!(made.await, Err(StoreError::Policy(_))));
    assert!(set(tenant.id, &none).await.unwrap());
    assert_eq!(store.policy(tenant.id).await.unwrap(), none);
    create(&fixture.record()).await.unwrap();
    let audit = fixture.audit().await;
    let sets = audit.iter().filter(|one| *one == "tenant.set_policy");
    assert_eq!(sets.count(), 3);
}

async fn keys_end_with_owner(fixture: Fixture) {
    let Fixture { store, .. } = &fixture;
    let owned = |owner: &str| ApiKeyRecord {
        owner: Some(owner.to_owned()),
        ..fixture.record()
    };
    let (first, second, other) = (owned("alice"), owned("alice"), owned("bob"));
    for row in [&first, &second, &other] {
        let created = store.create_key(row.clone(), None, stamp(start()));
        created.await.unwrap();
    }
    let child = ApiKeyRecord {
        owner: Some("alice".to_owned()),
        ..fixture.child_of(&first)
    };
    let made = store.create_child(child.clone(), None, stamp(after(1)));
    made.await.unwrap();
    let revoke = |user: &str, organisation, tenant| {
        let owner = KeyOwner {
            user_id: user.to_owned(),
            organisation,
            tenant,
        };
        store.revoke_keys_of(owner, stamp(after(2)))
    };
    let acme = fixture.organisation.id;
    assert_eq!(revoke("alice", Uuid::new_v4(), None).await.unwrap(), None);
    assert_eq!(revoke("carol", acme, None).await.unwrap(), None);
    let elsewhere = revoke("alice", acme, Some(Uuid::new_v4())).await.unwrap();
    assert_eq!(elsewhere, Some(Vec::new()));
    let mut ended = revoke("alice", acme, None).await.unwrap().unwrap();
    ended.sort_unstable();
    let mut expected = vec![first.id, second.id];
    expected.sort_unstable();
    assert_eq!(ended, expected);
    assert!(!fixture.is_live(first.id).await && !fixture.is_live(child.id).await);
    assert!(fixture.is_live(other.id).await);
    assert_eq!(revoke("alice", acme, None).await.unwrap(), Some(Vec::new()));
    let audit = fixture.audit().await;
    let last = ["key.revoke", "key.revoke", "member.revoke_keys"];
    assert!(audit.ends_with(&last.map(str::to_owned)), "{audit:?}");
}

async fn changes_reach_subscriber(fixture: Fixture) {
    let key = fixture.key().await;
    assert_eq!(fixture.recorder.take(), [format!("key {} live", key.id)]);
    let suspended = TenantStatus::Suspended;
    let id = fixture.tenant.id;
    let set = fixture
        .store
        .set_tenant_status(id, suspended, stamp(after(1)));
    set.await.unwrap();
    let shown = format!("tenant {id} of Acme SUSPENDED");
    assert_eq!(fixture.recorder.take(), [shown]);
    // A use is no change.
    let used = KeyUsage {
        key: key.id,
        last: Some(LastUse {
            at: after(1),
            address: None,
            agent: None,
        }),
        counts: Vec::new(),
    };
    let used = fixture.store.record_use(vec![used], after(1));
    used.await.unwrap();
    assert!(fixture.recorder.take().is_empty());
    assert!(fixture.recorder.epochs.lock().unwrap().is_sorted());
    assert!(fixture.store.is_healthy());
}

async fn failed_change_spares_its_batch(fixture: Fixture) {
    let Fixture { store, .. } = &fixture;
    let taken = fixture.key().await;
    let rows: Vec<_> = (0..20)
        .map(|number| match number % 2 {
            0 => fixture.record(),
            _ => ApiKeyRecord {
                prefix: taken.prefix.clone(),
                ..fixture.record()
            },
        })
        .collect();
    let create = |row: &ApiKeyRecord| store.create_key(row.clone(), None, stamp(start()));
    // All are queued before the first is awaited.
    let made: Vec<_> = rows.iter().map(create).collect();
    for (number, made) in made.into_iter().enumerate() {
        assert_eq!(made.await.is_ok(), number % 2 == 0, "{number}");
    }
    for (number, row) in rows.iter().enumerate() {
        let found = store.key(row.id).await.unwrap().is_some();
        assert_eq!(found, number % 2 == 0, "{number}");
    }
    assert_eq!(fixture.audit().await.len(), 2 + 1 + 10);
    assert!(store.is_healthy());
}

async fn restart_loads_live_keys(fixture: Fixture) {
    let (live, dead) = (fixture.key().await, fixture.key().await);
    let revoked = fixture.store.revoke_key(dead.id, stamp(after(1)));
    revoked.await.unwrap();
    let Fixture {
        store,
        place,
        tenant,
        ..
    } = fixture;
    drop(store);
    let (_store, recorder) = place.serve().await;
    let expected = [
        format!("tenant {} of Acme ACTIVE", tenant.id),
        format!("key {} live", live.id),
    ];
    assert_eq!(recorder.take(), expected);
}
