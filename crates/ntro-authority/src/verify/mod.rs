//! The verification of keys, out of memory alone.

pub(crate) mod rate_limits;
