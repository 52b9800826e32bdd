//! The servers of all connections: reachable, over TLS and proxies, and of one mind about the time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use ntro_base::{Host, Origin, Provider};
use ntro_client::api::{self, Client, Reached};
use tokio::task::JoinSet;

use super::{CheckedFiles, Findings};
use crate::context::Context;
use crate::error::CliError;
use crate::output::progress;

pub(super) const CHECK: &str = "servers";
const CLOCK: &str = "clock";
/// Expiry and admin JWTs go by the clock; a minute is what they are commonly allowed to differ.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

pub(super) fn check(
    cx: &Context,
    files: &CheckedFiles,
    findings: &mut Findings,
) -> Result<(), CliError> {
    // Connections with the same host share a call.
    let mut hosts: BTreeMap<String, (Provider, Host)> = BTreeMap::new();
    for name in files.names() {
        let one = files.inputs().alone(&name);
        if let (Ok(host), Ok(provider)) = (one.host(), one.provider()) {
            let host = host.value.clone();
            hosts.insert(host.to_string(), (provider.value, host));
        }
    }
    let calls = cx.api_settings()?.clone();
    let bar = progress::bar(cx.printer(), "asking the servers", hosts.len());
    let insecure_http = cx.global().insecure_http;
    let answers = cx.block_on(async {
        let mut tasks = JoinSet::new();
        for (name, (provider, host)) in hosts {
            let calls = calls.clone();
            tasks.spawn(async move {
                let origin = host.origin();
                let target = api::Target {
                    provider,
                    host,
                    key: None,
                    insecure_http,
                };
                let client = Client::new(target, calls);
                (name, (origin, client.reach().await))
            });
        }
        let mut answers = BTreeMap::new();
        while let Some(answer) = tasks.join_next().await {
            bar.inc(1);
            answers.extend(answer);
        }
        answers
    })?;
    bar.finish_and_clear();
    report(answers.into_iter(), findings);
    Ok(())
}

/// Reports each problem of a host, and what works once for each origin.
fn report(
    answers: impl Iterator<Item = (String, (Origin, Result<Reached, api::Error>))>,
    findings: &mut Findings,
) {
    let mut failures = BTreeSet::new();
    let mut working = BTreeMap::new();
    let mut clocks = BTreeMap::new();
    for (host, (origin, answer)) in answers {
        let reached = match answer {
            Ok(reached) => reached,
            Err(error) => {
                if failures.insert(error.to_string()) {
                    findings.failure(CHECK, error);
                }
                continue;
            }
        };
        if let Some(ahead) = reached.clock_ahead {
            clocks.insert(origin.clone(), ahead);
        }
        match fault(&host, reached.status) {
            Some((message, fix)) => findings.problem(CHECK, message, fix),
            None => {
                working.insert(origin, reached.took.as_millis());
            }
        }
    }
    let (right, wrong): (Vec<_>, Vec<_>) = clocks
        .into_iter()
        .partition(|(_, ahead)| ahead.abs() <= SKEW);
    for (origin, ahead) in wrong {
        wrong_clock(&origin, ahead, findings);
    }
    for (origin, milliseconds) in working {
        findings.ok(CHECK, format!("{origin} answers, in {milliseconds} ms"));
    }
    for (origin, _) in right {
        findings.ok(CLOCK, format!("agrees with that of {origin}"));
    }
}

/// Returns what is wrong with a server that answers, and the fix.
fn fault(host: &str, status: u16) -> Option<(String, &'static str)> {
    match status {
        404 => Some((
            format!("{host} answers, but does not serve this API"),
            "correct the host: most Ntropii APIs have a path that ends in `/v1`",
        )),
        status @ 500.. => Some((
            format!("{host} answers with HTTP {status}"),
            "try again later, or report it to its operator",
        )),
        _ => None,
    }
}

fn wrong_clock(origin: &Origin, ahead: SignedDuration, findings: &mut Findings) {
    let way = if ahead.is_negative() {
        "behind"
    } else {
        "ahead of"
    };
    findings.warning(
        CLOCK,
        format!(
            "the clock of {origin} is {} s {way} this machine's",
            ahead.as_secs().abs()
        ),
        "set this machine's clock: `timedatectl set-ntp true`",
    );
}
