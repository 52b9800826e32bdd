use zeroize::Zeroizing;

use super::NotKept;

/// Other kernels have no keyrings.
pub(super) fn check() -> Result<(), NotKept> {
    Err(NotKept(
        "only the Linux kernel can keep a passphrase".to_owned(),
    ))
}

pub(super) fn read(_description: &str) -> Result<Option<Zeroizing<Vec<u8>>>, NotKept> {
    check().map(|()| None)
}

pub(super) fn write(_description: &str, _content: &[u8], _seconds: u64) -> Result<(), NotKept> {
    check()
}

pub(super) fn erase(_description: &str) -> Result<bool, NotKept> {
    check().map(|()| false)
}
