//! Paths that a child must not see.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use rustix::fs::{Access, AtFlags, Dir, FileType, Mode, OFlags, accessat, fstat, open, statat};
use rustix::process::geteuid;

use super::mount_table::read;

/// The folder of sockets and other state of running programs.
pub(super) const RUN: &str = "/run";

/// What programs need below [`RUN`]: name resolution, the list of devices, and where NixOS keeps
/// all programs. Only the [`RESOLVERS`] listen.
pub(super) const KEPT: [&str; 12] = [
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager/resolv.conf",
    "/run/NetworkManager/no-stub-resolv.conf",
    "/run/nscd",
    "/run/udev/data",
    "/run/media",
    "/run/current-system",
    "/run/booted-system",
    "/run/wrappers",
    "/run/opengl-driver",
    "/run/opengl-driver-32",
];

/// Where services listen that resolve names for other programs.
pub(super) const RESOLVERS: [&str; 2] = ["/run/systemd/resolve", "/run/nscd"];

/// Below the home folder: keys, keyrings, and what opens the secret managers of the `command`
/// store.
const OF_HOME: [&str; 24] = [
    ".ntro",
    ".ontora",
    ".local/share/keyrings",
    ".gnome2/keyrings",
    ".local/share/kwalletd",
    ".kde/share/apps/kwallet",
    ".kde4/share/apps/kwallet",
    ".gnupg",
    ".password-store",
    ".local/share/gopass",
    ".config/gopass",
    ".config/age",
    ".config/sops/age",
    ".config/op",
    ".config/Bitwarden CLI",
    ".config/rbw",
    ".cache/rbw",
    ".local/share/rbw",
    ".vault-token",
    ".bao-token",
    ".lpass",
    ".local/share/lpass",
    ".config/keepassxc",
    ".screen",
];

const TERMINALS: &str = "/dev/pts";

/// Devices that give nothing of other processes, and those of virtual machines and displays.
const DEVICES: [&str; 14] = [
    "dri",
    "full",
    "fuse",
    "hugepages",
    "kfd",
    "kvm",
    "mqueue",
    "net",
    "null",
    "pts",
    "random",
    "tty",
    "urandom",
    "zero",
];

/// Memory of processes that crashed.
pub(super) const DUMPS: [&str; 3] = [
    "/var/crash",
    "/var/lib/apport/coredump",
    "/var/lib/systemd/coredump",
];

/// Sockets of displays, through which a program can type into terminals, and those of screen.
const IN_TMP: [&str; 4] = [
    "/tmp/.X11-unix",
    "/tmp/.ICE-unix",
    "/tmp/screens",
    "/tmp/uscreens",
];

/// Returns the paths to hide, relative to the home folder.
pub(super) fn of_home() -> impl Iterator<Item = &'static Path> {
    OF_HOME.iter().map(Path::new)
}

/// Returns the folders of `/tmp` in which other programs listen, and their modes.
pub(super) fn socket_folders() -> Vec<(PathBuf, u32)> {
    let mut folders: Vec<_> = IN_TMP.map(|path| (path.into(), 0o1777)).into();
    let user = geteuid().as_raw();
    folders.push((Path::new("/tmp").join(tmux_folder()), 0o700));
    folders.push((format!("/tmp/zellij-{user}").into(), 0o700));
    folders.push((format!("/tmp/emacs{user}").into(), 0o700));
    folders
}

/// Returns the name of the folder in which tmux listens.
pub(super) fn tmux_folder() -> String {
    format!("tmux-{}", geteuid().as_raw())
}

/// Returns the paths of all Unix sockets that are bound now.
pub(super) fn bound_sockets() -> io::Result<Vec<PathBuf>> {
    let table = read("/proc/net/unix")?;
    let mut paths: Vec<_> = table
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let start = line.iter().position(|byte| *byte == b'/')?;
            Some(PathBuf::from(OsStr::from_bytes(&line[start..])))
        })
        .collect();
    paths.sort();
    paths.dedup();
    Ok(paths)
}

/// Returns the devices that this user can read, and that give what files and the terminal do not:
/// disks, keyboards, memory, and the screens and keys of other terminals. `own` are the numbers of
/// the terminals of this process.
pub(super) fn devices(own: &[u64]) -> Vec<PathBuf> {
    devices_in(&["/dev", TERMINALS], own)
}

/// Returns the other terminals alone.
pub(super) fn other_terminals(own: &[u64]) -> Vec<PathBuf> {
    devices_in(&[TERMINALS], own)
}

/// Returns what root keeps of `/dev`: it could read every disk, also one that is plugged in later.
pub(super) fn kept_devices(own: &[u64]) -> io::Result<Vec<fs::DirEntry>> {
    let mut kept = Vec::new();
    for entry in fs::read_dir("/dev")? {
        let entry = entry?;
        let name = entry.file_name();
        let is_own = || {
            let device = || entry.metadata().map_or(0, |metadata| metadata.rdev());
            !own.is_empty() && own.contains(&device())
        };
        let harmless = DEVICES.iter().any(|device| name == *device)
            || name.as_bytes().starts_with(b"nvidia")
            || entry.file_type()?.is_symlink();
        if harmless || is_own() {
            kept.push(entry);
        }
    }
    Ok(kept)
}

fn devices_in(folders: &[&str], own: &[u64]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in folders {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(mut listing) = open(*folder, flags, Mode::empty()).and_then(Dir::new) else {
            continue;
        };
        while let Some(Ok(entry)) = listing.next() {
            let name = entry.file_name().to_bytes();
            if [&b"."[..], b".."].contains(&name) {
                continue;
            }
            let other_terminal = *folder == TERMINALS && name != b"ptmx";
            let is_block = entry.file_type() == FileType::BlockDevice;
            if !(is_block || is_dangerous(name) || other_terminal) {
                continue;
            }
            let Ok(devices) = listing.fd() else {
                continue;
            };
            // Most belong to root.
            let (device, flags) = (entry.file_name(), AtFlags::empty());
            if accessat(devices, device, Access::READ_OK, flags).is_err() {
                continue;
            }
            let number = statat(devices, device, flags).map_or(0, |stat| stat.st_rdev);
            if !own.contains(&number) {
                found.push(Path::new(folder).join(OsStr::from_bytes(name)));
            }
        }
    }
    found
}

/// Character devices, and folders of them.
fn is_dangerous(name: &[u8]) -> bool {
    let numbered = |prefix: &[u8]| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit))
    };
    let exact: [&[u8]; 10] = [
        b"bsg",
        b"console",
        b"input",
        b"kmem",
        b"kmsg",
        b"loop-control",
        b"mem",
        b"port",
        b"snapshot",
        b"uinput",
    ];
    exact.contains(&name)
        || [&b"tty"[..], b"ttyS", b"sg", b"ng", b"nvme", b"hidraw"]
            .map(numbered)
            .contains(&true)
        || name.starts_with(b"vcs")
}

/// Returns the numbers of the devices that are the terminal of this process.
pub(super) fn own_terminals() -> Vec<u64> {
    let streams = [fstat(io::stdin()), fstat(io::stdout()), fstat(io::stderr())];
    let mut own: Vec<_> = streams
        .into_iter()
        .flatten()
        .map(|stat| stat.st_rdev)
        .collect();
    // The seventh field, after the name in parentheses.
    let stat = read("/proc/self/stat").unwrap_or_default();
    let controlling = String::from_utf8_lossy(&stat)
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.split_whitespace().nth(4))
        .and_then(|field| field.parse::<u32>().ok());
    // The old format of the kernel: eight bits of the minor number, twelve of the major, the rest.
    if let Some(number) = controlling {
        let (major, minor) = (number >> 8 & 0xfff, number & 0xff | number >> 12 & 0xfff00);
        own.push(rustix::fs::makedev(major, minor));
    }
    // Each process has the null device.
    let null = rustix::fs::makedev(1, 3);
    own.retain(|device| ![0, null].contains(device));
    own
}
