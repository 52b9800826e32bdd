use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, mount_remount};
use rustix::process::geteuid;

use super::namespaces::enter_nested;
use super::{Grounds, Result};
use crate::exec::prove::outcome::Failure;

/// Opens a profile for writing and writes nothing.
pub(super) fn changed_profile(grounds: &Grounds) -> Result {
    let home = grounds.home()?;
    let profiles = [".profile", ".bashrc", ".bash_profile", ".zshrc", ".zshenv"];
    let profile = profiles
        .map(|name| home.join(name))
        .into_iter()
        .find(|path| path.is_file());
    let profile = profile.ok_or(Failure::NotTried("there is no profile"))?;
    OpenOptions::new().append(true).open(profile)?;
    Ok(())
}

/// Creates a hidden file, as a profile that was missing.
pub(super) fn new_file(grounds: &Grounds) -> Result {
    let file = grounds.home()?.join(format!("{}-new", grounds.file_name()));
    created(&file)
}

/// Renames a folder, as `~/.config` would be, to put another in its place.
pub(super) fn renamed_folder(grounds: &Grounds) -> Result {
    let folder = grounds.home()?.join(grounds.file_name());
    let aside = folder.with_extension("aside");
    fs::rename(&folder, &aside)?;
    fs::rename(&aside, &folder)?;
    Ok(())
}

pub(super) fn autostart(grounds: &Grounds) -> Result {
    below(grounds, &[".config", "autostart"])
}

pub(super) fn user_units(grounds: &Grounds) -> Result {
    below(grounds, &[".config", "systemd", "user"])
}

/// Creates a file in a folder of the home, which is created too if it is missing.
fn below(grounds: &Grounds, names: &[&str]) -> Result {
    let mut folder = grounds.home()?.to_owned();
    let mut new = Vec::new();
    for name in names {
        folder.push(name);
        match fs::create_dir(&folder) {
            Ok(()) => new.push(folder.clone()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                remove(&new);
                return Err(error.into());
            }
        }
    }
    let done = created(&folder.join(&grounds.name));
    remove(&new);
    done
}

fn remove(folders: &[PathBuf]) {
    for folder in folders.iter().rev() {
        let _ = fs::remove_dir(folder);
    }
}

fn created(file: &Path) -> Result {
    OpenOptions::new().write(true).create_new(true).open(file)?;
    fs::remove_file(file)?;
    Ok(())
}

/// Makes the home writable again, in a namespace in which the attacker has every capability.
pub(super) fn remounted_home(grounds: &Grounds) -> Result {
    enter_nested()?;
    let _ = mount_remount(grounds.home()?, MountFlags::BIND, "");
    new_file(grounds)
}

pub(super) fn system(grounds: &Grounds) -> Result {
    if !geteuid().is_root() {
        return Err(Failure::NotTried("this user is not root"));
    }
    created(&Path::new("/etc").join(&grounds.name))
}

/// The command `crontab` has the rights of a group, which a sealed process does not get.
pub(super) fn crontab(grounds: &Grounds) -> Result {
    if !geteuid().is_root() {
        return Err(Failure::NotTried("this user is not root"));
    }
    let folders = ["/var/spool/cron/crontabs", "/var/spool/cron"].map(Path::new);
    let folder = folders.into_iter().find(|folder| folder.is_dir());
    let folder = folder.ok_or(Failure::NotTried("there is no folder of crontabs"))?;
    created(&folder.join(&grounds.name))
}

/// Opens the setting for writing and writes nothing.
pub(super) fn kernel_settings(_grounds: &Grounds) -> Result {
    let setting = "/proc/sys/kernel/core_pattern";
    writable(Path::new(setting))
}

pub(super) fn control_groups(_grounds: &Grounds) -> Result {
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"));
    let none = Failure::NotTried("there are no control groups of the second kind");
    let group = path.ok_or(none)?;
    let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
    let files = roots.map(|root| Path::new(root).join(group).join("cgroup.procs"));
    let file = files.into_iter().find(|file| file.exists());
    writable(&file.ok_or(Failure::NotTried("control groups are not mounted"))?)
}

fn writable(file: &Path) -> Result {
    OpenOptions::new().write(true).open(file)?;
    Ok(())
}
