//! The proxy of one keyless child: the process that has the key.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ntro_base::descriptors::close_inherited;
use ntro_client::exec::OneOffToken;
use ntro_client::proxy::{self, Child, Listener, Proxy, SessionKeys, Timeouts};
use rustix::process::{Pid, setsid};
use tokio::runtime::Builder;

use super::COMMAND;
use super::ended::Ended;
use super::listener::receive_listener;
use super::message::{self, Order, Ready, Reply};
use super::sidecar::this_program;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
use crate::runtime;

/// The time for calls of programs that the child has left running.
const DRAIN: Duration = Duration::from_millis(200);

/// Serve one keyless child; `ntro exec --keyless` starts it
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
    let order: Order = message::receive(&mut socket).map_err(not_for_people)?;
    let home = Removed(order.home.clone());
    match prepare(order, cx) {
        Ok(server) => {
            let ready = message::send(&mut socket, &Reply::Ready(server.ready()));
            // Without it, the process that becomes the child has ended.
            match ready.and_then(|()| server.run(&socket)) {
                Ok(()) => Ok(Exit::Success),
                Err(error) => {
                    tracing::debug!(%error, "the proxy ended early");
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

/// Starts the process that stays, with none of the descriptors that the child inherits.
fn detach(cx: &Context) -> io::Result<Exit> {
    close_inherited();
    Command::new(this_program()?)
        .arg0("ntro")
        .args(cx.global().arguments())
        .args([COMMAND, "--detached"])
        .spawn()?;
    Ok(Exit::Success)
}

/// The folder of the child, which is removed when the proxy ends.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::debug!(%error, "the folder of the child was not removed");
        }
    }
}

/// A proxy that has a key which the server accepts.
struct Server {
    proxy: Proxy,
    token: OneOffToken,
    /// None if the child sends it.
    listener: Option<TcpListener>,
    child: Ended,
    runtime: tokio::runtime::Runtime,
}

fn prepare(order: Order, cx: &Context) -> Result<Server, CliError> {
    let child = Pid::from_raw(order.child).and_then(|child| Ended::of(child).ok());
    let child = child.ok_or_else(|| CliError::new(Kind::Failure, "the child has ended"))?;
    let secrets = order.secrets.into_iter();
    let cx = cx.with_variables(secrets.map(|(name, value)| (name, value.as_str().into())));
    // Asks for a passphrase, and reports what is wrong with the store.
    let connection = cx.connection()?;
    let provider = connection.provider.value;
    let caller = Child::new(order.program, order.child.try_into().ok(), provider)?;
    let token = caller.token.clone();
    let settings = proxy::Settings {
        provider,
        host: connection.host.value.clone(),
        insecure_http: cx.global().insecure_http,
        children: vec![caller],
        rules: order.rules.parse().map_err(proxy::Error::from)?,
        log: Some(cx.home()?.proxy_log()),
        keys: Arc::new(SessionKeys::new(
            cx.session().reread(),
            connection.key.value.clone(),
        )),
        calls: cx.api_settings()?.clone(),
        timeouts: Timeouts {
            drain: DRAIN,
            ..Timeouts::default()
        },
    };
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
    leave_terminal().map_err(|error| CliError::new(Kind::Failure, error.to_string()))?;
    Ok(Server {
        proxy,
        token,
        listener,
        child,
        runtime,
    })
}

impl Server {
    fn ready(&self) -> Ready {
        let address = self.listener.as_ref().map(TcpListener::local_addr);
        Ready {
            port: address.and_then(Result::ok).map(|address| address.port()),
            token: self.token.as_key().expose().to_owned().into(),
        }
    }

    /// Serves until the child ends.
    fn run(self, socket: &UnixStream) -> io::Result<()> {
        let Self {
            proxy,
            listener,
            child,
            runtime,
            ..
        } = self;
        let listener = match listener {
            Some(listener) => listener,
            None => receive_listener(socket)?,
        };
        let served = runtime.block_on(async {
            let listener = Listener::from_std(listener)?;
            let ended = tokio::task::spawn_blocking(|| child.wait());
            let ended = async { drop(ended.await) };
            proxy.serve(listener, ended).await.map_err(io::Error::other)
        });
        // A call to a store may hang: it must not keep the proxy.
        runtime.shutdown_background();
        served
    }
}

/// Leaves the terminal and the pipes of the child: the proxy must neither get its signals nor keep
/// its output open.
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
