use std::fs;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::{Path, PathBuf};

use super::{Grounds, Result, has_canary};
use crate::exec::prove::grounds::tmux_folder;
use crate::exec::prove::outcome::Failure;

pub(super) fn runtime_directory(grounds: &Grounds) -> Result {
    let none = Failure::NotTried("no runtime directory");
    in_folder(grounds, grounds.runtime_dir.as_deref().ok_or(none)?)
}

pub(super) fn temporary_folder(grounds: &Grounds) -> Result {
    in_folder(grounds, Path::new("/tmp"))
}

pub(super) fn tmux(grounds: &Grounds) -> Result {
    in_folder(grounds, &tmux_folder())
}

pub(super) fn home(grounds: &Grounds) -> Result {
    in_folder(grounds, grounds.home()?)
}

fn in_folder(grounds: &Grounds, folder: &Path) -> Result {
    let mut sockets = grounds.victim.sockets.iter();
    let socket = sockets.find(|socket| socket.parent() == Some(folder));
    let socket = socket.ok_or(Failure::NotTried("nothing could be planted"))?;
    has_canary(grounds, UnixStream::connect(socket)?)
}

pub(super) fn abstract_name(grounds: &Grounds) -> Result {
    let address = SocketAddr::from_abstract_name(&grounds.name)?;
    has_canary(grounds, UnixStream::connect_addr(&address)?)
}

pub(super) fn session_bus(grounds: &Grounds) -> Result {
    let folder = grounds.runtime_dir.as_ref();
    reached(
        folder
            .map(|folder| folder.join("bus"))
            .into_iter()
            .collect(),
    )
}

pub(super) fn system_bus(_grounds: &Grounds) -> Result {
    reached(vec!["/run/dbus/system_bus_socket".into()])
}

pub(super) fn containers(grounds: &Grounds) -> Result {
    let mut paths: Vec<PathBuf> = [
        "/run/docker.sock",
        "/run/containerd/containerd.sock",
        "/run/podman/podman.sock",
    ]
    .map(Into::into)
    .into();
    if let Some(folder) = &grounds.runtime_dir {
        paths.extend(["docker.sock", "podman/podman.sock"].map(|name| folder.join(name)));
    }
    reached(paths)
}

pub(super) fn display(grounds: &Grounds) -> Result {
    let displays = fs::read_dir("/tmp/.X11-unix")
        .into_iter()
        .flatten()
        .flatten();
    let mut paths: Vec<_> = displays.map(|entry| entry.path()).collect();
    if let Some(folder) = &grounds.runtime_dir {
        paths.push(folder.join("wayland-0"));
    }
    reached(paths)
}

/// Succeeds if a program listens at one of these paths.
fn reached(paths: Vec<PathBuf>) -> Result {
    let mut last = Failure::NotTried("there is none");
    for path in paths {
        match UnixStream::connect(path) {
            Ok(_) => return Ok(()),
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}
