//! What a variable hides of what the user would get without it.

use super::Resolver;
use crate::connection::{Error, Sourced};
use crate::domain::Host;
use crate::env;

/// A variable that hides what the user would get without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// The variable.
    pub variable: &'static str,
    /// What it hides, fit to be shown.
    pub over: String,
}

impl Resolver<'_> {
    /// Returns what variables hide of what the user would otherwise get.
    ///
    /// # Errors
    ///
    /// Fails when a variable is not Unicode, and with [`Error::Strict`] when `NTRO_STRICT` is set
    /// and there is anything to tell.
    pub fn shadows(&self) -> Result<Vec<Shadow>, Error> {
        let mut shadows = Vec::new();
        let name = self.name()?;
        if let Some(Sourced { value: name, .. }) = &name {
            let logged_in =
                self.logins.get(name.as_str()).is_some() || self.entry(name).api_key.is_some();
            if self.env.is_set(&env::NTRO_API_KEY) && logged_in {
                shadows.push(Shadow {
                    variable: env::NTRO_API_KEY.name,
                    over: format!("the stored API key of `{name}`"),
                });
            }
            let over = self
                .env
                .text(&env::NTRO_HOST)?
                .filter(|_| self.flags.host.is_none());
            if let (Some(over), Some(host)) = (over, &self.entry(name).host)
                && over.parse::<Host>().ok() != host.parse::<Host>().ok()
            {
                shadows.push(Shadow {
                    variable: env::NTRO_HOST.name,
                    over: format!("the host of `{name}`, {host}"),
                });
            }
        }
        match shadows.first() {
            Some(shadow) if self.env.text(&env::NTRO_STRICT)? == Some("1") => Err(Error::Strict {
                variable: shadow.variable,
                over: shadow.over.clone(),
            }),
            _ => Ok(shadows),
        }
    }
}
