//! Names of files in the folder of `ntro` that several modules use.

/// The encrypted file with the keys of the `file` store.
pub const KEYS: &str = "keys.age";
/// The default identity that opens it.
pub const IDENTITY: &str = "identity.txt";
