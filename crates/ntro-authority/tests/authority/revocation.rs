//! No verification that begins after the answer to a revocation accepts the key.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::StatusCode;
use ntro_authority::TenantStatus;
use ntro_base::Provider;

use crate::support::{App, open};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn revocation_is_immediate_under_load() {
    let app = Arc::new(App::start().await);
    for _ in 0..20 {
        let key = Arc::new(app.key(Provider::Ontora).await);
        let revoked = Arc::new(AtomicBool::new(false));
        let callers: Vec<_> = (0..4)
            .map(|_| {
                let (app, key, revoked) = (app.clone(), key.clone(), revoked.clone());
                tokio::spawn(async move {
                    let mut accepted = 0;
                    loop {
                        let before = revoked.load(Ordering::SeqCst);
                        let reply = app.get("/v1/api-keys/current").key(&key).send().await;
                        match reply.status {
                            200 => {
                                assert!(!before, "accepted after the revocation was answered");
                                accepted += 1;
                            }
                            401 => return accepted,
                            other => panic!("status {other}"),
                        }
                    }
                })
            })
            .collect();
        app.get("/v1/api-keys/current")
            .key(&key)
            .expect(StatusCode::OK)
            .await;
        app.delete(&format!("/v1/api-keys/{}", key.record.id))
            .bearer(&app.admin())
            .expect(StatusCode::NO_CONTENT)
            .await;
        revoked.store(true, Ordering::SeqCst);
        for caller in callers {
            caller.await.unwrap();
        }
    }
}

#[tokio::test]
async fn command_line_change_is_immediate() {
    let app = App::start().await;
    let beside = open(&app.database()).unwrap();
    for _ in 0..10 {
        let tenant = beside.tenant("acme-fund-admin").await.unwrap();
        let key = crate::support::key(&beside, &tenant, Provider::Ntropii).await;
        let me = || app.get("/v1/me").key(&key);
        me().expect(StatusCode::OK).await;
        beside
            .set_tenant_status(tenant.id, TenantStatus::Suspended)
            .await
            .unwrap();
        me().expect(StatusCode::FORBIDDEN).await;
        beside
            .set_tenant_status(tenant.id, TenantStatus::Active)
            .await
            .unwrap();
        me().expect(StatusCode::OK).await;
        beside.revoke_key(key.record.id).await.unwrap();
        me().expect(StatusCode::UNAUTHORIZED).await;
    }
}
