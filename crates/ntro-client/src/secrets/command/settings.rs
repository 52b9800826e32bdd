use std::time::Duration;

use super::super::Error;

/// The helpers of the `command` store: a program and its arguments for each operation.
///
/// In arguments, `{connection}`, `{origin}`, `{account}` and `{item}` stand for the connection, the
/// origin, both as `<connection>@<origin>`, and the same with only letters, digits, `.`, `-` and
/// `_`, for managers whose names are paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandSettings {
    /// Prints the key, and nothing else.
    pub get: Vec<String>,
    /// Reads the key from standard input and stores it, replacing an older one.
    pub store: Vec<String>,
    /// Erases the key.
    pub erase: Vec<String>,
    /// Prints the stored accounts or items, one per line.
    pub list: Option<Vec<String>>,
    /// How a failing helper reports a missing item.
    pub missing: Vec<Missing>,
    /// The time limit of each run.
    pub timeout: Duration,
}

/// A failure that means a missing item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Its exit code.
    Code(i32),
    /// Part of its standard error.
    Text(String),
}

impl CommandSettings {
    /// The default time limit of a helper.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// Checks that every helper has a program and distinguishes items.
    pub(super) fn check(&self) -> Result<(), Error> {
        let wrong = |name: &str, what: &str| {
            Err(Error::NotConfigured {
                reason: format!("`{name}` {what}"),
            })
        };
        for (name, words) in [
            ("get", &self.get),
            ("store", &self.store),
            ("erase", &self.erase),
        ] {
            match words.split_first() {
                None => return wrong(name, "is missing"),
                Some((program, _)) if program.trim().is_empty() => {
                    return wrong(name, "names no program");
                }
                Some((_, arguments)) => {
                    let has = |name: &str| arguments.iter().any(|word| word.contains(name));
                    // Otherwise a connection with a changed host would get the key of the previous
                    // one.
                    let tells_apart = has("{account}")
                        || has("{item}")
                        || (has("{connection}") && has("{origin}"));
                    if !tells_apart {
                        return wrong(
                            name,
                            "does not tell the origins of a connection apart: it needs `{item}`, `{account}`, or both `{connection}` and `{origin}`",
                        );
                    }
                }
            }
        }
        match &self.list {
            Some(words)
                if words
                    .first()
                    .is_none_or(|program| program.trim().is_empty()) =>
            {
                wrong("list", "names no program")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn helpers_must_distinguish_origins() {
        let good = CommandSettings {
            get: words("pass show ntro/{item}"),
            store: words("tee {account}"),
            erase: words("rm {connection} {origin}"),
            list: None,
            missing: Vec::new(),
            timeout: CommandSettings::TIMEOUT,
        };
        good.check().unwrap();
        let reason = |change: &dyn Fn(&mut CommandSettings)| {
            let mut settings = good.clone();
            change(&mut settings);
            settings.check().unwrap_err().to_string()
        };
        let get = |text: &str| reason(&|settings| settings.get = words(text));
        assert!(get("pass show {connection}").contains("`get` does not tell"));
        // The program itself has no placeholders.
        assert!(get("{account}").contains("`get` does not tell"));
        assert!(get("").contains("`get` is missing"));
        assert!(reason(&|settings| settings.list = Some(Vec::new())).contains("`list` names no"));
        assert!(reason(&|settings| settings.erase[0] = " ".into()).contains("`erase` names no"));
    }
}
