use linux_keyutils::{
    Key, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission,
};
use zeroize::Zeroizing;

use super::super::kernel_key::{self, is_blocked};
use super::NotKept;

#[expect(
    clippy::unnecessary_wraps,
    reason = "other systems have no such kernel"
)]
pub(super) fn check() -> Result<(), NotKept> {
    Ok(())
}

/// Returns the keyring of this session, unless every process of the user has it.
fn session() -> Result<KeyRing, NotKept> {
    let ring = |id| KeyRing::from_special_id(id, false).map_err(explain);
    let session = ring(KeyRingIdentifier::Session)?;
    if session == ring(KeyRingIdentifier::UserSession)? {
        let reason = "this session has no keyring of its own; `keyctl session` starts one";
        return Err(NotKept(reason.to_owned()));
    }
    Ok(session)
}

fn find(description: &str) -> Result<Option<Key>, NotKept> {
    kernel_key::find(session()?, description).map_err(explain)
}

pub(super) fn read(description: &str) -> Result<Option<Zeroizing<Vec<u8>>>, NotKept> {
    match find(description)? {
        Some(key) => kernel_key::read(key).map_err(explain),
        None => Ok(None),
    }
}

/// Keeps a content for some seconds. It is in the session only once the kernel knows its end.
pub(super) fn write(description: &str, content: &[u8], seconds: u64) -> Result<(), NotKept> {
    let session = session()?;
    let seconds = usize::try_from(seconds).unwrap_or(usize::MAX);
    let possessor = KeyPermissionsBuilder::builder().posessor(Permission::ALL);
    let own = KeyRing::from_special_id(KeyRingIdentifier::Process, true).map_err(explain)?;
    let key = own.add_key(description, content).map_err(explain)?;
    let kept = key
        .set_timeout(seconds)
        .and_then(|()| key.set_perms(possessor.build()))
        .and_then(|()| session.link_key(key));
    let _ = own.unlink_key(key);
    kept.map_err(explain)
}

/// Returns whether there was something to erase.
pub(super) fn erase(description: &str) -> Result<bool, NotKept> {
    let found = find(description)?;
    if let Some(key) = found {
        key.invalidate().map_err(explain)?;
    }
    Ok(found.is_some())
}

fn explain(error: KeyError) -> NotKept {
    NotKept(match error {
        KeyError::QuotaExceeded => {
            "all that the kernel allows a user to keep is used up, see `/proc/key-users`".to_owned()
        }
        error if is_blocked(error) || error == KeyError::AccessDenied => {
            "the kernel's keyring is blocked, as it is in most containers".to_owned()
        }
        error => format!("the kernel answers {error:?}"),
    })
}
