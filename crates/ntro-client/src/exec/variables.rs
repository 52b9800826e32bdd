//! The variables in which the official clients expect host, key and tenant.

use std::fmt;
use std::str::FromStr;

use ntro_base::env::{self, Env};
use ntro_base::{ApiKey, ConnectionName, Host, Provider, TenantSlug};
use zeroize::Zeroizing;

/// A value that a program is given in a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// The base URL.
    Host,
    /// The API key, or the token that stands for it.
    Key,
    /// The tenant (Ontora: the workspace).
    Tenant,
}

impl Variable {
    /// Every variable, in the order in which they are printed.
    pub const ALL: [Self; 3] = [Self::Host, Self::Key, Self::Tenant];

    /// Returns the name that the clients of a provider read.
    #[must_use]
    pub const fn name(self, provider: Provider) -> &'static str {
        match (provider, self) {
            (Provider::Ntropii, Self::Host) => env::NTRO_HOST.name,
            (Provider::Ntropii, Self::Key) => env::NTRO_API_KEY.name,
            (Provider::Ntropii, Self::Tenant) => env::NTRO_TENANT.name,
            (Provider::Ontora, Self::Host) => "ONTORA_BASE_URL",
            (Provider::Ontora, Self::Key) => "ONTORA_API_KEY",
            (Provider::Ontora, Self::Tenant) => "ONTORA_WORKSPACE_ID",
        }
    }

    /// Returns the names of all variables of all providers.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Provider::ALL
            .into_iter()
            .flat_map(|provider| Self::ALL.map(|variable| variable.name(provider)))
    }
}

/// The name of an environment variable that every shell can set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableName(String);

impl VariableName {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VariableName {
    type Err = VariableNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        match !text.is_empty()
            && text.chars().all(is_name)
            && !text.starts_with(|c: char| c.is_ascii_digit())
        {
            true => Ok(Self(text.to_owned())),
            false => Err(VariableNameError),
        }
    }
}

impl fmt::Display for VariableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A text that is no name of a variable. It may be a key, so it is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a variable has ASCII letters, digits and `_`, and begins with no digit")]
pub struct VariableNameError;

/// Which variables are set, and under which further names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The variables that are set; all if there is none.
    pub only: Vec<VariableName>,
    /// Further variables that hold the key.
    pub also: Vec<VariableName>,
}

/// Why a selection is impossible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// `only` names a variable that is not set anyway.
    #[error("`{name}` is none of the variables that are set: {}", known.join(", "))]
    Unknown {
        /// The name.
        name: VariableName,
        /// The names that are set.
        known: Vec<String>,
    },
    /// `also` names a variable that a client or `ntro` reads something else from.
    #[error("`{name}` has another meaning and cannot hold the key")]
    Reserved {
        /// The name.
        name: VariableName,
    },
}

impl Selection {
    /// Returns an error if a name is impossible for the clients of this provider.
    pub fn check(&self, provider: Provider) -> Result<(), SelectionError> {
        let is_known = |name: &VariableName| {
            let name = name.as_str();
            Variable::names().any(|known| known == name)
                || env::ALL.iter().any(|known| known.name == name)
        };
        if let Some(name) = self.also.iter().find(|name| is_known(name)) {
            return Err(SelectionError::Reserved { name: name.clone() });
        }
        let names = Variable::ALL.map(|variable| variable.name(provider));
        let also = self.also.iter().map(VariableName::as_str);
        let known: Vec<_> = names.into_iter().chain(also).collect();
        let mut only = self.only.iter();
        match only.find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(SelectionError::Unknown {
                name: name.clone(),
                known: known.into_iter().map(str::to_owned).collect(),
            }),
        }
    }

    /// Returns whether any selected variable holds the key.
    #[must_use]
    pub fn needs_key(&self, provider: Provider) -> bool {
        self.includes(Variable::Key.name(provider))
            || self.also.iter().any(|name| self.includes(name.as_str()))
    }

    fn includes(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only.as_str() == name)
    }
}

/// The values that a program gets.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// The connection that the values are of, if they are of one.
    pub connection: Option<&'a ConnectionName>,
    /// The base URL: of the connection, or of a proxy.
    pub host: &'a Host,
    /// The key, or the token of a proxy; none where the selection needs none.
    pub key: Option<&'a ApiKey>,
    /// The tenant; none where only the server knows it.
    pub tenant: Option<&'a TenantSlug>,
}

/// The changes to the environment of a program.
///
/// Besides the variables that are set, a program loses
///
/// * the variables of the same provider that are not set: an inherited tenant would be of another
///   key;
/// * `NTRO_HOST`, `NTRO_API_KEY` and `NTRO_TENANT` for every provider: `ntro` has already taken the
///   values from them;
/// * `NTRO_CONNECTION` and `NTRO_DEFAULT_CONNECTION_NAME` where they name another connection, whose
///   settings the clients would mix in;
/// * `NTRO_PASSPHRASE` and `NTRO_ADMIN_TOKEN`, which give access to more than the one key.
///
/// The variables of Ontora remain where Ntropii's are set, so that one `ntro exec` can run in
/// another.
pub struct Variables {
    set: Vec<(String, Zeroizing<String>)>,
    removed: Vec<&'static str>,
}

impl Variables {
    /// Chooses the variables of a provider. `env` is the environment that the program inherits.
    pub fn new(
        provider: Provider,
        values: &Values<'_>,
        selection: &Selection,
        env: &Env,
    ) -> Result<Self, SelectionError> {
        selection.check(provider)?;
        let value = |variable| match variable {
            Variable::Host => Some(values.host.as_str()),
            Variable::Key => values.key.map(ApiKey::expose),
            Variable::Tenant => values.tenant.map(TenantSlug::as_str),
        };
        let usual = Variable::ALL
            .into_iter()
            .map(|variable| (variable.name(provider), value(variable)));
        let also = selection.also.iter();
        let also = also.map(|name| (name.as_str(), value(Variable::Key)));
        let set: Vec<_> = usual
            .chain(also)
            .filter(|(name, _)| selection.includes(name))
            .filter_map(|(name, value)| Some((name.to_owned(), Zeroizing::new(value?.to_owned()))))
            .collect();
        let mut removed: Vec<_> = [provider, Provider::Ntropii]
            .into_iter()
            .flat_map(|provider| Variable::ALL.map(|variable| variable.name(provider)))
            .collect();
        let connection = values.connection.map(ConnectionName::as_str);
        for variable in [&env::NTRO_CONNECTION, &env::NTRO_DEFAULT_CONNECTION_NAME] {
            if env.text(variable).ok().flatten() != connection {
                removed.push(variable.name);
            }
        }
        removed.extend(env::SECRETS.iter().map(|variable| variable.name));
        let mut known: Vec<_> = set.iter().map(|(name, _)| name.as_str()).collect();
        removed.retain(|name| {
            let is_new = !known.contains(name);
            known.push(name);
            is_new
        });
        Ok(Self { set, removed })
    }

    /// Returns the variables that are set, with their values.
    pub fn set(&self) -> impl Iterator<Item = (&str, &str)> {
        self.set
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the variables that are removed.
    pub fn removed(&self) -> impl Iterator<Item = &str> {
        self.removed.iter().copied()
    }
}

impl fmt::Debug for Variables {
    /// Shows names only: a value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = self.set().map(|(name, _)| name);
        f.debug_struct("Variables")
            .field("set", &set.collect::<Vec<_>>())
            .field("removed", &self.removed)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ntro_prod_k9Zr4MxQ2bLw";

    fn names(text: &[&str]) -> Vec<VariableName> {
        text.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn variables(provider: Provider, tenant: Option<&str>, selection: &Selection) -> Variables {
        let env = Env::empty();
        let tenant = tenant.map(|tenant| tenant.parse().unwrap());
        let values = Values {
            connection: None,
            host: &"https://api.example/v1".parse().unwrap(),
            key: Some(&KEY.parse().unwrap()),
            tenant: tenant.as_ref(),
        };
        Variables::new(provider, &values, selection, &env).unwrap()
    }

    #[test]
    fn each_provider_has_its_names() {
        let set = |provider| {
            let variables = variables(provider, Some("acme"), &Selection::default());
            let set = variables
                .set()
                .map(|(name, value)| format!("{name}={value}"));
            set.collect::<Vec<_>>()
        };
        assert_eq!(
            set(Provider::Ntropii),
            [
                "NTRO_HOST=https://api.example/v1",
                "NTRO_API_KEY=ntro_prod_k9Zr4MxQ2bLw",
                "NTRO_TENANT=acme"
            ]
        );
        assert_eq!(
            set(Provider::Ontora),
            [
                "ONTORA_BASE_URL=https://api.example/v1",
                "ONTORA_API_KEY=ntro_prod_k9Zr4MxQ2bLw",
                "ONTORA_WORKSPACE_ID=acme"
            ]
        );
    }

    #[test]
    fn stale_variables_are_removed() {
        let removed = |provider, selection: &Selection| {
            let variables = variables(provider, None, selection);
            variables.removed().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(
            removed(Provider::Ntropii, &Selection::default()),
            ["NTRO_TENANT", "NTRO_PASSPHRASE", "NTRO_ADMIN_TOKEN"]
        );
        let selection = Selection {
            only: names(&["ONTORA_API_KEY"]),
            also: Vec::new(),
        };
        assert_eq!(
            removed(Provider::Ontora, &selection),
            [
                "ONTORA_BASE_URL",
                "ONTORA_WORKSPACE_ID",
                "NTRO_HOST",
                "NTRO_API_KEY",
                "NTRO_TENANT",
                "NTRO_PASSPHRASE",
                "NTRO_ADMIN_TOKEN"
            ]
        );
    }

    #[test]
    fn other_connection_is_removed() {
        let connection = "b".parse().unwrap();
        let key = KEY.parse().unwrap();
        let values = Values {
            connection: Some(&connection),
            host: &"https://api.example/v1".parse().unwrap(),
            key: Some(&key),
            tenant: None,
        };
        for (named, is_removed) in [("a", true), ("b", false)] {
            let env = Env::from_pairs([(&env::NTRO_DEFAULT_CONNECTION_NAME, named)]);
            let selection = Selection::default();
            let variables = Variables::new(Provider::Ntropii, &values, &selection, &env).unwrap();
            let mut removed = variables.removed();
            let found = removed.any(|name| name == "NTRO_DEFAULT_CONNECTION_NAME");
            assert_eq!(found, is_removed, "{named}");
        }
    }

    #[test]
    fn selection_limits_and_adds_names() {
        let set = |only: &[&str], also: &[&str]| {
            let selection = Selection {
                only: names(only),
                also: names(also),
            };
            let variables = variables(Provider::Ntropii, Some("acme"), &selection);
            let set = variables.set().map(|(name, _)| name.to_owned());
            (
                set.collect::<Vec<_>>().join(" "),
                selection.needs_key(Provider::Ntropii),
            )
        };
        assert_eq!(
            set(&[], &["ACME_TOKEN"]),
            (
                "NTRO_HOST NTRO_API_KEY NTRO_TENANT ACME_TOKEN".to_owned(),
                true
            )
        );
        assert_eq!(
            set(&["ACME_TOKEN"], &["ACME_TOKEN"]),
            ("ACME_TOKEN".to_owned(), true)
        );
        assert_eq!(
            set(&["NTRO_HOST", "NTRO_TENANT"], &[]),
            ("NTRO_HOST NTRO_TENANT".to_owned(), false)
        );
    }

    #[test]
    fn impossible_selection_is_refused() {
        let check = |only: &[&str], also: &[&str]| {
            let selection = Selection {
                only: names(only),
                also: names(also),
            };
            selection
                .check(Provider::Ntropii)
                .map_err(|error| error.to_string())
        };
        assert_eq!(
            check(&["ONTORA_API_KEY"], &[]).unwrap_err(),
            "`ONTORA_API_KEY` is none of the variables that are set: NTRO_HOST, NTRO_API_KEY, NTRO_TENANT"
        );
        for name in ["NTRO_HOST", "ONTORA_API_KEY", "NTRO_HOME", "NO_PROXY"] {
            assert!(check(&[], &[name]).is_err(), "{name}");
        }
        assert_eq!(check(&["ACME_TOKEN"], &["ACME_TOKEN"]), Ok(()));
        for name in ["", "1A", "A-B", "A=B", "A B", "Ä"] {
            assert!(name.parse::<VariableName>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn debug_shows_no_value() {
        let variables = variables(Provider::Ntropii, None, &Selection::default());
        assert!(!format!("{variables:?}").contains("k9Zr"));
    }
}
