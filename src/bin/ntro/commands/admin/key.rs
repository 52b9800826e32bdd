use std::collections::HashMap;

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::Timestamp;
use ntro_authority::{ApiKeyRecord, LONGEST_LIFE_IN_DAYS, NewApiKey, Registry};
use ntro_base::{KeyEnvironment, KeyName, Provider, Scope};
use serde::Serialize;
use uuid::Uuid;

use super::{or_dash, organisation};
use crate::commands::key_choice::KeyChoice;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
use crate::output::{Column, Done, Paint, Report, Table, plain, whole_seconds};

#[derive(Subcommand, Debug)]
#[command(defer = true)]
pub(super) enum Command {
    /// Create a key for the tenant of `--tenant`, and print it once
    Create(CreateArgs),
    /// List keys, newest first, revoked and expired ones too; `--tenant` lists one tenant's keys
    List(ListArgs),
    /// Refuse a key until it is resumed, with its child keys and its pending successor
    Pause(ChosenArgs),
    /// Accept a paused key again
    Resume(ChosenArgs),
    /// Revoke a key, or all keys of a person; the server refuses them as soon as the command succeeds
    Revoke(RevokeArgs),
}

#[derive(clap::Args, Debug)]
pub(super) struct CreateArgs {
    /// System whose clients use the key
    #[arg(long, value_name = "PROVIDER", value_parser = provider())]
    provider: Provider,
    /// Display name
    #[arg(long, default_value = "ntro admin")]
    name: KeyName,
    /// Environment in the key's text: lower-case letters and digits [default: prod for ntropii,
    /// live for ontora]
    #[arg(long, value_name = "NAME")]
    env: Option<KeyEnvironment>,
    /// Scope of the key; repeat it, or separate several with commas. Ontora needs at least one, Ntropii has none
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',', value_parser = scope())]
    scopes: Vec<Scope>,
    /// Days until the key expires [default: never]
    #[arg(
        long,
        value_name = "DAYS",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(LONGEST_LIFE_IN_DAYS))
    )]
    expires_in_days: Option<u32>,
    /// Person whose key it is: the `sub` of their tokens
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    /// Forbid the key to rotate itself: only an admin can then replace it
    #[arg(long)]
    no_rotate: bool,
}

#[derive(clap::Args, Debug)]
pub(super) struct ListArgs {
    /// List only keys for this system
    #[arg(long, value_name = "PROVIDER", value_parser = provider())]
    provider: Option<Provider>,
}

#[derive(clap::Args, Debug)]
pub(super) struct RevokeArgs {
    /// Id or prefix of the key
    #[arg(
        value_name = "ID|PREFIX",
        value_parser = KeyChoice::parse,
        required_unless_present = "owner",
        conflicts_with = "owner"
    )]
    key: Option<KeyChoice>,
    /// Revoke all keys of this person: the `sub` of their tokens. `--tenant` limits it to one tenant
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    /// Organisation of the person: id, external id or name [default: the only one]
    #[arg(long, value_name = "NAME", requires = "owner")]
    organisation: Option<String>,
}

#[derive(clap::Args, Debug)]
pub(super) struct ChosenArgs {
    /// Id or prefix of the key
    #[arg(value_name = "ID|PREFIX", value_parser = KeyChoice::parse)]
    key: KeyChoice,
}

pub(super) fn scope() -> impl TypedValueParser<Value = Scope> {
    PossibleValuesParser::new(Scope::ALL.map(Scope::as_str)).try_map(|text| text.parse::<Scope>())
}

fn provider() -> impl TypedValueParser<Value = Provider> {
    PossibleValuesParser::new(Provider::ALL.map(Provider::as_str))
        .try_map(|text| text.parse::<Provider>())
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct AdminKeyRow {
    /// Id of the key.
    id: String,
    /// Id of its tenant.
    tenant_id: String,
    /// Slug of its tenant, if it was looked up.
    tenant: Option<String>,
    /// System whose clients use the key.
    #[cfg_attr(test, schemars(with = "crate::schema::ProviderName"))]
    provider: &'static str,
    /// Id of the key that created it, if it is a child key.
    parent_id: Option<String>,
    /// Display name of the key.
    name: String,
    /// Prefix of the key.
    key_prefix: String,
    /// Scopes of the key; empty for Ntropii.
    scopes: Vec<String>,
    /// Whether the key is accepted.
    state: KeyState,
    /// When the key was created.
    created_at: Timestamp,
    /// Creator of the key.
    created_by: Option<String>,
    /// Person whose key it is.
    owner: Option<String>,
    /// When the key expires.
    expires_at: Option<Timestamp>,
    /// When the key was last accepted.
    last_used_at: Option<Timestamp>,
    /// When the key was revoked.
    revoked_at: Option<Timestamp>,
    /// When the key was paused, if it is.
    paused_at: Option<Timestamp>,
    /// Whether the key may create its own successor.
    may_rotate: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum KeyState {
    Live,
    Paused,
    Expired,
    Revoked,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct CreatedAdminKey<'a> {
    /// The key itself, shown only once.
    key: &'a str,
    #[serde(flatten)]
    record: AdminKeyRow,
}

/// One object for each key.
#[derive(Debug, Serialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct AdminKeyList(Vec<AdminKeyRow>);

impl Command {
    pub(super) fn run(self, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Create(args) => create(args, registry, cx),
            Self::List(args) => list(&args, registry, cx),
            Self::Pause(args) => pause(&args, registry, cx),
            Self::Resume(args) => resume(&args, registry, cx),
            Self::Revoke(args) => revoke(&args, registry, cx),
        }
    }
}

fn create(args: CreateArgs, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
    let Some(slug) = &cx.global().tenant else {
        return Err(CliError::usage("a key belongs to a tenant")
            .hint("name it: `--tenant SLUG`; see `ntro admin tenant list`"));
    };
    let new = NewApiKey {
        provider: args.provider,
        environment: args.env,
        name: args.name,
        scopes: args.scopes,
        expires_in_days: args.expires_in_days,
        created_by: Some("ntro admin".to_owned()),
        owner: args.owner,
        may_rotate: !args.no_rotate,
    };
    let minted = cx.block_on(async {
        let tenant = registry.tenant(slug.as_str()).await?;
        registry.create_key(&tenant, new).await
    })??;
    let shown = cx.printer().reveal(&CreatedAdminKey {
        key: minted.key.expose(),
        record: AdminKeyRow::new(&minted.record, Some(slug.to_string()), cx.now()),
    });
    shown.map_err(|error| take_back(registry, cx, minted.record.id, error))?;
    cx.printer().note(&format!(
        "The key {} of the tenant `{slug}` is shown this once.",
        minted.record.id
    ));
    Ok(Exit::Success)
}

/// Revokes a key that was not shown, and adds the result to the error.
fn take_back(registry: &Registry, cx: &Context, id: Uuid, error: CliError) -> CliError {
    let revoked = cx
        .block_on(registry.revoke_key(id))
        .and_then(|revoked| Ok(revoked.map(drop)?));
    error.after_revoking(revoked, &format!("ntro admin key revoke {id}"))
}

fn list(args: &ListArgs, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
    let (keys, tenants) = cx.block_on(async {
        let tenants = match &cx.global().tenant {
            Some(slug) => vec![registry.tenant(slug.as_str()).await?],
            None => registry.tenants(None, None).await?,
        };
        let only = cx.global().tenant.as_ref().and(tenants.first());
        let keys = registry
            .keys(only.map(|tenant| tenant.id), args.provider)
            .await?;
        Ok::<_, ntro_authority::Error>((keys, tenants))
    })??;
    let slugs: HashMap<Uuid, String> = tenants
        .into_iter()
        .map(|tenant| (tenant.id, tenant.slug))
        .collect();
    let now = cx.now();
    let rows = keys
        .iter()
        .map(|key| AdminKeyRow::new(key, slugs.get(&key.tenant_id).cloned(), now))
        .collect();
    cx.printer().print(&AdminKeyList(rows))?;
    Ok(Exit::Success)
}

fn pause(args: &ChosenArgs, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
    let key = cx.block_on(async {
        let id = chosen(registry, &args.key).await?;
        Ok::<_, CliError>(registry.pause_key(id).await?)
    })??;
    changed("paused", &key, cx)
}

fn resume(args: &ChosenArgs, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
    let key = cx.block_on(async {
        let id = chosen(registry, &args.key).await?;
        Ok::<_, CliError>(registry.resume_key(id).await?)
    })??;
    changed("resumed", &key, cx)
}

fn revoke(args: &RevokeArgs, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
    let Some(choice) = &args.key else {
        return revoke_owned(args, registry, cx);
    };
    let key = cx.block_on(async {
        let id = chosen(registry, choice).await?;
        Ok::<_, CliError>(registry.revoke_key(id).await?)
    })??;
    changed("revoked", &key, cx)
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct RevokedKeys {
    /// Person whose keys were revoked.
    owner: String,
    /// Ids of the keys that were live.
    revoked: Vec<String>,
}

fn revoke_owned(args: &RevokeArgs, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
    let owner = args.owner.clone().unwrap_or_default();
    let revoked = cx.block_on(async {
        let (organisation, tenant) = match &cx.global().tenant {
            Some(slug) => {
                let tenant = registry.tenant(slug.as_str()).await?;
                (tenant.organisation_id, Some(tenant.id))
            }
            None => {
                let name = args.organisation.as_deref();
                (organisation(registry, name).await?.id, None)
            }
        };
        let revoked = registry.revoke_keys_of(organisation, tenant, &owner);
        Ok::<_, CliError>(revoked.await?)
    })??;
    let number = match revoked.len() {
        1 => "one key".to_owned(),
        number => format!("{number} keys"),
    };
    cx.printer().confirm(&Done {
        text: format!("revoked {number} of `{}`", plain(&owner)),
        value: RevokedKeys {
            revoked: revoked.iter().map(ToString::to_string).collect(),
            owner,
        },
    })?;
    Ok(Exit::Success)
}

/// Reports the key as it is after a change.
fn changed(done: &str, key: &ApiKeyRecord, cx: &Context) -> Result<Exit, CliError> {
    cx.printer().confirm(&Done {
        text: format!("{done} the key `{}` ({})", key.name, key.prefix),
        value: AdminKeyRow::new(key, None, cx.now()),
    })?;
    Ok(Exit::Success)
}

/// Returns the id of the key that the command line names.
async fn chosen(registry: &Registry, choice: &KeyChoice) -> Result<Uuid, CliError> {
    if let KeyChoice::Id(id) = choice {
        let bare = id.strip_prefix("key_").unwrap_or(id);
        return bare.parse().map_err(|_| {
            CliError::usage("the key is named by neither its id nor its prefix")
                .hint("list both: `ntro admin key list`")
        });
    }
    let keys = registry.keys(None, None).await?;
    let found = keys.iter().find(|key| choice.is(None, Some(&key.prefix)));
    found.map(|key| key.id).ok_or_else(|| {
        let message = format!("no key has {}", choice.shown());
        CliError::new(Kind::Failure, message).hint("list them: `ntro admin key list`")
    })
}

impl AdminKeyRow {
    fn new(row: &ApiKeyRecord, tenant: Option<String>, now: Timestamp) -> Self {
        Self {
            id: row.id.to_string(),
            tenant_id: row.tenant_id.to_string(),
            tenant,
            provider: row.provider.as_str(),
            parent_id: row.parent.map(|id| id.to_string()),
            name: row.name.to_string(),
            key_prefix: row.prefix.to_string(),
            scopes: row.scopes.iter().map(ToString::to_string).collect(),
            state: match (row.revoked_at, row.expires_at) {
                // The server revokes expired children.
                (revoked, Some(end)) if revoked.unwrap_or(now) >= end => KeyState::Expired,
                (Some(_), _) => KeyState::Revoked,
                _ if row.paused_at.is_some() => KeyState::Paused,
                _ => KeyState::Live,
            },
            created_at: whole_seconds(row.created_at),
            created_by: row.created_by.clone(),
            owner: row.owner.clone(),
            expires_at: row.expires_at.map(whole_seconds),
            last_used_at: row.last_used_at.map(whole_seconds),
            revoked_at: row.revoked_at.map(whole_seconds),
            paused_at: row.paused_at.map(whole_seconds),
            may_rotate: row.may_rotate,
        }
    }
}

impl KeyState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Paused => "paused",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl Report for CreatedAdminKey<'_> {
    /// Returns only the key, so that it can be piped.
    fn text(&self, _: Paint) -> String {
        format!("{}\n", self.key)
    }
}

const COLUMNS: [Column; 9] = [
    Column::id("ID", 5),
    Column::ranked("TENANT", 4),
    Column::always("PREFIX"),
    Column::ranked("CHILD OF", 1),
    Column::ranked("NAME", 2),
    Column::ranked("SCOPES", 7),
    Column::ranked("EXPIRES", 3),
    Column::ranked("LAST USED", 6),
    Column::ranked("STATE", 1),
];
/// The index of the column that only lists with child keys need.
const PARENT: usize = 3;

impl Report for AdminKeyList {
    fn text(&self, paint: Paint) -> String {
        let mut is_shown = [true; COLUMNS.len()];
        is_shown[PARENT] = self.0.iter().any(|row| row.parent_id.is_some());
        let prefixes: HashMap<&str, &str> = self
            .0
            .iter()
            .map(|row| (row.id.as_str(), row.key_prefix.as_str()))
            .collect();
        let mut table = Table::some(paint, &COLUMNS, &is_shown);
        let date = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
        for row in &self.0 {
            let parent = row.parent_id.as_deref();
            table.row([
                row.id.clone(),
                or_dash(row.tenant.as_ref()),
                row.key_prefix.clone(),
                or_dash(parent.map(|id| prefixes.get(id).copied().unwrap_or(id))),
                row.name.clone(),
                or_dash((!row.scopes.is_empty()).then(|| row.scopes.join(", "))),
                or_dash(row.expires_at.map(date)),
                or_dash(row.last_used_at.map(date)),
                row.state.as_str().to_owned(),
            ]);
        }
        table.text()
    }
}
