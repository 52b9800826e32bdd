use ntro_base::{escaped, shown_host};
use ntro_client::resolve::{Decided, Resolution, ResolvedValue, Shadow};
use serde::Serialize;

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Paint, Report, plain};

/// Show which connection, host, key, tenant and provider a call would use, and why
///
/// Contacts no server and opens no store: the prefix of a stored key is the one recorded at login.
/// `ntro auth status` checks that the key is still stored and accepted.
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
    /// Kind of the source.
    code: &'static str,
    /// Description of the source.
    source: String,
    /// Value found there.
    found: Option<String>,
    /// Whether this source provides the value.
    wins: bool,
}

pub(crate) fn run(_args: ExplainArgs, cx: &Context) -> Result<Exit, CliError> {
    let resolution = cx.resolution()?;
    let shadows = resolution.shadows().unwrap_or_default();
    let overridden = |explained: Explained, value| explained.overridden(resolution, shadows, value);
    let mut explanation = Explanation {
        connection: overridden(
            Explained::of(&resolution.connection),
            ResolvedValue::Connection,
        ),
        host: overridden(Explained::of(&resolution.host), ResolvedValue::Host),
        key: overridden(Explained::of(&resolution.key), ResolvedValue::Key),
        tenant: overridden(Explained::of(&resolution.tenant), ResolvedValue::Tenant),
        provider: Explained::of(&resolution.provider),
        policy: Explained::of(&resolution.policy),
        production: Explained::of(&resolution.production),
    };
    explanation.host.without_passwords();
    cx.printer().print(&explanation)?;
    // A call would fail with the first error.
    let failure = resolution.name().err().or(resolution.host().err());
    let refused = || {
        shadows
            .iter()
            .find_map(|shadow| resolution.check(shadow).err())
    };
    match failure.or_else(refused).or(resolution.key().err()) {
        Some(error) => Ok(Exit::Failure(CliError::from(error).kind)),
        None => Ok(Exit::Success),
    }
}

impl Explained {
    /// The trace of a value, and the value unless it could not be decided.
    fn of<T>(decided: &Decided<T>) -> Self {
        let trace = decided.trace.as_ref();
        let error = trace.err().or(decided.outcome.as_ref().err());
        let places = trace.map_or(&[][..], |trace| &trace.candidates);
        let winner = places.iter().position(|place| place.found.is_some());
        let sources = places.iter().enumerate();
        let sources = sources.map(|(index, place)| ExplainedSource {
            code: place.source.code(),
            source: place.source.to_string(),
            found: place.found.clone(),
            wins: winner == Some(index),
        });
        Self {
            value: match (error, winner) {
                (None, Some(winner)) => places[winner].found.clone(),
                _ => None,
            },
            error: error.map(ToString::to_string),
            overrides: None,
            sources: sources.collect(),
        }
    }

    /// Adds the value that a variable overrides.
    fn overridden(
        mut self,
        resolution: &Resolution,
        shadows: &[Shadow],
        value: ResolvedValue,
    ) -> Self {
        if let Some(shadow) = shadows.iter().find(|shadow| shadow.value == value) {
            self.overrides = Some(shadow.over.clone());
            if let Err(error) = resolution.check(shadow) {
                self.error.get_or_insert_with(|| error.to_string());
                self.value = None;
            }
        }
        self
    }

    /// Removes passwords from hosts, which invalid ones may contain.
    fn without_passwords(&mut self) {
        let found = self.sources.iter_mut().map(|place| &mut place.found);
        for text in std::iter::once(&mut self.value).chain(found).flatten() {
            *text = shown_host(text);
        }
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
                (None, Some(value)) => paint.bold(&escaped(value)),
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
                let found = place.found.as_deref().map_or("-".into(), escaped);
                text.push_str(&format!("  {mark} {}: {found}\n", plain(&place.source)));
            }
        }
        text
    }
}
