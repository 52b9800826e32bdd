//! Rotating a key so that there is no moment without one that works, wherever it is cut off.
//!
//! A new key is made, checked, put in the place of the old one, and checked again through the
//! store; only then the old one is revoked. Each step that has an effect is recorded in
//! `rotations.toml` before it is taken ([`Rotations`]), without any key. After a kill, what is
//! stored decides how it goes on ([`Next`]): with the old key there, whatever was made in its place
//! is revoked; with the new one there, the old one is.
//!
//! Nothing here asks a person or knows where an administrator's token comes from: the caller takes
//! the steps of a [`Rotation`] one after the other. They block, for the network on the runtime
//! that is given, so that stores are never called inside of it.

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
