//! The encrypted file: errors of the file, its identity and its passphrase.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use age::secrecy::SecretString;
use ntro_base::disk::{self, Claim, FileLock};
use ntro_client::secrets::{
    Error, Passphrase, PassphraseFor, SecretStore, StoreKind, StoreSettings, Stores,
    create_identity,
};

use crate::support::{NtroDir, item, key, open, passphrase, ssh_key};
use crate::writer::{self, Task, Work};

const ORIGIN: &str = "https://api.ntropii.com";
const CANARY: &str = "ntro_prod_canary";

/// A home whose file is sealed with an identity and holds one key.
fn with_identity() -> (NtroDir, StoreSettings) {
    let home = NtroDir::new();
    let lock = home.lock();
    assert!(create_identity(&home.folder.join("identity.txt"), &lock).unwrap());
    let settings = home.settings();
    store(&settings)
        .put(&item("production", ORIGIN), &key(CANARY), &lock)
        .unwrap();
    (home, settings)
}

fn store(settings: &StoreSettings) -> Box<dyn SecretStore> {
    open(StoreKind::File, settings)
}

/// Returns the error of every call, and checks that no call changes a file or reveals a key.
fn all(home: &NtroDir, settings: &StoreSettings) -> Vec<Error> {
    let before = home.files();
    let store = store(settings);
    let (lock, production) = (home.lock(), item("production", ORIGIN));
    let errors = vec![
        store.probe().unwrap_err(),
        store.get(&production).unwrap_err(),
        store.put(&production, &key("new"), &lock).unwrap_err(),
        store.erase(&production, &lock).unwrap_err(),
        store.list().unwrap_err(),
    ];
    assert_eq!(home.files(), before);
    for error in &errors {
        assert!(!format!("{error} {error:?}").contains("canary"));
        assert!(!format!("{error} {error:?}").contains("SECRET-KEY"));
    }
    errors
}

fn seal(text: &str, passphrase: &str, work: u8) -> Vec<u8> {
    let mut recipient = age::scrypt::Recipient::new(SecretString::from(passphrase));
    recipient.set_work_factor(work);
    age::encrypt(&recipient, text.as_bytes()).unwrap()
}

#[test]
fn files_are_private_and_encrypted() {
    let (home, _) = with_identity();
    let names: Vec<_> = home.files().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["identity.txt", "keys.age"]);
    for name in names {
        let metadata = fs::metadata(home.folder.join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    }
    let sealed = fs::read(home.folder.join("keys.age")).unwrap();
    assert!(sealed.starts_with(b"age-encryption.org/v1\n-> X25519 "));
    assert!(!String::from_utf8_lossy(&sealed).contains("canary"));
}

#[test]
fn identity_file_is_made_once() {
    let home = NtroDir::new();
    let (lock, path) = (home.lock(), home.folder.join("identity.txt"));
    assert!(create_identity(&path, &lock).unwrap());
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let [created, public, secret] = lines[..] else {
        panic!("{} lines", lines.len())
    };
    assert!(created.starts_with("# created: 20") && created.ends_with('Z'));
    let identity: age::x25519::Identity = secret.parse().unwrap();
    assert_eq!(public, format!("# public key: {}", identity.to_public()));

    assert!(!create_identity(&path, &lock).unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    fs::write(&path, "precious").unwrap();
    create_identity(&path, &lock).unwrap_err();
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn age_library_reads_file() {
    let (home, _) = with_identity();
    let identity = fs::read_to_string(home.folder.join("identity.txt")).unwrap();
    let identity: age::x25519::Identity = identity.lines().last().unwrap().parse().unwrap();
    let sealed = fs::read(home.folder.join("keys.age")).unwrap();
    let plain = String::from_utf8(age::decrypt(&identity, &sealed).unwrap()).unwrap();
    assert!(
        plain.contains("\n[[key]]\nconnection = \"production\"\n"),
        "{plain}"
    );
}

#[test]
fn damaged_file_stays_untouched() {
    let (home, settings) = with_identity();
    let path = home.folder.join("keys.age");
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut head = whole.clone();
    head[60] ^= 1;
    // Damage to the sealed contents is found when they are decrypted, which a probe does not do.
    // Every call finds any other damage.
    for bytes in [&flipped[..], &whole[..whole.len() - 1]] {
        fs::write(&path, bytes).unwrap();
        let error = store(&settings)
            .get(&item("production", ORIGIN))
            .unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
        let lock = home.lock();
        let put = store(&settings).put(&item("production", ORIGIN), &key("new"), &lock);
        assert!(matches!(put, Err(Error::Corrupt { .. })), "{put:?}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    for bytes in [
        &b""[..],
        b"garbage",
        b"age-encryption.org/v9\n",
        &whole[..40],
        &[0; 9_000],
    ] {
        fs::write(&path, bytes).unwrap();
        for error in all(&home, &settings) {
            assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
        }
    }
    fs::write(&path, head).unwrap();
    for error in all(&home, &settings) {
        assert!(
            matches!(error, Error::Corrupt { .. } | Error::WrongIdentity { .. }),
            "{error:?}"
        );
    }
}

#[test]
fn other_identity_opens_nothing() {
    let (home, mut settings) = with_identity();
    let other = home.folder.join("other.txt");
    create_identity(&other, &home.lock()).unwrap();
    settings.identity = Some(other);
    for error in all(&home, &settings) {
        assert!(matches!(error, Error::WrongIdentity { .. }), "{error:?}");
    }

    let identity = home.folder.join("identity.txt");
    settings.identity = Some(home.folder.join("missing.txt"));
    for error in all(&home, &settings) {
        assert!(matches!(error, Error::BadIdentity { .. }), "{error:?}");
    }
    settings.identity = None;
    fs::remove_file(&identity).unwrap();
    for error in all(&home, &settings) {
        assert!(matches!(error, Error::BadIdentity { .. }), "{error:?}");
    }
    for text in [
        "",
        "# only words\n",
        "AGE-SECRET-KEY-1QQ\n",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n",
    ] {
        fs::write(&identity, text).unwrap();
        for error in all(&home, &settings) {
            assert!(matches!(error, Error::BadIdentity { .. }), "{error:?}");
        }
    }
    fs::remove_file(&identity).unwrap();
    fs::create_dir(&identity).unwrap();
    for error in all(&home, &settings) {
        assert!(matches!(error, Error::Disk(_)), "{error:?}");
    }
}

#[test]
fn every_identity_opens_file() {
    let (home, mut settings) = with_identity();
    let lock = home.lock();
    let (first, second) = (
        home.folder.join("identity.txt"),
        home.folder.join("second.txt"),
    );
    create_identity(&second, &lock).unwrap();
    let both = fs::read_to_string(&first).unwrap() + &fs::read_to_string(&second).unwrap();
    fs::write(&first, both).unwrap();
    let other = item("other", ORIGIN);
    store(&settings).put(&other, &key("two"), &lock).unwrap();
    settings.identity = Some(second);
    assert_eq!(store(&settings).get(&other).unwrap(), Some(key("two")));
}

#[test]
fn right_passphrase_is_needed() {
    let home = NtroDir::new();
    let mut settings = home.settings();
    let production = item("production", ORIGIN);

    // There is no file yet: only writing needs a passphrase.
    let nobody = store(&settings);
    assert_eq!(nobody.get(&production).unwrap(), None);
    assert_eq!(nobody.list().unwrap(), []);
    assert!(!nobody.erase(&production, &home.lock()).unwrap());
    let create = |answer: Result<(), Error>| {
        let required = matches!(
            answer,
            Err(Error::PassphraseRequired {
                purpose: PassphraseFor::Create,
                ..
            })
        );
        assert!(required, "{answer:?}");
    };
    create(nobody.probe());
    create(nobody.put(&production, &key(CANARY), &home.lock()));
    assert_eq!(home.files(), []);

    settings.passphrase = passphrase("open sesame");
    store(&settings)
        .put(&production, &key(CANARY), &home.lock())
        .unwrap();

    settings.passphrase = passphrase("open barley");
    for error in all(&home, &settings) {
        assert!(matches!(error, Error::WrongPassphrase { .. }), "{error:?}");
    }
    settings.passphrase = passphrase("");
    for error in all(&home, &settings) {
        assert!(matches!(error, Error::BadPassphrase { .. }), "{error:?}");
    }
    settings.passphrase = Passphrase::none();
    let mut errors = all(&home, &settings);
    assert!(matches!(errors.pop(), Some(Error::Locked { .. })), "list");
    for error in errors {
        assert!(
            matches!(
                error,
                Error::PassphraseRequired {
                    purpose: PassphraseFor::Open,
                    ..
                }
            ),
            "{error:?}"
        );
    }
    settings.passphrase = Passphrase::ask(|_, _| Err(Error::Cancelled));
    let mut errors = all(&home, &settings);
    assert!(matches!(errors.pop(), Some(Error::Locked { .. })), "list");
    for error in errors {
        assert!(matches!(error, Error::Cancelled), "{error:?}");
    }

    // An identity that appears later does not change how the file is sealed.
    create_identity(&home.folder.join("identity.txt"), &home.lock()).unwrap();
    settings.passphrase = passphrase("open sesame");
    store(&settings)
        .put(&production, &key("two"), &home.lock())
        .unwrap();
    let sealed = fs::read(home.folder.join("keys.age")).unwrap();
    assert!(sealed.starts_with(b"age-encryption.org/v1\n-> scrypt "));
    let head = String::from_utf8_lossy(&sealed);
    assert!(head.lines().nth(1).unwrap().ends_with(" 16"), "work factor");
}

#[test]
fn passphrase_is_asked_once() {
    let home = NtroDir::new();
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let mut settings = home.settings();
    settings.passphrase = Passphrase::ask(move |purpose, _| {
        assert_eq!(purpose, PassphraseFor::Create);
        count.fetch_add(1, Ordering::Relaxed);
        Ok("open sesame".into())
    });
    let production = item("production", ORIGIN);
    store(&settings).probe().unwrap();
    store(&settings)
        .put(&production, &key("one"), &home.lock())
        .unwrap();
    assert_eq!(store(&settings).get(&production).unwrap(), Some(key("one")));
    // The passphrase is cached, so listing does not ask.
    assert_eq!(store(&settings).list().unwrap(), [production]);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn excessive_work_factor_is_refused() {
    let home = NtroDir::new();
    let mut settings = home.settings();
    settings.passphrase = passphrase("p");
    let _ = home.lock();
    let sealed = seal("version = 1\n", "p", 2);
    let text = String::from_utf8_lossy(&sealed).replacen(" 2\n", " 40\n", 1);
    assert!(text.contains(" 40\n"));
    fs::write(home.folder.join("keys.age"), text.as_bytes()).unwrap();
    for error in all(&home, &settings) {
        assert!(
            matches!(
                error,
                Error::TooMuchWork {
                    required: 40,
                    limit: 20,
                    ..
                }
            ),
            "{error:?}"
        );
    }
    // A lower work factor is accepted, and raised by the next write.
    fs::write(home.folder.join("keys.age"), sealed).unwrap();
    let production = item("production", ORIGIN);
    store(&settings)
        .put(&production, &key("one"), &home.lock())
        .unwrap();
    assert_eq!(store(&settings).get(&production).unwrap(), Some(key("one")));
}

#[test]
fn sealed_content_may_be_newer() {
    let home = NtroDir::new();
    let mut settings = home.settings();
    settings.passphrase = passphrase("p");
    let _ = home.lock();
    for text in [
        "version = 2\n",
        "nonsense",
        "version = 1\nkey = \"canary\"\n",
    ] {
        fs::write(home.folder.join("keys.age"), seal(text, "p", 2)).unwrap();
        let error = store(&settings).list().unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}

#[test]
fn folder_in_place_of_file_is_reported() {
    let (home, settings) = with_identity();
    let lock = home.lock();
    let production = item("production", ORIGIN);
    fs::create_dir(home.folder.join("keys.age.tmp")).unwrap();
    let error = store(&settings)
        .put(&production, &key("new"), &lock)
        .unwrap_err();
    assert!(matches!(error, Error::Disk(_)), "{error:?}");
    assert_eq!(
        store(&settings).get(&production).unwrap(),
        Some(key(CANARY))
    );
    drop(lock);

    fs::remove_file(home.folder.join("keys.age")).unwrap();
    fs::create_dir(home.folder.join("keys.age")).unwrap();
    for error in all(&home, &settings) {
        assert!(matches!(error, Error::Disk(_)), "{error:?}");
        assert!(error.to_string().contains("keys.age"), "{error}");
    }
}

#[test]
fn link_to_file_stays_link() {
    let (home, settings) = with_identity();
    let elsewhere = home.folder.join("synced");
    fs::rename(home.folder.join("keys.age"), &elsewhere).unwrap();
    symlink(&elsewhere, home.folder.join("keys.age")).unwrap();
    let production = item("production", ORIGIN);
    store(&settings)
        .put(&production, &key("new"), &home.lock())
        .unwrap();
    assert_eq!(store(&settings).get(&production).unwrap(), Some(key("new")));
    assert!(
        fs::symlink_metadata(home.folder.join("keys.age"))
            .unwrap()
            .is_symlink()
    );
}

const READ_ONLY: &str = "NTRO_TEST_READ_ONLY";

/// Runs this test again in a new process, whose working folder is a temporary one.
#[test]
fn bare_name_is_in_working_folder() {
    const AGAIN: &str = "NTRO_TEST_IN_A_FOLDER_OF_ITS_OWN";
    if std::env::var_os(AGAIN).is_none() {
        let folder = tempfile::tempdir().unwrap();
        let again = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "file::bare_name_is_in_working_folder"])
            .env(AGAIN, "1")
            .current_dir(&folder)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&again.stdout);
        assert!(again.status.success(), "{said}");
        let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.path().join("identity.txt")), 0o600);
        assert_eq!(fs::read(folder.path().join("keys")).unwrap(), b"new");
        return;
    }
    let lock = FileLock::acquire(Path::new("lock")).unwrap();
    disk::replace(Path::new("keys"), b"new", &lock).unwrap();
    assert!(create_identity(Path::new("identity.txt"), &lock).unwrap());
    assert!(Claim::take(Path::new("claim")).unwrap().is_some());
}

#[test]
fn probe_reports_unwritable_folder() {
    if let Ok(folder) = std::env::var(READ_ONLY) {
        let mut settings = crate::support::settings(folder.into());
        settings.passphrase = passphrase("p");
        let error = store(&settings).probe().unwrap_err();
        assert!(matches!(error, Error::Disk(_)), "{error:?}");
        assert!(error.to_string().contains("permission denied"), "{error}");
        println!("it was told");
        return;
    }
    let home = NtroDir::new();
    let _ = home.lock();
    // As root, the child process runs as the user `nobody`, since no folder is read-only to root.
    // That user needs access to the parent folder.
    fs::set_permissions(
        home.folder.parent().unwrap(),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    fs::set_permissions(&home.folder, fs::Permissions::from_mode(0o555)).unwrap();
    let program = std::env::current_exe().unwrap();
    let copy = home.folder.parent().unwrap().join("test");
    // A program that this process has written can be "text file busy": a process that another test
    // starts meanwhile inherits the open file.
    let copied = Command::new("cp").args([&program, &copy]).status();
    assert!(copied.unwrap().success());
    let mut child = Command::new(&copy);
    child
        .args(["--exact", "--nocapture"])
        .arg("file::probe_reports_unwritable_folder")
        .env(READ_ONLY, &home.folder)
        .current_dir("/");
    if rustix::process::geteuid().is_root() {
        child.uid(65_534).gid(65_534);
    }
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("it was told"),
        "{output:?}"
    );
}

/// A killed writer leaves the file from before a write or from after it.
#[test]
fn kill_leaves_whole_file() {
    let (home, settings) = with_identity();
    for round in 0..60 {
        let work = Work::Write(format!("round-{round}"), 10_000);
        let task = Task::new(StoreKind::File, &home, work);
        let mut child = writer::start(&task);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Kills at a different moment each time: after a number of writes, within the next.
        let told = (&mut lines)
            .map_while(Result::ok)
            .filter(|line| line.starts_with("wrote "))
            .take(1 + round % 7)
            .count();
        child.kill().unwrap();
        // Reads the lines written before the kill.
        let later = lines
            .map_while(Result::ok)
            .filter(|line| line.starts_with("wrote "))
            .count();
        child.wait().unwrap();

        let list = store(&settings).list().unwrap();
        let mine = format!("round-{round}-");
        let mine: Vec<_> = list
            .iter()
            .filter(|item| item.connection.as_str().starts_with(&mine))
            .collect();
        // The last write may be missing from the output.
        let (kept, told) = (mine.len(), told + later);
        assert!(kept == told || kept == told + 1, "{kept} kept, {told} told");
        for item in mine {
            assert!(store(&settings).get(item).unwrap().is_some());
        }
        let names: Vec<_> = home.files().into_iter().map(|(name, _)| name).collect();
        let expected = ["identity.txt", "keys.age", "keys.age.tmp"];
        assert!(
            names.iter().all(|name| expected.contains(&name.as_str())),
            "{names:?}"
        );
        // The lock is released when its holder dies.
        store(&settings)
            .put(&item("after", ORIGIN), &key("k"), &home.lock())
            .unwrap();
        assert!(!home.folder.join("keys.age.tmp").exists());
    }
}

#[test]
fn open_store_sees_later_writes() {
    let (home, settings) = with_identity();
    let (lock, production) = (home.lock(), item("production", ORIGIN));
    let stores = Stores::new(settings.clone());
    let open = || stores.get(StoreKind::File);
    assert_eq!(open().get(&production).unwrap(), Some(key(CANARY)));
    store(&settings)
        .put(&production, &key("new"), &lock)
        .unwrap();
    assert_eq!(open().get(&production).unwrap(), Some(key("new")));
    assert_eq!(open().get(&item("other", ORIGIN)).unwrap(), None);
    assert!(open().erase(&production, &lock).unwrap());
    assert_eq!(open().get(&production).unwrap(), None);
    // A decrypted file is not reused once the file on disk has changed.
    let file = home.folder.join("keys.age");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    let error = open().get(&production).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    fs::remove_file(&file).unwrap();
    assert_eq!(open().get(&production).unwrap(), None);
}

/// Returns the identity of a home.
fn identity(home: &NtroDir) -> age::x25519::Identity {
    let text = fs::read_to_string(home.folder.join("identity.txt")).unwrap();
    text.lines().last().unwrap().parse().unwrap()
}

/// Seals a text for several recipients.
fn seal_for(text: &[u8], recipients: &[&dyn age::Recipient]) -> Vec<u8> {
    let encryptor = age::Encryptor::with_recipients(recipients.iter().copied()).unwrap();
    let mut writer = encryptor.wrap_output(Vec::new()).unwrap();
    writer.write_all(text).unwrap();
    writer.finish().unwrap()
}

#[test]
fn foreign_recipient_is_never_dropped() {
    let (home, settings) = with_identity();
    let path = home.folder.join("keys.age");
    let ours = identity(&home);
    let plain = age::decrypt(&ours, &fs::read(&path).unwrap()).unwrap();
    let (second, third) = (
        age::x25519::Identity::generate(),
        age::x25519::Identity::generate(),
    );
    let [own, second_key, third_key] =
        [&ours, &second, &third].map(|identity| identity.to_public());
    let production = item("production", ORIGIN);
    for recipients in [
        vec![&own as &dyn age::Recipient, &second_key],
        vec![&third_key, &own, &second_key],
    ] {
        fs::write(&path, seal_for(&plain, &recipients)).unwrap();
        let before = home.files();
        let store = store(&settings);
        assert_eq!(store.get(&production).unwrap(), Some(key(CANARY)));
        let lock = home.lock();
        for error in [
            store.probe().unwrap_err(),
            store.put(&production, &key("new"), &lock).unwrap_err(),
            store.erase(&production, &lock).unwrap_err(),
        ] {
            assert!(
                matches!(error, Error::ForeignRecipients { count, .. } if count + 1 == recipients.len()),
                "{error:?}"
            );
        }
        assert_eq!(store.get(&production).unwrap(), Some(key(CANARY)));
        assert_eq!(home.files(), before);
    }
    // An identity that does not open the file makes up for no recipient.
    fs::write(&path, seal_for(&plain, &[&own, &second_key])).unwrap();
    let add = |identity: &age::x25519::Identity| {
        use age::secrecy::ExposeSecret as _;
        let file = home.folder.join("identity.txt");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(file, text + identity.to_string().expose_secret() + "\n").unwrap();
    };
    add(&third);
    let error = store(&settings).put(&production, &key("new"), &home.lock());
    assert!(
        matches!(error, Err(Error::ForeignRecipients { count: 1, .. })),
        "{error:?}"
    );
    add(&second);
    store(&settings)
        .put(&production, &key("new"), &home.lock())
        .unwrap();
    for identity in [&ours, &second, &third] {
        age::decrypt(identity, &fs::read(&path).unwrap()).unwrap();
    }
}

#[test]
fn armored_file_stays_armored() {
    use age::armor::{ArmoredReader, ArmoredWriter, Format};

    let (home, settings) = with_identity();
    let path = home.folder.join("keys.age");
    let binary = fs::read(&path).unwrap();
    let mut writer = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor).unwrap();
    writer.write_all(&binary).unwrap();
    let armored = String::from_utf8(writer.finish().unwrap()).unwrap();
    let production = item("production", ORIGIN);
    for text in [
        armored.clone(),
        armored.replace('\n', "\r\n"),
        format!("\u{feff}\n{armored}\n"),
    ] {
        fs::write(&path, text).unwrap();
        let store = store(&settings);
        assert_eq!(store.get(&production).unwrap(), Some(key(CANARY)));
        assert_eq!(store.list().unwrap(), std::slice::from_ref(&production));
        store.put(&production, &key("new"), &home.lock()).unwrap();
        let written = fs::read(&path).unwrap();
        let mut plain = Vec::new();
        ArmoredReader::new(&written[..])
            .read_to_end(&mut plain)
            .unwrap();
        assert_ne!(plain, written);
        age::decrypt(&identity(&home), &plain).unwrap();
    }
    let (start, _) = armored.split_at(armored.len() / 2);
    fs::write(&path, start).unwrap();
    for error in all(&home, &settings) {
        assert!(
            error
                .to_string()
                .ends_with("its lines of text were cut off or changed"),
            "{error}"
        );
    }
}

#[test]
fn broken_header_gives_reason() {
    let (home, settings) = with_identity();
    let path = home.folder.join("keys.age");
    let whole = fs::read(&path).unwrap();
    let end = whole.windows(4).position(|four| four == b"\n---").unwrap();
    let line = b"age-encryption.org/v1\n";
    let mut mac = whole.clone();
    mac[end + 6] ^= 1;
    let scrypt = seal("x", "open sesame", 2);
    let scrypt = scrypt.strip_prefix(line).unwrap();
    let mixed = [line, &whole[line.len()..=end], scrypt].concat();
    for (bytes, reason) in [
        (&b""[..], "it is empty"),
        (b"damaged", "it is not an age file"),
        (b"version = 1", "it is not an age file"),
        (b"age-encryption.org/v1", "it was cut off"),
        (
            b"age-encryption.org/v1\r\n-> X25519",
            "its line ends were changed: copy it as a binary file",
        ),
        (b"age-encryption.org/v9\n", "it is of a newer age format"),
        (&whole[..end], "its header was cut off"),
        (&whole[..end + 50], "its contents were cut off"),
        (
            b"age-encryption.org/v1\n-> X25519\n--- x\nand so on and on and on and on and on and on and on",
            "its header is not as age writes it",
        ),
        (&mac, "its header was changed"),
        (
            &mixed,
            "its header has a passphrase beside other recipients, which age forbids",
        ),
    ] {
        fs::write(&path, bytes).unwrap();
        let error = store(&settings)
            .get(&item("production", ORIGIN))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`{}` is damaged: {reason}", path.display())
        );
    }
}

#[test]
fn unusable_identity_gives_reason() {
    let (home, settings) = with_identity();
    let path = home.folder.join("identity.txt");
    let usable = fs::read_to_string(&path).unwrap();
    let armored = "-----BEGIN AGE ENCRYPTED FILE-----\n";
    for (text, reason) in [
        (
            "AGE-SECRET-KEY-PQ-1XYZ\n".as_bytes(),
            "line 1 is a post-quantum identity",
        ),
        (b"# a\nage-secret-key-1qq\n", "line 2 is a damaged identity"),
        (b"AGE-PLUGIN-YUBIKEY-1XYZ\n", "an identity of an age plugin"),
        (b"age1xyz\n", "line 1 is a public key"),
        (armored.as_bytes(), "sealed with a passphrase itself"),
        (
            b"age-encryption.org/v1\n\xff",
            "sealed with a passphrase itself",
        ),
        (b"\xff\xfe", "it is not text"),
    ] {
        fs::write(&path, text).unwrap();
        let error = store(&settings)
            .get(&item("production", ORIGIN))
            .unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert!(!error.to_string().contains("XYZ"), "{error}");
    }
    fs::write(&path, format!("\u{feff}{usable}")).unwrap();
    store(&settings).get(&item("production", ORIGIN)).unwrap();
}

#[test]
#[ignore = "needs OpenSSH: run scripts/test"]
fn unusable_ssh_key_needs_no_passphrase() {
    let (home, settings) = with_identity();
    let path = home.folder.join("identity.txt");
    fs::remove_file(&path).unwrap();
    ssh_key(&path, "ecdsa", "open sesame");
    for error in all(&home, &settings) {
        assert!(
            error
                .to_string()
                .contains("of the kind `ecdsa-sha2-nistp256`"),
            "{error}"
        );
    }
}
