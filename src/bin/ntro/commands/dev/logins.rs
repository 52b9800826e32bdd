//! The connections that `ntro dev` logs in.

use std::net::SocketAddr;
use std::path::PathBuf;

use ntro_authority::{MintedKey, NewApiKey, Registry};
use ntro_base::disk;
use ntro_base::{ConnectionName, Host, KeyName, Provider, Scope, TenantSlug};
use ntro_client::api::{self, Client};
use ntro_client::ops::{self, NewLogin};
use ntro_client::secrets::{self, StoreKind};
use tokio::runtime::Runtime;

use super::fixtures::{Fixtures, ORGANISATION};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Kind;

/// The address and the database of the authority.
pub(super) struct DevServer {
    pub(super) address: SocketAddr,
    pub(super) database: String,
    pub(super) key_material: PathBuf,
    pub(super) program: String,
    /// Whether the connections are removed when it ends.
    pub(super) ephemeral: bool,
}

impl DevServer {
    /// Returns the base URL for a provider, with `localhost` as in the official clients' default, so
    /// that a key is bound to the origin that users type.
    pub(super) fn host(&self, provider: Provider) -> String {
        let name = match self.address {
            SocketAddr::V4(v4) if v4.ip().octets() == [127, 0, 0, 1] => "localhost".to_owned(),
            SocketAddr::V4(v4) => v4.ip().to_string(),
            SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
        };
        let path = match provider {
            Provider::Ntropii => "/v1",
            Provider::Ontora => "",
        };
        format!("http://{name}:{}{path}", self.address.port())
    }

    /// Returns the arguments that make an admin token of this database.
    fn admin_token_arguments(&self) -> [&str; 6] {
        let database = self.database.as_str();
        [
            "admin",
            "token",
            "--database",
            database,
            "--organisation",
            ORGANISATION,
        ]
    }

    fn admin_token_command(&self) -> Vec<String> {
        let mut command = vec![self.program.clone()];
        command.extend(self.admin_token_arguments().map(str::to_owned));
        // A variable of the environment must not name the key material of another authority.
        command.push("--key-material".to_owned());
        command.push(self.key_material.display().to_string());
        command
    }
}

/// Logs both connections in, unless their keys still work. Returns their names.
pub(super) fn log_in(
    cx: &Context,
    runtime: &Runtime,
    registry: &Registry,
    fixtures: &Fixtures,
    place: &DevServer,
) -> Result<Vec<ConnectionName>, CliError> {
    let wanted = [
        ("local", Provider::Ntropii),
        ("local-ontora", Provider::Ontora),
    ]
    .into_iter()
    .map(|(name, provider)| {
        let host = parse::<Host>(&place.host(provider))?;
        Ok((parse::<ConnectionName>(name)?, provider, host))
    })
    .collect::<Result<Vec<_>, CliError>>()?;
    // Both are checked before either is made.
    for (name, _, host) in &wanted {
        refuse_others(cx, name, host, place)?;
    }
    let mut names = Vec::new();
    let mut store = None;
    for (name, provider, host) in wanted {
        let state = login_state(cx, &name, &host)?;
        if state == LoginState::Rejected && !is_ours(cx, &name, place) {
            let message = format!(
                "the connection `{name}` has a key for {} that is not of this authority's database",
                host.origin()
            );
            return Err(CliError::new(Kind::Conflict, message).hint(keep_it(&name)));
        }
        if state != LoginState::Works {
            let kind = match store {
                Some(kind) => kind,
                None => *store.insert(choose_store(cx)?),
            };
            let minted = mint(runtime, registry, fixtures, &name, provider)?;
            keep(cx, &name, host, provider, &minted, fixtures, kind)?;
        }
        ops::set_admin_token_command(cx.home()?, &name, &place.admin_token_command())?;
        names.push(name);
    }
    Ok(names)
}

/// Returns whether a connection was made for this database, on any port.
fn is_ours(cx: &Context, name: &ConnectionName, place: &DevServer) -> bool {
    let config = cx.config().ok();
    let entry = config.and_then(|config| config.connections.get(name.as_str()));
    let command = entry.and_then(|entry| entry.admin_token_command.as_ref());
    let arguments = command.and_then(|command| command.get(1..));
    let ours = place.admin_token_arguments();
    // Earlier versions name no key material.
    arguments.is_some_and(|arguments| {
        arguments.get(..ours.len()) == Some(ours.map(str::to_owned).as_slice())
    })
}

/// Removes both connections.
pub(super) fn forget(cx: &Context, names: &[ConnectionName]) -> Result<(), CliError> {
    let stores = cx.stores()?;
    for name in names {
        ops::remove(cx.home()?, name, stores)?;
    }
    Ok(())
}

/// The state of a connection at this authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LoginState {
    /// There is none.
    Absent,
    /// It has no key for this host.
    NoKey,
    /// Its key is not accepted here.
    Rejected,
    /// Its key is accepted.
    Works,
}

fn login_state(cx: &Context, name: &ConnectionName, host: &Host) -> Result<LoginState, CliError> {
    if !cx.config()?.connections.contains_key(name.as_str()) {
        return Ok(LoginState::Absent);
    }
    let resolution = cx.inputs()?.alone(name);
    let connection = match resolution.connection(cx.stores()?) {
        Ok(connection) if connection.host.value == *host => connection,
        Ok(_) | Err(ntro_client::resolve::Error::NoKey { .. }) => return Ok(LoginState::NoKey),
        // A store that cannot be read may have the key, which must not be replaced.
        Err(error) => return Err(error.into()),
    };
    let client: Client = cx.client(&connection)?;
    match cx.block_on(client.identity())? {
        Ok(_) => Ok(LoginState::Works),
        Err(api::Error::Rejected(_)) => Ok(LoginState::Rejected),
        Err(error) => Err(error.into()),
    }
}

/// Refuses to replace a connection to another server, and to make an existing one ephemeral.
fn refuse_others(
    cx: &Context,
    name: &ConnectionName,
    host: &Host,
    place: &DevServer,
) -> Result<(), CliError> {
    let Some(existing) = ops::replaced(cx.home()?, name, host)? else {
        return Ok(());
    };
    if place.ephemeral {
        let message = format!("there is a connection `{name}`, which `--ephemeral` would remove");
        return Err(CliError::new(Kind::Conflict, message).hint(format!(
            "{}; or, if it is of no more use: `ntro auth remove {name}`",
            keep_it(name)
        )));
    }
    if !existing.same_origin && !is_ours(cx, name, place) {
        let error = CliError::from(ops::Error::OtherOrigin {
            name: name.clone(),
            existing: existing.host.unwrap_or_default(),
            wanted: host.origin(),
        });
        return Err(error.hint(keep_it(name)));
    }
    Ok(())
}

fn keep_it(name: &ConnectionName) -> String {
    format!("keep it under another name: `ntro auth rename {name} NAME`")
}

/// Returns the keyring if there is one, else the user's encrypted file, else the encrypted file of
/// `ntro dev`, whose identity opens no other keys.
fn choose_store(cx: &Context) -> Result<StoreKind, CliError> {
    let Err(error) = cx.store(StoreKind::Keyring)?.probe() else {
        return Ok(StoreKind::Keyring);
    };
    let home = cx.home()?;
    let dev = home.dev();
    let has_own = dev.keys().exists() || !(home.keys().exists() || home.identity().exists());
    let (kind, folder) = match has_own {
        true => (StoreKind::Dev, &dev),
        false => (StoreKind::File, home),
    };
    if has_own {
        disk::create_private_folder(dev.folder())?;
        secrets::create_identity(&dev.identity(), &home.lock()?)?;
    }
    cx.store(kind)?.probe()?;
    let named = cx.stores()?.settings().identity.clone();
    let identity = named.filter(|_| !has_own).unwrap_or(folder.identity());
    let opener = match identity.exists() {
        true => format!("`{}`", identity.display()),
        false => "its passphrase".to_owned(),
    };
    cx.printer().note(&format!(
        "Keys are kept in the encrypted file `{}`, which {opener} opens, since {error}",
        folder.keys().display()
    ));
    Ok(kind)
}

/// Makes a key, and revokes the lost ones that were made here before.
fn mint(
    runtime: &Runtime,
    registry: &Registry,
    fixtures: &Fixtures,
    name: &ConnectionName,
    provider: Provider,
) -> Result<MintedKey, CliError> {
    let key_name: KeyName = parse(&format!("ntro dev: {name}"))?;
    let new = NewApiKey {
        provider,
        environment: Some(parse("dev")?),
        name: key_name.clone(),
        scopes: match provider {
            Provider::Ntropii => Vec::new(),
            Provider::Ontora => vec![Scope::All],
        },
        expires_in_days: None,
        created_by: None,
        owner: None,
        may_rotate: true,
    };
    let minted = runtime.block_on(async {
        for key in registry
            .keys(Some(fixtures.tenant.id), Some(provider))
            .await?
        {
            if key.name == key_name && key.revoked_at.is_none() {
                registry.revoke_key(key.id).await?;
            }
        }
        registry.create_key(&fixtures.tenant, new).await
    });
    Ok(minted?)
}

fn keep(
    cx: &Context,
    name: &ConnectionName,
    host: Host,
    provider: Provider,
    minted: &MintedKey,
    fixtures: &Fixtures,
    store: StoreKind,
) -> Result<(), CliError> {
    let tenant = match provider {
        Provider::Ntropii => fixtures.tenant.slug.clone(),
        Provider::Ontora => fixtures.tenant.id.to_string(),
    };
    let new = NewLogin {
        name: name.clone(),
        host,
        provider,
        key: minted.key.clone(),
        expires_at: None,
        default_tenant: Some(parse::<TenantSlug>(&tenant)?),
        store,
        // Never replaces a default that the user has chosen.
        make_default: (provider == Provider::Ontora).then_some(false),
        // An existing connection is of this database or has no key; all others were refused.
        overwrite: true,
        policy: None,
        now: cx.now(),
    };
    let stored = ops::store(cx.home()?, &new, cx.stores()?)?;
    if let Some(error) = stored.left_behind {
        cx.printer().warn(&format!(
            "the key that was replaced is still in its store: {error}"
        ));
    }
    Ok(())
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, CliError> {
    text.parse()
        .map_err(|error: T::Err| CliError::new(Kind::Failure, error.to_string()))
}
