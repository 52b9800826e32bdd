//! The `keyutils` store under the kernel's possession rules.

use std::process::Command;
use std::thread;

use ntro_client::secrets::{Error, SecretStore, StoreKind};

use crate::support::{NtroDir, item, key, open};

/// A store with a key that is erased when the test ends, even by panic.
struct Kept {
    home: NtroDir,
    store: Box<dyn SecretStore>,
    account: ntro_client::secrets::Item,
}

impl Kept {
    fn new(text: &str) -> Self {
        let home = NtroDir::new();
        let store = open(StoreKind::Keyutils, &home.settings());
        let account = item(&home.unique(), "https://api.ntropii.com");
        store.put(&account, &key(text), &home.lock()).unwrap();
        Self {
            home,
            store,
            account,
        }
    }

    fn keyctl(&self, arguments: &[&str]) -> std::process::Output {
        Command::new("keyctl").args(arguments).output().unwrap()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.store.erase(&self.account, &self.home.lock());
    }
}

#[test]
#[ignore = "needs keyctl: run scripts/test"]
fn threads_share_keys_until_erased() {
    let kept = Kept::new("ntro_prod_kept");
    thread::scope(|scope| {
        scope.spawn(|| {
            let found = kept.store.get(&kept.account).unwrap();
            assert_eq!(found, Some(key("ntro_prod_kept")));
        });
    });
    let names = [
        format!("ntro:{}", kept.account.account()),
        format!("ntro:index:{}", kept.home.folder.display()),
    ];
    for name in &names {
        let found = kept.keyctl(&["search", "@u", "user", name]);
        assert!(found.status.success(), "{found:?}");
    }
    assert!(kept.store.erase(&kept.account, &kept.home.lock()).unwrap());
    for name in &names {
        assert!(
            !kept
                .keyctl(&["search", "@u", "user", name])
                .status
                .success()
        );
    }
}

/// The index lists possible keys; the kernel decides which exist.
#[test]
#[ignore = "needs keyctl: run scripts/test"]
fn externally_removed_key_is_missing() {
    let kept = Kept::new("ntro_prod_kept");
    let name = format!("ntro:{}", kept.account.account());
    let removed = kept.keyctl(&["purge", "-s", "user", &name]);
    assert!(removed.status.success(), "{removed:?}");
    assert_eq!(kept.store.list().unwrap(), []);
    assert_eq!(kept.store.get(&kept.account).unwrap(), None);
    assert!(!kept.store.erase(&kept.account, &kept.home.lock()).unwrap());
}

#[test]
#[ignore = "needs keyctl: run scripts/test"]
fn invalid_item_is_refused() {
    let kept = Kept::new("ntro_prod_kept");
    let name = format!("ntro:{}", kept.account.account());
    let changed = kept.keyctl(&["add", "user", &name, "two words", "@u"]);
    assert!(changed.status.success(), "{changed:?}");
    let error = kept.store.get(&kept.account).unwrap_err();
    assert!(matches!(error, Error::NotAKey { .. }), "{error:?}");
    assert!(!format!("{error:?}").contains("two words"));
}
