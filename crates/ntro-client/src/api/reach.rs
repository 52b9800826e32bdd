//! Whether a server answers at all, without a key.

use std::time::{Duration, Instant, SystemTime};

use jiff::SignedDuration;
use reqwest::header;

use super::client::Client;
use super::error::Error;
use super::http::Call;
use super::identity::identity_path;

/// A server that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reached {
    /// The status of its answer; 401 from a healthy server, as the request has no key.
    pub status: u16,
    /// How long the call took, from name resolution to the end of the answer.
    pub took: Duration,
    /// How far the server's clock is ahead of this machine's, to the second; `None` if the answer
    /// has no date.
    pub clock_ahead: Option<SignedDuration>,
}

impl Client {
    /// Calls the server and accepts any answer except a redirect.
    ///
    /// Use a client without a key, so that none is sent.
    pub async fn reach(&self) -> Result<Reached, Error> {
        let url = self.host().join(identity_path(self.provider()));
        let asked = Instant::now();
        let answer = self.http().send(&Call::get(url)).await?;
        // Compare clocks at the last try: earlier tries and their pauses do not count.
        let answered = SystemTime::now();
        let took = asked.elapsed();
        let date = answer.headers.get(header::DATE);
        let date = date.and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
        Ok(Reached {
            status: answer.status.as_u16(),
            took,
            clock_ahead: date.map(|date| ahead(date, answered)),
        })
    }
}

/// Returns by how much `theirs` is later than `ours`.
fn ahead(theirs: SystemTime, ours: SystemTime) -> SignedDuration {
    let (sign, gap) = match theirs.duration_since(ours) {
        Ok(gap) => (1, gap),
        Err(error) => (-1, error.duration()),
    };
    let gap = SignedDuration::try_from(gap).unwrap_or(SignedDuration::MAX);
    gap.saturating_mul(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_is_ahead_or_behind() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let day = Duration::from_secs(86_400);
        assert_eq!(ahead(now + day, now), SignedDuration::from_hours(24));
        assert_eq!(ahead(now - day, now), SignedDuration::from_hours(-24));
    }
}
