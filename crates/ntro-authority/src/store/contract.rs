//! The promises of a store.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::sqlite::{self, SqliteFiles};
use super::*;
use crate::actor::Actor;
use ntro_base::{KeyPrefix, Provider};

fn key(tenant: &TenantRecord, number: u8, at: Timestamp) -> ApiKeyRecord {
    ApiKeyRecord {
        id: Uuid::new_v4(),
        tenant_id: tenant.id,
        provider: Provider::Ntropii,
        name: "CI".parse().unwrap(),
        prefix: KeyPrefix::recorded(&format!("ntro_prod_{number:012}")),
        hash: KeyHash([number; 32]),
        scopes: Vec::new(),
        created_at: at,
        created_by: None,
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
        may_rotate: true,
        predecessor: None,
        is_pending: false,
        parent: None,
        tripped_at: None,
    }
}

fn stamp(at: Timestamp) -> Stamp {
    Stamp {
        actor: Actor::System,
        at,
    }
}

#[tokio::test]
async fn idempotency_key_lasts_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite::open(&SqliteFiles::new(&folder.path().join("registry.db"))).unwrap();
    let made: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let organisation = OrganisationRecord {
        id: Uuid::new_v4(),
        name: "Acme".to_owned(),
        external_id: None,
        created_at: made,
    };
    store
        .create_organisation(organisation.clone(), stamp(made))
        .await
        .unwrap();
    let tenant = TenantRecord {
        id: Uuid::new_v4(),
        organisation_id: organisation.id,
        slug: "acme".to_owned(),
        name: "Acme".to_owned(),
        data_platform: DataPlatform::ManagedPostgres,
        data_platform_config_id: None,
        status: TenantStatus::Active,
        config: None,
        created_at: made,
        updated_at: made,
    };
    store
        .create_tenant(tenant.clone(), stamp(made))
        .await
        .unwrap();
    let day = SignedDuration::from_hours(24);
    let millisecond = SignedDuration::from_millis(1);
    let ask = |number: u8, body: u8, at: Timestamp| {
        let once = IdempotencyRecord {
            request: [7; 32],
            body: [body; 32],
            forget_before: at - day,
        };
        store.create_key(key(&tenant, number, at), Some(once), stamp(at))
    };
    assert!(matches!(ask(1, 1, made).await, Ok(CreateKeyOutcome::New)));
    let last = made + day;
    assert!(matches!(
        ask(2, 1, last).await,
        Ok(CreateKeyOutcome::Replayed(_))
    ));
    assert!(matches!(
        ask(3, 2, last).await,
        Ok(CreateKeyOutcome::Conflict)
    ));
    assert!(matches!(
        ask(4, 2, last + millisecond).await,
        Ok(CreateKeyOutcome::New)
    ));
}
