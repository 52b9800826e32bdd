use std::net::SocketAddr;
use std::path::PathBuf;

use ntro_authority::{Authority, AuthoritySettings, Claims, Issuer, JwksSource, Limits};
use ntro_base::http::{CustomRoots, Proxies};
use serde::Serialize;
use url::Url;

use super::database::DatabaseArgs;
use super::listening::{DEFAULT_ADDRESS, listen, listen_address, shutdown};
use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Paint, Report, debug};

/// Run the authority, the server that issues and verifies keys
///
/// Prints the address once it listens. Ctrl-C or SIGTERM stops it after the current requests.
#[derive(clap::Args, Debug)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Address to listen on, or a port of this machine; port 0 picks a free one
    #[arg(
        long,
        value_name = "ADDR:PORT",
        default_value = DEFAULT_ADDRESS,
        value_parser = listen_address
    )]
    listen: SocketAddr,
    /// Region reported for Ontora keys
    #[arg(long, value_name = "REGION", default_value = "us")]
    region: String,
    /// Requests per minute for the keys of one tenant, and for the admins of one organisation; 0
    /// removes the limit. Revocations have a separate limit of the same size
    #[arg(long, value_name = "PER_MINUTE", default_value_t = Limits::default().tenant_per_minute)]
    rate_limit: u32,
    /// Failed authentications per minute from one address; 0 removes the limit
    #[arg(long, value_name = "PER_MINUTE", default_value_t = Limits::default().failures_per_minute)]
    failure_limit: u32,
    #[command(flatten)]
    issuers: IssuerArgs,
}

/// OpenID Connect issuers; the values of one issuer have the same index in each list.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Additional issuers of admin tokens")]
struct IssuerArgs {
    /// Exact `iss` of an issuer of admin tokens; repeat it, and the options that belong to it, for
    /// each issuer
    #[arg(long = "issuer", value_name = "URL")]
    issuers: Vec<String>,
    /// JSON Web Key Set of the issuer; without it, or empty, found through the discovery document at
    /// `URL/.well-known/openid-configuration`
    #[arg(
        long = "jwks",
        id = "key_sets",
        value_name = "FILE|URL",
        requires = "issuers"
    )]
    key_sets: Vec<String>,
    /// `aud` that the issuer's tokens must have; empty for an issuer whose tokens have none
    #[arg(long = "audience", value_name = "AUDIENCE", requires = "issuers")]
    audiences: Vec<String>,
    /// Claim with the organisation's id, with dots between nested names; repeat for several, the
    /// first one present is used [default: o.id, org_id]
    #[arg(long = "organisation-claim", value_name = "PATH", requires = "issuers")]
    organisation_claims: Vec<String>,
    /// Claim with the role, `admin` or `member` [default: o.rol, org_role]
    #[arg(long = "role-claim", value_name = "PATH", requires = "issuers")]
    role_claims: Vec<String>,
}

impl IssuerArgs {
    fn issuers(self) -> Result<Vec<Issuer>, CliError> {
        let wanted = self.issuers.len();
        let fits = |given: usize| given == wanted;
        if !self.key_sets.is_empty() && !fits(self.key_sets.len()) {
            return Err(
                CliError::usage("give `--jwks` for every `--issuer` or for none")
                    .hint("`--jwks ''` discovers the key set of an issuer"),
            );
        }
        if !self.audiences.is_empty() && !fits(self.audiences.len()) {
            return Err(
                CliError::usage("give `--audience` for every `--issuer` or for none")
                    .hint("`--audience ''` is an issuer whose tokens carry none"),
            );
        }
        let mut claims = Claims::default();
        for (chosen, paths) in [
            (self.organisation_claims, &mut claims.organisation),
            (self.role_claims, &mut claims.role),
        ] {
            if !chosen.is_empty() {
                *paths = chosen;
            }
        }
        let key_sets = self
            .key_sets
            .into_iter()
            .chain(std::iter::repeat(String::new()));
        let audiences = self.audiences.into_iter().map(Some);
        let audiences = audiences.chain(std::iter::repeat(None));
        self.issuers
            .into_iter()
            .zip(key_sets)
            .zip(audiences)
            .map(|((issuer, keys), audience)| {
                Ok(Issuer {
                    issuer,
                    audience: audience.filter(|audience| !audience.is_empty()),
                    keys: key_source(&keys)?,
                    claims: claims.clone(),
                })
            })
            .collect()
    }
}

fn key_source(text: &str) -> Result<JwksSource, CliError> {
    if text.is_empty() {
        return Ok(JwksSource::Discovery);
    }
    let scheme = text.split_once(':').map(|(scheme, _)| scheme);
    let is_url = |scheme: &str| {
        ["http", "https"]
            .iter()
            .any(|url| scheme.eq_ignore_ascii_case(url))
    };
    if !scheme.is_some_and(is_url) {
        return Ok(JwksSource::File(PathBuf::from(text)));
    }
    match text.parse::<Url>() {
        Ok(url) => Ok(JwksSource::Url(url)),
        Err(error) => Err(CliError::usage(format!("`--jwks {text}`: {error}"))),
    }
}

/// Printed once the server listens.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ServeSummary {
    /// URL of the server.
    url: String,
    /// Address and port that the server listens on.
    #[cfg_attr(test, schemars(with = "String"))]
    address: SocketAddr,
}

pub(crate) fn run(args: ServeArgs, cx: &Context) -> Result<Exit, CliError> {
    debug::install_for_server(cx.global().debug);
    let database = args.database.database(cx)?;
    let settings = AuthoritySettings {
        key_material: args.database.key_material(cx)?,
        region: args.region,
        limits: Limits {
            tenant_per_minute: args.rate_limit,
            failures_per_minute: args.failure_limit,
        },
        issuers: args.issuers.issuers()?,
        proxies: Proxies::from_env(cx.env()),
        roots: CustomRoots::from_env(cx.env()),
        ..AuthoritySettings::default()
    };
    let runtime = crate::runtime::build(&mut tokio::runtime::Builder::new_multi_thread())?;
    runtime.block_on(async {
        // Before the first answer, so that an early signal loses no request.
        let shutdown = shutdown()?;
        let listener = listen(args.listen, "serve").await?;
        let authority = Authority::open(&database, settings)?;
        let address = listener
            .local_addr()
            .map_err(ntro_authority::Error::Listener)?;
        cx.printer().print(&ServeSummary {
            url: format!("http://{address}"),
            address,
        })?;
        ntro_authority::serve(listener, authority, shutdown).await?;
        Ok(Exit::Success)
    })
}

impl Report for ServeSummary {
    fn text(&self, _: Paint) -> String {
        format!("listening on {}\n", self.url)
    }
}
