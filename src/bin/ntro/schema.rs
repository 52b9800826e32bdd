//! JSON Schemas of what commands print with `--output json`, derived from the output types.
//!
//! The types derive them in tests only, so the program carries neither the schemas nor the library
//! that makes them. `tests/it/json.rs` compares them with the real output of every command.

#![cfg_attr(
    not(feature = "authority"),
    allow(dead_code, reason = "the reference page covers every feature")
)]

use std::borrow::Cow;

use ntro_base::{Policy, Provider};
use ntro_client::ops::rotate::Method;
use ntro_client::secrets::StoreKind;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::exit::Kind;

/// Output of one command.
pub(crate) struct CommandOutput {
    /// Command without `ntro`.
    pub(crate) command: String,
    /// Schema of each form of the output; options choose between several.
    pub(crate) forms: Vec<Schema>,
}

impl CommandOutput {
    pub(crate) fn new(command: impl Into<String>, forms: Vec<Schema>) -> Self {
        Self {
            command: command.into(),
            forms,
        }
    }

    /// Returns the outputs of a group with the group's name before each command.
    pub(crate) fn in_group(group: &str, outputs: Vec<Self>) -> impl Iterator<Item = Self> {
        outputs.into_iter().map(move |output| Self {
            command: format!("{group} {}", output.command),
            ..output
        })
    }
}

/// Returns the schema of an output type, complete in itself.
pub(crate) fn of<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let generator = settings.for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    // The names of our types mean nothing to others.
    schema.remove("title");
    schema
}

/// Returns the schemas of output types.
macro_rules! schemas {
    ($($output:ty),+ $(,)?) => {
        vec![$($crate::schema::of::<$output>()),+]
    };
}

pub(crate) use schemas;

/// Defines types that stand for strings of a closed set.
macro_rules! names {
    ($($name:ident = $values:expr;)+) => {
        $(
            pub(crate) struct $name;

            impl JsonSchema for $name {
                fn schema_name() -> Cow<'static, str> {
                    stringify!($name).into()
                }

                fn inline_schema() -> bool {
                    true
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    let values: Vec<&str> = $values.into();
                    json_schema!({"type": "string", "enum": values})
                }
            }
        )+
    };
}

names! {
    ProviderName = Provider::ALL.map(Provider::as_str);
    PolicyName = Policy::ALL.map(Policy::as_str);
    RotationMethod = [Method::Itself, Method::Admin, Method::Walkthrough].map(Method::as_str);
    StoreName = StoreKind::ALL.into_iter().chain([StoreKind::Dev]).map(StoreKind::as_str).collect::<Vec<_>>();
    ErrorCode = Kind::ALL.map(Kind::as_str);
}

#[cfg(feature = "authority")]
mod authority {
    use ntro_authority::{DataPlatform, Role, TenantStatus};

    use super::*;

    names! {
        DataPlatformName = DataPlatform::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>();
        RoleName = Role::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>();
        TenantStatusName = TenantStatus::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>();
    }
}

#[cfg(feature = "authority")]
pub(crate) use authority::{DataPlatformName, RoleName, TenantStatusName};
