use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::super::seal::{SealFiles, SealLevel};
use super::attempts::ATTEMPTS;
use super::calls;
use super::grounds::{Grounds, Planted, tmux_folder};
use super::outcome::Attempt;
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
    /// Plants the canaries. `program` is the program whose `main` calls [`role`](super::role).
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
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        // Where the rest fails, dropping it removes what is planted so far.
        let mut battery = Self {
            program: program.to_owned(),
            grounds: Grounds {
                keys: calls::plant_keys(&name, &canary).ok(),
                canary,
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
        battery.plant_files()?;
        battery.plant_in_victim()?;
        Ok(battery)
    }

    fn plant_files(&mut self) -> io::Result<()> {
        let grounds = &mut self.grounds;
        plant(&grounds.own_file(), &grounds.canary)?;
        let name = grounds.file_name();
        let home = grounds.home.iter();
        let files = home.flat_map(|home| FOLDERS.map(|folder| home.join(folder).join(&name)));
        let shared = Path::new("/dev/shm").join(&grounds.name);
        let files = files.chain([shared]);
        grounds.files = files
            .filter(|file| plant(file, &grounds.canary).is_ok())
            .collect();
        if let Some(home) = &grounds.home {
            fs::create_dir(home.join(name))?;
        }
        Ok(())
    }

    fn plant_in_victim(&mut self) -> io::Result<()> {
        let mut lines = self.grounds.canary.clone();
        for path in sockets(&self.grounds) {
            lines.push('\n');
            lines.push_str(&path.to_string_lossy());
        }
        lines.push_str("\n\n");
        let mut answer = String::new();
        if let (Some(input), Some(output)) = (&mut self.victim.stdin, self.victim.stdout.take()) {
            input.write_all(lines.as_bytes())?;
            BufReader::new(output).read_line(&mut answer)?;
        }
        self.grounds.victim = serde_json::from_str(&answer)?;
        Ok(())
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
    pub fn judge(unsealed: &[u8], sealed: &[u8]) -> Vec<Attempt> {
        let (mut unsealed, mut sealed) = (read(unsealed), read(sealed));
        let judged = ATTEMPTS.iter().map(|(name, _)| {
            Attempt::judged(name, take(&mut unsealed, name), take(&mut sealed, name))
        });
        judged.collect()
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
        let own = self.grounds.own_file();
        for file in self.grounds.files.iter().chain([&own]) {
            let _ = fs::remove_file(file);
        }
        for path in &self.grounds.victim.sockets {
            let _ = fs::remove_file(path);
        }
        if let Some(home) = &self.grounds.home {
            let _ = fs::remove_dir(home.join(self.grounds.file_name()));
        }
        for key in self.grounds.keys.iter().flat_map(|[_, keys @ ..]| keys) {
            let _ = calls::forget_key(*key);
        }
    }
}

/// Returns where the victim listens: as a bus, as an agent, as tmux, and in the home.
fn sockets(grounds: &Grounds) -> Vec<PathBuf> {
    let folders = [
        grounds.runtime_dir.clone(),
        Some("/tmp".into()),
        Some(tmux_folder()),
        grounds.home.clone(),
    ];
    folders
        .into_iter()
        .flatten()
        .map(|folder| folder.join(format!("{}.sock", grounds.name)))
        .collect()
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
