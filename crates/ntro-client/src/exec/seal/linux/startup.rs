//! Files that start programs later, outside.
//!
//! Such a file is often missing, and a missing one could be created, or its folder be renamed. So
//! the top levels of the home, of `~/.config` and of `~/.local/share` become read-only: nothing can
//! be created, renamed or removed there. What exists in them stays writable, except what is named
//! here. Each writable folder is a mount, and so keeps its name.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use rustix::process::{chdir, geteuid};

use super::scene::{self, Scene, existing, real};

/// Folders and files below the home, besides the hidden files on its top level.
const OF_HOME: [&str; 46] = [
    // Shells
    ".bashrc.d",
    ".bash_completion.d",
    ".profile.d",
    ".zsh",
    ".zshrc.d",
    ".zfunc",
    ".oh-my-zsh",
    ".config/bash",
    ".config/fish",
    ".config/nushell",
    ".config/powershell",
    ".config/zsh",
    ".config/starship.toml",
    ".local/share/bash-completion",
    ".local/share/fish",
    // Sessions
    ".config/autostart",
    ".config/autostart-scripts",
    ".config/environment.d",
    ".config/plasma-workspace",
    ".config/systemd",
    ".config/upstart",
    ".config/i3",
    ".config/sway",
    ".config/hypr",
    ".config/niri",
    ".config/openbox",
    ".config/awesome",
    ".kde/Autostart",
    ".kde4/Autostart",
    ".local/share/dbus-1",
    ".local/share/systemd",
    ".local/share/applications",
    ".local/share/gnome-shell",
    ".local/share/plasma",
    // Tools that run what their configuration says
    ".ssh",
    ".vim",
    ".emacs.d",
    ".config/emacs",
    ".config/git",
    ".config/nvim",
    ".config/tmux",
    ".config/direnv",
    ".config/mise",
    ".cargo/config.toml",
    ".cargo/env",
    ".mozilla/native-messaging-hosts",
];

/// Hidden files on the top level of the home that no program runs, and that agents write to.
const WRITABLE: [&str; 5] = [
    ".claude.json",
    ".claude.json.backup",
    ".lesshst",
    ".viminfo",
    ".wget-hsts",
];

/// Folders of the system, which root could write to.
const OF_SYSTEM: [&str; 12] = [
    "/bin",
    "/boot",
    "/efi",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/sbin",
    "/usr",
    "/var/spool/at",
    "/var/spool/cron",
];

/// Files of the kernel that start programs or stop the machine, and that root may write to without
/// a capability.
const OF_KERNEL: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// Makes files of the system read-only that this user could write to.
pub(super) fn protect_system(scene: &Scene) -> io::Result<()> {
    if geteuid().is_root() {
        // The folders above keep their names.
        for folder in ["/var", "/var/spool"] {
            existing(scene::pin(Path::new(folder), true))?;
        }
    }
    of_system().try_for_each(|path| scene.make_read_only(path))
}

/// Returns files of the system that start programs or stop processes outside.
pub(super) fn of_system() -> impl Iterator<Item = &'static Path> {
    let of_root = OF_SYSTEM.iter().chain(&OF_KERNEL);
    let of_root = of_root.take(if geteuid().is_root() { usize::MAX } else { 0 });
    // The others are links to folders below `/usr`.
    let of_root = of_root.map(Path::new).filter(|path| !path.is_symlink());
    // Control groups of the user can stop processes.
    [Path::new("/sys")].into_iter().chain(of_root)
}

/// Makes the files of the home read-only that start programs, and those that its links lead to.
/// `programs` are the folders of `PATH`; the working folder stays as it is.
pub(super) fn protect_home(
    scene: &Scene,
    listings: &mut Listings,
    home: &Path,
    programs: &[PathBuf],
    working: &Path,
) -> io::Result<()> {
    let named = home;
    let Some(home) = real(home)? else {
        return Ok(());
    };
    for alias in scene.aliases(&home) {
        // A mount of one folder of the home is reached by its own name too.
        if !alias.starts_with(&home) && !home.starts_with(&alias) {
            scene.make_read_only(&alias)?;
        }
    }
    let mut protected = Protected::default();
    for path in listings.protected(&home, named, programs, working) {
        match path.is_absolute() {
            true => scene.make_read_only(&path)?,
            false => protected.insert(&path),
        }
    }
    scene::pin(&home, true)?;
    close(scene, listings, &home, &protected, true)?;
    // Those that are mounts are not read-only with the folder that they are in.
    for point in scene.mounts(&home) {
        let path = point.strip_prefix(&home).unwrap_or(point);
        let is_startup = || is_startup_file(path.as_os_str()) && !point.is_dir();
        let on_top_level = path.iter().count() == 1;
        if protected.holds(path) || on_top_level && is_startup() {
            existing(scene.make_read_only(point))?;
        }
    }
    Ok(())
}

/// Returns the protected paths: relative to the home, and absolute for those outside that its links
/// lead to. `home` is its real path, `named` the one in the environment.
pub(super) fn paths(
    home: &Path,
    named: &Path,
    programs: &[PathBuf],
    working: &Path,
) -> Vec<PathBuf> {
    Listings::default().protected(home, named, programs, working)
}

type Entries = BTreeMap<OsString, fs::FileType>;

/// The folders of the home, each listed one time: most paths are missing.
#[derive(Default)]
pub(super) struct Listings(BTreeMap<OsString, Entries>);

impl Listings {
    fn entries(&mut self, folder: &Path) -> io::Result<&Entries> {
        Ok(match self.0.entry(folder.into()) {
            Entry::Occupied(listed) => listed.into_mut(),
            Entry::Vacant(missing) => missing.insert(list(folder)?),
        })
    }

    /// Returns whether a path below the home is missing, as far as the folders show that
    /// [`Self::protected`] lists.
    pub(super) fn lack(&mut self, home: &Path, path: &Path) -> bool {
        const LISTED: [&str; 4] = ["", ".config", ".local", ".local/share"];
        let mut inner = PathBuf::new();
        let mut folder = home.to_owned();
        path.iter().any(|name| {
            let is_listed = LISTED.iter().any(|listed| inner.as_os_str() == *listed);
            let entries = is_listed.then(|| self.entries(&folder));
            inner.push(name);
            folder.push(name);
            matches!(entries, Some(Ok(entries)) if !entries.contains_key(name))
        })
    }

    /// Returns the paths of [`paths`].
    fn protected(
        &mut self,
        home: &Path,
        named: &Path,
        programs: &[PathBuf],
        working: &Path,
    ) -> Vec<PathBuf> {
        let programs = programs.iter().filter_map(|folder| {
            let inner = folder.strip_prefix(home).or(folder.strip_prefix(named));
            let inner = inner.ok()?;
            let first = inner.iter().next()?;
            let of_user = first.as_bytes().starts_with(b".") || first == "bin";
            let of_project = home.join(inner).starts_with(working) && working != home;
            (of_user && !of_project).then(|| inner.to_owned())
        });
        let mut left: Vec<_> = OF_HOME.iter().map(PathBuf::from).chain(programs).collect();
        left.extend(self.hidden_links(home));
        // Comparing the names in paths takes longer than comparing strings.
        let mut found: BTreeSet<OsString> = BTreeSet::new();
        while let Some(path) = left.pop() {
            if found.contains(path.as_os_str()) {
                continue;
            }
            if let Some(target) = self.followed(home, &path) {
                let inner = target.strip_prefix(home).map(Path::to_owned);
                left.push(inner.unwrap_or(target));
            }
            found.insert(path.into());
        }
        found.into_iter().map(PathBuf::from).collect()
    }

    /// Returns the hidden files on the top level of the home that are links, as those that a tool
    /// for configuration files makes. A link to a folder, such as `~/.cache` on another disk, is no
    /// file.
    fn hidden_links(&mut self, home: &Path) -> Vec<PathBuf> {
        let entries = self.entries(home).into_iter().flatten();
        entries
            .filter(|(_, kind)| kind.is_symlink())
            .filter(|(name, _)| is_startup_file(name))
            .filter(|(name, _)| fs::metadata(home.join(name)).is_ok_and(|target| target.is_file()))
            .map(|(name, _)| name.into())
            .collect()
    }

    /// Follows the first link in a path below the home. The rest of the path need not exist.
    fn followed(&mut self, home: &Path, path: &Path) -> Option<PathBuf> {
        let mut names = path.iter();
        let mut reached = home.to_owned();
        while let Some(name) = names.next() {
            // Folders elsewhere can be large, and few links lead there.
            let listed = match path.is_relative() {
                true => self.entries(&reached).ok(),
                false => None,
            };
            let listed = listed.map(|entries| entries.get(name).copied());
            reached.push(name);
            let kind = listed.unwrap_or_else(|| {
                let metadata = fs::symlink_metadata(&reached).ok();
                metadata.map(|metadata| metadata.file_type())
            });
            if kind?.is_symlink() {
                let mut target = reached.canonicalize().ok()?;
                target.extend(names);
                return Some(target);
            }
        }
        None
    }
}

fn list(folder: &Path) -> io::Result<Entries> {
    let kind = |entry: fs::DirEntry| Ok((entry.file_name(), entry.file_type()?));
    fs::read_dir(folder)?.map(|entry| kind(entry?)).collect()
}

/// Returns whether a file on the top level of the home may start programs: an unknown hidden one
/// counts as such.
pub(super) fn is_startup_file(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b".")
        && !name.as_bytes().ends_with(b"_history")
        && !WRITABLE.iter().any(|writable| name == *writable)
}

/// A tree of protected paths.
#[derive(Default)]
struct Protected {
    /// Whether the path ends here: all below is protected.
    whole: bool,
    inner: BTreeMap<OsString, Protected>,
}

impl Protected {
    fn insert(&mut self, path: &Path) {
        let mut node = self;
        for name in path {
            node = node.inner.entry(name.to_owned()).or_default();
        }
        node.whole = true;
    }

    /// Returns whether a path is protected.
    fn holds(&self, path: &Path) -> bool {
        let mut node = self;
        for name in path {
            match node.inner.get(name) {
                Some(inner) if inner.whole => return true,
                Some(inner) => node = inner,
                None => return false,
            }
        }
        false
    }
}

/// Protects what is in a folder that is a mount: all in it stays writable that is not protected.
/// Moves the working folder.
fn close(
    scene: &Scene,
    listings: &mut Listings,
    folder: &Path,
    protected: &Protected,
    is_home: bool,
) -> io::Result<()> {
    let entries = listings.entries(folder)?;
    let names = protected.inner.keys();
    let protected_here = names.filter(|name| entries.contains_key(*name));
    // A protected path could be created where it is missing.
    let closed = is_home || protected_here.count() < protected.inner.len();
    let mut inner = Vec::new();
    let with_mounts = scene.names_with_mounts(folder);
    chdir(folder)?;
    for (name, kind) in entries {
        let has_mounts = with_mounts.contains(&name.as_os_str());
        let is_startup = is_home && !kind.is_dir() && is_startup_file(name);
        if kind.is_symlink() || has_mounts && scene.covers(&folder.join(name)) {
            continue;
        }
        let name = Path::new(name);
        match protected.inner.get(name.as_os_str()) {
            Some(node) if node.whole && !closed => scene.make_read_only(&folder.join(name))?,
            Some(node) if node.whole => {}
            Some(node) if kind.is_dir() => {
                scene::pin(name, has_mounts)?;
                inner.push((folder.join(name), node));
            }
            _ if is_startup => {}
            // In a folder that stays open, the rest is as it was. A network file system that is
            // out of reach stays so.
            _ if closed && (kind.is_dir() || kind.is_file()) => {
                let _ = scene::pin(name, has_mounts);
            }
            _ => {}
        }
    }
    if closed {
        scene.remount_read_only(folder)?;
    }
    inner
        .iter()
        .try_for_each(|(path, node)| close(scene, listings, path, node, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_hidden_files_may_start_programs() {
        let starts = |name: &str| is_startup_file(OsStr::new(name));
        for name in [".bashrc", ".zshenv", ".profile", ".gitconfig", ".newrc"] {
            assert!(starts(name), "{name}");
        }
        for name in [".bash_history", ".claude.json", "notes.txt", "Makefile"] {
            assert!(!starts(name), "{name}");
        }
    }

    #[test]
    fn links_of_profiles_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().canonicalize().unwrap();
        fs::create_dir(home.join("dotfiles")).unwrap();
        fs::write(home.join("dotfiles/bashrc"), "").unwrap();
        std::os::unix::fs::symlink("dotfiles/bashrc", home.join(".bashrc")).unwrap();
        std::os::unix::fs::symlink("dotfiles", home.join(".config")).unwrap();
        let paths = paths(&home, &home, &[], Path::new("/"));
        for path in [".bashrc", "dotfiles/bashrc", "dotfiles/autostart"] {
            assert!(paths.contains(&path.into()), "{path}");
        }
    }

    #[test]
    fn programs_of_the_project_stay_writable() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().canonicalize().unwrap();
        let programs = [".local/bin", "bin", ".venv/bin", "work/.venv/bin"];
        let programs = programs.map(|path| home.join(path));
        for program in &programs {
            fs::create_dir_all(program).unwrap();
        }
        let found = |working: &str| paths(&home, &home, &programs, &home.join(working));
        let work = found("work");
        assert!(work.contains(&".local/bin".into()));
        assert!(work.contains(&"bin".into()));
        assert!(work.contains(&".venv/bin".into()));
        assert!(!work.contains(&"work/.venv/bin".into()));
        assert!(!found(".venv").contains(&".venv/bin".into()));
        assert!(found("").contains(&".venv/bin".into()));
    }
}
