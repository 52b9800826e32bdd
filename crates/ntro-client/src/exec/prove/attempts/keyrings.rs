use rustix::thread::UnshareFlags;

use super::{Grounds, Result, is_canary};
use crate::exec::prove::calls;
use crate::exec::prove::outcome::Failure;
use crate::exec::seal::unshare;

const NONE: Failure = Failure::NotTried("the kernel's keyrings are out of reach");

pub(super) fn by_name(grounds: &Grounds) -> Result {
    grounds.keys.ok_or(NONE)?;
    is_canary(grounds, &calls::read_key_by_name(&grounds.name)?)
}

/// Where a passphrase that was typed once is kept for a while.
pub(super) fn of_session(grounds: &Grounds) -> Result {
    grounds.keys.ok_or(NONE)?;
    is_canary(grounds, &calls::read_key_of_session(&grounds.name)?)
}

pub(super) fn by_number(grounds: &Grounds) -> Result {
    let [ring, key, _] = grounds.keys.ok_or(NONE)?;
    is_canary(grounds, &calls::read_key_by_number(ring, key)?)
}

pub(super) fn by_number_nested(grounds: &Grounds) -> Result {
    unshare(UnshareFlags::NEWUSER)?;
    by_number(grounds)
}
