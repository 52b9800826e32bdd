//! `ntro serve --check`: everything that a start needs, without one.

use ntro_authority::{
    AuthoritySettings, Certificate, Database, DatabaseState, Issuer, PostgresReport, Standbys,
    check_database, check_github_keys, check_issuer, check_replication,
};

use url::Url;

use crate::commands::doctor::Findings;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};

/// Where Linux names the clock that measures time.
#[cfg(target_os = "linux")]
const CLOCK_SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";

pub(super) fn run(
    database: &Database,
    settings: &AuthoritySettings,
    certificate: Result<Option<Certificate>, CliError>,
    cx: &Context,
) -> Result<Exit, CliError> {
    let mut findings = Findings::default();
    findings.ok("settings", "they can be read");
    registry(database, settings, &mut findings);
    match certificate {
        Err(error) => findings.failure("certificate", error),
        Ok(Some(certificate)) => match certificate.check_time() {
            Ok(()) => findings.ok("certificate", "it has its key, and is valid today"),
            Err(problem) => {
                findings.problem("certificate", problem, "renew it, and check the clock")
            }
        },
        Ok(None) => findings.ok("certificate", "none: connections are not encrypted"),
    }
    let runtime = crate::runtime::build(&mut tokio::runtime::Builder::new_current_thread())?;
    for issuer in &settings.issuers {
        let found = check_issuer(issuer, settings.proxies.clone(), settings.roots.clone());
        key_set(issuer, runtime.block_on(found), &mut findings);
    }
    if let Some(url) = &settings.github_keys {
        let found = check_github_keys(url, settings.proxies.clone(), settings.roots.clone());
        github_keys(url, runtime.block_on(found), &mut findings);
    }
    #[cfg(target_os = "linux")]
    clock(database, &mut findings);
    cx.printer().print(&findings)?;
    Ok(match findings.has_problem() {
        true => Exit::Failure(Kind::Failure),
        false => Exit::Success,
    })
}

fn registry(database: &Database, settings: &AuthoritySettings, findings: &mut Findings) {
    const CHECK: &str = "database";

    match check_database(database, &settings.key_material) {
        Ok(DatabaseState::Current) => findings.ok(CHECK, "it is current, and has its key material"),
        Ok(DatabaseState::Older) => findings.warning(
            CHECK,
            "it is of an earlier version: the start brings it up to date",
            "save it before: no earlier version can read it then",
        ),
        Ok(DatabaseState::Missing) if database.missing_file().is_none() => findings.problem(
            CHECK,
            "it holds no registry",
            "check `--database`; `ntro admin init` makes an empty registry",
        ),
        Ok(DatabaseState::Missing) => findings.warning(
            CHECK,
            "there is none: the start makes an empty one",
            "check `--database` if there should be one",
        ),
        Err(error) => return findings.failure(CHECK, error),
    }
    match check_replication(database) {
        Ok(Some(report)) => replication(&report, findings),
        Ok(None) => {}
        Err(error) => findings.failure(CHECK, error),
    }
}

fn replication(report: &PostgresReport, findings: &mut Findings) {
    const POOLER: &str = "notifications";
    const STANDBYS: &str = "standbys";

    match report.notifications {
        true => findings.ok(POOLER, "they arrive"),
        false => findings.warning(
            POOLER,
            "they do not arrive, as behind a pooler in transaction mode: each server looks for \
             changes 50 times a second",
            "name PostgreSQL itself in `--database`, or a pooler in session mode",
        ),
    }
    match report.standbys {
        Standbys::None => findings.ok(STANDBYS, "there is none: no failover"),
        Standbys::Synchronous => findings.ok(STANDBYS, "an answered change is on a standby too"),
        Standbys::Asynchronous => findings.warning(
            STANDBYS,
            "commits do not wait for them: a failover may lose revocations that were answered",
            "set `synchronous_standby_names`, and promote only a standby that it names",
        ),
        Standbys::Missing => findings.problem(
            STANDBYS,
            "`synchronous_standby_names` is set, and no standby is connected: changes and leases wait",
            "start the standby",
        ),
    }
    if let Some(lag) = report.standby_lag {
        findings.ok(STANDBYS, format!("the slowest lags by {lag} bytes"));
    }
}

fn key_set(issuer: &Issuer, keys: Result<usize, String>, findings: &mut Findings) {
    const CHECK: &str = "issuer";

    let name = &issuer.issuer;
    match keys {
        Ok(0) => findings.problem(
            CHECK,
            format!("the key set of `{name}` has no usable key"),
            "its admins are refused: check `--jwks`",
        ),
        Ok(count) => findings.ok(CHECK, format!("`{name}` has {count} keys")),
        Err(reason) => findings.problem(
            CHECK,
            format!("the key set of `{name}` cannot be read: {reason}"),
            "its admins are refused: check `--issuer`, `--jwks` and the network",
        ),
    }
}

fn github_keys(url: &Url, keys: Result<usize, String>, findings: &mut Findings) {
    const CHECK: &str = "leak reports";

    let problem = match keys {
        Ok(0) => format!("`{url}` has no usable key"),
        Ok(count) => {
            return findings.ok(CHECK, format!("`{url}` has {count} keys"));
        }
        Err(reason) => format!("`{url}` cannot be read: {reason}"),
    };
    let advice = "GitHub's reports are refused: check `--github-leak-reports` and the network";
    findings.problem(CHECK, problem, advice);
}

#[cfg(target_os = "linux")]
fn clock(database: &Database, findings: &mut Findings) {
    const CHECK: &str = "clock";

    match std::fs::read_to_string(CLOCK_SOURCE) {
        Err(error) => findings.warning(
            CHECK,
            format!("the clock source is unknown: {error}"),
            format!("look at `{CLOCK_SOURCE}`"),
        ),
        Ok(source) => match source.trim() {
            source @ ("jiffies" | "acpi_pm" | "hpet" | "pit") => findings.warning(
                CHECK,
                format!("the clock source is `{source}`, which is slow to read"),
                "let the machine use its processor's counter, such as `tsc`",
            ),
            source @ "kvm-clock" if matches!(database, Database::Postgres(_)) => findings.warning(
                CHECK,
                format!("the clock source is `{source}`, which stops while the machine is paused or migrated: a lease may last too long then"),
                "let the machine use `tsc`, or give `--consistency barrier`",
            ),
            source => findings.ok(CHECK, format!("the clock source is `{source}`")),
        },
    }
}
