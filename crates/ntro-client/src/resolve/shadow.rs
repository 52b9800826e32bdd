use std::fmt;

use super::connection_facts::ConnectionFacts;
use super::{Candidate, Decided, Error, Inputs};
use ntro_base::env;
use ntro_base::{ConnectionName, Host, TenantSlug, escaped, printable, shown_host};

/// A value that a variable can override.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResolvedValue {
    /// The connection.
    Connection,
    /// The host.
    Host,
    /// The key.
    Key,
    /// The tenant.
    Tenant,
}

impl ResolvedValue {
    /// Every value that can be overridden.
    pub const ALL: [Self; 4] = [Self::Connection, Self::Host, Self::Key, Self::Tenant];
}

/// A variable that overrides a value of the configuration or the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// The value.
    pub value: ResolvedValue,
    /// The variable.
    pub variable: &'static str,
    /// The overridden value, safe to display.
    pub over: String,
}

impl fmt::Display for Shadow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the variable `{}` overrides {}",
            self.variable, self.over
        )
    }
}

/// Returns the value of a source, safe for a terminal: a pin may be another person's file.
fn shown(place: &Candidate) -> String {
    cut(place.found.as_deref().unwrap_or_default())
}

fn cut(text: &str) -> String {
    printable(&escaped(text), 200)
}

/// Finds the variables that override other values.
pub(super) fn find(
    inputs: &Inputs<'_>,
    facts: Option<&ConnectionFacts<'_>>,
    connection: &Decided<ConnectionName>,
    host: &Decided<Host>,
    tenant: &Decided<TenantSlug>,
) -> Result<Vec<Shadow>, Error> {
    let mut shadows = Vec::new();
    let mut add = |value, variable, over| {
        shadows.push(Shadow {
            value,
            variable,
            over,
        });
    };
    if let Some((variable, over)) = connection.overridden()? {
        let over = format!(
            "the connection `{}` (named by {})",
            shown(over),
            over.source
        );
        add(ResolvedValue::Connection, variable, over);
    }
    // Without a connection there is nothing to override.
    let Some(facts) = facts else {
        return Ok(shadows);
    };
    let name = &facts.name;
    if let Some((variable, over)) = host.overridden()? {
        let found = over.found.as_deref().unwrap_or_default();
        let host = |text: Option<&str>| text.and_then(|text| text.parse::<Host>().ok());
        if host(inputs.env.text(&env::NTRO_HOST)?) != host(Some(found)) {
            let over = format!("the host of `{name}`, {}", cut(&shown_host(found)));
            add(ResolvedValue::Host, variable, over);
        }
    }
    let is_logged_in = facts.login.is_some() || facts.entry.api_key.is_some();
    if inputs.env.is_set(&env::NTRO_API_KEY) && is_logged_in {
        let over = format!("the stored API key of `{name}`");
        add(ResolvedValue::Key, env::NTRO_API_KEY.name, over);
    }
    if let Some((variable, over)) = tenant.overridden()? {
        let over = format!("the tenant `{}` (named by {})", shown(over), over.source);
        add(ResolvedValue::Tenant, variable, over);
    }
    Ok(shadows)
}

impl<T> Decided<T> {
    fn overridden(&self) -> Result<Option<(&'static str, &Candidate)>, Error> {
        match &self.trace {
            Ok(trace) => Ok(trace.overridden()),
            Err(error) => Err(error.clone()),
        }
    }
}

/// Returns whether shadows are errors: `NTRO_STRICT` is set to anything but `0`.
pub(super) fn is_strict(inputs: &Inputs<'_>) -> Result<bool, Error> {
    let strict = inputs.env.text(&env::NTRO_STRICT)?;
    Ok(strict.is_some_and(|text| text != "0"))
}
