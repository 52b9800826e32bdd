//! The atomics of [`super::guard`], which a test replaces.

pub(super) use std::sync::atomic::{AtomicU64, Ordering};
