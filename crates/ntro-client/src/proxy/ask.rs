//! Calls that wait for a person.

use std::time::Duration;

use hyper::StatusCode;
use hyper::http::request::Parts;

use super::approval::Unapproved;
use super::forward::Forwarder;
use super::hang_up::HangUp;
use super::record::Record;
use super::refusal::Refusal;
use super::rules::Rule;

/// The calls of a proxy that wait at one time.
pub(super) const MOST: usize = 16;
/// A longer target would not be read to its end.
const LONGEST_TARGET: usize = 2_048;

/// A call that is refused since it was not approved.
struct Unanswered<'a> {
    parts: &'a Parts,
    rule: &'a Rule,
}

impl Forwarder {
    /// Asks a person about a call. Dropping the future withdraws the question.
    pub(super) async fn ask(
        &self,
        parts: &Parts,
        rule: &Rule,
        hang_up: Option<&HangUp>,
        record: &mut Record,
    ) -> Result<(), Refusal> {
        let call = Unanswered { parts, rule };
        let target = parts
            .uri
            .path_and_query()
            .map_or("", |target| target.as_str());
        if target.len() > LONGEST_TARGET {
            return Err(call.refusal("target_too_long", "the path is too long to be shown"));
        }
        let Ok(_waiting) = self.questions().try_acquire() else {
            return Err(Refusal {
                status: StatusCode::TOO_MANY_REQUESTS,
                ..call.refusal("too_many_questions", "too many calls wait for an answer")
            });
        };
        record.ask();
        let timeout = self.settings().timeouts.answer;
        let gone = async {
            match hang_up {
                Some(hang_up) => hang_up.wait().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            asked = tokio::time::timeout(timeout, self.answer_of_person(parts, target, rule, record)) => match asked {
                Ok(Ok(())) => {}
                Ok(Err(reason)) => return Err(call.unapproved(&reason)),
                Err(_) => return Err(call.late(timeout)),
            },
            () = gone => return Err(call.refusal(Record::WITHDRAWN, "the program has gone")),
        }
        record.approve();
        Ok(())
    }

    #[cfg(unix)]
    async fn answer_of_person(
        &self,
        parts: &Parts,
        target: &str,
        rule: &Rule,
        record: &Record,
    ) -> Result<(), Unapproved> {
        let settings = self.settings();
        let (program, pid) = record.program();
        let call = super::AskedCall {
            program: program.to_owned(),
            pid,
            method: parts.method.to_string(),
            target: target.to_owned(),
            rule: rule.to_string(),
            server: settings.host.to_string(),
            connection: settings.connection.clone(),
        };
        settings.approver.ask(call).await
    }

    #[cfg(not(unix))]
    async fn answer_of_person(
        &self,
        _: &Parts,
        _: &str,
        _: &Rule,
        _: &Record,
    ) -> Result<(), Unapproved> {
        Err(Unapproved::Absent)
    }
}

impl Unanswered<'_> {
    fn refusal(&self, code: &'static str, reason: &str) -> Refusal {
        let Self { parts, rule } = self;
        let (method, path) = (&parts.method, parts.uri.path());
        let path: String = path.chars().take(LONGEST_TARGET).collect();
        Refusal::forbidden(
            code,
            format!(
                "the proxy does not forward `{method} {path}`, which needs a person's approval by `--ask '{rule}'`: {reason}"
            ),
        )
    }

    fn unapproved(&self, reason: &Unapproved) -> Refusal {
        const RUN: &str = "run `ntro proxy approve` on another terminal";

        match reason {
            #[cfg(unix)]
            Unapproved::Refused => self.refusal("refused_by_person", "the person refused it"),
            Unapproved::Absent => self.refusal("no_approver", RUN),
            #[cfg(unix)]
            Unapproved::Left => {
                self.refusal("unanswered", &format!("it was left undecided; {RUN}"))
            }
            #[cfg(target_os = "linux")]
            Unapproved::Rejected(reason) => {
                self.refusal("approver_rejected", &format!("{reason}; {RUN}"))
            }
        }
    }

    fn late(&self, timeout: Duration) -> Refusal {
        self.refusal(
            "unanswered",
            &format!("`ntro proxy approve` got no answer within {timeout:?}"),
        )
    }
}
