//! Several `ntro serve` on one PostgreSQL: once a change is answered, a new key works on all of them
//! and a revoked one on none, whatever fails meanwhile.
//!
//! In each test, every process verifies the keys all the time, and the history of what the clients
//! saw is checked. `NTRO_TEST_REVOCATIONS=1000` makes more revocations under each fault than ten.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Cluster, Flow, Notifications, Pooler, Replicas, Revoking, wire};

/// Longer than a lease.
const TERM: Duration = Duration::from_secs(2);

/// Makes commits wait for a standby of this name.
fn set_standby(cluster: &Cluster, name: &str) {
    let set = format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'");
    cluster.sql("postgres", &set);
    cluster.sql("postgres", "SELECT pg_reload_conf()");
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn answered_changes_are_everywhere() {
    let cluster = Cluster::shared();
    let replicas = Replicas::start(cluster);
    replicas.rounds(|keys| replicas.revoke_all(&[0, 1, 2], keys));
    // `ntro admin` beside them.
    replicas.rounds(|keys| {
        for key in keys {
            replicas.revoke_beside(key);
        }
    });
    replicas.assert_strict("no fault");
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn stopped_process_accepts_nothing_late() {
    let replicas = Replicas::start(Cluster::shared());
    replicas.rounds(|keys| {
        replicas.signal(2, Signal::STOP);
        // The kernel takes the requests for the stopped process.
        let before = replicas.send(2, keys);
        replicas.revoke_all(&[0, 1], keys);
        let after = replicas.send(2, keys);
        replicas.signal(2, Signal::CONT);
        before();
        after();
    });
    replicas.assert_strict("SIGSTOP across the revocation");
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn partitioned_process_accepts_nothing_late() {
    let replicas = Replicas::start(Cluster::shared());
    for flow in [Flow::Cut, Flow::Frozen] {
        replicas.rounds(|keys| {
            replicas.with_relay(2, |relay| relay.set_flow(flow));
            replicas.revoke_all(&[0, 1], keys);
            replicas.with_relay(2, |relay| relay.set_flow(Flow::Open));
        });
    }
    replicas.assert_strict("cut from the database, not from clients");
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn notifications_are_only_hints() {
    let replicas = Replicas::start(Cluster::shared());
    for notifications in [
        Notifications::Drop,
        Notifications::Double,
        Notifications::Delay(Duration::from_millis(300)),
    ] {
        for index in 0..3 {
            replicas.with_relay(index, |relay| relay.set_notifications(notifications));
        }
        replicas.rounds(|keys| replicas.revoke_all(&[0, 1, 2], keys));
    }
    replicas.assert_strict("notifications dropped, doubled and delayed");
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn repeated_revocation_waits_as_well() {
    let replicas = Replicas::start(Cluster::shared());
    replicas.rounds(|keys| {
        // The first request is committed, and waits for the stopped process when its own is killed.
        replicas.signal(2, Signal::STOP);
        thread::scope(|scope| {
            for key in keys {
                let replicas = &replicas;
                scope.spawn(move || {
                    assert_ne!(replicas.ask_to_revoke(0, key), Revoking::Confirmed);
                });
            }
            thread::sleep(Duration::from_millis(400));
            replicas.kill(0);
        });
        replicas.revoke_all(&[1], keys);
        replicas.signal(2, Signal::CONT);
        replicas.restart(0);
    });
    replicas.assert_strict("the revoker killed between commit and answer");
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn killed_process_is_not_awaited_for_ever() {
    let replicas = Replicas::start(Cluster::shared());
    replicas.rounds(|keys| {
        thread::scope(|scope| {
            scope.spawn(|| replicas.revoke_all(&[0, 1], keys));
            thread::sleep(Duration::from_millis(1));
            replicas.kill(2);
        });
        replicas.restart(2);
    });
    replicas.assert_strict("a process killed before it acknowledges");
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn joining_process_knows_every_revocation() {
    let cluster = Cluster::shared();
    let replicas = Replicas::start(cluster);
    replicas.rounds(|keys| {
        thread::scope(|scope| {
            scope.spawn(|| {
                for key in keys {
                    replicas.revoke(0, key);
                    thread::sleep(Duration::from_millis(50));
                }
            });
            replicas.kill(1);
            replicas.restart(1);
        });
    });
    replicas.assert_strict("a process that joins");
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn restarted_database_loses_no_revocation() {
    let cluster = Cluster::start();
    let replicas = Replicas::start(&cluster);
    for mode in ["fast", "immediate"] {
        replicas.rounds(|keys| {
            thread::scope(|scope| {
                scope.spawn(|| replicas.revoke_all(&[0, 1, 2], keys));
                cluster.control(&["-m", mode, "restart"]);
            });
        });
    }
    replicas.assert_strict("PostgreSQL restarted");
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn cancelled_commit_is_not_confirmed() {
    // Its settings are those of the whole server.
    let cluster = Cluster::start();
    let replicas = Replicas::start(&cluster);
    replicas.rounds(|keys| {
        // Every commit waits, also of leases, until it is cancelled.
        set_standby(&cluster, "nobody");
        let waits = AtomicBool::new(true);
        thread::scope(|scope| {
            for key in keys {
                let replicas = &replicas;
                let waits = &waits;
                scope.spawn(move || {
                    let revoking = replicas.ask_to_revoke(0, key);
                    let waits = waits.load(Ordering::SeqCst);
                    assert!(!waits || revoking != Revoking::Confirmed);
                });
            }
            let start = Instant::now();
            while start.elapsed() < TERM {
                cluster.sql(
                    "postgres",
                    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
                );
                thread::sleep(Duration::from_millis(20));
            }
            waits.store(false, Ordering::SeqCst);
            set_standby(&cluster, "");
        });
        replicas.revoke_all(&[0, 1, 2], keys);
    });
    replicas.assert_strict("commits cancelled");
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn deposed_primary_confirms_nothing() {
    let primary = RefCell::new(Cluster::start());
    let replicas = Replicas::start(&primary.borrow());
    let deposed = RefCell::new(Vec::new());
    replicas.rounds(|keys| {
        let standby = primary.borrow().standby();
        let old = primary.replace(standby);
        set_standby(&old, "*");
        let count = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        while old.sql("postgres", count) != "1" {
            thread::sleep(Duration::from_millis(20));
        }
        primary.borrow().control(&["promote"]);
        for index in [0, 1] {
            replicas.with_relay(index, |relay| relay.set_target(primary.borrow().folder()));
        }
        // The third process still uses the old primary.
        thread::scope(|scope| {
            scope.spawn(|| {
                let revoking = replicas.ask_to_revoke(2, &keys[0]);
                assert_ne!(revoking, Revoking::Confirmed);
            });
            replicas.revoke_all(&[0, 1], keys);
            replicas.with_relay(2, |relay| relay.set_target(primary.borrow().folder()));
        });
        deposed.borrow_mut().push(old);
    });
    replicas.assert_strict("failover with the old primary left running");
}

#[test]
#[ignore = "needs PostgreSQL and PgBouncer: run scripts/test"]
fn pooler_changes_no_promise() {
    let cluster = Cluster::start();
    let pooler = Pooler::start(&cluster);
    let replicas = Replicas::start_with(&cluster, pooler.folder(), &[]);
    let address = replicas.address(0).unwrap();
    let start = Instant::now();
    let hears = loop {
        let (status, body) = wire::ask(address, "GET", "/readyz", "accept: */*", "").unwrap();
        assert_eq!(status, 200, "{body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        match body["replication"]["notifications"].as_bool() {
            Some(hears) => break hears,
            None => thread::sleep(Duration::from_millis(50)),
        }
        assert!(start.elapsed() < Duration::from_secs(60));
    };
    assert!(!hears);
    replicas.rounds(|keys| replicas.revoke_all(&[0, 1, 2], keys));
    replicas.assert_strict("a pooler in transaction mode");
}

#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn barrier_accepts_nothing_late() {
    let cluster = Cluster::shared();
    let arguments = &["--consistency", "barrier"];
    let replicas = Replicas::start_with(cluster, cluster.folder(), arguments);
    replicas.rounds(|keys| {
        replicas.with_relay(2, |relay| relay.set_flow(Flow::Cut));
        // Its lease still holds.
        let status = replicas.verify(2, &keys[0]);
        assert_eq!(status, Some(503));
        replicas.revoke_all(&[0, 1], keys);
        replicas.with_relay(2, |relay| relay.set_flow(Flow::Open));
    });
    replicas.assert_strict("a barrier instead of leases");
}

/// Without its row, a process is not awaited: as if fencing were left out.
#[test]
#[ignore = "needs PostgreSQL: run scripts/test"]
fn missing_fence_is_found() {
    let cluster = Cluster::shared();
    let replicas = Replicas::start(cluster);
    replicas.rounds(|keys| {
        replicas.with_relay(2, |relay| relay.set_flow(Flow::Cut));
        cluster.sql(replicas.database(), "DELETE FROM lease");
        replicas.revoke_all(&[0, 1], keys);
        // Its lease still holds.
        thread::sleep(TERM / 4);
        replicas.with_relay(2, |relay| relay.set_flow(Flow::Open));
        // It accepts the keys until it has connected again.
        for key in keys {
            while replicas.until_known(2, key) != 401 {
                thread::yield_now();
            }
        }
    });
    assert!(!replicas.violations().is_empty());
}
