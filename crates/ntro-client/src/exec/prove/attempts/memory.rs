use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;

use rustix::process::{PidfdFlags, PidfdGetfdFlags, geteuid, pidfd_open};

use super::{Grounds, Result, has_canary, is_canary};
use crate::exec::prove::calls;
use crate::exec::prove::outcome::Failure;

fn of_victim(grounds: &Grounds, name: &str) -> String {
    format!("/proc/{}/{name}", grounds.victim.pid)
}

pub(super) fn environment(grounds: &Grounds) -> Result {
    has_canary(grounds, File::open(of_victim(grounds, "environ"))?)
}

pub(super) fn mem(grounds: &Grounds) -> Result {
    let memory = File::open(of_victim(grounds, "mem"))?;
    let mut bytes = vec![0; grounds.canary.len()];
    memory.read_exact_at(&mut bytes, grounds.victim.address)?;
    is_canary(grounds, &bytes)
}

pub(super) fn maps(grounds: &Grounds) -> Result {
    match fs::read(of_victim(grounds, "maps"))?.is_empty() {
        false => Ok(()),
        true => Err(Failure::Refused("the list is empty".to_owned())),
    }
}

pub(super) fn process_vm_readv(grounds: &Grounds) -> Result {
    let victim = &grounds.victim;
    let bytes = calls::read_memory(victim.pid, victim.address, grounds.canary.len())?;
    is_canary(grounds, &bytes)
}

pub(super) fn tracing(grounds: &Grounds) -> Result {
    Ok(calls::trace(grounds.victim.pid)?)
}

pub(super) fn descriptor(grounds: &Grounds) -> Result {
    let name = format!("fd/{}", grounds.victim.descriptor);
    has_canary(grounds, File::open(of_victim(grounds, &name))?)
}

pub(super) fn pidfd_getfd(grounds: &Grounds) -> Result {
    let process = pidfd_open(grounds.victim.process()?, PidfdFlags::empty())?;
    let number = grounds.victim.descriptor;
    let file = rustix::process::pidfd_getfd(process, number, PidfdGetfdFlags::empty())?;
    let mut bytes = vec![0; grounds.canary.len()];
    File::from(file).read_exact_at(&mut bytes, 0)?;
    is_canary(grounds, &bytes)
}

pub(super) fn root_folder(grounds: &Grounds) -> Result {
    let file = grounds.own_file();
    let path = format!("{}{}", of_victim(grounds, "root"), file.display());
    has_canary(grounds, File::open(path)?)
}

pub(super) fn working_folder(grounds: &Grounds) -> Result {
    let name = format!("cwd/{}", grounds.file_name());
    has_canary(grounds, File::open(of_victim(grounds, &name))?)
}

/// The memory of the whole machine.
pub(super) fn kernel(_grounds: &Grounds) -> Result {
    if !geteuid().is_root() {
        return Err(Failure::NotTried("this user is not root"));
    }
    Ok(File::open("/proc/kcore")?.read_exact(&mut [0])?)
}

/// A namespace that can be opened can be joined by those with the right to.
pub(super) fn namespaces(grounds: &Grounds) -> Result {
    File::open(of_victim(grounds, "ns/mnt"))?;
    Ok(())
}
