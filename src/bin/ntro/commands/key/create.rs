use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use ntro_base::{ConnectionName, Host, KeyName, Provider, Scope, TenantSlug};
use ntro_client::api::{self, KeyRequest, NewKey};
use ntro_client::ops::{self, NewLogin, Replaced};
use ntro_client::secrets::StoreKind;
use serde::Serialize;

use super::super::destination;
use super::admin::{Admin, AdminArgs};
use super::row::KeyRow;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Done, Paint, Report};
use crate::production::{self, ConfirmArgs};

/// Create a key for a tenant and print it once; needs an admin token
///
/// With `--save-as`, the key is stored for a connection instead and never printed.
#[derive(clap::Args, Debug)]
pub(crate) struct CreateArgs {
    /// Display name of the key
    #[arg(long, value_name = "NAME")]
    name: KeyName,
    /// Scope of the key; repeat for several. Ontora keys need at least one
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',', value_parser = scope_parser())]
    scopes: Vec<Scope>,
    /// Days until the key expires, 1 to 365 [default: never]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=365))]
    expires_in_days: Option<u32>,
    /// Connection to store the key for, instead of printing it
    #[arg(long, value_name = "CONNECTION")]
    save_as: Option<ConnectionName>,
    /// Where to keep the key [default: keyring]
    #[arg(long, value_name = "STORE", requires = "save_as", value_parser = destination::STORES)]
    store: Option<String>,
    /// Replace a connection of this name that points to another origin
    #[arg(long, requires = "save_as")]
    overwrite: bool,
    #[command(flatten)]
    sure: ConfirmArgs,
    #[command(flatten)]
    admin: AdminArgs,
}

pub(crate) fn scope_parser() -> impl clap::builder::TypedValueParser<Value = Scope> {
    PossibleValuesParser::new(Scope::ALL.map(Scope::as_str)).try_map(|scope| scope.parse::<Scope>())
}

/// Checked target for a new key.
struct Destination {
    name: ConnectionName,
    store: StoreKind,
    overwrite: bool,
    replaced: Option<Replaced>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct CreatedKey<'a> {
    #[serde(flatten)]
    row: KeyRow,
    /// The key itself, shown only once.
    key: &'a str,
}

/// With `--save-as`, without the key itself.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct SavedKey {
    #[serde(flatten)]
    row: KeyRow,
    /// Connection that the key is stored for.
    connection: String,
    /// Store that holds the key.
    #[cfg_attr(test, schemars(with = "crate::schema::StoreName"))]
    store: String,
    /// Whether this is the default connection.
    is_default: bool,
}

pub(crate) fn run(args: CreateArgs, cx: &Context) -> Result<Exit, CliError> {
    let resolution = cx.resolution()?;
    scopes_fit(resolution.provider()?.value, &args.scopes)?;
    let host = resolution.host()?.value.clone();
    // Check the target before a key exists that could be lost.
    let destination = match &args.save_as {
        Some(name) => Some(Destination::checked(&args, cx, name, &host)?),
        None => None,
    };
    production::confirm(
        cx,
        resolution,
        args.sure,
        &format!("create the key `{}`", args.name),
    )?;
    let admin = Admin::open(&args.admin, cx)?;
    let tenant = admin.tenant(cx)?;
    let request = KeyRequest {
        tenant,
        name: args.name,
        scopes: args.scopes,
        expires_in_days: args.expires_in_days,
        may_rotate: true,
    };
    let made = admin
        .call(cx, admin.client.create_key(&request))
        .map_err(in_doubt)?;
    let row = KeyRow::new(&made.info, cx.now());
    let handed = match destination {
        Some(destination) => save(cx, &admin, &request.tenant, destination, &made, row),
        None => show(cx, &request, &made, row),
    };
    match handed {
        Ok(()) => Ok(Exit::Success),
        Err(error) => Err(take_back(cx, &admin, &request.tenant, &made, error)),
    }
}

fn scopes_fit(provider: Provider, scopes: &[Scope]) -> Result<(), CliError> {
    match provider {
        Provider::Ntropii if !scopes.is_empty() => {
            Err(CliError::usage("keys of Ntropii have no scopes").hint("remove `--scope`"))
        }
        Provider::Ontora if scopes.is_empty() => {
            let known: Vec<_> = Scope::ALL.map(Scope::as_str).into();
            Err(
                CliError::usage("keys of Ontora need at least one scope").hint(format!(
                    "give `--scope`, once for each of: {}",
                    known.join(", ")
                )),
            )
        }
        _ => Ok(()),
    }
}

impl Destination {
    fn checked(
        args: &CreateArgs,
        cx: &Context,
        name: &ConnectionName,
        host: &Host,
    ) -> Result<Self, CliError> {
        Ok(Self {
            name: name.clone(),
            replaced: ops::replaced(cx.home()?, name, host)?,
            overwrite: destination::overwrite(args.overwrite, cx, name, host)?.answer,
            store: destination::store(args.store.as_deref(), cx, name)?.answer,
        })
    }
}

fn show(cx: &Context, request: &KeyRequest, made: &NewKey, row: KeyRow) -> Result<(), CliError> {
    cx.printer().note(&format!(
        "note: this is the key `{}` of `{}`; it is shown this once",
        request.name, request.tenant
    ));
    cx.printer().reveal(&CreatedKey {
        row,
        key: made.key.expose(),
    })
}

fn save(
    cx: &Context,
    admin: &Admin,
    tenant: &TenantSlug,
    destination: Destination,
    made: &NewKey,
    row: KeyRow,
) -> Result<(), CliError> {
    let Destination {
        name,
        store,
        overwrite,
        replaced,
    } = destination;
    let new = NewLogin {
        name,
        host: admin.host.clone(),
        provider: admin.provider,
        key: made.key.clone(),
        expires_at: made.info.expires.at(),
        default_tenant: Some(tenant.clone()),
        store,
        make_default: None,
        overwrite,
        policy: None,
        now: cx.now(),
    };
    let stored = ops::store(cx.home()?, &new, cx.stores()?)?;
    if let Some(error) = stored.left_behind {
        cx.printer().warn(&format!(
            "the key that was replaced is still in its store: {error}"
        ));
    }
    // A key of another server is not revoked here.
    let replaced = replaced.filter(|replaced| replaced.same_origin);
    if let Some(old) = replaced.and_then(|replaced| replaced.key_prefix) {
        cx.printer().note(&cx.acting(&format!(
            "note: the key that it replaces is still live: `ntro key revoke {old}` ends it"
        )));
    }
    let report = Done {
        text: format!(
            "stored the key {}… of `{tenant}` for `{}` {}{}",
            new.key.prefix(),
            new.name,
            // Its summary already includes the preposition.
            if store == StoreKind::Plaintext {
                ""
            } else {
                "in "
            },
            store.summary()
        ),
        value: SavedKey {
            row,
            connection: new.name.to_string(),
            store: store.to_string(),
            is_default: stored.is_default,
        },
    };
    // The key is stored, so a failure to print the report does not revoke it.
    if let Err(error) = cx.printer().confirm(&report) {
        cx.printer().warn(&error.message);
    }
    Ok(())
}

/// Adds to the error that a request without a response may have succeeded.
fn in_doubt(error: CliError) -> CliError {
    use crate::exit::Kind;
    match error.kind {
        Kind::Unreachable => CliError {
            hint: error
                .hint
                .map(|hint| format!("{hint}; a key may have been created: `ntro key list`")),
            ..error
        },
        _ => error,
    }
}

/// Revokes a key that was neither stored nor printed, and adds the result to the error.
fn take_back(
    cx: &Context,
    admin: &Admin,
    tenant: &TenantSlug,
    made: &NewKey,
    error: CliError,
) -> CliError {
    let Some(id) = &made.info.id else {
        return CliError {
            message: format!("{}; the new key is still live", error.message),
            ..error
        }
        .hint("find and revoke it: `ntro key list`");
    };
    let revoked = cx
        .block_on(admin.client.revoke_key(tenant, id))
        .and_then(|revoked: Result<(), api::Error>| Ok(revoked?));
    error.after_revoking(revoked, &format!("ntro key revoke {id}"))
}

impl Report for CreatedKey<'_> {
    fn text(&self, _: Paint) -> String {
        format!("{}\n", self.key)
    }
}
