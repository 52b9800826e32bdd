//! Shared by the tests: a home to run `ntro` in, and real servers and services for it.

mod authority;
mod clients;
mod dev;
mod elliptic;
mod faulty;
mod gateway;
mod kill_points;
mod pooler;
mod process;
mod program;
mod relay;
mod replicas;
mod root;
mod sandbox;
mod screen;
mod secret_service;
mod serving;
mod stub;
mod terminal;

#[path = "../../../crates/ntro-authority/tests/authority/support/history.rs"]
mod history;
#[path = "../../../crates/ntro-authority/tests/authority/support/postgres.rs"]
mod postgres;
#[path = "../../../crates/ntro-authority/tests/authority/support/wire.rs"]
pub mod wire;

pub use authority::{Authority, IssuedKey};
pub use clients::Clients;
pub use dev::Dev;
pub use elliptic::Elliptic;
pub use faulty::{Fault, Faulty, When};
pub use gateway::{EchoServer, Gateway, GatewayKind};
pub use kill_points::at_each_effect;
pub use pooler::Pooler;
pub(crate) use postgres::Cluster;
pub use process::{Outcome, Run};
pub use relay::{Flow, Notifications};
pub use replicas::{Replicas, Revoking};
pub use sandbox::Sandbox;
pub use screen::{SIZES, Screen};
pub use secret_service::{Mode, SecretService};
pub use serving::{ServerFolder, Serving, always, always_with};
pub use stub::{Reply, Stub};
pub use terminal::Terminal;

use std::path::Path;

/// Returns a path inside the project.
pub fn project(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Prints how much a test tried, visible with `--nocapture`.
#[expect(
    clippy::print_stdout,
    reason = "the test harness keeps it, or shows it on request"
)]
pub fn tell(what: &str) {
    println!("{what}");
}
