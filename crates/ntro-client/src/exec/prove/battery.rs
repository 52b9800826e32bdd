use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use super::super::seal::{SealFiles, SealLevel};
use super::attempts::{contains, named_attempts};
use super::calls;
use super::grounds::{Grounds, Planted};
use super::outcome::{Attempt, Failure};
use super::roles::{ATTEMPT_ALL, MARK, VICTIM};

/// Folders of the home that hold keys. The canary is planted in those that exist.
const FOLDERS: [&str; 5] = [
    ".ontora",
    ".local/share/keyrings",
    ".gnupg",
    ".password-store",
    ".config/op",
];

/// Canaries, until this is dropped.
pub struct Battery {
    program: PathBuf,
    grounds: Grounds,
    victim: Child,
}

impl Battery {
    /// Plants the canaries. `program` is the program whose `main` calls [`role`](super::role). If this
    /// process ends early, another one removes them.
    ///
    /// # Errors
    ///
    /// Fails if the folder of `ntro` is missing or cannot be written to.
    pub fn plant(program: &Path, files: &SealFiles, level: SealLevel) -> io::Result<Self> {
        let canary = format!("canary-{:016x}{:016x}", random()?, random()?);
        let name = format!("ntro-prove-{:016x}", random()?);
        let victim = Command::new(program)
            .args([MARK, VICTIM, &name])
            .env("NTRO_PROVE_CANARY", &canary)
            .current_dir(&files.ntro_home)
            // Ctrl-C must not end it before it has removed the canaries.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        // Where the rest fails, dropping it removes what is planted so far.
        let mut battery = Self {
            program: program.to_owned(),
            grounds: Grounds {
                keys: calls::plant_keys(&name, &canary).ok(),
                canary,
                answer: format!("answer-{:016x}{:016x}", random()?, random()?),
                key: format!("ntro_prove_{:016x}{:016x}", random()?, random()?),
                proxied: false,
                connection: None,
                name,
                home: files.home.clone(),
                ntro_home: files.ntro_home.clone(),
                runtime_dir: files.runtime_dir.clone(),
                net: level == SealLevel::Net,
                files: Vec::new(),
                victim: Planted::default(),
            },
            victim,
        };
        // Before the files, which the victim removes if this process is killed.
        battery.grounds.files = battery.files();
        battery.plant_in_victim()?;
        battery.plant_files()?;
        Ok(battery)
    }

    /// Returns where files with the canary belong, besides the folder of `ntro`.
    fn files(&self) -> Vec<PathBuf> {
        let name = self.grounds.file_name();
        let home = self.grounds.home.iter();
        let files = home.flat_map(|home| FOLDERS.map(|folder| home.join(folder).join(&name)));
        let shared = Path::new("/dev/shm").join(&self.grounds.name);
        files.chain([shared]).collect()
    }

    fn plant_files(&mut self) -> io::Result<()> {
        let grounds = &mut self.grounds;
        let own = grounds.own_file();
        plant(&own, &grounds.canary)?;
        grounds.victim.handle = calls::file_handle(&own).ok();
        let canary = &grounds.canary;
        grounds.files.retain(|file| plant(file, canary).is_ok());
        if let Some(home) = &grounds.home {
            fs::create_dir(home.join(grounds.file_name()))?;
        }
        Ok(())
    }

    fn plant_in_victim(&mut self) -> io::Result<()> {
        let mut grounds = serde_json::to_vec(&self.grounds)?;
        grounds.push(b'\n');
        let mut answer = String::new();
        if let (Some(input), Some(output)) = (&mut self.victim.stdin, self.victim.stdout.take()) {
            input.write_all(&grounds)?;
            BufReader::new(output).read_line(&mut answer)?;
        }
        self.grounds.victim = serde_json::from_str(&answer)?;
        Ok(())
    }

    /// Plants a key for a proxy to a server that needs it: the attempts on the proxy count, and those
    /// on the key of a connection of the user. Returns the folder for the configuration of this
    /// proxy, which is removed with the canaries.
    ///
    /// # Errors
    ///
    /// Fails if the folder cannot be made.
    pub fn plant_proxy(&mut self, connection: Option<String>) -> io::Result<PathBuf> {
        let folder = self.grounds.proxy_folder();
        DirBuilder::new().mode(0o700).create(&folder)?;
        self.grounds.proxied = true;
        self.grounds.connection = connection;
        Ok(folder)
    }

    /// Returns the address of the server.
    #[must_use]
    pub fn server(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.grounds.victim.http).into()
    }

    /// Returns the key that it needs.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.grounds.key
    }

    /// Returns a file with the canary, and a process that holds it.
    #[must_use]
    pub fn canary(&self) -> (PathBuf, i32) {
        (self.grounds.own_file(), self.grounds.victim.pid)
    }

    /// Returns the program and the arguments that make all attempts, for an unsealed and for a
    /// sealed process. Each outcome is a line on standard output.
    ///
    /// # Errors
    ///
    /// Fails for paths that are not UTF-8.
    pub fn arguments(&self) -> io::Result<Vec<OsString>> {
        let grounds = serde_json::to_string(&self.grounds)?;
        let words = [MARK, ATTEMPT_ALL, &grounds].map(OsString::from);
        Ok([self.program.clone().into()]
            .into_iter()
            .chain(words)
            .collect())
    }

    /// Returns the standard input of both processes: a folder that was opened outside.
    ///
    /// # Errors
    ///
    /// Fails if the folder of `ntro` is gone.
    pub fn stdin(&self) -> io::Result<Stdio> {
        File::open(&self.grounds.ntro_home).map(Into::into)
    }

    /// Judges the outputs of the unsealed and of the sealed process.
    #[must_use]
    pub fn judge(&self, unsealed: &[u8], sealed: &[u8]) -> Vec<Attempt> {
        let (mut unsealed, mut sealed) = (read(unsealed), read(sealed));
        let judged = named_attempts(&self.grounds).map(|(name, _)| {
            Attempt::judged(name, take(&mut unsealed, name), take(&mut sealed, name))
        });
        judged.collect()
    }

    /// Judges a program by what it printed without and with the seal. It succeeds if it printed a
    /// canary or the key.
    #[must_use]
    pub fn judge_program(&self, name: &str, unsealed: &Output, sealed: &Output) -> Attempt {
        let [unsealed, sealed] =
            [unsealed, sealed].map(|output| Attempt::new(name, self.found_in(output)));
        Attempt::judged(name, unsealed, sealed)
    }

    fn found_in(&self, output: &Output) -> Result<(), Failure> {
        let secrets = [&self.grounds.canary, &self.grounds.key];
        for bytes in [&output.stdout, &output.stderr] {
            if secrets.iter().any(|secret| contains(bytes, secret)) {
                return Ok(());
            }
        }
        let status = output.status;
        let why = format!("did not print the canary ({status})");
        Err(Failure::Refused(why))
    }
}

fn take(attempts: &mut Vec<Attempt>, name: &str) -> Option<Attempt> {
    let index = attempts.iter().position(|attempt| attempt.name == name)?;
    Some(attempts.swap_remove(index))
}

impl Drop for Battery {
    fn drop(&mut self) {
        drop(self.victim.stdin.take());
        let _ = self.victim.wait();
        // It may have been killed.
        self.grounds.remove();
        for key in self.grounds.keys.iter().flat_map(|[_, keys @ ..]| keys) {
            let _ = calls::forget_key(*key);
        }
    }
}

fn plant(path: &Path, canary: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(canary.as_bytes())
}

fn random() -> io::Result<u64> {
    getrandom::u64().map_err(io::Error::other)
}

fn read(lines: &[u8]) -> Vec<Attempt> {
    let lines = lines.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect()
}
