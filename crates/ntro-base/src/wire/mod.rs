//! The JSON of the two public systems, shared by the client and the authority.
//!
//! These are shapes, not values: names as strings, as they travel. Whoever reads them parses what
//! it needs into `domain` types. Readers are lenient (unknown members are ignored, optional ones
//! may be missing); writers always emit every member that an official client requires.

pub mod errors;
pub mod ntropii;
pub mod ontora;
