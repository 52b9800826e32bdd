use clap_complete::engine::ArgValueCompleter;
use ntro_base::{ConnectionName, KeyPrefix, NameError, Origin, escaped};
use ntro_client::api;
use ntro_client::config::Config;
use ntro_client::ops::{self, Forgotten};
use ntro_client::resolve::{Connection, Inputs};
use ntro_client::state::KeyRecords;
use serde::Serialize;

use super::migrate;
use crate::commands::completions::connections;
use crate::commands::identity;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
use crate::output::{Paint, Report};
use crate::production::{self, ConfirmArgs};
use crate::shell::quoted;

/// Erase the key of a connection; keeps its other settings for the next login
#[derive(clap::Args, Debug)]
pub(crate) struct LogoutArgs {
    /// Connection to log out [default: the one named by `-c`, or the default connection]
    #[arg(value_name = "NAME", conflicts_with = "all", add = ArgValueCompleter::new(connections))]
    name: Option<ConnectionName>,
    /// Log out of all connections
    #[arg(long)]
    all: bool,
    /// Revoke the key on the server first; if that fails, keep it
    #[arg(long)]
    revoke: bool,
    #[command(flatten)]
    sure: ConfirmArgs,
}

/// One object for each connection.
#[derive(Debug, Serialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Logouts(Vec<LogoutRow>);

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct LogoutRow {
    /// Name of the connection.
    #[serde(rename = "connection")]
    name: String,
    /// Whether a stored key was erased; null if the connection stays logged in.
    had_key: Option<bool>,
    /// Whether the server revoked the key.
    revoked: bool,
    /// Store that held the key.
    #[cfg_attr(test, schemars(with = "Option<crate::schema::StoreName>"))]
    store: Option<String>,
    /// Error code, if the logout failed.
    #[cfg_attr(test, schemars(with = "Option<crate::schema::ErrorCode>"))]
    code: Option<&'static str>,
    /// Error message, if the logout failed.
    message: Option<String>,
}

pub(crate) fn run(args: LogoutArgs, cx: &Context) -> Result<Exit, CliError> {
    let mut done = Vec::new();
    let mut failed = None;
    let names = match args.name {
        Some(name) => vec![name],
        None if args.all => {
            let mut names = Vec::new();
            for name in cx.config()?.names() {
                match name.parse() {
                    Ok(name) => names.push(name),
                    Err(error) => {
                        let error = invalid_name(name, &error);
                        failed.get_or_insert(error.kind);
                        done.push(LogoutRow::failed(cx, name, error));
                    }
                }
            }
            names
        }
        None => {
            let name = cx.connection_name()?;
            if args.revoke {
                identity::require_pinned_tenant(cx)?;
            }
            vec![name]
        }
    };
    for name in names {
        match one(cx, &name, args.revoke.then_some(args.sure)) {
            Ok(one) => done.push(one),
            Err(error) if args.all && error.kind == Kind::Interrupted && !done.is_empty() => {
                cx.printer().warn(&format!("cancelled at `{name}`"));
                failed.get_or_insert(error.kind);
                break;
            }
            // Continue with the others; the first failure chooses the exit code.
            Err(error) if args.all && error.kind != Kind::Interrupted => {
                failed.get_or_insert(error.kind);
                done.push(LogoutRow::failed(cx, name.as_str(), error));
            }
            Err(error) => return Err(error),
        }
    }
    cx.printer().confirm(&Logouts(done))?;
    match failed {
        Some(kind) => Ok(Exit::Failure(kind)),
        None => Ok(Exit::Success),
    }
}

impl LogoutRow {
    /// Warns of a connection that stays logged in.
    fn failed(cx: &Context, name: &str, error: CliError) -> Self {
        cx.printer().warn(&format!(
            "`{}` stays logged in: {}",
            escaped(name),
            error.message
        ));
        Self {
            name: name.to_owned(),
            had_key: None,
            revoked: false,
            store: None,
            code: Some(error.kind.as_str()),
            message: Some(error.message),
        }
    }
}

/// Returns the error for a name that only an editor can have written.
fn invalid_name(name: &str, error: &NameError) -> CliError {
    let message = format!(
        "{error}; rename or remove `[connections.\"{}\"]` in `config.toml`",
        escaped(name)
    );
    CliError::new(Kind::Config, message)
}

fn one(
    cx: &Context,
    name: &ConnectionName,
    revoke: Option<ConfirmArgs>,
) -> Result<LogoutRow, CliError> {
    cx.set_subject(name);
    migrate::finish(cx, name)?;
    // Revoking a key would change how an unfinished rotation continues.
    ops::require_settled(cx.home()?, name)?;
    let revoked = match revoke {
        Some(sure) => revoke_key(cx, name, sure)?,
        None => false,
    };
    let forgotten = ops::logout(cx.home()?, name, cx.stores()?)?;
    if revoke.is_some() && forgotten.had_key && !revoked {
        cx.printer().warn(&format!(
            "the key of `{name}` was not revoked: it was in the {} store, and not where `config.toml` says",
            forgotten.store
        ));
    }
    if !revoked {
        report_live_key(cx, &forgotten);
    }
    Ok(LogoutRow {
        name: name.to_string(),
        had_key: Some(forgotten.had_key),
        revoked,
        store: Some(forgotten.store.to_string()),
        code: None,
        message: None,
    })
}

/// Reports that an erased key is still valid.
pub(super) fn report_live_key(cx: &Context, forgotten: &Forgotten) {
    if let (true, Some(prefix), Some(origin)) =
        (forgotten.had_key, &forgotten.key_prefix, &forgotten.origin)
    {
        cx.printer().note(&still_valid(prefix, origin));
    }
}

/// Returns the note about a key that is no longer stored.
pub(super) fn still_valid(prefix: &KeyPrefix, origin: &Origin) -> String {
    format!("note: the key {prefix}… stays valid at {origin} until it is revoked there")
}

/// Revokes the stored key of a connection on its server. Returns `false` if there is no key.
fn revoke_key(cx: &Context, name: &ConnectionName, sure: ConfirmArgs) -> Result<bool, CliError> {
    // Read again, since an unfinished migration may just have been finished.
    let (config, records) = (
        Config::read(&cx.home()?.config())?,
        KeyRecords::read(&cx.home()?.logins())?,
    );
    // The stored key is meant, never one that a variable brings.
    let resolution = Inputs::of_files(&config, &records, cx.home()?).alone(name);
    let connection: Connection = match resolution.connection(cx.stores()?) {
        Err(ntro_client::resolve::Error::NoKey { .. }) => return Ok(false),
        connection => connection?,
    };
    production::confirm(
        cx,
        &resolution,
        sure,
        &format!("revoke the key {}…", connection.key.value.prefix()),
    )?;
    match cx.block_on(cx.client(&connection)?.revoke_current())? {
        Ok(_) => Ok(true),
        // The key is already revoked.
        Err(api::Error::Rejected(_)) => Ok(true),
        Err(api::Error::NotOffered { origin, .. }) => Err(CliError::new(
            Kind::Failure,
            format!("`{origin}` lets no key revoke itself; the key of `{name}` was kept"),
        )
        .hint(format!(
            "revoke it in the web application or with `ntro key revoke`, then run `ntro auth logout {}`",
            quoted(name.as_str())
        ))),
        Err(error) => {
            let error = CliError::from(error);
            Err(CliError {
                message: format!("the key of `{name}` was not revoked and was kept: {}", error.message),
                ..error
            })
        }
    }
}

impl Report for Logouts {
    fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        for one in &self.0 {
            let store = one.store.as_deref().unwrap_or_default();
            let what = match (one.had_key, one.revoked) {
                // Already reported as a warning.
                (None, _) => continue,
                (Some(true), true) => format!("revoked and forgot its key (store: {store})"),
                (Some(true), false) => format!("forgot its key (store: {store})"),
                (Some(false), _) => "had no key".to_owned(),
            };
            text.push_str(&format!("{} `{}`: {what}\n", paint.good("✓"), one.name));
        }
        text
    }
}
