//! Named connections to the Ntropii and Ontora APIs, with every key in a real secret store.
//!
//! This is the library behind the `ntro` program: the same precedence of values, the same stores,
//! and a typed client of both systems. It prints nothing and never ends the process.
//!
//! ```
//! use ntro::config::{Config, NtroDir, KeyRecords};
//! use ntro::connection::{Flags, Resolver};
//! use ntro::env::{self, Env};
//!
//! // A program takes `Env::from_process()` and `NtroDir::locate(&env)`.
//! let env = Env::from_pairs([
//!     (&env::NTRO_HOST, "http://localhost:3000/v1"),
//!     (&env::NTRO_API_KEY, "ntro_dev_key"),
//! ]);
//! let home = NtroDir::at("/nowhere");
//! let (flags, config) = (Flags::default(), Config::read(&home.config())?);
//! let records = KeyRecords::read(&home.logins())?;
//! let resolver = Resolver { flags: &flags, env: &env, pin: None, config: &config, records: &records, home: &home };
//!
//! let connection = resolver.connection(|kind| unreachable!("no key is in the {kind} store"))?;
//! assert_eq!(connection.host.value.as_str(), "http://localhost:3000/v1");
//! assert_eq!(connection.key.source.to_string(), "the variable `NTRO_API_KEY`");
//! # Ok::<(), ntro::connection::Error>(())
//! ```

#![warn(clippy::print_stdout, clippy::print_stderr, clippy::exit)]
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        reason = "tests lay out files of their own"
    )
)]

pub mod api;
#[cfg(feature = "authority")]
pub mod authority;
pub mod config;
pub mod connection;
pub mod disk;
pub mod domain;
pub mod env;
pub mod login;
pub mod migration;
pub mod rotation;
pub mod secrets;
pub mod wire;
