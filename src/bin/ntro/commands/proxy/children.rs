//! The programs that a proxy serves.

use std::fmt::Write as _;
use std::str::FromStr;

use ntro_base::{Host, Provider, TenantSlug, is_printable};
use ntro_client::exec::Variable;
use ntro_client::proxy::Child;
use serde::Serialize;

use crate::error::CliError;
use crate::output::{Paint, plain};
use crate::shell::quoted;

/// The name of a program in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChildName(String);

impl FromStr for ChildName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const LONGEST: usize = 64;

        match text.len() {
            0 => Err("the name is empty"),
            1..=LONGEST if is_printable(text) && text.trim() == text => Ok(Self(text.to_owned())),
            1..=LONGEST => Err("the name has invisible characters or spaces around it"),
            _ => Err("the name is longer than 64 bytes"),
        }
    }
}

/// A program, and what it needs.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ServedChild {
    /// Name in the log.
    name: String,
    /// Token that it presents in place of the key.
    token: String,
    /// Variables that the official clients read.
    variables: Vec<AssignedVariable>,
}

/// A variable and its value.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct AssignedVariable {
    /// Name.
    name: &'static str,
    /// Value.
    value: String,
}

impl ChildName {
    /// Makes a token for each name.
    pub(super) fn children(names: Vec<Self>, provider: Provider) -> Result<Vec<Child>, CliError> {
        for (index, name) in names.iter().enumerate() {
            if names[..index].contains(name) {
                let message = format!("`--child {}` is given twice", name.0);
                return Err(CliError::usage(message));
            }
        }
        names
            .into_iter()
            .map(|name| Ok(Child::new(name.0, None, provider)?))
            .collect()
    }
}

impl ServedChild {
    pub(super) fn new(
        child: &Child,
        provider: Provider,
        url: &Host,
        tenant: Option<&TenantSlug>,
    ) -> Self {
        let token = child.token.as_key().expose().to_owned();
        let variables = [
            (Variable::Host.name(provider), Some(url.to_string())),
            (Variable::Key.name(provider), Some(token.clone())),
            (
                Variable::Tenant.name(provider),
                tenant.map(ToString::to_string),
            ),
            ("NO_PROXY", Some("127.0.0.1,localhost".to_owned())),
        ];
        let variables = variables.into_iter().filter_map(|(name, value)| {
            let value = value?;
            Some(AssignedVariable { name, value })
        });
        Self {
            name: child.name.clone(),
            token,
            variables: variables.collect(),
        }
    }

    /// Returns the variables as a shell reads them.
    pub(super) fn text(&self, paint: Paint) -> String {
        let mut text = format!(
            "\n{}\n",
            paint.dim(&format!("# variables for `{}`", plain(&self.name)))
        );
        for AssignedVariable { name, value } in &self.variables {
            let _ = writeln!(text, "export {name}={}", quoted(value));
        }
        text
    }
}
