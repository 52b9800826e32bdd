//! The table of mounts.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use rustix::buffer::spare_capacity;
use rustix::mount::MountFlags;

/// A line of `/proc/self/mountinfo`.
#[derive(Debug)]
pub(super) struct Mount {
    /// The number of the file system.
    device: String,
    /// The folder of the file system that is mounted.
    root: PathBuf,
    pub(super) point: PathBuf,
    /// The flags that a remount must repeat.
    pub(super) flags: MountFlags,
    pub(super) kind: String,
}

/// The mounts of the process.
#[derive(Debug)]
pub(super) struct MountTable(Vec<Mount>);

impl MountTable {
    pub(super) fn read() -> io::Result<Self> {
        let table = Self::parse(&read("/proc/self/mountinfo")?);
        match table.0.is_empty() {
            true => Err(io::Error::other("`/proc/self/mountinfo` is empty")),
            false => Ok(table),
        }
    }

    fn parse(text: &[u8]) -> Self {
        let lines = text.split(|byte| *byte == b'\n');
        Self(lines.filter_map(mount).collect())
    }

    /// Returns the mount that a path without links is on.
    pub(super) fn of(&self, path: &Path) -> Option<&Mount> {
        // A later mount covers an earlier one of the same length.
        let holding = self.0.iter().filter(|mount| is_in(path, &mount.point));
        holding.max_by_key(|mount| mount.point.as_os_str().len())
    }

    /// Returns the mounts below a path, and the one at the path itself.
    pub(super) fn below<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = &'a Mount> {
        let all = self.0.iter();
        all.filter(move |mount| is_in(&mount.point, path))
    }

    /// Returns the other paths of a file or folder, through other mounts of its file system, and
    /// the mounts of what is in it. The path has no links.
    pub(super) fn aliases(&self, path: &Path) -> Vec<PathBuf> {
        let Some(own) = self.of(path) else {
            return Vec::new();
        };
        let Ok(rest) = path.strip_prefix(&own.point) else {
            return Vec::new();
        };
        let inner = join(&own.root, rest);
        let same = self.0.iter().filter(|mount| mount.device == own.device);
        let paths = same.filter_map(|mount| match inner.strip_prefix(&mount.root) {
            Ok(rest) => Some(join(&mount.point, rest)),
            Err(_) => mount.root.starts_with(&inner).then(|| mount.point.clone()),
        });
        let mut paths: Vec<_> = paths.filter(|other| other != path).collect();
        paths.sort();
        paths.dedup();
        paths
    }
}

/// Returns whether a path is a folder or below it, as `Path::starts_with` does in more time. Both are
/// as the kernel writes them.
pub(super) fn is_in(path: &Path, folder: &Path) -> bool {
    let (path, folder) = (path.as_os_str().as_bytes(), folder.as_os_str().as_bytes());
    let rest = path.strip_prefix(folder);
    folder == b"/" || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// Reads a file of `/proc`, which has no size, in few calls.
pub(super) fn read(path: &str) -> io::Result<Vec<u8>> {
    const PART: usize = 1 << 14;

    let file = File::open(path)?;
    let mut text = Vec::new();
    loop {
        text.reserve(PART);
        if rustix::io::read(&file, spare_capacity(&mut text))? == 0 {
            return Ok(text);
        }
    }
}

/// Joins without a slash at the end, where `rest` is empty.
fn join(path: &Path, rest: &Path) -> PathBuf {
    path.components().chain(rest.components()).collect()
}

fn mount(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ').skip(2);
    let mut next = || fields.next();
    let device = String::from_utf8_lossy(next()?).into_owned();
    let root = unescaped(next()?);
    let point = unescaped(next()?);
    let mut flags = MountFlags::empty();
    for option in next()?.split(|byte| *byte == b',') {
        flags |= match option {
            b"ro" => MountFlags::RDONLY,
            b"nosuid" => MountFlags::NOSUID,
            b"nodev" => MountFlags::NODEV,
            b"noexec" => MountFlags::NOEXEC,
            _ => MountFlags::empty(),
        };
    }
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    Some(Mount {
        device,
        root,
        point,
        flags,
        kind: String::from_utf8_lossy(kind).into_owned(),
    })
}

/// The kernel writes blanks, line ends and backslashes as three octal digits.
fn unescaped(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut left = field;
    while let Some((first, rest)) = left.split_first() {
        let digits = rest.get(..3).filter(|_| *first == b'\\');
        let octal = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|octal| u8::from_str_radix(octal, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                left = &rest[3..];
            }
            None => {
                bytes.push(*first);
                left = rest;
            }
        }
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"\
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
28 27 0:21 / /proc rw,nosuid,nodev,noexec - proc proc rw
29 27 254:1 / /home rw,relatime - ext4 /dev/vdb rw
30 27 254:1 /ada /srv/my\\040home ro,nosuid - ext4 /dev/vdb rw
31 27 254:1 /ada/.ntro/dev /mnt/dev rw - ext4 /dev/vdb rw
32 27 254:2 / /mnt/usb rw - vfat /dev/sda1 rw
";

    #[test]
    fn table_finds_other_paths() {
        let table = MountTable::parse(TABLE);
        let paths = |path: &str| table.aliases(Path::new(path));
        assert_eq!(
            paths("/home/ada/.ntro"),
            [Path::new("/mnt/dev"), Path::new("/srv/my home/.ntro")]
        );
        assert_eq!(
            paths("/mnt/dev"),
            [
                Path::new("/home/ada/.ntro/dev"),
                Path::new("/srv/my home/.ntro/dev")
            ]
        );
        assert!(paths("/etc").is_empty());
        assert_eq!(
            table.of(Path::new("/srv/my home/x")).unwrap().flags,
            MountFlags::RDONLY | MountFlags::NOSUID
        );
        assert_eq!(table.of(Path::new("/proc/1")).unwrap().kind, "proc");
        assert_eq!(table.below(Path::new("/mnt")).count(), 2);
    }

    #[test]
    fn folder_holds_whole_names() {
        let holds = |folder: &str, path: &str| is_in(Path::new(path), Path::new(folder));
        assert!(holds("/", "/home") && holds("/home", "/home") && holds("/home", "/home/ada"));
        assert!(!holds("/home", "/homes") && !holds("/home/ada", "/home"));
    }
}
