use serde::Serialize;

use crate::error::CliError;
use crate::output::{Paint, Report, plain};

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) enum Level {
    /// Nothing to do.
    Ok,
    /// It works, but should be changed.
    Warning,
    /// It does not work.
    Problem,
}

/// Finding of one check.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Finding {
    /// Name of the check.
    check: &'static str,
    /// Severity of the finding.
    level: Level,
    /// Description of the finding.
    message: String,
    /// How to fix it, as a command where possible.
    fix: Option<String>,
    /// Whether `--fix` fixed it.
    fixed: bool,
}

/// Findings of all checks.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Findings {
    /// Findings in the order of the checks.
    findings: Vec<Finding>,
}

impl Findings {
    pub(crate) fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Level::Ok, message.into(), None);
    }

    pub(crate) fn warning(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(check, Level::Warning, message.into(), Some(fix.into()));
    }

    pub(crate) fn problem(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(check, Level::Problem, message.into(), Some(fix.into()));
    }

    /// Adds an error as a problem, with the fix that the error suggests, unless a check has reported
    /// it already.
    pub(crate) fn failure(&mut self, check: &'static str, error: impl Into<CliError>) {
        let error = error.into();
        let mut findings = self.findings.iter();
        if findings.any(|finding| finding.message == error.message) {
            return;
        }
        self.problem(check, error.message, error.hint.unwrap_or_default());
    }

    /// Adds a problem that was just fixed.
    pub(super) fn fixed(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Level::Ok, message.into(), None);
        if let Some(finding) = self.findings.last_mut() {
            finding.fixed = true;
        }
    }

    /// Adds an `ok` finding unless the check has found something already.
    pub(super) fn ok_otherwise(&mut self, check: &'static str, message: impl Into<String>) {
        if self.findings.iter().all(|finding| finding.check != check) {
            self.ok(check, message);
        }
    }

    pub(crate) fn has_problem(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|finding| finding.level == Level::Problem)
    }

    fn add(&mut self, check: &'static str, level: Level, message: String, fix: Option<String>) {
        // Some errors have no known fix.
        let fix = fix.filter(|fix| !fix.is_empty());
        self.findings.push(Finding {
            check,
            level,
            message,
            fix,
            fixed: false,
        });
    }
}

impl Report for Findings {
    fn text(&self, paint: Paint) -> String {
        let of = |finding: &&Finding| finding.check.len();
        let width = self.findings.iter().map(|finding| of(&finding)).max();
        let width = width.unwrap_or(0);
        let mut text = String::new();
        for finding in &self.findings {
            let mark = match (finding.level, finding.fixed) {
                (Level::Ok, false) => paint.good("✓"),
                (Level::Ok, true) => paint.good("✓ fixed:"),
                (Level::Warning, _) => paint.warn("! warning:"),
                (Level::Problem, _) => paint.bad("✗ problem:"),
            };
            let check = paint.dim(&format!("{:<width$}", finding.check));
            let message = plain(&finding.message);
            text.push_str(&format!("{check}  {mark} {message}\n"));
            if let Some(fix) = &finding.fix {
                let fix = plain(fix);
                text.push_str(&format!("{:width$}    {} {fix}\n", "", paint.bold("→")));
            }
        }
        let count = |level| self.findings.iter().filter(|f| f.level == level).count();
        let (problems, warnings) = (count(Level::Problem), count(Level::Warning));
        text.push_str(&match (problems, warnings) {
            (0, 0) => "\nNo problems found.\n".to_owned(),
            _ => format!(
                "\n{}, {}\n",
                counted(problems, "problem"),
                counted(warnings, "warning")
            ),
        });
        text
    }
}

fn counted(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}
