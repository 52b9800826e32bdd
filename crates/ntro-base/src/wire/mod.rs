//! The JSON of the two public systems, shared by the client and the authority.
//!
//! These types mirror the wire: names are strings. Callers parse the fields they need into the
//! value types of this crate. Readers are lenient (unknown fields are ignored, optional ones may be
//! missing); writers always emit every field that an official client requires.

pub mod errors;
pub mod ntropii;
pub mod ontora;
