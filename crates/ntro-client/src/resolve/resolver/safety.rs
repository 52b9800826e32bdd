//! What safety a connection: the policy of its key, and whether it is production.

use super::Resolver;
use crate::config::SafetySettings;
use crate::resolve::{Decision, Error, Production, Source, Sourced};
use ntro_base::env;
use ntro_base::{ConnectionName, Host, Policy, Provider};

/// Names that say by themselves that a connection is production.
const PRODUCTION_NAMES: [&str; 2] = ["production", "prod"];

impl Resolver<'_> {
    /// Returns the places where the policy of the key is looked for.
    ///
    /// An entry of `config.toml` that the official clients have rewritten says nothing of it any
    /// more; what was written down before then holds.
    ///
    /// # Errors
    ///
    /// As [`Resolver::name`].
    pub fn explain_policy(&self) -> Result<Decision, Error> {
        let mut decision = Decision::default();
        // A key that was never stored is nobody's to be guarded.
        let given = self.given_key()?.map(|_| Policy::Open.as_str());
        decision.push(Source::Variable(env::NTRO_API_KEY.name), given);
        if let Some(Sourced { value: name, .. }) = &self.name()? {
            self.push_safety(&mut decision, name, "policy", |safety| {
                safety.policy.map(Policy::as_str)
            });
        }
        decision.push(Source::Default, Some(Policy::Open.as_str()));
        Ok(decision)
    }

    /// Returns the policy of a connection's stored key.
    #[must_use]
    pub fn policy(&self, name: &ConnectionName) -> Policy {
        self.safety(name).policy.unwrap_or_default()
    }

    /// Returns the places that tell whether the connection is production.
    ///
    /// # Errors
    ///
    /// As [`Resolver::host`].
    pub fn explain_production(&self) -> Result<Decision, Error> {
        let name = self.name()?.map(|name| name.value);
        let host = self.host()?.value;
        let mut decision = Decision::default();
        let answer = |production: bool| if production { "yes" } else { "no" };
        if let Some(name) = &name {
            // That a connection is not production says nothing of another host.
            let elsewhere = || self.configured_origin(name).ok() != Some(host.origin());
            self.push_safety(&mut decision, name, "production", |safety| {
                safety
                    .production
                    .filter(|production| *production || !elsewhere())
                    .map(answer)
            });
        }
        decision.push(
            Source::Inferred("the host"),
            inferred_from_host(&host).map(answer),
        );
        if let Some(name) = &name {
            let named = PRODUCTION_NAMES.contains(&name.as_str());
            decision.push(Source::Inferred("the name"), named.then_some(answer(true)));
        }
        decision.push(Source::Default, Some(answer(false)));
        Ok(decision)
    }

    /// Returns what is production about the call, if anything is: the connection, or the host
    /// alone.
    ///
    /// # Errors
    ///
    /// As [`Resolver::host`].
    pub fn production(&self) -> Result<Option<Production>, Error> {
        let decision = self.explain_production()?;
        match decision.chosen() {
            Some(Sourced {
                value: "yes",
                source,
            }) => Ok(Some(Production {
                connection: self.name()?.map(|name| name.value),
                host: self.host()?.value,
                source,
            })),
            _ => Ok(None),
        }
    }

    fn push_safety(
        &self,
        decision: &mut Decision,
        name: &ConnectionName,
        key: &str,
        read: impl Fn(SafetySettings) -> Option<&'static str>,
    ) {
        let entry = self.entry(name).safety();
        decision.push(self.entry_source(name, key), entry.and_then(&read));
        if entry.is_none() {
            let recorded = self.records.safety(name.as_str());
            decision.push(Source::Recorded(self.home.logins()), read(recorded));
        }
    }

    fn safety(&self, name: &ConnectionName) -> SafetySettings {
        let entry = self.entry(name).safety();
        entry.unwrap_or_else(|| self.records.safety(name.as_str()))
    }
}

/// Returns what a host says by itself. Nothing on this machine is production.
fn inferred_from_host(host: &Host) -> Option<bool> {
    if host.is_loopback() {
        return Some(false);
    }
    Provider::of_production_host(host).map(|_| true)
}
