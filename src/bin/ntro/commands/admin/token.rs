use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use jiff::{SignedDuration, Timestamp};
use ntro_authority::{Registry, Role};
use ntro_base::Period;
use secrecy::ExposeSecret as _;
use serde::Serialize;

use super::organisation;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Paint, Report, whole_seconds};

/// Times in tokens are whole seconds.
const SHORTEST_LIFE: Period = Period::seconds(1);
/// The longest life of a token, so that a lost one expires.
const LONGEST_LIFE: Period = Period::days(365);

/// Print an admin token of the built-in issuer for scripts
#[derive(clap::Args, Debug)]
pub(crate) struct TokenArgs {
    /// Organisation of the token: id, external id or name [default: the only one]
    #[arg(long, value_name = "NAME")]
    organisation: Option<String>,
    /// Role of the token
    #[arg(
        long,
        default_value = Role::Admin.as_str(),
        value_parser = PossibleValuesParser::new(Role::ALL.iter().map(|one| one.as_str()))
            .try_map(|text| text.parse::<Role>())
    )]
    role: Role,
    /// Name that audit records use for the token
    #[arg(long, value_name = "NAME", default_value = "ntro-admin")]
    subject: String,
    /// Life of the token, such as `15m`, `8h` or `30d`
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = life)]
    expires_in: SignedDuration,
}

fn life(text: &str) -> Result<SignedDuration, String> {
    let life = text.parse::<Period>().map_err(|error| error.to_string())?;
    if !(SHORTEST_LIFE..=LONGEST_LIFE).contains(&life) {
        return Err("a token may be good for one second to 365 days".to_owned());
    }
    SignedDuration::try_from(life.duration()).map_err(|error| error.to_string())
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct AdminTokenRow<'a> {
    /// The admin token.
    token: &'a str,
    /// Id of the organisation that the token acts for.
    organisation_id: String,
    /// Name of the organisation that the token acts for.
    organisation: String,
    /// Role of the token.
    #[cfg_attr(test, schemars(with = "crate::schema::RoleName"))]
    role: &'static str,
    /// Name that audit records use for the token.
    subject: String,
    /// When the token expires.
    expires_at: Option<Timestamp>,
}

pub(super) fn run(args: TokenArgs, registry: &Registry, cx: &Context) -> Result<Exit, CliError> {
    let owner = cx.block_on(organisation(registry, args.organisation.as_deref()))??;
    let now = cx.now();
    let token = registry.mint_admin_token(&owner, args.role, &args.subject, args.expires_in)?;
    let expires_at = now.checked_add(args.expires_in).ok();
    cx.printer().print(&AdminTokenRow {
        token: token.expose_secret(),
        organisation_id: owner.id.to_string(),
        organisation: owner.name,
        role: args.role.as_str(),
        subject: args.subject,
        expires_at: expires_at.map(whole_seconds),
    })?;
    Ok(Exit::Success)
}

impl Report for AdminTokenRow<'_> {
    fn text(&self, _: Paint) -> String {
        format!("{}\n", self.token)
    }
}
