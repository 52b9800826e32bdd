use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::exchange::Exchange;
use super::replica::{NAMES, Request, Response};
use super::{Dice, History, REPLICAS};
use crate::lease::tests::history::{At, Seen, Verified};

type Requests = Exchange<Request, Response>;

/// Adds the clients: some that verify at each replica, and two that create and revoke keys.
pub(super) fn client(
    simulation: &mut turmoil::Sim<'_>,
    requests: &Requests,
    history: &History,
    dice: &mut Dice,
) {
    let clients = Clients {
        requests: requests.clone(),
        history: history.clone(),
        newest: Arc::new(AtomicU32::new(0)),
    };
    let dice: Vec<_> = std::iter::repeat_with(|| dice.fork()).take(5).collect();
    simulation.client("clients", async move {
        let [first, second, third, one, other] = dice.try_into().ok().unwrap();
        tokio::join!(
            clients.verify(0, first),
            clients.verify(1, second),
            clients.verify(2, third),
            clients.administer(one),
            clients.administer(other),
        );
        Ok(())
    });
}

fn now() -> At {
    let now = turmoil::sim_elapsed().unwrap();
    u64::try_from(now.as_nanos()).unwrap()
}

#[derive(Clone)]
struct Clients {
    requests: Requests,
    history: History,
    newest: Arc<AtomicU32>,
}

impl Clients {
    fn saw(&self, seen: Seen) {
        self.history.lock().unwrap().push(seen);
    }

    /// Verifies recent keys at one replica, without waiting for answers.
    async fn verify(&self, replica: usize, mut dice: Dice) {
        loop {
            sleep(dice.millis(5, 40)).await;
            let newest = self.newest.load(Ordering::Relaxed);
            let age = u32::try_from(dice.below(6)).unwrap();
            let (Some(key), clients) = (newest.checked_sub(age), self.clone()) else {
                continue;
            };
            tokio::spawn(async move {
                let sent = now();
                let request = Request::Verify(key);
                let asked = clients.requests.ask(NAMES[replica], request);
                let Ok(Some(response)) = timeout(Duration::from_secs(6), asked).await else {
                    return;
                };
                if response != Response::Unavailable {
                    clients.saw(Seen::Verified(Verified {
                        key,
                        replica,
                        sent,
                        answered: now(),
                        accepted: response == Response::Success,
                    }));
                }
            });
        }
    }

    /// Creates keys, and revokes each until that is confirmed.
    async fn administer(&self, mut dice: Dice) {
        loop {
            let key = self.newest.fetch_add(1, Ordering::Relaxed) + 1;
            if self.change(Request::Create(key), &mut dice).await {
                self.saw(Seen::Created {
                    key,
                    answered: now(),
                });
            }
            sleep(dice.millis(50, 700)).await;
            self.saw(Seen::Revoking { key, sent: now() });
            while !self.change(Request::Revoke(key), &mut dice).await {
                sleep(Duration::from_millis(50)).await;
            }
            self.saw(Seen::Revoked {
                key,
                answered: now(),
            });
        }
    }

    /// Sends a change to a random replica; returns whether it was confirmed.
    async fn change(&self, request: Request, dice: &mut Dice) -> bool {
        let replica = usize::try_from(dice.below(REPLICAS as u64)).unwrap();
        let asked = self.requests.ask(NAMES[replica], request);
        let answer = timeout(Duration::from_secs(4), asked).await;
        answer == Ok(Some(Response::Success))
    }
}
