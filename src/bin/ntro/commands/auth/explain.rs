use ntro_base::shown_host;
use ntro_client::resolve::{Decision, Error, ResolvedValue, Resolver, Shadow};
use serde::Serialize;

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Paint, Report, plain};

/// Tell which connection, host, key, tenant and provider a call would use, and why
///
/// Asks no server and opens no store: a stored key is told by the prefix that was noted at its login,
/// and whether it is there and accepted is what `ntro auth status` tells.
#[derive(clap::Args, Debug)]
pub(crate) struct ExplainArgs {}

/// One object for each value of a call.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Explanation {
    /// How the connection is resolved.
    connection: Explained,
    /// How the host is resolved.
    host: Explained,
    /// How the key is resolved.
    key: Explained,
    /// How the tenant is resolved.
    tenant: Explained,
    /// How the provider is resolved.
    provider: Explained,
    /// How the policy is resolved.
    policy: Explained,
    /// Whether the connection is production, and why.
    production: Explained,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Explained {
    /// Value that a call would use; of a key, the prefix.
    value: Option<String>,
    /// Why the value cannot be used.
    error: Option<String>,
    /// Value that an environment variable overrides.
    overrides: Option<String>,
    /// Every source, in order of precedence.
    sources: Vec<ExplainedSource>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ExplainedSource {
    /// Description of the source.
    source: String,
    /// Value found there.
    found: Option<String>,
    /// Whether this source provides the value.
    wins: bool,
}

pub(crate) fn run(_args: ExplainArgs, cx: &Context) -> Result<Exit, CliError> {
    let resolver = cx.resolver()?;
    let shadows = resolver.shadows().unwrap_or_default();
    let overridden = |explained: Explained, value| explained.overridden(&resolver, &shadows, value);
    let mut explanation = Explanation {
        connection: overridden(
            explained(resolver.explain_connection(), resolver.name().err()),
            ResolvedValue::Connection,
        ),
        host: overridden(
            explained(resolver.explain_host(), resolver.host().err()),
            ResolvedValue::Host,
        ),
        key: overridden(
            explained(resolver.explain_key(), resolver.key().err()),
            ResolvedValue::Key,
        ),
        tenant: overridden(
            explained(resolver.explain_tenant(), resolver.tenant().err()),
            ResolvedValue::Tenant,
        ),
        provider: explained(resolver.explain_provider(), resolver.provider().err()),
        policy: explained(resolver.explain_policy(), None),
        production: explained(resolver.explain_production(), None),
    };
    explanation.host.without_passwords();
    cx.printer().print(&explanation)?;
    // The first value that cannot be decided says how the call would have failed.
    let failure = resolver.name().err().or(resolver.host().err());
    let refused = || {
        let refused = |shadow| resolver.check(shadow).err();
        shadows.iter().find_map(refused)
    };
    match failure.or_else(refused).or(resolver.key().err()) {
        Some(error) => Ok(Exit::Failure(CliError::from(error).kind)),
        None => Ok(Exit::Success),
    }
}

impl Explained {
    /// Adds what a variable hides of the value.
    fn overridden(
        mut self,
        resolver: &Resolver<'_>,
        shadows: &[Shadow],
        value: ResolvedValue,
    ) -> Self {
        if let Some(shadow) = shadows.iter().find(|shadow| shadow.value == value) {
            self.overrides = Some(shadow.over.clone());
            if let Err(error) = resolver.check(shadow) {
                self.error.get_or_insert_with(|| error.to_string());
                self.value = None;
            }
        }
        self
    }

    /// Takes out of a host what may be a password, where it is none and stands there all the same.
    fn without_passwords(&mut self) {
        let found = self.sources.iter_mut().map(|place| &mut place.found);
        for text in std::iter::once(&mut self.value).chain(found).flatten() {
            *text = shown_host(text);
        }
    }
}

fn explained(decision: Result<Decision, Error>, error: Option<Error>) -> Explained {
    let (decision, error) = match decision {
        Ok(decision) => (decision, error),
        Err(error) => (Decision::default(), Some(error)),
    };
    let winner = decision
        .candidates
        .iter()
        .position(|place| place.found.is_some());
    let error = error.map(|error| error.to_string());
    Explained {
        value: match (&error, winner) {
            (None, Some(winner)) => decision.candidates[winner].found.clone(),
            _ => None,
        },
        error,
        overrides: None,
        sources: decision
            .candidates
            .into_iter()
            .enumerate()
            .map(|(index, place)| ExplainedSource {
                source: place.source.to_string(),
                found: place.found,
                wins: winner == Some(index),
            })
            .collect(),
    }
}

impl Report for Explanation {
    fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        for (name, explained, otherwise) in [
            ("connection", &self.connection, "none"),
            ("host", &self.host, "none"),
            ("key", &self.key, "none"),
            ("tenant", &self.tenant, "the only one that the key reaches"),
            ("provider", &self.provider, "none"),
            ("policy", &self.policy, "none"),
            ("production", &self.production, "no"),
        ] {
            let value = match (&explained.error, &explained.value) {
                (Some(error), _) => paint.bad(&plain(error)),
                (None, Some(value)) => paint.bold(&plain(value)),
                (None, None) => otherwise.to_owned(),
            };
            text.push_str(&format!("{name}: {value}\n"));
            if let Some(over) = &explained.overrides {
                text.push_str(&format!(
                    "  {} overrides {}\n",
                    paint.warn("!"),
                    plain(over)
                ));
            }
            for place in &explained.sources {
                let mark = if place.wins {
                    paint.good("→")
                } else {
                    " ".to_owned()
                };
                let found = place.found.as_deref().map_or("-".into(), plain);
                text.push_str(&format!("  {mark} {}: {found}\n", plain(&place.source)));
            }
        }
        text
    }
}
