//! The OpenAPI document of all endpoints, which `/openapi.json` publishes.

mod endpoints;
mod schemas;

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response as HttpResponse};
use bytes::Bytes;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::info::{InfoBuilder, LicenseBuilder};
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ArrayBuilder, Components, ContentBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, Paths, Ref,
    RefOr, Required, Schema, ServerBuilder,
};

use endpoints::{ENDPOINTS, Endpoint};
use schemas::{components, integer, named, one_of, text};

/// `GET /openapi.json`
pub(super) async fn openapi() -> HttpResponse {
    static DOCUMENT: LazyLock<Bytes> =
        // Strings and numbers always serialize.
        LazyLock::new(|| document().to_json().unwrap_or_default().into());

    ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone()).into_response()
}

/// The system whose clients use an endpoint; its errors have the shape that they understand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Ntropii,
    Ontora,
    Own,
}

impl Family {
    const fn name(self) -> &'static str {
        match self {
            Self::Ntropii => "Ntropii",
            Self::Ontora => "Ontora",
            Self::Own => "Authority",
        }
    }

    fn error(self) -> RefOr<Schema> {
        match self {
            Self::Ntropii => named("NtropiiError"),
            Self::Ontora => one_of(&["OntoraError", "OntoraInvalid"]),
            Self::Own => one_of(&["MergedError", "OntoraInvalid"]),
        }
    }

    /// Returns the name of an error's response.
    fn response(self, status: u16) -> String {
        format!("{}{status}", self.name())
    }

    /// The status for invalid fields.
    const fn invalid(self) -> u16 {
        match self {
            Self::Ntropii => 400,
            Self::Ontora | Self::Own => 422,
        }
    }
}

/// The credentials that an endpoint accepts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Anyone,
    NtropiiKey,
    OntoraKey,
    /// A key of either provider.
    AnyKey,
    /// The token of a user, or of an admin.
    Token,
    NtropiiKeyOrToken,
    AnyKeyOrToken,
}

const NTROPII_KEY: &str = "ntropiiKey";
const ONTORA_KEY: &str = "ontoraKey";
const TOKEN: &str = "adminToken";

impl Access {
    const fn schemes(self) -> &'static [&'static str] {
        match self {
            Self::Anyone => &[],
            Self::NtropiiKey => &[NTROPII_KEY],
            Self::OntoraKey => &[ONTORA_KEY],
            Self::AnyKey => &[NTROPII_KEY, ONTORA_KEY],
            Self::Token => &[TOKEN],
            Self::NtropiiKeyOrToken => &[NTROPII_KEY, TOKEN],
            Self::AnyKeyOrToken => &[NTROPII_KEY, ONTORA_KEY, TOKEN],
        }
    }
}

/// The body of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    None,
    Json(&'static str),
    Form(&'static str),
}

/// The body of a successful answer.
#[derive(Clone, Copy)]
enum Answer {
    Nothing,
    Json(&'static [&'static str]),
    List(&'static str),
    Other(&'static str),
}

/// Returns the document.
pub(super) fn document() -> OpenApi {
    let mut paths = Paths::new();
    for endpoint in ENDPOINTS {
        paths.add_path_operation(
            endpoint.path,
            vec![endpoint.method.clone()],
            operation(endpoint),
        );
    }
    let tags = [Family::Ntropii, Family::Ontora, Family::Own];
    let tags = tags.map(|family| TagBuilder::new().name(family.name()).build());
    let license = LicenseBuilder::new().name("MIT").identifier(Some("MIT"));
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("ntro authority")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some("Issues and verifies API keys of Ntropii and Ontora."))
                .license(Some(license.build()))
                .build(),
        )
        .servers(Some([ServerBuilder::new().url("/").build()]))
        .paths(paths)
        .components(Some(with_errors(with_security(components()))))
        .tags(Some(tags))
        .build()
}

fn with_security(mut components: Components) -> Components {
    let bearer = |description: &str| {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
        SecurityScheme::Http(scheme.description(Some(description)).build())
    };
    let key = ApiKeyValue::with_description("X-API-Key", "An API key of Ontora");
    for (name, scheme) in [
        (NTROPII_KEY, bearer("An API key of Ntropii")),
        (ONTORA_KEY, SecurityScheme::ApiKey(ApiKey::Header(key))),
        (TOKEN, bearer("The JWT of a user of an organisation")),
    ] {
        components.add_security_scheme(name, scheme);
    }
    components
}

/// Adds every error of each family.
fn with_errors(mut components: Components) -> Components {
    for endpoint in ENDPOINTS {
        for status in endpoint.refusals() {
            let name = endpoint.family.response(status);
            let response = error(endpoint.family, status);
            components.responses.insert(name, response.into());
        }
    }
    components
}

fn operation(endpoint: &Endpoint) -> OperationBuilder {
    let schemes = endpoint.access.schemes().iter();
    let security = schemes.map(|name| SecurityRequirement::new(*name, [""; 0]));
    let body = match endpoint.body {
        Body::None => None,
        Body::Json(schema) => Some(("application/json", schema)),
        Body::Form(schema) => Some(("application/x-www-form-urlencoded", schema)),
    };
    let body = body.map(|(media_type, schema)| {
        let content = ContentBuilder::new().schema(Some(named(schema))).build();
        let body = RequestBodyBuilder::new().required(Some(Required::True));
        body.content(media_type, content).build()
    });
    let mut operation = OperationBuilder::new()
        .tag(endpoint.family.name())
        .operation_id(Some(endpoint.id))
        .summary(Some(endpoint.summary))
        .securities(Some(security))
        .request_body(body)
        .response(endpoint.status.to_string(), success(endpoint));
    for parameter in parameters(endpoint) {
        operation = operation.parameter(parameter);
    }
    for status in endpoint.refusals() {
        let response = match endpoint.path {
            "/readyz" if status == 503 => RefOr::T(not_ready()),
            _ => RefOr::Ref(Ref::from_response_name(endpoint.family.response(status))),
        };
        operation = operation.response(status.to_string(), response);
    }
    operation
}

impl Endpoint {
    fn has_parameters(&self) -> bool {
        self.path.contains('{')
    }

    /// Returns the statuses of errors, in order.
    fn refusals(&self) -> Vec<u16> {
        let mut errors = vec![400, 501];
        if self.access != Access::Anyone {
            errors.extend([401, 403, 429, 503]);
        }
        if self.has_parameters() {
            errors.push(404);
        }
        if self.body != Body::None {
            errors.extend([408, 413, 415]);
        }
        if self.body != Body::None || !self.parameters.is_empty() || self.has_parameters() {
            errors.push(self.family.invalid());
        }
        errors.extend(self.errors);
        errors.sort_unstable();
        errors.dedup();
        errors
    }
}

fn success(endpoint: &Endpoint) -> Response {
    let json = |schema: RefOr<Schema>| ("application/json", schema);
    let content = match endpoint.answer {
        Answer::Nothing => None,
        Answer::Json([one]) => Some(json(named(one))),
        Answer::Json(several) => Some(json(one_of(several))),
        Answer::List(item) => Some(json(ArrayBuilder::new().items(named(item)).into())),
        Answer::Other(media_type) => Some((media_type, text().into())),
    };
    let mut response = ResponseBuilder::new().description(match endpoint.status {
        201 => "Created",
        204 => "Done",
        _ => "OK",
    });
    if let Some((media_type, schema)) = content {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        response = response.content(media_type, content);
    }
    let header = |text: &str, schema: ObjectBuilder| {
        HeaderBuilder::new()
            .schema(Some(schema))
            .description(Some(text))
            .build()
    };
    if let Answer::List(_) = endpoint.answer {
        let link = header(
            "The next part of the list, with the relation `next`",
            text(),
        );
        response = response.header("Link", link);
    }
    if endpoint.parameters.contains(&"Idempotency-Key") && endpoint.status == 201 {
        let replayed = text().enum_values(Some(["true"]));
        let replayed = header("The answer repeats an earlier one, without a key", replayed);
        response = response.header("Idempotency-Replayed", replayed);
    }
    if endpoint.path == "/v1/authorize" {
        for name in IDENTITY_HEADERS {
            response = response.header(name, header("Empty if there is nothing to say", text()));
        }
    }
    response.build()
}

const IDENTITY_HEADERS: [&str; 8] = [
    "X-Ntro-Tenant",
    "X-Ntro-Tenant-Id",
    "X-Ntro-Key-Id",
    "X-Ntro-Scopes",
    "X-Ntro-Provider",
    "X-Ntro-Expires-At",
    "X-Ntro-Identity",
    "X-Ntro-Valid-For",
];

fn error(family: Family, status: u16) -> Response {
    let description = match status {
        400 => "The request is malformed",
        401 => "No credential, or an invalid one",
        403 => "The credential is valid, but not for this",
        404 => "There is no such thing, or it is out of reach",
        408 => "The body took too long to arrive",
        409 => "The request contradicts the present state",
        413 => "The body is too large",
        415 => "The body is of another media type",
        422 => "Fields are invalid",
        429 => "A rate limit is exceeded",
        501 => "The transfer coding is unknown",
        _ => "Temporarily unavailable",
    };
    let schema = family.error();
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let mut response = ResponseBuilder::new().description(description);
    response = response.content("application/json", content);
    let header = |text: &str, schema: ObjectBuilder| {
        HeaderBuilder::new()
            .schema(Some(schema))
            .description(Some(text))
            .build()
    };
    if matches!(status, 429 | 503) {
        let seconds = header(
            "Seconds until the request may succeed",
            integer().minimum(Some(1)),
        );
        response = response.header("Retry-After", seconds);
    }
    if status == 429 {
        response = response
            .header(
                "RateLimit-Policy",
                header("The limit: its name, quota and window", text()),
            )
            .header(
                "RateLimit",
                header("What remains, and the seconds until more does", text()),
            );
    }
    response.build()
}

/// The answer of `/readyz` if a part is not ready.
fn not_ready() -> Response {
    let content = ContentBuilder::new().schema(Some(named("Readiness")));
    let response = ResponseBuilder::new().description("A part is not ready");
    response
        .content("application/json", content.build())
        .build()
}

/// Returns the parameters in the path, the query and headers.
fn parameters(endpoint: &Endpoint) -> Vec<Parameter> {
    let parts = endpoint.path.split(['{', '}']).skip(1).step_by(2);
    let path = parts.map(|name| {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path);
        parameter
            .required(Required::True)
            .schema(Some(text()))
            .build()
    });
    let others = endpoint.parameters.iter().map(|name| {
        let (place, required, schema) = schemas::parameter(name, endpoint.id);
        let parameter = ParameterBuilder::new().name(*name).parameter_in(place);
        parameter.required(required).schema(Some(schema)).build()
    });
    path.chain(others).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

    #[test]
    fn published_document_is_current() {
        let text = document().to_pretty_json().unwrap() + "\n";
        if std::env::var("INSTA_UPDATE").is_ok_and(|wish| wish == "always") {
            std::fs::write(FILE, text).unwrap();
            return;
        }
        let published = std::fs::read_to_string(FILE).unwrap();
        let command = "INSTA_UPDATE=always cargo test -p ntro-authority published_document";
        assert_eq!(published, text, "run {command}");
    }

    /// Every path in the routers is documented, and no other.
    #[test]
    fn document_has_every_route() {
        let routers = [
            include_str!("../../ntropii/router.rs"),
            include_str!("../../ontora/router.rs"),
            include_str!("../router.rs"),
        ];
        let literals = routers
            .iter()
            .flat_map(|text| text.split('"').skip(1).step_by(2));
        let claimed = ["/v1/workspace", "/v1/me", "/v1/revocations"];
        let mut routes: BTreeSet<_> = literals
            .filter(|text| text.starts_with('/') && !claimed.contains(text))
            .map(|text| text.replace("{*", "{"))
            .collect();
        let named = ["/v1/me", "/v1/api-keys/current", "/v1/authorize"];
        routes.extend(named.map(str::to_owned));
        let documented = ENDPOINTS.iter().map(|endpoint| endpoint.path.to_owned());
        assert_eq!(documented.collect::<BTreeSet<_>>(), routes);
        let ids: BTreeSet<_> = ENDPOINTS.iter().map(|endpoint| endpoint.id).collect();
        assert_eq!(ids.len(), ENDPOINTS.len());
    }
}
