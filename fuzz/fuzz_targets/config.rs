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
    if config.is_err() {
        return Corpus::Keep;
    }
    edit(&path, text);
    Corpus::Keep
});

fn edit(path: &Path, text: &str) {
    let Ok(mut document) = Document::read(path) else {
        return;
    };
    document.save(&LOCK).unwrap();
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        text,
        "saved as it was read"
    );
    if document.set("fuzzed", "host", "https://a.example").is_err() {
        return;
    }
    document.save(&LOCK).unwrap();
    let edited = Config::read(path).expect("what was written reads");
    assert_eq!(
        edited.connections["fuzzed"].host.as_deref(),
        Some("https://a.example")
    );
    let mut document = Document::read(path).unwrap();
    assert!(document.remove_connection("fuzzed").unwrap());
    document.save(&LOCK).unwrap();
    let after = Config::read(path).expect("what was written reads");
    assert!(!after.connections.contains_key("fuzzed"));
}
