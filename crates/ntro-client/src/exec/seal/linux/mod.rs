//! The seal on Linux.

mod descriptors;
mod domain;
mod filter;
mod handoff;
mod hidden;
mod kernel;
mod loopback;
mod mount_table;
mod namespaces;
mod scene;
mod startup;

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::process::{chdir, getcwd, geteuid};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};

use super::{Barrier, Gap, SealError, SealFiles, SealLevel, Sealed};
use descriptors::Folders;
use domain::Rule;
use namespaces::{Network, User};
use scene::{Copy, Scene, existing, make_folder, real};
use startup::Listings;

pub use handoff::{receive_listener, send_listener};
pub(in crate::exec) use kernel::unshare;
pub(in crate::exec) use namespaces::User as NamespaceUser;

/// How a child will be sealed.
#[derive(Debug)]
pub struct Plan {
    level: SealLevel,
    files: SealFiles,
    named: bool,
    /// Why there are no namespaces.
    obstacle: Option<&'static str>,
}

impl Plan {
    /// Looks at what this system offers. `named` is whether the user asked for this very level.
    ///
    /// # Errors
    ///
    /// Fails if the level was named and cannot be had.
    pub fn new(level: SealLevel, files: SealFiles, named: bool) -> Result<Self, SealError> {
        let obstacle = match level {
            SealLevel::Off => None,
            SealLevel::Store | SealLevel::Net => namespaces::obstacle(),
        };
        let plan = Self {
            level,
            files,
            named,
            obstacle,
        };
        if let Some(reason) = obstacle {
            plan.refuse(Barrier::Files, reason)?;
        }
        Ok(plan)
    }

    /// Seals this process, for the program that it executes next.
    ///
    /// The process must have one thread and must not have held a key.
    ///
    /// # Errors
    ///
    /// Fails if the level was named and cannot be had, or if the process is half sealed. It must not
    /// execute the child then.
    pub fn enter(self) -> Result<Sealed, SealError> {
        let mut sealed = match (self.level, self.obstacle) {
            (SealLevel::Off, _) => return Ok(Sealed::off()),
            (_, None) => self.enter_namespaces()?,
            (_, Some(reason)) => self.enter_domain_only(reason)?,
        };
        // Without a home folder, there is little to protect in it.
        let mut gaps = sealed.not_held.iter();
        if let Some(gap) = gaps.find(|gap| gap.barrier != Barrier::Startup) {
            self.refuse(gap.barrier, &gap.reason)?;
        }
        sealed.held.sort_by_key(|barrier| *barrier as u8);
        sealed.not_held.sort_by_key(|gap| gap.barrier as u8);
        Ok(sealed)
    }

    /// Fails if the level was named.
    fn refuse(&self, barrier: Barrier, reason: &str) -> Result<(), SealError> {
        match self.named {
            true => Err(SealError::Unavailable {
                level: self.level,
                gap: gap(barrier, reason),
            }),
            false => Ok(()),
        }
    }

    fn enter_namespaces(&self) -> Result<Sealed, SealError> {
        let working = working_folder()?;
        let net = self.level == SealLevel::Net;
        let mut sealed = Sealed::nothing(self.level);
        sealed.held = vec![Barrier::Files, Barrier::Sockets, Barrier::Memory];
        let folders = step("inherited descriptors", Folders::find())?;
        // A new network namespace has a separate list.
        let sockets = step("sockets", hidden::bound_sockets())?;
        // A process with capabilities takes longer to look at its rights.
        let terminals = hidden::own_terminals();
        let outside = Outside {
            devices: match geteuid().is_root() {
                true => hidden::other_terminals(&terminals),
                false => hidden::devices(&terminals),
            },
            terminals,
            sockets,
        };
        let user = User::current();
        if let Err(error) = user.enter() {
            let reason = format!("no namespaces: {error}");
            self.refuse(Barrier::Files, &reason)?;
            return self.enter_domain_only(&reason);
        }
        let network = net.then(Network::start);
        step("mounts", self.mount(&working, &outside, &mut sealed))?;
        match network.map(|started| started.and_then(Network::enter)) {
            None => {}
            Some(Ok(listener)) => {
                sealed.listener = Some(listener);
                sealed.held.push(Barrier::Network);
            }
            Some(Err(error)) => {
                let reason = format!("no network namespace: {error}");
                self.refuse(Barrier::Network, &reason)?;
                sealed.not_held.push(gap(Barrier::Network, &reason));
            }
        }
        step("user map", user.lock_mounts())?;
        chdir(&working).map_err(|_| SealError::WorkingFolder(working))?;
        step("inherited descriptors", folders.reopen())?;
        step("privileges", set_no_new_privs(true).map_err(Into::into))?;
        match domain::enter() {
            Ok(()) => sealed.held.push(Barrier::Signals),
            Err(_) => {
                const REASON: &str = "the kernel is older than 6.12 or has no Landlock";
                sealed.not_held.push(gap(Barrier::Signals, REASON));
                if sealed.listener.is_none() {
                    // Those in the abstract namespace, which belongs to the network namespace.
                    sealed.held.retain(|barrier| *barrier != Barrier::Sockets);
                    sealed.not_held.push(gap(Barrier::Sockets, REASON));
                }
            }
        }
        filter(&mut sealed, false);
        Ok(sealed)
    }

    /// Arranges the files that the child sees.
    fn mount(&self, working: &Path, outside: &Outside, sealed: &mut Sealed) -> io::Result<()> {
        let files = &self.files;
        // A copy of a mount that the system shares would share with it too.
        let mut scene = Scene::new()?;
        let mut kept = Vec::new();
        // A name is a message to its name server, so a closed network has no service for names.
        let net = self.level == SealLevel::Net;
        let is_kept = |path: &&str| !net || !hidden::RESOLVERS.contains(path);
        for path in hidden::KEPT.into_iter().filter(is_kept) {
            if let Some(copy) = Copy::of(Path::new(path))? {
                kept.push((path, copy));
            }
        }
        let generated = match &files.generated_home {
            Some(path) => Copy::of(path)?.map(|copy| (path, copy)),
            None => None,
        };
        if let Some(run) = scene.replace(Path::new(hidden::RUN), 0o755)? {
            for (path, copy) in kept {
                let inner = path.strip_prefix(hidden::RUN).unwrap_or(path);
                scene.show(run.join(inner.trim_start_matches('/')), copy)?;
            }
        }
        if let Some(path) = &files.runtime_dir {
            match scene.replace(path, 0o700)? {
                Some(_) => {}
                None if path.starts_with(hidden::RUN) => make_folder(path, 0o700)?,
                None => {}
            }
        }
        hide_devices(&mut scene, outside)?;
        scene.replace(Path::new("/dev/shm"), 0o1777)?;
        for (path, mode) in hidden::socket_folders() {
            // Made later by tmux outside, it would be in reach.
            if path.ends_with(hidden::tmux_folder()) {
                existing(make_folder(&path, mode))?;
            }
            scene.replace(&path, mode)?;
        }
        let mut listings = Listings::default();
        for path in self.hidden(&mut |home, path| listings.lack(home, path)) {
            scene.hide(&path)?;
        }
        for path in outside.sockets.iter().filter(|path| scene::is_socket(path)) {
            let resolves = |path: &Path| {
                hidden::RESOLVERS
                    .iter()
                    .any(|folder| path.starts_with(folder))
            };
            if real(path)?.is_some_and(|path| !resolves(&path)) {
                scene.hide(path)?;
            }
        }
        if let Some((path, copy)) = generated {
            if real(path)?.is_none() {
                copy.attach_anew(path)?;
            }
            if let (Some(target), Some(copy)) = (real(&files.ntro_home)?, Copy::of(path)?) {
                copy.attach(&target)?;
            }
        }
        startup::protect_system(&scene)?;
        match &files.home {
            // Everything is below `/`, which must stay writable.
            Some(home) if home.parent().is_some() => {
                startup::protect_home(&scene, &mut listings, home, &files.programs, working)?;
                sealed.held.push(Barrier::Startup);
            }
            _ => {
                let reason = "there is no home folder";
                sealed.not_held.push(gap(Barrier::Startup, reason));
            }
        }
        Ok(())
    }

    /// Seals without namespaces.
    fn enter_domain_only(&self, reason: &str) -> Result<Sealed, SealError> {
        let mut sealed = Sealed::nothing(self.level);
        step("privileges", drop_capabilities())?;
        step("privileges", set_no_new_privs(true).map_err(Into::into))?;
        let home = self.files.home.as_deref();
        let (held, not_held) = (&mut sealed.held, &mut sealed.not_held);
        let mut no_unix_sockets = true;
        match domain::enter_without_mounts(&self.rules(), self.files.generated_home.as_deref()) {
            Ok(domain) => {
                held.extend([Barrier::Files, Barrier::Memory]);
                no_unix_sockets = !domain.paths_of_sockets;
                match home {
                    Some(_) => held.push(Barrier::Startup),
                    None => not_held.push(gap(Barrier::Startup, "there is no home folder")),
                }
                match domain.scopes {
                    true => held.push(Barrier::Signals),
                    false => not_held.push(gap(Barrier::Signals, "the kernel is older than 6.12")),
                }
            }
            Err(error) => {
                let reason = format!("{reason}, and {error}");
                for barrier in [
                    Barrier::Files,
                    Barrier::Memory,
                    Barrier::Signals,
                    Barrier::Startup,
                ] {
                    not_held.push(gap(barrier, &reason));
                }
            }
        }
        if self.level == SealLevel::Net {
            not_held.push(gap(Barrier::Network, reason));
        }
        match filter(&mut sealed, no_unix_sockets) {
            true => sealed.held.push(Barrier::Sockets),
            false => sealed.not_held.push(gap(Barrier::Sockets, reason)),
        }
        Ok(sealed)
    }

    /// Returns the files and folders with secrets in them, but for those below the home that
    /// `is_missing` knows to be missing.
    fn hidden(&self, is_missing: &mut dyn FnMut(&Path, &Path) -> bool) -> Vec<PathBuf> {
        let files = &self.files;
        let mut hidden: Vec<_> = hidden::DUMPS.map(PathBuf::from).into();
        hidden.extend(files.secrets.iter().cloned());
        if let Some(home) = &files.home {
            let inner = hidden::of_home().filter(|path| !is_missing(home, path));
            hidden.extend(inner.map(|path| home.join(path)));
        }
        hidden.push(files.ntro_home.clone());
        hidden
    }

    /// Returns what Landlock must hide and protect, by its real path.
    fn rules(&self) -> Vec<(PathBuf, Rule)> {
        let files = &self.files;
        let mut hidden = self.hidden(&mut |_, _| false);
        hidden.extend(files.runtime_dir.clone());
        hidden.push("/dev/shm".into());
        hidden.extend(hidden::devices(&hidden::own_terminals()));
        let mut read_only = Vec::new();
        if let Some(home) = &files.home {
            let named = home;
            if let Ok(home) = home.canonicalize() {
                let working = working_folder().unwrap_or_default();
                let paths = startup::paths(&home, named, &files.programs, &working);
                read_only.extend(paths.iter().map(|path| home.join(path)));
                let entries = std::fs::read_dir(&home).into_iter().flatten().flatten();
                let files = entries.filter(|entry| {
                    startup::is_startup_file(&entry.file_name())
                        && entry.file_type().is_ok_and(|kind| kind.is_file())
                });
                read_only.extend(files.map(|entry| entry.path()));
            }
        }
        read_only.extend(startup::of_system().map(Path::to_owned));
        // The child needs no other file there.
        for entry in std::fs::read_dir(hidden::RUN)
            .into_iter()
            .flatten()
            .flatten()
        {
            let path = entry.path();
            if !hidden::KEPT
                .iter()
                .any(|kept| Path::new(kept).starts_with(&path))
            {
                hidden.push(path);
            }
        }
        // Nothing can be created in a folder with a rule in it.
        hidden.retain(|path| path.exists());
        let rules = hidden.into_iter().map(|path| (path, Rule::Hidden));
        let rules = rules.chain(read_only.into_iter().map(|path| (path, Rule::ReadOnly)));
        let rules = rules.map(|(path, rule)| (path.canonicalize().unwrap_or(path), rule));
        rules.collect()
    }
}

/// What is looked up before the process is in its namespaces.
struct Outside {
    /// Paths of sockets.
    sockets: Vec<PathBuf>,
    /// Devices to hide.
    devices: Vec<PathBuf>,
    /// The numbers of the terminals of this process.
    terminals: Vec<u64>,
}

/// Hides devices: for root, all but the harmless ones.
fn hide_devices(scene: &mut Scene, outside: &Outside) -> io::Result<()> {
    for path in &outside.devices {
        scene.cover(path)?;
    }
    if !geteuid().is_root() {
        return Ok(());
    }
    scene.replace_with(Path::new("/dev"), 0o755, |new| {
        let mut shown = Vec::new();
        // The kernel looks for terminals beside the device, and would look beside its copy's source.
        symlink("pts/ptmx", new.join("ptmx"))?;
        for entry in hidden::kept_devices(&outside.terminals)? {
            let name = PathBuf::from(entry.file_name());
            let kind = entry.file_type()?;
            match kind.is_symlink() {
                true if name == Path::new("ptmx") => {}
                true => {
                    if let Some(target) = existing(entry.path().read_link())? {
                        symlink(target, new.join(name))?;
                    }
                }
                false => {
                    existing(scene::copy(&entry.path(), &new.join(&name), kind.is_dir()))?;
                    shown.push(name);
                }
            }
        }
        make_folder(&new.join("shm"), 0o1777)?;
        Ok(shown)
    })
}

/// Installs the filter, and gives the process an empty session keyring. Returns whether the filter
/// holds.
fn filter(sealed: &mut Sealed, no_unix_sockets: bool) -> bool {
    // Only calls of the kernel itself still look there once the filter holds. Containers refuse it.
    let _ = kernel::join_new_session_keyring();
    let barriers = [Barrier::Keyrings, Barrier::Terminal];
    match filter::install(no_unix_sockets) {
        Ok(()) => {
            sealed.held.extend(barriers);
            true
        }
        Err(error) => {
            let reason = format!("no system call filter: {error}");
            let gaps = barriers.map(|barrier| gap(barrier, &reason));
            sealed.not_held.extend(gaps);
            false
        }
    }
}

/// Drops the capabilities of root: without namespaces, they reach around Landlock. A process
/// without new privileges does not get them back by executing a program.
fn drop_capabilities() -> io::Result<()> {
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    Ok(set_capabilities(None, none)?)
}

fn working_folder() -> Result<PathBuf, SealError> {
    let path = step("working folder", getcwd(Vec::new()).map_err(Into::into))?;
    Ok(PathBuf::from(OsString::from_vec(path.into_bytes())))
}

fn step<T>(step: &'static str, result: io::Result<T>) -> Result<T, SealError> {
    result.map_err(|source| SealError::Failed { step, source })
}

fn gap(barrier: Barrier, reason: &str) -> Gap {
    Gap {
        barrier,
        reason: reason.to_owned(),
    }
}
