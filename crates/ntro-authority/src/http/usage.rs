//! The uses of a key by hour and outcome, as both dialects show them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::api_error::ApiError;
use crate::registry::Registry;
use crate::server::Authority;
use crate::store::{COUNTED_HOURS, UseOutcome, first_hour};

const DEFAULT_HOURS: u32 = 36;

#[derive(Deserialize)]
pub(crate) struct UsageQuery {
    hours: Option<String>,
}

impl UsageQuery {
    /// Returns the number of hours that the query asks for.
    fn hours(&self) -> Result<u32, ApiError> {
        match self.hours.as_deref().map(str::parse) {
            None => Ok(DEFAULT_HOURS),
            Some(Ok(hours @ 1..=COUNTED_HOURS)) => Ok(hours),
            Some(_) => {
                let msg = format!("must be an integer from 1 to {COUNTED_HOURS}");
                let location = ["query".into(), "hours".into()];
                Err(ApiError::invalid_field(location, msg, "value_error"))
            }
        }
    }
}

/// Returns the last hours with uses of a key, oldest first, with the number of each outcome.
pub(crate) async fn hours(
    authority: &Authority,
    registry: &Registry,
    key: Uuid,
    query: &UsageQuery,
) -> Result<Vec<Value>, ApiError> {
    let since = first_hour(Timestamp::now(), query.hours()?);
    authority.record_use_of(key).await;
    let mut hours: BTreeMap<Timestamp, Map<String, Value>> = BTreeMap::new();
    for count in registry.use_counts(key, since).await? {
        let hour = hours.entry(count.hour).or_insert_with(|| {
            let none = |outcome: UseOutcome| (outcome.as_str().to_owned(), Value::from(0));
            UseOutcome::ALL.map(none).into_iter().collect()
        });
        hour.insert(count.outcome.as_str().to_owned(), count.times.into());
    }
    let shown = hours.into_iter().map(|(hour, mut outcomes)| {
        outcomes.insert("hour".to_owned(), hour.to_string().into());
        Value::Object(outcomes)
    });
    Ok(shown.collect())
}
