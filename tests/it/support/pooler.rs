//! PgBouncer in transaction mode.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use super::postgres::Cluster;

/// A running pooler. Dropping it ends it.
pub struct Pooler {
    folder: PathBuf,
    process: Child,
}

impl Pooler {
    /// Starts a pooler for the databases of a server.
    pub fn start(cluster: &Cluster) -> Self {
        let folder = cluster.folder().join("pooler");
        let made = cluster.command(Path::new("mkdir")).arg(&folder).status();
        assert!(made.unwrap().success());
        let settings = format!(
            "[databases]\n* = host={} user=ntro\n[pgbouncer]\nunix_socket_dir = {}\n\
             listen_port = 5432\nauth_type = any\npool_mode = transaction\n",
            cluster.folder().display(),
            folder.display()
        );
        let file = folder.join("pooler.ini");
        std::fs::write(&file, settings).unwrap();
        let process = cluster
            .command(Path::new("pgbouncer"))
            .arg("-q")
            .arg(&file)
            .spawn()
            .unwrap();
        let start = Instant::now();
        while !folder.join(".s.PGSQL.5432").exists() {
            assert!(start.elapsed() < Duration::from_secs(30));
            thread::sleep(Duration::from_millis(10));
        }
        Self { folder, process }
    }

    /// Returns the folder of its socket.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
