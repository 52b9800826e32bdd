//! Serves one program until it ends.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ntro_base::ApiKey;
use ntro_base::descriptors::close_inherited;
use ntro_client::BoundKey;
use ntro_client::config::NtroDir;
use ntro_client::proxy::{
    self, Approver, Child, KeySource, Listener, Proxy, Rules, SessionKeys, Timeouts, Tripwires,
};
use ntro_client::resolve::Connection;
use rustix::process::{Pid, setsid};
use tokio::runtime::Builder;

use super::super::keyless::home;
use super::COMMAND;
use super::child_key::MintedKey;
use super::ended::Ended;
use super::inherited_keys::InheritedKeys;
use super::listener::receive_listener;
use super::message::{self, Order, ProxyOrder, Ready, Reply};
use super::start::this_program;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
use crate::runtime;

/// The time for calls of programs that the program has left running.
const DRAIN: Duration = Duration::from_millis(200);

/// Serve one program; `ntro exec` with `--keyless` or `--child` starts it
#[derive(clap::Args, Debug)]
pub(crate) struct KeylessProxyArgs {
    /// This is the second process, which stays
    #[arg(long)]
    detached: bool,
}

pub(crate) fn run(args: KeylessProxyArgs, cx: &Context) -> Result<Exit, CliError> {
    let not_for_people =
        |_: io::Error| CliError::usage("only `ntro exec --keyless` can start this command");
    if !args.detached {
        return detach(cx).map_err(not_for_people);
    }
    let stdout = io::stdout().as_fd().try_clone_to_owned();
    let mut socket = stdout.map(UnixStream::from).map_err(not_for_people)?;
    let mut order: Order = message::receive(&mut socket).map_err(not_for_people)?;
    let home = order.proxy.as_ref();
    let home = home.map(|proxy| Removed::new(&proxy.home));
    let secrets = std::mem::take(&mut order.secrets).into_iter();
    let cx = cx.with_variables(secrets.map(|(name, value)| (name, value.as_str().into())));
    match Sidecar::prepare(order, &cx) {
        Ok(mut sidecar) => {
            let ready = message::send(&mut socket, &Reply::Ready(sidecar.ready()));
            // Without it, the process that becomes the program has ended.
            match ready.and_then(|()| sidecar.run(&socket)) {
                Ok(()) => Ok(Exit::Success),
                Err(error) => {
                    tracing::debug!(%error, "the process beside the program ended early");
                    Ok(Exit::Failure(Kind::Failure))
                }
            }
        }
        Err(error) => {
            let kind = error.kind;
            drop(home);
            let _ = message::send(&mut socket, &Reply::Failed(error.into()));
            Ok(Exit::Failure(kind))
        }
    }
}

/// Starts the process that stays, with none of the descriptors that the program inherits.
fn detach(cx: &Context) -> io::Result<Exit> {
    close_inherited();
    Command::new(this_program()?)
        .arg0("ntro")
        .args(cx.global().arguments())
        .args([COMMAND, "--detached"])
        .spawn()?;
    Ok(Exit::Success)
}

/// The folder of a keyless program, which is removed when the proxy ends.
struct Removed {
    folder: PathBuf,
    _held: Option<fs::File>,
}

impl Removed {
    fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            _held: home::hold(folder).ok(),
        }
    }
}

impl Drop for Removed {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::debug!(%error, "the folder of the program was not removed");
        }
    }
}

/// The process beside a program that is about to start.
struct Sidecar<'c> {
    program: Ended,
    proxy: Option<Server>,
    /// Revoked after the proxy has ended.
    child_key: Option<MintedKey<'c>>,
    /// What the program gets: the token of the proxy, or the child key.
    given: ApiKey,
    inherited: InheritedKeys,
}

impl<'c> Sidecar<'c> {
    fn prepare(order: Order, cx: &'c Context) -> Result<Self, CliError> {
        let failure = |error: &str| CliError::new(Kind::Failure, error);
        let program = Pid::from_raw(order.process).and_then(|process| Ended::of(process).ok());
        let program = program.ok_or_else(|| failure("the program has ended"))?;
        // Asks for a passphrase, and reports what is wrong with the store.
        let connection = cx.connection()?;
        if order.proxy.is_none() {
            // A child key can do what the key can.
            cx.reveal(&connection)?;
        }
        let inherited = InheritedKeys::find(&connection.key.value, order.proxy.is_some());
        let target = cx.target(&connection);
        cx.revoke_leftover(&target);
        let child_key = match &order.child_key {
            Some(terms) => {
                let request = terms.request(&order.program);
                let request = request.map_err(|error| failure(&error.to_string()))?;
                Some(MintedKey::mint(&target, &request, cx)?)
            }
            None => None,
        };
        let minted = child_key.as_ref().and_then(MintedKey::key).cloned();
        let (proxy, given) = match (order.proxy, minted) {
            (Some(proxy), minted) => {
                let pid = order.process.try_into().ok();
                let caller = Child::new(order.program, pid, connection.provider.value)?;
                let token = caller.token.as_key().clone();
                let server = Server::prepare(&proxy, caller, &connection, minted, cx)?;
                (Some(server), token)
            }
            (None, Some(minted)) => (None, minted),
            (None, None) => return Err(failure("the program gets no key")),
        };
        leave_terminal().map_err(|error| failure(&error.to_string()))?;
        Ok(Self {
            program,
            proxy,
            child_key,
            given,
            inherited,
        })
    }

    fn ready(&mut self) -> Ready {
        Ready {
            port: self.proxy.as_ref().and_then(Server::port),
            key: self.given.expose().to_owned().into(),
            inherited: std::mem::take(&mut self.inherited),
        }
    }

    /// Serves until the program ends, and revokes its key.
    fn run(self, socket: &UnixStream) -> io::Result<()> {
        let served = match self.proxy {
            Some(proxy) => proxy.run(self.program, socket),
            None => {
                self.program.wait();
                Ok(())
            }
        };
        drop(self.child_key);
        served
    }
}

/// Returns who decides on the calls of the program. Here, it still has the terminal that it was
/// started on.
#[cfg(target_os = "linux")]
fn approver(rules: &Rules, home: &NtroDir, program: Option<u32>) -> Approver {
    match program {
        Some(program) if !rules.ask.is_empty() => Approver::socket(home.approver(), program),
        _ => Approver::None,
    }
}

/// `--ask` is an error on this system.
#[cfg(not(target_os = "linux"))]
fn approver(_: &Rules, _: &NtroDir, _: Option<u32>) -> Approver {
    Approver::None
}

/// A proxy that has a key which the server accepts.
struct Server {
    proxy: Proxy,
    /// None if the proxy makes no calls itself.
    tripwires: Option<Tripwires>,
    /// None if the program sends it.
    listener: Option<TcpListener>,
    runtime: tokio::runtime::Runtime,
}

impl Server {
    /// Makes a proxy that calls with the child key, or with the connection's key if there is none.
    fn prepare(
        order: &ProxyOrder,
        caller: Child,
        connection: &Connection,
        child_key: Option<ApiKey>,
        cx: &Context,
    ) -> Result<Self, CliError> {
        let host = &connection.host.value;
        let own: Arc<dyn KeySource> = Arc::new(SessionKeys::new(
            cx.session().reread(),
            connection.key.value.clone(),
        ));
        let settings = proxy::Settings {
            provider: connection.provider.value,
            host: host.clone(),
            connection: connection.name.as_ref().map(|name| name.value.to_string()),
            insecure_http: cx.global().insecure_http,
            approver: approver(&order.rules, cx.home()?, caller.pid),
            children: vec![caller],
            rules: order.rules.clone(),
            log: Some(cx.home()?.proxy_log()),
            keys: match child_key {
                // Once it has ended, no other key takes its place.
                Some(key) => Arc::new(BoundKey::new(key, host.origin())),
                None => Arc::clone(&own),
            },
            calls: cx.api_settings()?.clone(),
            timeouts: Timeouts {
                drain: DRAIN,
                ..Timeouts::default()
            },
        };
        let tripwires = order.check.then(|| Tripwires::new(&settings, own));
        let proxy = Proxy::new(settings)?;
        let runtime = runtime::build(Builder::new_multi_thread().worker_threads(2))?;
        if order.check {
            runtime.block_on(proxy.check())?;
        }
        let listener = match order.sends_listener {
            true => None,
            false => Some(
                TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                    .map_err(|error| CliError::from(proxy::Error::from(error)))?,
            ),
        };
        Ok(Self {
            proxy,
            tripwires,
            listener,
            runtime,
        })
    }

    fn port(&self) -> Option<u16> {
        let address = self.listener.as_ref()?.local_addr();
        address.ok().map(|address| address.port())
    }

    /// Serves until the program ends.
    fn run(self, program: Ended, socket: &UnixStream) -> io::Result<()> {
        let listener = match self.listener {
            Some(listener) => listener,
            None => receive_listener(socket)?,
        };
        let served = self.runtime.block_on(async {
            let listener = Listener::from_std(listener)?;
            // After the start: the program does not wait for it.
            if let Some(tripwires) = self.tripwires {
                tokio::spawn(tripwires.keep(|error| {
                    tracing::debug!(%error, "the token of the program is no tripwire");
                }));
            }
            let ended = tokio::task::spawn_blocking(|| program.wait());
            let ended = async { drop(ended.await) };
            self.proxy
                .serve(listener, ended)
                .await
                .map_err(io::Error::other)
        });
        // A call to a store may hang: it must not keep the proxy.
        self.runtime.shutdown_background();
        served
    }
}

/// Leaves the terminal and the pipes of the program: this process must neither get its signals nor
/// keep its output open.
fn leave_terminal() -> io::Result<()> {
    let nothing = OwnedFd::from(
        fs::File::options()
            .read(true)
            .write(true)
            .open("/dev/null")?,
    );
    rustix::stdio::dup2_stdin(&nothing)?;
    rustix::stdio::dup2_stdout(&nothing)?;
    rustix::stdio::dup2_stderr(&nothing)?;
    setsid()?;
    Ok(())
}
