//! One function for each row of the precedence table.

use secrecy::ExposeSecret as _;

use super::connection_facts::{ConnectionFacts, no_host};
use super::{
    Candidate, Decided, Error, Inputs, KeySource, Production, Source, Sourced, Trace, parse,
};
use crate::BoundKey;
use crate::config::{Pin, SafetySettings};
use crate::secrets::StoreKind;
use ntro_base::env::{self, EnvVar};
use ntro_base::{ApiKey, ConnectionName, Host, KeyPrefix, Policy, Provider, TenantSlug};

/// Names that say by themselves that a connection is production, alone or as the first or the last
/// of several words: `prod`, `prod-eu`, `acme-prod`.
const PRODUCTION_NAMES: [&str; 2] = ["production", "prod"];

/// The key in `NTRO_API_KEY`.
pub(super) type GivenKey = Result<Option<ApiKey>, Error>;

pub(super) fn given_key(inputs: &Inputs<'_>) -> GivenKey {
    let source = Source::Variable(env::NTRO_API_KEY.name);
    let key = inputs.env.text(&env::NTRO_API_KEY)?;
    key.map(|key| parse(key, &source)).transpose()
}

/// The connection; none where nothing names one, and the environment alone makes a call possible.
pub(super) fn connection(inputs: &Inputs<'_>) -> Decided<ConnectionName> {
    let trace = || -> Result<Trace, Error> {
        let mut trace = Trace::default();
        let flag = inputs.flags.connection.as_ref();
        trace.push(
            inputs.flags.source_of_name(),
            flag.map(ConnectionName::as_str),
        );
        push_variable(inputs, &mut trace, &env::NTRO_CONNECTION)?;
        push_variable(inputs, &mut trace, &env::NTRO_DEFAULT_CONNECTION_NAME)?;
        push_pin(inputs, &mut trace, |pin| pin.connection.as_deref());
        let source = match inputs.config.default_connection_name {
            None if inputs.config.default_name().is_some() => Source::Default,
            _ => inputs.config_source("default_connection_name".to_owned()),
        };
        trace.push(source, inputs.config.default_name());
        Ok(trace)
    };
    let trace = trace();
    let outcome = named(inputs, &trace);
    Decided { trace, outcome }
}

fn named(
    inputs: &Inputs<'_>,
    trace: &Result<Trace, Error>,
) -> Result<Option<Sourced<ConnectionName>>, Error> {
    let is_known = |name: &ConnectionName| inputs.config.connections.contains_key(name.as_str());
    // Nothing wins over a flag, so a variable that cannot be read does not matter.
    if let Some(name) = inputs
        .flags
        .connection
        .as_ref()
        .filter(|name| is_known(name))
    {
        return Ok(Some(Sourced {
            value: name.clone(),
            source: inputs.flags.source_of_name(),
        }));
    }
    let known = || inputs.config.names().map(str::to_owned).collect::<Vec<_>>();
    let Some(Sourced { value, source }) = trace.as_ref().map_err(Clone::clone)?.chosen() else {
        return match is_host_given(inputs) || inputs.env.is_set(&env::NTRO_API_KEY) {
            true => Ok(None),
            false => Err(Error::NoConnection { known: known() }),
        };
    };
    let name: ConnectionName = parse(value, &source)?;
    match is_known(&name) {
        true => Ok(Some(Sourced {
            value: name,
            source,
        })),
        false => Err(Error::UnknownConnection {
            name: name.to_string(),
            source_of_value: source,
            known: known(),
        }),
    }
}

/// Returns whether a host is given for this call alone.
fn is_host_given(inputs: &Inputs<'_>) -> bool {
    inputs.env.is_set(&env::NTRO_HOST) || inputs.flags.host.is_some()
}

pub(super) fn host(
    inputs: &Inputs<'_>,
    facts: Option<&ConnectionFacts<'_>>,
    given: &GivenKey,
) -> Decided<Host> {
    let trace = || -> Result<Trace, Error> {
        let mut trace = Trace::default();
        let flag = inputs.flags.host.as_ref();
        trace.push(inputs.flags.source_of_host(), flag.map(Host::as_str));
        push_variable(inputs, &mut trace, &env::NTRO_HOST)?;
        match facts {
            Some(facts) => trace.push(facts.source("host"), facts.entry.host.as_deref()),
            None => {
                let key = given.as_ref().map_err(Clone::clone)?.as_ref();
                let provider = key.and_then(ApiKey::provider).unwrap_or(Provider::Ntropii);
                trace.push(Source::Default, Some(provider.production_host()));
            }
        }
        Ok(trace)
    };
    let mut host = Decided::of(trace(), parsed);
    if let Ok(None) = host.outcome {
        host.outcome = Err(match facts {
            Some(facts) => no_host(*inputs, &facts.name),
            None => Error::NoConnection { known: Vec::new() },
        });
    }
    host
}

pub(super) fn provider(
    inputs: &Inputs<'_>,
    facts: Option<&ConnectionFacts<'_>>,
    given: &GivenKey,
) -> Decided<Provider> {
    let trace = || -> Result<Trace, Error> {
        let mut trace = Trace::default();
        let key = given.as_ref().map_err(Clone::clone)?.as_ref();
        let of_key = key.and_then(ApiKey::provider).map(Provider::as_str);
        let of_variable = Source::Inferred("the look of `NTRO_API_KEY`");
        let Some(facts) = facts else {
            trace.push(of_variable, of_key);
            trace.push(Source::Default, Some(Provider::Ntropii.as_str()));
            return Ok(trace);
        };
        let entry = facts.entry;
        // A host that is given is not the connection's, and the key goes there.
        let is_of_key = of_key.is_some() && is_host_given(inputs);
        if is_of_key {
            trace.push(of_variable.clone(), of_key);
        }
        trace.push(facts.source("provider"), entry.provider.as_deref());
        let login = facts.login.filter(|_| !facts.is_moved());
        trace.push(
            Source::KeyRecord(inputs.home.logins()),
            login.map(|login| login.provider.as_str()),
        );
        if !is_of_key {
            trace.push(of_variable, of_key);
        }
        let plain = entry.api_key.as_ref();
        let plain = plain.and_then(|key| Provider::of_key(key.expose_secret()));
        trace.push(
            Source::Inferred("the look of `api_key`"),
            plain.map(Provider::as_str),
        );
        let ontora = entry.host.as_deref().is_some_and(is_ontora);
        trace.push(
            Source::Inferred("the host"),
            ontora.then_some(Provider::Ontora.as_str()),
        );
        trace.push(Source::Default, Some(Provider::Ntropii.as_str()));
        Ok(trace)
    };
    Decided::of(trace(), parsed)
}

fn is_ontora(host: &str) -> bool {
    // Few hosts contain the word, and only those are parsed. A host is case-insensitive.
    contains(host, Provider::Ontora.as_str())
        && host
            .parse()
            .is_ok_and(|host| Provider::of_production_host(&host) == Some(Provider::Ontora))
}

/// The tenant. Where no source has one, it is the only one that the key reaches, which the server
/// alone knows.
pub(super) fn tenant(
    inputs: &Inputs<'_>,
    facts: Option<&ConnectionFacts<'_>>,
) -> Decided<TenantSlug> {
    let trace = || -> Result<Trace, Error> {
        let mut trace = Trace::default();
        let flag = inputs.flags.tenant.as_ref();
        trace.push(
            inputs.flags.source_of_tenant(),
            flag.map(TenantSlug::as_str),
        );
        push_variable(inputs, &mut trace, &env::NTRO_TENANT)?;
        push_pin(inputs, &mut trace, |pin| pin.tenant.as_deref());
        if let Some(facts) = facts {
            let tenant = facts.entry.default_tenant.as_deref();
            trace.push(facts.source("default_tenant"), tenant);
        }
        Ok(trace)
    };
    Decided::of(trace(), parsed)
}

/// The key, as far as it is known without opening a store: the trace has the prefix of a stored
/// key that was recorded at login.
pub(super) fn key(
    facts: Option<&ConnectionFacts<'_>>,
    host: &Decided<Host>,
    provider: &Decided<Provider>,
    given: &GivenKey,
) -> Decided<KeySource> {
    let source = key_source(facts, host, given);
    Decided {
        trace: key_trace(facts, given),
        outcome: source.and_then(|source| match foreign(host, provider, given) {
            Some(error) => Err(error),
            None => Ok(Some(source)),
        }),
    }
}

/// Returns the error for a key in `NTRO_API_KEY` that looks to be of another system than the one
/// that is called, to which it must not be shown.
fn foreign(host: &Decided<Host>, provider: &Decided<Provider>, given: &GivenKey) -> Option<Error> {
    let key = given.as_ref().ok()?.as_ref()?.provider()?;
    let host = host.required().ok()?;
    let of_host = Provider::of_production_host(&host.value).map(|other| (other, &host.source));
    let candidates = &provider.trace.as_ref().ok()?.candidates;
    let of_connection = candidates.iter().filter_map(|candidate| {
        let other = candidate.found.as_deref()?.parse().ok()?;
        Some((other, &candidate.source))
    });
    // The connection's settings are for the connection's host.
    let is_own_host = matches!(host.source, Source::Config { .. });
    let of_connection =
        of_connection.filter(|(_, source)| is_own_host && **source != Source::Default);
    let (other, source) = of_host
        .into_iter()
        .chain(of_connection)
        .find(|(other, _)| *other != key)?;
    Some(Error::KeyOfOtherProvider {
        key,
        other,
        source_of_value: source.clone(),
    })
}

pub(super) fn key_trace(
    facts: Option<&ConnectionFacts<'_>>,
    given: &GivenKey,
) -> Result<Trace, Error> {
    let mut trace = Trace::default();
    let key = given.as_ref().map_err(Clone::clone)?.as_ref();
    trace.push(
        Source::Variable(env::NTRO_API_KEY.name),
        key.map(|key| shown(&key.prefix())),
    );
    if let Some(facts) = facts {
        let kind = facts.store.as_ref().map_err(Clone::clone)?.value;
        if kind != StoreKind::Plaintext {
            let login = facts.login;
            let login = login.filter(|login| login.store == kind.as_str() && !facts.is_moved());
            trace.push(
                Source::Store(kind),
                login.map(|login| shown(&KeyPrefix::recorded(&login.key_prefix))),
            );
        }
        let plain = facts.entry.api_key.as_ref();
        let plain = plain.map(|key| match key.expose_secret().parse::<ApiKey>() {
            Ok(key) => shown(&key.prefix()),
            Err(error) => format!("({error})"),
        });
        trace.push(facts.source("api_key"), plain);
    }
    Ok(trace)
}

fn key_source(
    facts: Option<&ConnectionFacts<'_>>,
    host: &Decided<Host>,
    given: &GivenKey,
) -> Result<Sourced<KeySource>, Error> {
    let host = host.required()?;
    let wanted = host.value.origin();
    if let Some(key) = given.as_ref().map_err(Clone::clone)? {
        let source = Source::Variable(env::NTRO_API_KEY.name);
        return Ok(Sourced {
            value: KeySource::Given(BoundKey::new(key.clone(), wanted)),
            source,
        });
    }
    let Some(facts) = facts else {
        return Err(Error::NoKey {
            connection: None,
            store: None,
        });
    };
    let stored = facts.stored()?.clone();
    if stored.item.origin == wanted {
        return Ok(Sourced {
            source: Source::Store(stored.kind),
            value: KeySource::Stored(stored),
        });
    }
    if facts.is_moved() && *facts.configured()? == wanted {
        let Sourced { value, source } = facts.plain_key(&wanted)?;
        return Ok(Sourced {
            value: KeySource::Given(value),
            source,
        });
    }
    Err(Error::KeyBoundElsewhere {
        connection: facts.name.clone(),
        bound: stored.item.origin,
        wanted: host.value.as_str().into(),
        source_of_value: host.source.clone(),
    })
}

fn shown(prefix: &KeyPrefix) -> String {
    format!("{prefix}…")
}

/// The policy of the key. A key that the environment has brought has none.
pub(super) fn policy(
    inputs: &Inputs<'_>,
    facts: Option<&ConnectionFacts<'_>>,
    given: &GivenKey,
) -> Decided<Policy> {
    let trace = || -> Result<Trace, Error> {
        let mut trace = Trace::default();
        let given = given.as_ref().map_err(Clone::clone)?.as_ref();
        trace.push(
            Source::Variable(env::NTRO_API_KEY.name),
            given.map(|_| Policy::Open.as_str()),
        );
        if let Some(facts) = facts {
            push_safety(inputs, &mut trace, facts, "policy", |safety| {
                safety.policy.map(Policy::as_str)
            });
        }
        trace.push(Source::Default, Some(Policy::Open.as_str()));
        Ok(trace)
    };
    Decided::of(trace(), parsed)
}

/// Returns whether a connection can be a production one, as far as that is seen without parsing its
/// host. Most of a long list are not.
pub(super) fn may_be_production(facts: &ConnectionFacts<'_>) -> bool {
    let (entry, recorded) = facts.safety();
    let host = facts.entry.host.as_deref().unwrap_or_default();
    entry.unwrap_or(recorded).production.is_some()
        || is_production_name(facts.name.as_str())
        || Provider::ALL
            .iter()
            .any(|provider| contains(host, provider.as_str()))
}

/// Returns whether a text contains a word in lower case, in any case.
fn contains(text: &str, word: &str) -> bool {
    let mut parts = text.as_bytes().windows(word.len());
    parts.any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

/// That the call is about production: of the connection, or of the host alone.
pub(super) fn production(
    inputs: &Inputs<'_>,
    facts: Option<&ConnectionFacts<'_>>,
    host: &Decided<Host>,
) -> Decided<Production> {
    let host = match host.required() {
        Ok(host) => &host.value,
        Err(error) => return Decided::failed(&error),
    };
    let mut trace = Trace::default();
    let answer = |production: bool| if production { "yes" } else { "no" };
    if let Some(facts) = facts {
        // That a connection is not production says nothing of another host.
        let elsewhere = facts.configured().ok() != Some(&host.origin());
        push_safety(inputs, &mut trace, facts, "production", |safety| {
            safety
                .production
                .filter(|production| *production || !elsewhere)
                .map(answer)
        });
    }
    // Nothing on this machine is production.
    let of_host = match host.is_loopback() {
        true => Some(false),
        false => Provider::of_production_host(host).map(|_| true),
    };
    trace.push(Source::Inferred("the host"), of_host.map(answer));
    if let Some(facts) = facts {
        let is_named = is_production_name(facts.name.as_str());
        trace.push(
            Source::Inferred("the name"),
            is_named.then_some(answer(true)),
        );
    }
    trace.push(Source::Default, Some(answer(false)));
    let winner = trace.chosen().filter(|winner| winner.value == answer(true));
    let outcome = winner.map(|Sourced { source, .. }| Sourced {
        value: Production {
            connection: facts.map(|facts| facts.name.clone()),
            host: host.clone(),
            source: source.clone(),
        },
        source,
    });
    Decided {
        outcome: Ok(outcome),
        trace: Ok(trace),
    }
}

fn is_production_name(name: &str) -> bool {
    let says_so = |word: &str| {
        let mut names = PRODUCTION_NAMES.iter();
        names.any(|name| name.eq_ignore_ascii_case(word))
    };
    let ends = [
        name.split_once('-').map(|(first, _)| first),
        name.rsplit_once('-').map(|(_, last)| last),
    ];
    says_so(name) || ends.into_iter().flatten().any(says_so)
}

fn push_safety(
    inputs: &Inputs<'_>,
    trace: &mut Trace,
    facts: &ConnectionFacts<'_>,
    key: &str,
    read: impl Fn(SafetySettings) -> Option<&'static str>,
) {
    let (entry, recorded) = facts.safety();
    trace.push(facts.source(key), entry.and_then(&read));
    if entry.is_none() {
        trace.push(Source::Recorded(inputs.home.logins()), read(recorded));
    }
}

fn push_variable(inputs: &Inputs<'_>, trace: &mut Trace, variable: &EnvVar) -> Result<(), Error> {
    trace.candidates.push(Candidate {
        source: Source::Variable(variable.name),
        found: inputs.env.text(variable)?.map(str::to_owned),
    });
    Ok(())
}

fn push_pin(inputs: &Inputs<'_>, trace: &mut Trace, read: impl Fn(&Pin) -> Option<&str>) {
    match inputs.pin {
        Some(pin) => trace.push(Source::Pin(pin.path.clone()), read(pin)),
        None => trace.push(Source::NoPin, None::<&str>),
    }
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    Sourced { value, source }: Sourced<&str>,
) -> Result<Sourced<T>, Error> {
    Ok(Sourced {
        value: parse(value, &source)?,
        source,
    })
}
