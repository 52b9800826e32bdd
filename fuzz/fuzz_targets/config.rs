//! `config.toml`: whatever stands in it is read or refused, never a panic; and an edit changes
//! nothing but what it is about.

#![no_main]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use ntro_client::config::{Config, Document, OntoraFile, Pin, unknown_keys};
use ntro_base::disk::FileLock;
use tempfile::TempDir;

/// In memory where that can be had: every write is synced, and a disk would do nothing else.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
});
static LOCK: LazyLock<FileLock> =
    LazyLock::new(|| FileLock::acquire(&FOLDER.path().join(".lock")).unwrap());

fuzz_target!(|text: &str| -> Corpus {
    let path = FOLDER.path().join("config.toml");
    let config = Config::parse(&path, text);
    fs::write(&path, text).unwrap();
    let _ = unknown_keys(&path);
    if let Ok(Some(file)) = OntoraFile::read(&path) {
        let _ = file.without_key();
    }
    fs::write(FOLDER.path().join(".ntro.toml"), text).unwrap();
    let _ = Pin::find(FOLDER.path());
    if let Ok(config) = config {
        edit(&path, &config);
    }
    Corpus::Keep
});

/// Edits the file; `finish` checks that it says the same otherwise.
fn edit(path: &Path, config: &Config) {
    let Ok(mut document) = Document::read(path) else {
        return;
    };
    document.set_default("fuzzed");
    for name in config.names().chain(["fuzzed"]) {
        document.set(name, "host", "https://a.example").unwrap();
        document.set(name, "production", true).unwrap();
        document.unset(name, "api_key");
    }
    document.finish().unwrap().save(&LOCK).unwrap();
    let edited = Config::read(path).expect("what was written reads");
    assert_eq!(edited.default_name(), Some("fuzzed"));
    assert!(edited.names().eq(edited
        .connections
        .iter()
        .filter(|(_, entry)| entry.host.as_deref() == Some("https://a.example"))
        .map(|(name, _)| name)));

    let mut document = Document::read(path).unwrap();
    document.unset_default();
    for name in edited.names() {
        document.rename_connection(name, "renamed ü.\"").unwrap();
        assert!(document.remove_connection("renamed ü.\""));
    }
    document.finish().unwrap().save(&LOCK).unwrap();
    let after = Config::read(path).expect("what was written reads");
    assert_eq!((after.default_name(), after.names().next()), (None, None));
}
