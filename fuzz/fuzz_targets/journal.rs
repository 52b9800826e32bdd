//! Journals that a killed run may have left: parsing succeeds or fails, but never panics.

#![no_main]

use std::fs;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ntro_client::ops::migrate::Journal;
use ntro_client::ops::rotate::Rotations;
use ntro_client::state::KeyRecords;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
});

fuzz_target!(|text: &str| {
    let path = FOLDER.path().join("journal.toml");
    fs::write(&path, text).unwrap();
    if let Ok(journal) = Journal::read(&path) {
        for name in journal.names() {
            assert!(journal.get(name).is_some());
        }
    }
    if let Ok(rotations) = Rotations::read(&path) {
        for (name, unfinished) in rotations.iter() {
            assert_eq!(rotations.get(name), Some(unfinished));
        }
    }
    if let Ok(records) = KeyRecords::read(&path) {
        for name in records.names() {
            assert!(records.get(name).is_some());
        }
    }
});
