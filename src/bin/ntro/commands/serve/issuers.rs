//! The options of `ntro serve` that name issuers of admin tokens.

use std::path::PathBuf;

use ntro_authority::{Claims, Issuer, JwksSource};
use url::Url;

use crate::error::CliError;

/// OpenID Connect issuers; the values of one issuer have the same index in each list.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Additional issuers of admin tokens")]
pub(super) struct IssuerArgs {
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
    /// Returns these issuers, or the others if there are none.
    pub(super) fn or(self, other: Self) -> Self {
        if self.issuers.is_empty() { other } else { self }
    }

    pub(super) fn issuers(self) -> Result<Vec<Issuer>, CliError> {
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
