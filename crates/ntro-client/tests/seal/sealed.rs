//! The process that seals itself and then becomes another program.

use std::ffi::OsString;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use ntro_client::exec::seal::{Plan, SealFiles, SealLevel, send_listener};
use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

const MARK: &str = "--sealed";

/// How to seal.
pub struct Options {
    pub level: SealLevel,
    pub named: bool,
    /// Refuses user namespaces, as containers do.
    pub no_namespaces: bool,
    pub files: SealFiles,
}

impl Options {
    pub fn arguments(&self) -> Vec<OsString> {
        let list = |paths: &[PathBuf]| std::env::join_paths(paths).unwrap();
        let optional = |path: &Option<PathBuf>| path.clone().unwrap_or_default().into();
        vec![
            MARK.into(),
            self.level.name().into(),
            self.named.to_string().into(),
            self.no_namespaces.to_string().into(),
            optional(&self.files.home),
            self.files.ntro_home.clone().into(),
            optional(&self.files.generated_home),
            optional(&self.files.runtime_dir),
            list(&self.files.secrets),
            list(&self.files.programs),
        ]
    }
}

pub fn role(arguments: &[OsString]) -> Option<ExitCode> {
    if arguments.get(1)? != MARK {
        return None;
    }
    let [
        level,
        named,
        no_namespaces,
        home,
        ntro_home,
        generated,
        runtime,
        secrets,
        programs,
    ] = &arguments[2..11]
    else {
        return None;
    };
    let optional = |path: &OsString| (!path.is_empty()).then(|| PathBuf::from(path));
    let list = |paths: &OsString| {
        let paths = std::env::split_paths(paths);
        paths.filter(|path| !path.as_os_str().is_empty()).collect()
    };
    if no_namespaces == "true" {
        refuse_namespaces();
    }
    let files = SealFiles {
        home: optional(home),
        ntro_home: ntro_home.into(),
        generated_home: optional(generated),
        runtime_dir: optional(runtime),
        secrets: list(secrets),
        programs: list(programs),
    };
    let level = level.to_str()?.parse().unwrap();
    let sealed = Plan::new(level, files, named == "true").and_then(Plan::enter);
    let sealed = match sealed {
        Ok(sealed) => sealed,
        Err(error) => {
            eprintln!("error: {error}");
            return Some(ExitCode::from(77));
        }
    };
    eprintln!("{sealed}");
    let mut command = Command::new(&arguments[11]);
    command.args(&arguments[12..]);
    if let Some(listener) = sealed.listener {
        command.env("PORT", listener.local_addr().unwrap().port().to_string());
        // Standard input is the socket to the proxy, where there is one.
        if let Ok(socket) = std::io::stdin().as_fd().try_clone_to_owned() {
            let mut socket = UnixStream::from(socket);
            if send_listener(&socket, &listener).is_ok() {
                socket.read_exact(&mut [0]).unwrap();
            }
        }
    }
    eprintln!("error: {}", command.exec());
    Some(ExitCode::from(78))
}

fn refuse_namespaces() {
    const NEW_USER: u64 = 0x1000_0000;
    let with_flag = SeccompCondition::new(
        0,
        SeccompCmpArgLen::Qword,
        SeccompCmpOp::MaskedEq(NEW_USER),
        NEW_USER,
    );
    let rule = SeccompRule::new(vec![with_flag.unwrap()]).unwrap();
    let filter = SeccompFilter::new(
        [(libc::SYS_unshare, vec![rule])].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM as u32),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let program: seccompiler::BpfProgram = filter.unwrap().try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
}
