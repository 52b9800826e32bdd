//! What a variable hides of what the user would get without it.

use std::fmt;

use super::Resolver;
use crate::resolve::{Candidate, Error, Sourced};
use ntro_base::env;
use ntro_base::{Host, printable, shown_host};

/// One of the values that are decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResolvedValue {
    /// Which connection is meant.
    Connection,
    /// Which host is called.
    Host,
    /// Which key is used.
    Key,
    /// Which tenant is meant.
    Tenant,
}

impl ResolvedValue {
    /// Every value that can be hidden.
    pub const ALL: [Self; 4] = [Self::Connection, Self::Host, Self::Key, Self::Tenant];
}

/// A variable that hides what the user would get without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// The value that it is about.
    pub value: ResolvedValue,
    /// The variable.
    pub variable: &'static str,
    /// What it hides, fit to be shown.
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

/// What a place has, fit for a terminal: a pin comes with somebody else's project.
fn shown(place: &Candidate) -> String {
    printable(place.found.as_deref().unwrap_or_default(), 200)
}

impl Resolver<'_> {
    /// Returns what variables hide of what the user would otherwise get, by configuration, stored
    /// login or a project's pin. An option on the command line is stronger than all of them and
    /// meant as it stands, so it hides nothing.
    ///
    /// # Errors
    ///
    /// Fails when a variable is not Unicode, and as [`Resolver::name`].
    pub fn shadows(&self) -> Result<Vec<Shadow>, Error> {
        let mut shadows = Vec::new();
        let mut add = |value, variable, over| {
            shadows.push(Shadow {
                value,
                variable,
                over,
            });
        };
        if let Some((variable, over)) = self.explain_connection()?.overridden() {
            let over = format!(
                "the connection `{}` (named by {})",
                shown(over),
                over.source
            );
            add(ResolvedValue::Connection, variable, over);
        }
        // Without a connection there is nothing of the user's that could be hidden.
        let Some(Sourced { value: name, .. }) = &self.name()? else {
            return Ok(shadows);
        };
        if let Some((variable, over)) = self.explain_host()?.overridden() {
            let found = over.found.as_deref().unwrap_or_default();
            let host = |text: Option<&str>| text.and_then(|text| text.parse::<Host>().ok());
            if host(self.env.text(&env::NTRO_HOST)?) != host(Some(found)) {
                add(
                    ResolvedValue::Host,
                    variable,
                    format!("the host of `{name}`, {}", shown_host(&shown(over))),
                );
            }
        }
        let logged_in =
            self.records.get(name.as_str()).is_some() || self.entry(name).api_key.is_some();
        if self.env.is_set(&env::NTRO_API_KEY) && logged_in {
            let over = format!("the stored API key of `{name}`");
            add(ResolvedValue::Key, env::NTRO_API_KEY.name, over);
        }
        if let Some((variable, over)) = self.explain_tenant()?.overridden() {
            let over = format!("the tenant `{}` (named by {})", shown(over), over.source);
            add(ResolvedValue::Tenant, variable, over);
        }
        Ok(shadows)
    }

    /// Refuses a shadow where `NTRO_STRICT` asks for that.
    ///
    /// # Errors
    ///
    /// Fails with [`Error::Strict`], and when the variable is not Unicode.
    pub fn check(&self, shadow: &Shadow) -> Result<(), Error> {
        match self.env.text(&env::NTRO_STRICT)? {
            None | Some("0") => Ok(()),
            // Whatever else it is, it was set to be strict.
            Some(_) => Err(Error::Strict {
                variable: shadow.variable,
                over: shadow.over.clone(),
            }),
        }
    }
}
