//! Names of files in the folder of `ntro` that more than one layer knows.

/// The encrypted file with the keys of the `file` store.
pub const KEYS: &str = "keys.age";
/// The identity that opens it when no other is named.
pub const IDENTITY: &str = "identity.txt";
