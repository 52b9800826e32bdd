use ntro::connection::{Decision, Error};
use serde::Serialize;

use crate::context::Context;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{Paint, Report};

/// Tell which connection, host, key, tenant and provider a call would use, and why
#[derive(clap::Args, Debug)]
pub(crate) struct ExplainArgs {}

#[derive(Debug, Serialize)]
struct Explanation {
    connection: Explained,
    host: Explained,
    key: Explained,
    tenant: Explained,
    provider: Explained,
}

#[derive(Debug, Serialize)]
struct Explained {
    value: Option<String>,
    error: Option<String>,
    sources: Vec<Place>,
}

#[derive(Debug, Serialize)]
struct Place {
    source: String,
    found: Option<String>,
    wins: bool,
}

pub(crate) fn run(_args: ExplainArgs, cx: &Context) -> Result<Exit, CliError> {
    let resolver = cx.resolver()?;
    let explanation = Explanation {
        connection: explained(resolver.explain_connection(), resolver.name().err()),
        host: explained(resolver.explain_host(), resolver.host().err()),
        key: explained(resolver.explain_key(), resolver.key().err()),
        tenant: explained(resolver.explain_tenant(), resolver.tenant().err()),
        provider: explained(resolver.explain_provider(), resolver.provider().err()),
    };
    cx.printer().print(&explanation)?;
    // The first value that cannot be decided says how the call would have failed.
    let failure = resolver.name().err().or(resolver.host().err());
    match failure.or(resolver.key().err()) {
        Some(error) => Ok(Exit::Found(CliError::from(error).kind)),
        None => Ok(Exit::Fine),
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
        sources: decision
            .candidates
            .into_iter()
            .enumerate()
            .map(|(index, place)| Place {
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
        ] {
            let value = match (&explained.error, &explained.value) {
                (Some(error), _) => paint.bad(error),
                (None, Some(value)) => paint.bold(value),
                (None, None) => otherwise.to_owned(),
            };
            text.push_str(&format!("{name}: {value}\n"));
            for place in &explained.sources {
                let mark = if place.wins {
                    paint.good("→")
                } else {
                    " ".to_owned()
                };
                let found = place.found.as_deref().unwrap_or("-");
                text.push_str(&format!("  {mark} {}: {found}\n", place.source));
            }
        }
        text
    }
}
