use jiff::Timestamp;

use super::RequestDigest;
use crate::error::Error;
use crate::store::{OnceOutcome, ResponseRecord};

/// The answer to a request that may repeat an earlier one.
#[derive(Debug)]
pub(crate) enum Answered {
    /// The body of the new answer.
    New(String),
    /// The body of the earlier answer.
    Replayed(String),
}

impl RequestDigest {
    pub(super) fn response(self, at: Timestamp, response: String) -> ResponseRecord {
        ResponseRecord {
            once: self.record(at),
            response,
        }
    }
}

/// Returns the outcome of a request that is new, or else the earlier answer.
pub(super) fn new_or_answered<T>(outcome: OnceOutcome<T>) -> Result<Result<T, Answered>, Error> {
    match outcome {
        OnceOutcome::New(value) => Ok(Ok(value)),
        OnceOutcome::Replayed(response) => Ok(Err(Answered::Replayed(response))),
        OnceOutcome::Conflict => Err(Error::Reused),
    }
}
