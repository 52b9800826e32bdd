//! The schemas: the wire types describe themselves, and the rest is here.

use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::schema::{AdditionalProperties, SchemaType};
use utoipa::openapi::{
    ArrayBuilder, Components, ComponentsBuilder, ObjectBuilder, OneOfBuilder, Ref, RefOr, Required,
    Schema, Type,
};
use utoipa::{PartialSchema, ToSchema};

use crate::registry::LONGEST_LIFE_IN_DAYS;
use crate::store::TenantStatus;
use ntro_base::Scope;
use ntro_base::wire::errors::{MergedError, NtropiiError, OntoraError, OntoraInvalid};
use ntro_base::wire::ntropii::{CreateTenant, CreateTenantKey, Tenant, TenantKey, UserProfile};
use ntro_base::wire::ontora::{ApiKeyInfo, CreateApiKey, Member, Workspace};

/// Returns the schema with this name in the components.
pub(super) fn named(name: &str) -> RefOr<Schema> {
    Ref::from_schema_name(name).into()
}

pub(super) fn one_of(names: &[&str]) -> RefOr<Schema> {
    let items = names.iter().map(|name| named(name));
    let either = items.fold(OneOfBuilder::new(), OneOfBuilder::item);
    RefOr::T(either.build().into())
}

pub(super) fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

pub(super) fn integer() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer)
}

fn scopes() -> ArrayBuilder {
    let names = Scope::ALL.iter().map(|scope| scope.as_str());
    let items = text().enum_values(Some(names));
    ArrayBuilder::new().items(items).min_items(Some(1))
}

fn seconds(longest: u32) -> ObjectBuilder {
    integer().minimum(Some(1)).maximum(Some(longest))
}

/// An object without other members.
fn exact() -> ObjectBuilder {
    ObjectBuilder::new()
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
}

pub(super) fn components() -> Components {
    const DAY: u32 = 24 * 60 * 60;

    let mut schemas = Vec::new();
    let mut add = |name: &str, schema: ObjectBuilder| {
        schemas.push((name.to_owned(), RefOr::from(Schema::from(schema))));
    };
    add(
        "UpdateTenant",
        exact()
            .property("config", ObjectBuilder::new())
            .required("config"),
    );
    add(
        "CreateChild",
        exact()
            .property("name", text().min_length(Some(1)).max_length(Some(255)))
            .property("scopes", scopes())
            .property("expires_in_seconds", seconds(LONGEST_LIFE_IN_DAYS * DAY))
            .required("expires_in_seconds"),
    );
    let hash = text().pattern(Some("^[0-9a-fA-F]{64}$"));
    add(
        "SetTripwire",
        exact()
            .property("sha256", hash)
            .property("expires_in_seconds", seconds(30 * DAY))
            .required("sha256")
            .required("expires_in_seconds"),
    );
    add(
        "Tripwire",
        ObjectBuilder::new()
            .property("sha256", text())
            .property("expires_at", text())
            .required("sha256")
            .required("expires_at"),
    );
    add(
        "Introspect",
        ObjectBuilder::new()
            .property("token", text())
            .required("token"),
    );
    let boolean = ObjectBuilder::new().schema_type(Type::Boolean);
    let introspection = ObjectBuilder::new().property("active", boolean);
    let claims = [
        "iss",
        "sub",
        "client_id",
        "scope",
        "tenant",
        "tenant_id",
        "provider",
    ];
    let introspection = claims
        .into_iter()
        .fold(introspection, |object, name| object.property(name, text()));
    add(
        "Introspection",
        introspection.property("exp", integer()).required("active"),
    );
    add(
        "Health",
        ObjectBuilder::new()
            .property("status", text())
            .required("status"),
    );
    let parts = ObjectBuilder::new();
    let parts = parts.additional_properties(Some(Schema::from(text())));
    add(
        "Readiness",
        ObjectBuilder::new()
            .property("status", text())
            .property("parts", parts)
            .required("status")
            .required("parts"),
    );
    let keys = ArrayBuilder::new().items(ObjectBuilder::new());
    add(
        "KeySet",
        ObjectBuilder::new().property("keys", keys).required("keys"),
    );
    add(
        "Document",
        ObjectBuilder::new()
            .property("openapi", text())
            .required("openapi"),
    );
    let list = || ArrayBuilder::new().items(ObjectBuilder::new().schema_type(SchemaType::any()));
    add(
        "Receipt",
        ObjectBuilder::new()
            .property("epoch", integer())
            .property("confirmed", list())
            .property("fenced", list())
            .required("epoch"),
    );
    let keys = ArrayBuilder::new().items(text());
    let keys = keys.min_items(Some(1)).max_items(Some(100));
    add(
        "LeakReport",
        ObjectBuilder::new()
            .property("keys", keys)
            .property("url", text())
            .required("keys"),
    );
    let outcomes = ["revoked", "already_revoked", "unknown"];
    let outcome = text().enum_values(Some(outcomes));
    let outcome = ObjectBuilder::new()
        .property("outcome", outcome)
        .required("outcome");
    let results = ArrayBuilder::new().items(outcome);
    add(
        "LeakOutcomes",
        ObjectBuilder::new()
            .property("results", results)
            .required("results"),
    );
    let any = || ObjectBuilder::new().schema_type(SchemaType::any());
    for (name, members) in [
        (
            "WorkspacePolicy",
            ["longest_life_in_days", "expiry_required", "allowed_scopes"],
        ),
        (
            "TenantPolicy",
            ["longestLifeInDays", "expiryRequired", "allowedScopes"],
        ),
    ] {
        let members = members.into_iter();
        let policy = members.fold(exact(), |object, member| object.property(member, any()));
        schemas.push((name.to_owned(), RefOr::from(Schema::from(policy))));
    }
    let quiet = any().description(Some("Seconds, or null for never"));
    for (name, schema) in [
        (
            "QuietEnd",
            exact().property("end_when_quiet_for_seconds", quiet),
        ),
        (
            "KeyUses",
            ObjectBuilder::new()
                .property("hours", list())
                .required("hours"),
        ),
        (
            "RevokedKeys",
            ObjectBuilder::new()
                .property("revoked", ArrayBuilder::new().items(text()))
                .required("revoked"),
        ),
        (
            "PredecessorUse",
            ObjectBuilder::new()
                .property("id", text())
                .property("quiet_for_seconds", integer())
                .required("id")
                .required("quiet_for_seconds"),
        ),
    ] {
        schemas.push((name.to_owned(), RefOr::from(Schema::from(schema))));
    }
    for (name, members) in [
        ("GithubReport", ["token", "type", "url"]),
        ("GithubFeedback", ["token_hash", "token_type", "label"]),
    ] {
        let item = members
            .into_iter()
            .fold(ObjectBuilder::new(), |object, member| {
                object.property(member, text())
            });
        let items = ArrayBuilder::new().items(item.required(members[0]));
        schemas.push((name.to_owned(), RefOr::from(Schema::from(items))));
    }
    derived::<UserProfile>(&mut schemas);
    derived::<Tenant>(&mut schemas);
    derived::<CreateTenant>(&mut schemas);
    derived::<TenantKey>(&mut schemas);
    derived::<CreateTenantKey>(&mut schemas);
    derived::<ApiKeyInfo>(&mut schemas);
    derived::<CreateApiKey>(&mut schemas);
    derived::<Workspace>(&mut schemas);
    derived::<Member>(&mut schemas);
    derived::<NtropiiError>(&mut schemas);
    derived::<OntoraError>(&mut schemas);
    derived::<OntoraInvalid>(&mut schemas);
    derived::<MergedError>(&mut schemas);
    schemas.sort_by(|(one, _), (other, _)| one.cmp(other));
    schemas.dedup_by(|(one, _), (other, _)| one == other);
    ComponentsBuilder::new().schemas_from_iter(schemas).build()
}

/// Adds the schema of a wire type, and of those in it.
fn derived<T: ToSchema + PartialSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

/// Returns where a parameter of an endpoint is, whether it is required, and its schema.
pub(super) fn parameter(name: &str, endpoint: &str) -> (ParameterIn, Required, RefOr<Schema>) {
    let is_required = match name {
        "workspace_id" => true,
        // It names the child.
        "Idempotency-Key" => endpoint == "cancelChild",
        _ => false,
    };
    let required = match is_required {
        true => Required::True,
        false => Required::False,
    };
    let place = match name {
        "Idempotency-Key" => ParameterIn::Header,
        _ => ParameterIn::Query,
    };
    let schema = match name {
        "Idempotency-Key" => text().min_length(Some(1)).max_length(Some(255)),
        "limit" => integer().minimum(Some(1)).maximum(Some(500)),
        "hours" => integer().minimum(Some(1)).maximum(Some(744)),
        "quiet_for_seconds" => seconds(31 * 24 * 60 * 60),
        "offset" => integer().minimum(Some(0)),
        "identity" => text().enum_values(Some(["signed"])),
        "status" => {
            let names = TenantStatus::ALL.iter().map(|status| status.as_str());
            text().enum_values(Some(names))
        }
        "workspace_id" => text().pattern(Some("^(ws_)?[0-9a-fA-F-]{36}$")),
        _ => text(),
    };
    (place, required, RefOr::T(schema.into()))
}
