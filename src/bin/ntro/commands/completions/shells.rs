use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;

use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Shells, Zsh};

use super::tree;
use crate::help::Example;

/// Variable in which some scripts give the position of the current word.
const INDEX: &str = "_CLAP_COMPLETE_INDEX";

/// Every shell.
pub(super) const SHELLS: Shells<'static> = Shells(&[
    &Adapted(&Bash),
    &Adapted(&Elvish),
    &Adapted(&Fish),
    &Adapted(&Powershell),
    &Adapted(&Zsh),
]);

/// A shell of the library with the order of candidates of [`tree::prefer`], and with a script that
/// says how to install it.
struct Adapted(&'static (dyn EnvCompleter + Sync));

impl EnvCompleter for Adapted {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn is(&self, name: &str) -> bool {
        self.0.is(name)
    }

    fn write_registration(
        &self,
        variable: &str,
        name: &str,
        program: &str,
        completer: &str,
        output: &mut dyn Write,
    ) -> io::Result<()> {
        let mut script = Vec::new();
        match self.name() {
            // The library's script does not complete past a colon.
            "bash" => script.extend_from_slice(include_bytes!("bash.sh")),
            _ => {
                let shell = self.0;
                shell.write_registration(variable, name, program, completer, &mut script)?;
            }
        }
        let script = String::from_utf8_lossy(&script);
        // zsh recognises the script by its first line.
        let (first, rest) = match script.split_once('\n') {
            Some((first, rest)) if first.starts_with("#compdef") => (format!("{first}\n"), rest),
            _ => (String::new(), &*script),
        };
        write!(
            output,
            "{first}{}\n{}",
            self.installation(),
            rest.trim_start()
        )
    }

    fn write_complete(
        &self,
        command: &mut clap::Command,
        mut words: Vec<OsString>,
        folder: Option<&Path>,
        output: &mut dyn Write,
    ) -> io::Result<()> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the protocol of the scripts, not a setting"
        )]
        let index = std::env::var(INDEX)
            .ok()
            .and_then(|index| index.parse().ok());
        let index: usize = index.unwrap_or(words.len().saturating_sub(1));
        if let Some(word) = words.get_mut(index).filter(|word| *word == "-") {
            // The long names of all options.
            word.push("-");
        }
        let word = words.get(index).map_or(OsStr::new(""), OsString::as_os_str);
        tree::prefer(command, word);
        tree::offer_programs(command, &words, index);
        self.0.write_complete(command, words, folder, output)
    }
}

impl Adapted {
    /// Returns the head of the script: how to load it in every new shell.
    fn installation(&self) -> String {
        let mut text = String::new();
        let own = format!("completions {}", self.name());
        for example in Example::of("completions") {
            if example.line.contains(&own) {
                let line = example.line.replace('\n', "\n#");
                text += &format!("# {}:\n#     {line}\n", example.purpose);
            }
        }
        text
    }
}
