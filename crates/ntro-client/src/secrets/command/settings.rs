use std::time::Duration;

use super::super::Error;

/// The helpers of the `command` store: for each thing to be done a program and its arguments.
///
/// In every argument `{connection}`, `{origin}`, `{account}` and `{item}` stand for what a key is
/// stored under: its connection, its origin, both as `<connection>@<origin>`, and the same in
/// letters, digits, `.`, `-` and `_` alone, for managers whose names are paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandSettings {
    /// Prints the key, and nothing else.
    pub get: Vec<String>,
    /// Stores the key that it reads from standard input, in the place of an older one.
    pub store: Vec<String>,
    /// Erases the key.
    pub erase: Vec<String>,
    /// Prints what is stored, one account or item a line.
    pub list: Option<Vec<String>>,
    /// How a helper that fails says that there is no such item.
    pub missing: Vec<Missing>,
    /// How long each run may take.
    pub timeout: Duration,
}

/// A sign that there is no such item, from a helper that fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Its exit code.
    Code(i32),
    /// A part of what it says on standard error.
    Text(String),
}

impl CommandSettings {
    /// How long a helper may take when nothing else is said.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// Makes sure that every helper names a program and tells items apart.
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
                    // Else a connection that is pointed elsewhere would get the key of before.
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
    fn every_helper_has_to_tell_origins_apart() {
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
        // The program itself is never made of a name.
        assert!(get("{account}").contains("`get` does not tell"));
        assert!(get("").contains("`get` is missing"));
        assert!(reason(&|settings| settings.list = Some(Vec::new())).contains("`list` names no"));
        assert!(reason(&|settings| settings.erase[0] = " ".into()).contains("`erase` names no"));
    }
}
