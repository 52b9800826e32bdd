//! Runs the battery, without a seal and as a keyless program.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use ntro_base::env;
use ntro_base::{ApiKey, ConnectionName, Host, NameError, Provider, printable};
use ntro_client::exec::Variable;
use ntro_client::exec::prove::{Attempt, Battery, Outcome};
use ntro_client::exec::seal::SealLevel;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::Proof;
use super::report::{ProvedAttempt, ProvedAttempts, ProvedOutcome};
use crate::cli::Global;
use crate::commands::exec::cannot_run;
use crate::commands::exec::keyless::home::{self, Shown};
use crate::commands::exec::keyless::{self, UNNAMED};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Kind;
use crate::process::with_users_limits;

/// This program, even if it was replaced or removed since it started.
const PROGRAM: &str = "/proc/self/exe";

/// What to try.
pub(crate) struct Trial {
    /// The level, if one is named.
    pub(crate) seal: Option<SealLevel>,
    /// A program to try as well.
    pub(crate) command: Vec<OsString>,
    /// Whether to try the key of the active connection.
    pub(crate) with_connection: bool,
    /// How long all attempts may take, once without a seal and once in the box. With it, the box
    /// prints nothing.
    pub(crate) limit: Option<Duration>,
}

/// Makes all attempts.
pub(crate) fn attempts(trial: &Trial, cx: &Context) -> Result<Proof, CliError> {
    let stage = Stage::new(trial, cx)?;
    let arguments = stage.battery.arguments().map_err(failed)?;
    let stdin = || stage.battery.stdin().map_err(failed);
    let mut unsealed = without_key(&arguments);
    let unsealed = stage.output(unsealed.stdin(stdin()?)).map_err(failed)?;
    let mut boxed = stage.boxed(&arguments);
    let boxed = stage.output(boxed.stdin(stdin()?)).map_err(failed)?;
    if !boxed.status.success() && boxed.stdout.is_empty() {
        let code = boxed.status.code().and_then(|code| u8::try_from(code).ok());
        return Ok(Proof::NoBox(code.unwrap_or(Kind::Failure.code())));
    }
    let mut made = stage.battery.judge(&unsealed.stdout, &boxed.stdout);
    if let Some(program) = trial.command.first() {
        made.push(stage.try_program(program)?);
    }
    Ok(Proof::Made(ProvedAttempts {
        attempts: made.into_iter().map(ProvedAttempt::from).collect(),
        fix: match trial.seal {
            Some(SealLevel::Off) => "seal keyless programs: leave out `--seal off`",
            _ => {
                "allow user namespaces, on Linux 6.12 or later: see \"A sealed child\" in SECURITY.md"
            }
        },
    }))
}

/// The canaries, and how to run a program among them.
struct Stage<'a> {
    trial: &'a Trial,
    battery: Battery,
    /// The options of the box.
    options: Vec<String>,
    /// The folder of the user that the box must hide.
    hidden: PathBuf,
    /// The folder with the configuration of the box, whose key is planted.
    configured: PathBuf,
    _made: Option<MadeFolder>,
}

impl<'a> Stage<'a> {
    fn new(trial: &'a Trial, cx: &Context) -> Result<Self, CliError> {
        let connection = match trial.with_connection {
            true => connection(cx)?,
            false => None,
        };
        let name = connection.clone().map_or_else(|| UNNAMED.parse(), Ok);
        let name = name.map_err(|error: NameError| CliError::usage(error.to_string()))?;
        let global = Global {
            connection: Some(name.clone()),
            host: None,
            tenant: None,
            no_interactive: true,
            ..cx.global().clone()
        };
        let files = keyless::files(None, cx)?;
        let made = MadeFolder::at(&files.ntro_home).map_err(failed)?;
        let level = trial.seal.unwrap_or_default();
        let battery = Battery::plant(Path::new(PROGRAM), &files, level);
        let mut battery = battery.map_err(|error| {
            let folder = files.ntro_home.display();
            let message = format!("cannot plant a value in `{folder}`: {error}");
            CliError::new(Kind::Failure, message)
        })?;
        let known = connection.map(|name| name.to_string());
        let configured = battery.plant_proxy(known).map_err(failed)?;
        let host: Host = format!("http://{}/v1", battery.server())
            .parse()
            .map_err(|_| failed(io::ErrorKind::InvalidData.into()))?;
        let key: ApiKey = battery
            .key()
            .parse()
            .map_err(|_| failed(io::ErrorKind::InvalidData.into()))?;
        let shown = Shown {
            name: &name,
            provider: Provider::Ntropii,
            host: &host,
            token: &key,
            tenant: None,
        };
        home::write(&configured, &shown)?;
        Ok(Self {
            trial,
            battery,
            options: global.arguments(),
            hidden: files.ntro_home,
            configured,
            _made: made,
        })
    }

    /// Returns a command that runs a program as `ntro exec --keyless` does, with a planted key.
    fn boxed(&self, words: &[OsString]) -> Command {
        let mut program = vec![PROGRAM.into()];
        program.extend(self.options.iter().map(OsString::from));
        program.extend(["exec", "--keyless", "--no-check"].map(OsString::from));
        if let Some(level) = self.trial.seal {
            program.extend(["--seal", level.name()].map(OsString::from));
        }
        program.extend(["--hidden-home".into(), self.hidden.clone().into()]);
        program.push("--".into());
        program.extend_from_slice(words);
        let mut command = without_key(&program);
        command.arg0("ntro");
        command.env(env::NTRO_HOME.name, &self.configured);
        command
    }

    fn output(&self, command: &mut Command) -> io::Result<Output> {
        match self.trial.limit {
            None => output(command.stdout(Stdio::piped()), None),
            limit => output(command.stdout(Stdio::piped()).stderr(Stdio::piped()), limit),
        }
    }

    /// Tries a program of the user.
    fn try_program(&self, program: &OsString) -> Result<Attempt, CliError> {
        let words = &self.trial.command;
        let [unsealed, boxed] = [without_key(words), self.boxed(words)].map(|mut command| {
            let (file, process) = self.battery.canary();
            command
                .env("NTRO_PROVE_FILE", file)
                .env("NTRO_PROVE_PID", process.to_string())
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            output(&mut command, None)
        });
        let (unsealed, boxed) = (
            unsealed.map_err(|error| cannot_run(program, &error))?,
            boxed.map_err(failed)?,
        );
        let name = Path::new(program).file_name().unwrap_or(program);
        let name = format!("program: {}", printable(&name.to_string_lossy(), 60));
        Ok(self.battery.judge_program(&name, &unsealed, &boxed))
    }
}

/// Returns the connection whose key is tried.
fn connection(cx: &Context) -> Result<Option<ConnectionName>, CliError> {
    let name = cx.resolution().and_then(|resolution| {
        let name = resolution.name()?.map(|name| name.value.clone());
        // It must exist.
        resolution.host().map(|_| name).map_err(CliError::from)
    });
    match &cx.global().connection {
        Some(_) => name,
        // Without a connection, there is no key to try.
        None => Ok(name.ok().flatten()),
    }
}

/// Returns a command without variables that choose a connection or hold a secret.
fn without_key(words: &[OsString]) -> Command {
    let [program, arguments @ ..] = words else {
        return Command::new("");
    };
    let mut command = Command::new(program);
    command.args(arguments);
    let others = [
        &env::NTRO_CONNECTION,
        &env::NTRO_DEFAULT_CONNECTION_NAME,
        &env::NTRO_STRICT,
    ];
    let others = others.iter().chain(env::SECRETS);
    for name in Variable::names().chain(others.map(|variable| variable.name)) {
        command.env_remove(name);
    }
    command
}

/// Runs a process to its end.
fn output(command: &mut Command, limit: Option<Duration>) -> io::Result<Output> {
    let child = with_users_limits(|| command.spawn())?;
    let Some(limit) = limit else {
        return child.wait_with_output();
    };
    let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    let (ended, end) = mpsc::channel::<()>();
    let watch = thread::spawn(move || {
        let is_late = end.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
        if is_late {
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
        is_late
    });
    let output = child.wait_with_output();
    drop(ended);
    match watch.join() {
        Ok(false) => output,
        _ => Err(io::ErrorKind::TimedOut.into()),
    }
}

fn failed(error: io::Error) -> CliError {
    CliError::new(
        Kind::Failure,
        format!("the attempts cannot be made: {error}"),
    )
}

/// The folder of `ntro`, if it did not exist before.
struct MadeFolder(PathBuf);

impl MadeFolder {
    fn at(path: &Path) -> io::Result<Option<Self>> {
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => Ok(Some(Self(path.to_owned()))),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Drop for MadeFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

impl From<Attempt> for ProvedAttempt {
    fn from(attempt: Attempt) -> Self {
        Self {
            name: attempt.name,
            outcome: match attempt.outcome {
                Outcome::Refused => ProvedOutcome::Refused,
                Outcome::Succeeded => ProvedOutcome::Succeeded,
                Outcome::NotTried => ProvedOutcome::NotTried,
            },
            why: attempt.why,
        }
    }
}
