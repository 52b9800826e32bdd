//! Verification: a hash and a look-up in memory, without I/O.

mod cached_key;
mod hasher;
mod key_cache;
pub(crate) mod rate_limits;
mod scope_set;
mod tripwires;
mod usage;
mod verdict;

pub(crate) use cached_key::{CachedKey, CachedTenant, TenantNames};
pub(crate) use hasher::{Hasher, PEPPER_LENGTH};
pub(crate) use key_cache::KeyCache;
pub(crate) use scope_set::ScopeSet;
pub(crate) use verdict::{Verdict, VerifyRefusal};
