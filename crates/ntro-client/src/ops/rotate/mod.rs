//! Rotating a key so that one always works, even after a kill at any moment.
//!
//! A new key is created, checked, stored instead of the old one, and checked again through the
//! store; only then is the old one revoked. Each step with an effect is first recorded in
//! `rotations.toml` ([`Rotations`]), without any key. After a kill, the stored key decides how to
//! continue ([`Next`]): if it is the old key, any new one is revoked; if it is the new one, the old
//! key is.
//!
//! This module neither prompts nor knows the source of an admin token: the caller runs the steps of
//! a [`Rotation`] in turn. They block on the given runtime for network calls, so that stores are
//! never called inside the runtime.

mod admin;
mod error;
mod journal;
mod next;
mod reach;
mod steps;
mod stored_location;

pub use error::Error;
pub use journal::{Asked, Method, Rotations, Unfinished, UnknownMethod};
pub use next::Next;
pub use steps::{Rotation, abandon};
