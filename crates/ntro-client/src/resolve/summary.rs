use super::{ConnectionFacts, Decided, Error, Inputs, Trace, decide};
use ntro_base::{ConnectionName, Provider};

/// The values that a listing shows of one connection, decided from both files alone.
///
/// A [`Resolution`](super::Resolution) decides more than a list of a thousand rows can afford.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Summary<'a> {
    /// The facts that both files hold about the connection.
    pub facts: ConnectionFacts<'a>,
    /// The system that the host belongs to.
    pub provider: Decided<Provider>,
    /// The places of the key, in order of precedence.
    pub key: Result<Trace, Error>,
    inputs: Inputs<'a>,
}

impl<'a> Inputs<'a> {
    /// Decides the active connection alone.
    #[must_use]
    pub fn active(&self) -> Decided<ConnectionName> {
        decide::connection(self)
    }

    /// Decides what a listing shows of a connection.
    #[must_use]
    pub fn summary(&self, name: &ConnectionName) -> Summary<'a> {
        let inputs = Inputs::of_files(self.config, self.records, self.home);
        let facts = inputs.facts(name);
        let given = Ok(None);
        Summary {
            provider: decide::provider(&inputs, Some(&facts), &given),
            key: decide::key_trace(Some(&facts), &given),
            facts,
            inputs,
        }
    }
}

impl Summary<'_> {
    /// Returns whether the connection is a production one.
    #[must_use]
    pub fn is_production(&self) -> bool {
        if !decide::may_be_production(&self.facts) {
            return false;
        }
        let facts = Some(&self.facts);
        let host = decide::host(&self.inputs, facts, &Ok(None));
        let production = decide::production(&self.inputs, facts, &host);
        production.outcome.is_ok_and(|found| found.is_some())
    }
}
