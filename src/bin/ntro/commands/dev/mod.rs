//! `ntro dev`: an authority on this machine, with connections logged in to it.

mod fixtures;
mod logins;

use std::net::SocketAddr;
use std::path::PathBuf;

use ntro_authority::{Actor, Authority, AuthoritySettings, Database, Error, StoreError};
use ntro_base::disk;
use ntro_base::env::Unexpanded;
use ntro_base::{ConnectionName, Provider};
use ntro_client::config::NtroDir;
use serde::Serialize;
use tokio::sync::oneshot;

use super::identity::{self, Whoami};
use super::listening::{DEFAULT_PORT, listen, listen_address, listen_near_default, shutdown};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
use crate::output::{Paint, Report};

/// Run an authority on this machine for development, with connections that are logged in
///
/// Creates the organisation `Acme` with the tenants `acme-fund-admin` and `globex-capital`, and the
/// connections `local` (an Ntropii key) and `local-ontora` (an Ontora key). All of them are kept for
/// the next start.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Address to listen on, or a port of this machine; port 0 picks a free one [default:
    /// 127.0.0.1:3000, or the next port that is free]
    #[arg(long, value_name = "ADDR:PORT", value_parser = listen_address)]
    listen: Option<SocketAddr>,
    /// Folder of the database [default: ~/.ntro/dev]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Use a temporary database and remove the connections at the end
    #[arg(long, conflicts_with = "data")]
    ephemeral: bool,
}

/// Printed once the authority listens.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct DevSummary {
    /// Base URL of the authority.
    listening: String,
    /// URL of its database.
    database: String,
    /// Output of `ntro auth whoami` for the first connection.
    whoami: Whoami,
    /// Names of list the connections.
    connections: Vec<String>,
    /// Whether commands use the first connection unless another is named.
    #[serde(skip)]
    is_default: bool,
    #[serde(skip)]
    program: String,
    #[serde(skip)]
    ephemeral: bool,
}

pub(crate) fn run(args: Args, cx: &Context) -> Result<Exit, CliError> {
    if let Some(listen) = args.listen.filter(|listen| !listen.ip().is_loopback()) {
        return Err(
            CliError::usage(format!("`{listen}` is not on this machine"))
                .hint("`ntro dev` is for trying things out; `ntro serve` listens on any address"),
        );
    }
    let home = cx.home()?;
    let runtime = crate::runtime::build(&mut tokio::runtime::Builder::new_multi_thread())?;
    // The address first: nothing is made if it is taken.
    let listener = runtime.block_on(async {
        match args.listen {
            Some(address) => listen(address, "dev").await,
            None => listen_near_default("dev").await,
        }
    })?;
    let address = listener
        .local_addr()
        .map_err(|error| CliError::new(Kind::Failure, error.to_string()))?;

    let data = Data::choose(&args, home)?;
    let database = Database::Sqlite(data.folder().join("authority.db"));
    // The key material stays with the database, whatever the environment says.
    let settings = AuthoritySettings::default();
    let key_material = settings.key_material.folder(&database)?;
    let authority = Authority::open(&database, settings).map_err(|error| match error {
        error @ Error::Store(StoreError::Served { .. }) => CliError::from(error).hint(
            "`ntro dev` runs already: `ntro -c local auth whoami`; end it first to start it again",
        ),
        error => error.into(),
    })?;
    if args.listen.is_none() && address.port() != DEFAULT_PORT {
        cx.printer().note(&format!(
            "port {DEFAULT_PORT} is taken: `ntro dev` listens on port {}",
            address.port()
        ));
    }
    let registry = authority.registry(Actor::CommandLine);
    let fixtures = runtime.block_on(fixtures::build(&registry))?;

    let (stop, stopped) = oneshot::channel::<()>();
    let asked_to_stop = async move {
        // A dropped sender stops it just as well.
        let _ = stopped.await;
    };
    let server = runtime.spawn(ntro_authority::serve(
        listener,
        authority.clone(),
        asked_to_stop,
    ));
    let interrupted = runtime.block_on(async { shutdown() })?;

    let place = logins::DevServer {
        address,
        database: format!("sqlite:{}", data.folder().join("authority.db").display()),
        key_material,
        program: program(),
        ephemeral: args.ephemeral,
    };
    let connections = logins::log_in(cx, &runtime, &registry, &fixtures, &place)?;
    let started = started(cx, &place, &connections)?;
    cx.printer().print(&started)?;

    runtime.block_on(interrupted);
    cx.printer().note("stopping");
    if args.ephemeral {
        logins::forget(cx, &connections)?;
    }
    let _ = stop.send(());
    let served = runtime.block_on(server);
    runtime.shutdown_background();
    match served {
        Ok(served) => served?,
        Err(error) => return Err(CliError::new(Kind::Failure, error.to_string())),
    }
    Ok(Exit::Success)
}

/// The folder of the database.
enum Data {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Data {
    fn choose(args: &Args, home: &NtroDir) -> Result<Self, CliError> {
        if args.ephemeral {
            return tempfile::Builder::new()
                .prefix("ntro-dev-")
                .tempdir()
                .map(Self::Temporary)
                .map_err(|error| {
                    CliError::new(
                        Kind::Failure,
                        format!("cannot make a temporary folder: {error}"),
                    )
                });
        }
        let folder = match &args.data {
            Some(folder) => {
                Unexpanded::check("--data", folder)?;
                folder.clone()
            }
            None => home.dev().folder().to_owned(),
        };
        disk::create_private_folder(&folder)?;
        // The configuration gets the path, and is read from other folders too.
        let folder = std::path::absolute(&folder).map_err(|error| {
            let folder = folder.display();
            CliError::new(Kind::Failure, format!("cannot find `{folder}`: {error}"))
        })?;
        Ok(Self::Kept(folder))
    }

    fn folder(&self) -> &std::path::Path {
        match self {
            Self::Kept(folder) => folder,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

/// Returns the program's path, for commands that must work without the search path.
fn program() -> String {
    std::env::current_exe().map_or_else(|_| "ntro".to_owned(), |path| path.display().to_string())
}

fn started(
    cx: &Context,
    place: &logins::DevServer,
    connections: &[ConnectionName],
) -> Result<DevSummary, CliError> {
    // A new context: this one was read before the logins.
    let fresh = cx.fresh();
    let resolution = fresh.inputs()?.alone(&connections[0]);
    let connection = resolution.connection(fresh.stores()?)?;
    let active = fresh.resolution()?.name().ok().flatten();
    Ok(DevSummary {
        is_default: active.is_some_and(|active| active.value == connections[0]),
        listening: place.host(Provider::Ontora),
        database: place.database.clone(),
        whoami: identity::whoami(&fresh, &connection)?,
        connections: connections.iter().map(ToString::to_string).collect(),
        program: place.program.clone(),
        ephemeral: place.ephemeral,
    })
}

impl Report for DevSummary {
    fn text(&self, paint: Paint) -> String {
        let program = match self.program.as_str() {
            path if std::path::Path::new(path).is_absolute() => "ntro",
            name => name,
        };
        let mut text = format!(
            "{} authority on {} ({})\n\n{}\n",
            paint.good("✓"),
            self.listening,
            self.database,
            self.whoami.text(paint)
        );
        text.push_str("Try in another terminal:\n");
        let first = match self.is_default {
            true => String::new(),
            false => format!("-c {} ", self.connections[0]),
        };
        for (arguments, what) in [
            ("auth list".to_owned(), "list the connections"),
            (
                format!("{first}auth whoami"),
                "show the owner of the key of `local`",
            ),
            (
                "-c local-ontora auth whoami".to_owned(),
                "the same for an Ontora key",
            ),
            (
                format!("{first}auth explain"),
                "show which key, host and tenant a call uses",
            ),
            (format!("{first}key list"), "list the keys of the tenant"),
        ] {
            text.push_str(&format!(
                "  {program} {arguments:<28} {}\n",
                paint.dim(what)
            ));
        }
        text.push_str(match self.ephemeral {
            true => "\nCtrl-C stops it and removes everything.\n",
            false => "\nCtrl-C stops it; the next start finds the same keys.\n",
        });
        text
    }
}
