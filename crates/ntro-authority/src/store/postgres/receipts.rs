use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;
use uuid::Uuid;

use super::StoreError;
use crate::lease::Receipt;
use crate::store::sql::{SqlSession, values};

/// Enough for the requests that are answered meanwhile.
const MOST: usize = 1_024;

/// The latest receipts of this process, with their epochs. The database has all of them a little
/// later.
#[derive(Default)]
pub(in crate::store) struct Receipts(Mutex<VecDeque<(i64, String)>>);

impl Receipts {
    /// Adds a receipt, and returns its text.
    pub(super) fn add(&self, receipt: &Receipt) -> String {
        let text = text(receipt);
        let mut recent = self.lock();
        if recent.len() == MOST {
            recent.pop_front();
        }
        recent.push_back((receipt.epoch.0, text.clone()));
        text
    }

    /// Returns the receipt of a key's revocation.
    pub(in crate::store) fn find(
        &self,
        session: &dyn SqlSession,
        key: Uuid,
    ) -> Result<Option<String>, StoreError> {
        let changed = "SELECT changed FROM api_keys WHERE id = ?1 AND revoked_at IS NOT NULL";
        let Some(changed) = session.first(changed, values![key], |row| row.get::<i64>(0))? else {
            return Ok(None);
        };
        let covers = |(epoch, _): &&(i64, String)| *epoch >= changed;
        let recent = self
            .lock()
            .iter()
            .find(covers)
            .map(|(_, text)| text.clone());
        if recent.is_some() {
            return Ok(recent);
        }
        session.first(
            "SELECT receipt FROM receipts WHERE epoch >= ?1 ORDER BY epoch LIMIT 1",
            values![changed],
            |row| row.get(0),
        )
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(i64, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the receipt as JSON, with the milliseconds from the commit to each confirmation.
fn text(receipt: &Receipt) -> String {
    let confirmed = receipt.confirmed.iter().map(|(replica, after)| {
        let micros = u32::try_from(after.as_micros()).unwrap_or(u32::MAX);
        json!({"replica": replica.0.to_string(), "ms": f64::from(micros) / 1_000.0})
    });
    let fenced = receipt.fenced.iter().map(|replica| replica.0.to_string());
    let receipt = json!({
        "epoch": receipt.epoch.0,
        "confirmed": confirmed.collect::<Vec<_>>(),
        "fenced": fenced.collect::<Vec<_>>(),
    });
    receipt.to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::lease::ReplicaId;
    use crate::store::Epoch;

    #[test]
    fn receipt_names_every_process() {
        let receipt = Receipt {
            epoch: Epoch(7),
            confirmed: vec![(ReplicaId(Uuid::nil()), Duration::from_micros(1_250))],
            fenced: vec![ReplicaId(Uuid::max())],
        };
        let expected = r#"{"confirmed":[{"ms":1.25,"replica":"00000000-0000-0000-0000-000000000000"}],"epoch":7,"fenced":["ffffffff-ffff-ffff-ffff-ffffffffffff"]}"#;
        assert_eq!(Receipts::default().add(&receipt), expected);
    }
}
