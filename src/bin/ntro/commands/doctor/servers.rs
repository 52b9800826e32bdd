//! The servers of all connections: reachable, over TLS and proxies, and of one mind about the time.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use ntro_base::{Host, Provider};
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
    // One of each: connections to the same place fail together.
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
                let target = api::Target {
                    provider,
                    host,
                    key: None,
                    insecure_http,
                };
                let client = Client::new(target, calls);
                (name, client.reach().await)
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
    for (host, answer) in answers {
        match answer {
            Ok(reached) => report_server(&host, &reached, findings),
            Err(error) => {
                findings.failure(CHECK, error);
            }
        }
    }
    Ok(())
}

fn report_server(host: &str, reached: &Reached, findings: &mut Findings) {
    let milliseconds = reached.took.as_millis();
    if reached.status >= 500 {
        findings.problem(
            CHECK,
            format!("{host} answers with HTTP {}", reached.status),
            "try again later, or report it to its operator",
        );
    } else if reached.status == 404 {
        findings.problem(
            CHECK,
            format!("{host} answers, but does not serve this API"),
            "correct the host: most Ntropii APIs have a path that ends in `/v1`",
        );
    } else {
        findings.ok(CHECK, format!("{host} answers, in {milliseconds} ms"));
    }
    match reached.clock_ahead {
        Some(ahead) if ahead.abs() > SKEW => findings.warning(
            CLOCK,
            format!(
                "the clock of {host} is {} s {} this machine's",
                ahead.as_secs().abs(),
                if ahead.is_negative() {
                    "behind"
                } else {
                    "ahead of"
                }
            ),
            "set this machine's clock: `timedatectl set-ntp true`",
        ),
        Some(_) => findings.ok(CLOCK, format!("agrees with that of {host}")),
        None => {}
    }
}
