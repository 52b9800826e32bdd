//! One round of checks: a bounded number of servers in parallel, each with its own deadline.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ntro_base::Period;
use ntro_client::api::{self, Client, KeyInfo, Settings, Transport};
use ntro_client::ops::rotate::Rotations;
use ntro_client::resolve::Inputs;
use tokio::task::JoinSet;

use super::keys::{Asked, KeyReader, KeyToCheck};
use super::row::{StatusRow, Warning};
use crate::context::Context;
use crate::error::CliError;
use crate::output::progress;

/// State shared by all rounds: the stores, which ask for a passphrase once, and the HTTP client.
pub(super) struct Checks<'a> {
    cx: &'a Context,
    transport: Transport,
    settings: Settings,
    all: bool,
    jobs: usize,
    warning: Warning,
    repeats: bool,
}

/// The description of the key, or why the check failed.
type CheckResult = Result<KeyInfo, api::Error>;

impl<'a> Checks<'a> {
    pub(super) fn new(
        cx: &'a Context,
        all: bool,
        jobs: usize,
        timeout: Period,
        within: Period,
        counts: bool,
    ) -> Result<Self, CliError> {
        let defaults = Settings::from_env(cx.env());
        let timeout: Duration = timeout.duration();
        let settings = Settings {
            connect_timeout: defaults.connect_timeout.min(timeout),
            total_timeout: timeout,
            report: cx.session().report(),
            ..defaults
        };
        Ok(Self {
            cx,
            transport: Transport::shared(&settings),
            settings,
            all,
            jobs,
            warning: Warning { within, counts },
            repeats: false,
        })
    }

    /// Reads the keys from their stores. Blocks, and may ask a person.
    pub(super) fn keys(&self, inputs: Inputs<'_>) -> Result<Vec<Asked>, CliError> {
        let insecure_http = self.cx.global().insecure_http;
        let mut keys = KeyReader::new(inputs, self.cx.stores()?, insecure_http);
        let mut asked = match self.all {
            true => keys.all()?,
            false => vec![keys.active()?],
        };
        let unfinished = Rotations::read(&self.cx.home()?.rotations())?;
        for Asked { row, key } in &mut asked {
            if let Some(key) = key {
                self.cx.revoke_leftover(&key.target);
            }
            let rotation = unfinished.get(&row.name);
            row.old_key_until = rotation
                .and_then(|rotation| rotation.revoke_after)
                .filter(|until| *until > self.cx.now());
        }
        Ok(asked)
    }

    /// Shows each round while it is under way, and reports no warnings about answers.
    pub(super) fn repeated(mut self) -> Self {
        self.repeats = true;
        self.settings.report = Arc::new(|_| {});
        self
    }

    /// Checks the keys with a bounded number of parallel calls and returns the rows in the same
    /// order.
    ///
    /// Each call is created when its turn comes, which bounds the calls in progress and not only
    /// the requests sent.
    pub(super) async fn ask(&self, asked: Vec<Asked>) -> Vec<StatusRow> {
        let bar = match self.repeats {
            true => progress::turning_bar(self.cx.printer(), "checking", asked.len()),
            false => progress::bar(self.cx.printer(), "checking", asked.len()),
        };
        let mut rows = Vec::with_capacity(asked.len());
        let mut waiting = Vec::new();
        for (index, Asked { row, key }) in asked.into_iter().enumerate() {
            rows.push(row);
            match key {
                Some(key) => waiting.push((index, key)),
                None => bar.inc(1),
            }
        }
        let mut waiting = waiting.into_iter();
        let mut tasks = JoinSet::new();
        loop {
            for (index, key) in waiting.by_ref().take(self.jobs - tasks.len()) {
                tasks.spawn(self.call(index, key));
            }
            match tasks.join_next().await {
                Some(Ok((index, recorded, answer))) => {
                    self.answered(&mut rows[index], recorded, answer);
                }
                // The row already says that it was not checked.
                Some(Err(_)) => {}
                None => break,
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        rows
    }

    fn call(
        &self,
        index: usize,
        key: KeyToCheck,
    ) -> impl Future<Output = (usize, Option<Timestamp>, CheckResult)> + use<> {
        let KeyToCheck { target, recorded } = key;
        let client = Client::through(&self.transport, target, self.settings.clone());
        async move {
            let answer = client.identity().await;
            let answer = answer.map(|identity| identity.key.unwrap_or_default());
            (index, recorded, answer)
        }
    }

    fn answered(&self, row: &mut StatusRow, recorded: Option<Timestamp>, answer: CheckResult) {
        let now = self.cx.now();
        match answer {
            Ok(key) => {
                row.accepted(key.expires.at(), now, self.warning);
                row.tripped(key.tripped_at, now);
            }
            Err(error) => row.refused(error.into(), recorded, now),
        }
    }
}
