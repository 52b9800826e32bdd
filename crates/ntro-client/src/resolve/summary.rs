use super::{ConnectionFacts, Decided, Inputs, KeySource, decide};
use ntro_base::{ConnectionName, Host, Provider};

/// The values that a listing shows of one connection, decided from both files alone.
///
/// A [`Resolution`](super::Resolution) decides more than a list of a thousand rows can afford.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Summary<'a> {
    /// What both files say about the connection.
    pub facts: ConnectionFacts<'a>,
    /// The system that the host belongs to.
    pub provider: Decided<Provider>,
    /// The place of the key.
    pub key: Decided<KeySource>,
    host: Decided<Host>,
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
        let host = decide::host(&inputs, Some(&facts), &given);
        Summary {
            provider: decide::provider(&inputs, Some(&facts), &given),
            key: decide::key(Some(&facts), &host, &given),
            facts,
            host,
            inputs,
        }
    }
}

impl Summary<'_> {
    /// Returns whether the connection is a production one.
    #[must_use]
    pub fn is_production(&self) -> bool {
        let production = decide::production(&self.inputs, Some(&self.facts), &self.host);
        production.outcome.is_ok_and(|found| found.is_some())
    }
}
