//! Every endpoint.

use utoipa::openapi::HttpMethod::{self, Delete, Get, Patch, Post, Put};

use super::Access::{
    AnyKey, AnyKeyOrToken, Anyone, NtropiiKey, NtropiiKeyOrToken, OntoraKey, Token,
};
use super::Answer::{self, Json, List, Nothing, Other};
use super::Family::{self, Ntropii, Ontora, Own};
use super::{Access, Body};

/// One method of one path.
pub(super) struct Endpoint {
    pub(super) method: HttpMethod,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) family: Family,
    pub(super) access: Access,
    /// In the query, and in headers.
    pub(super) parameters: &'static [&'static str],
    pub(super) body: Body,
    pub(super) status: u16,
    pub(super) answer: Answer,
    /// The statuses of errors beside those that its other properties imply.
    pub(super) errors: &'static [u16],
}

impl Endpoint {
    const fn new(
        (method, path): (HttpMethod, &'static str),
        (id, summary): (&'static str, &'static str),
        (family, access): (Family, Access),
        answer: Answer,
    ) -> Self {
        Self {
            method,
            path,
            id,
            summary,
            family,
            access,
            parameters: &[],
            body: Body::None,
            status: match answer {
                Nothing => 204,
                _ => 200,
            },
            answer,
            errors: &[],
        }
    }

    const fn parameters(mut self, parameters: &'static [&'static str]) -> Self {
        self.parameters = parameters;
        self
    }

    const fn json(mut self, schema: &'static str) -> Self {
        self.body = Body::Json(schema);
        self
    }

    const fn form(mut self, schema: &'static str) -> Self {
        self.body = Body::Form(schema);
        self
    }

    const fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    const fn errors(mut self, errors: &'static [u16]) -> Self {
        self.errors = errors;
        self
    }

    /// A request that creates something, once for each idempotency key.
    const fn creates(self) -> Self {
        self.parameters(&["Idempotency-Key"])
            .status(201)
            .errors(&[409])
    }
}

const PAGE: &[&str] = &["limit", "cursor"];

pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint::new(
        (Get, "/v1/me"),
        ("getProfile", "Describe the presented key"),
        (Ntropii, NtropiiKey),
        Json(&["UserProfile"]),
    ),
    Endpoint::new(
        (Get, "/v1/workspace/tenants"),
        ("listTenants", "List the tenants in reach, oldest first"),
        (Ntropii, NtropiiKeyOrToken),
        List("Tenant"),
    )
    .parameters(&["status", "limit", "cursor"]),
    Endpoint::new(
        (Post, "/v1/workspace/tenants"),
        ("createTenant", "Create a tenant"),
        (Ntropii, Token),
        Json(&["Tenant"]),
    )
    .json("CreateTenant")
    .creates(),
    Endpoint::new(
        (Get, "/v1/workspace/tenants/{tenant}"),
        ("getTenant", "Describe a tenant, by id or slug"),
        (Ntropii, NtropiiKeyOrToken),
        Json(&["Tenant"]),
    ),
    Endpoint::new(
        (Patch, "/v1/workspace/tenants/{tenant}"),
        ("updateTenant", "Replace the settings of a tenant"),
        (Ntropii, NtropiiKeyOrToken),
        Json(&["Tenant"]),
    )
    .json("UpdateTenant"),
    Endpoint::new(
        (Delete, "/v1/workspace/tenants/{tenant}"),
        ("deprovisionTenant", "End a tenant and its keys"),
        (Ntropii, Token),
        Json(&["Tenant"]),
    )
    .errors(&[409]),
    Endpoint::new(
        (Get, "/v1/workspace/tenants/{tenant}/api-keys"),
        (
            "listTenantKeys",
            "List the Ntropii keys of a tenant, newest first",
        ),
        (Ntropii, Token),
        List("TenantKey"),
    )
    .parameters(PAGE),
    Endpoint::new(
        (Post, "/v1/workspace/tenants/{tenant}/api-keys"),
        ("createTenantKey", "Create an Ntropii key"),
        (Ntropii, Token),
        Json(&["TenantKey"]),
    )
    .json("CreateTenantKey")
    .creates(),
    Endpoint::new(
        (Delete, "/v1/workspace/tenants/{tenant}/api-keys/{key}"),
        ("revokeTenantKey", "Revoke an Ntropii key"),
        (Ntropii, Token),
        Json(&["TenantKey"]),
    ),
    Endpoint::new(
        (Get, "/v1/workspace/tenants/{tenant}/audit/checkpoint"),
        (
            "getTenantCheckpoint",
            "Sign the state of a tenant's audit log",
        ),
        (Ntropii, Token),
        Other("text/plain"),
    ),
    Endpoint::new(
        (Get, "/v1/workspace/tenants/{tenant}/audit/tile/{tile}"),
        ("getTenantTile", "Return a tile of a tenant's audit log"),
        (Ntropii, Token),
        Other("application/octet-stream"),
    ),
    Endpoint::new(
        (Get, "/v1/workspace/audit/checkpoint"),
        (
            "getOrganisationCheckpoint",
            "Sign the state of the organisation's audit log",
        ),
        (Ntropii, Token),
        Other("text/plain"),
    )
    .errors(&[404]),
    Endpoint::new(
        (Get, "/v1/workspace/audit/tile/{tile}"),
        (
            "getOrganisationTile",
            "Return a tile of the organisation's audit log",
        ),
        (Ntropii, Token),
        Other("application/octet-stream"),
    ),
    Endpoint::new(
        (Get, "/v1/api-keys"),
        (
            "listKeys",
            "List the Ontora keys of a workspace, newest first",
        ),
        (Ontora, Token),
        List("ApiKeyInfo"),
    )
    .parameters(&["workspace_id", "limit", "cursor", "offset"]),
    Endpoint::new(
        (Post, "/v1/api-keys"),
        ("createKey", "Create an Ontora key"),
        (Ontora, Token),
        Json(&["ApiKeyInfo"]),
    )
    .json("CreateApiKey")
    .creates(),
    Endpoint::new(
        (Delete, "/v1/api-keys/{key}"),
        ("revokeKey", "Revoke an Ontora key"),
        (Ontora, Token),
        Nothing,
    ),
    Endpoint::new(
        (Get, "/v1/api-keys/current"),
        ("getCurrentKey", "Describe the presented key"),
        (Ontora, OntoraKey),
        Json(&["ApiKeyInfo"]),
    ),
    Endpoint::new(
        (Delete, "/v1/api-keys/current"),
        ("revokeCurrentKey", "Revoke the presented key"),
        (Ontora, AnyKey),
        Nothing,
    ),
    Endpoint::new(
        (Post, "/v1/api-keys/current/rotate"),
        ("rotate", "Create the successor of the presented key"),
        (Ontora, AnyKey),
        Json(&["ApiKeyInfo", "TenantKey"]),
    )
    .creates(),
    Endpoint::new(
        (Delete, "/v1/api-keys/current/successor"),
        (
            "revokeSuccessor",
            "Revoke the pending successor of the presented key",
        ),
        (Ontora, AnyKey),
        Nothing,
    )
    .parameters(&["Idempotency-Key"]),
    Endpoint::new(
        (Delete, "/v1/api-keys/current/predecessor"),
        (
            "revokePredecessor",
            "Revoke the predecessor of the presented key",
        ),
        (Ontora, AnyKey),
        Nothing,
    )
    .parameters(&["quiet_for_seconds"])
    .errors(&[409]),
    Endpoint::new(
        (Post, "/v1/api-keys/current/children"),
        ("createChild", "Create a child of the presented key"),
        (Ontora, AnyKey),
        Json(&["ApiKeyInfo", "TenantKey"]),
    )
    .json("CreateChild")
    .creates(),
    Endpoint::new(
        (Delete, "/v1/api-keys/current/children"),
        ("cancelChild", "Revoke the child that a request has created"),
        (Ontora, AnyKey),
        Nothing,
    )
    .parameters(&["Idempotency-Key"]),
    Endpoint::new(
        (Delete, "/v1/api-keys/current/children/{child}"),
        ("revokeChild", "Revoke a child of the presented key"),
        (Ontora, AnyKey),
        Nothing,
    ),
    Endpoint::new(
        (Post, "/v1/api-keys/current/tripwires"),
        ("setTripwire", "Ask for a report when a token is presented"),
        (Ontora, AnyKey),
        Json(&["Tripwire"]),
    )
    .json("SetTripwire")
    .creates(),
    Endpoint::new(
        (Get, "/v1/revocations/{key}"),
        (
            "getReceipt",
            "Return the receipt of a revocation, on PostgreSQL",
        ),
        (Ontora, Token),
        Json(&["Receipt"]),
    ),
    Endpoint::new(
        (Get, "/v1/workspaces"),
        (
            "listWorkspaces",
            "List the workspaces of the caller's organisation",
        ),
        (Ontora, Token),
        List("Workspace"),
    )
    .parameters(PAGE),
    Endpoint::new(
        (Get, "/v1/workspaces/{workspace}/members"),
        ("listMembers", "List the users whose tokens were seen"),
        (Ontora, Token),
        List("Member"),
    )
    .parameters(PAGE),
    Endpoint::new(
        (Get, "/v1/workspace/tenants/{tenant}/api-keys/{key}"),
        ("getTenantKey", "Describe an Ntropii key"),
        (Ntropii, Token),
        Json(&["TenantKey"]),
    ),
    Endpoint::new(
        (Get, "/v1/workspace/tenants/{tenant}/api-keys/{key}/usage"),
        (
            "getTenantKeyUses",
            "Count the uses of an Ntropii key by hour",
        ),
        (Ntropii, Token),
        Json(&["KeyUses"]),
    )
    .parameters(&["hours"]),
    Endpoint::new(
        (Post, "/v1/workspace/tenants/{tenant}/api-keys/{key}/pause"),
        (
            "pauseTenantKey",
            "Refuse an Ntropii key until it is resumed",
        ),
        (Ntropii, Token),
        Json(&["TenantKey"]),
    )
    .errors(&[409]),
    Endpoint::new(
        (Post, "/v1/workspace/tenants/{tenant}/api-keys/{key}/resume"),
        ("resumeTenantKey", "Accept a paused Ntropii key again"),
        (Ntropii, Token),
        Json(&["TenantKey"]),
    )
    .errors(&[409]),
    Endpoint::new(
        (Get, "/v1/workspace/tenants/{tenant}/policy"),
        ("getTenantPolicy", "Show the rules for new keys of a tenant"),
        (Ntropii, Token),
        Json(&["TenantPolicy"]),
    ),
    Endpoint::new(
        (Put, "/v1/workspace/tenants/{tenant}/policy"),
        (
            "replaceTenantPolicy",
            "Replace the rules for new keys of a tenant",
        ),
        (Ntropii, Token),
        Json(&["TenantPolicy"]),
    )
    .json("TenantPolicy"),
    Endpoint::new(
        (Delete, "/v1/workspace/members/{user}/api-keys"),
        ("revokeMemberKeys", "Revoke all keys of a person"),
        (Ntropii, Token),
        Json(&["RevokedKeys"]),
    )
    .errors(&[404]),
    Endpoint::new(
        (Get, "/v1/api-keys/{key}"),
        ("getKey", "Describe an Ontora key"),
        (Ontora, Token),
        Json(&["ApiKeyInfo"]),
    ),
    Endpoint::new(
        (Get, "/v1/api-keys/{key}/usage"),
        ("getKeyUses", "Count the uses of an Ontora key by hour"),
        (Ontora, Token),
        Json(&["KeyUses"]),
    )
    .parameters(&["hours"]),
    Endpoint::new(
        (Post, "/v1/api-keys/{key}/pause"),
        ("pauseKey", "Refuse an Ontora key until it is resumed"),
        (Ontora, Token),
        Json(&["ApiKeyInfo"]),
    )
    .errors(&[409]),
    Endpoint::new(
        (Post, "/v1/api-keys/{key}/resume"),
        ("resumeKey", "Accept a paused Ontora key again"),
        (Ontora, Token),
        Json(&["ApiKeyInfo"]),
    )
    .errors(&[409]),
    Endpoint::new(
        (Get, "/v1/workspaces/{workspace}/policy"),
        ("getPolicy", "Show the rules for new keys of a workspace"),
        (Ontora, Token),
        Json(&["WorkspacePolicy"]),
    ),
    Endpoint::new(
        (Put, "/v1/workspaces/{workspace}/policy"),
        (
            "replacePolicy",
            "Replace the rules for new keys of a workspace",
        ),
        (Ontora, Token),
        Json(&["WorkspacePolicy"]),
    )
    .json("WorkspacePolicy"),
    Endpoint::new(
        (Delete, "/v1/workspaces/{workspace}/members/{user}/api-keys"),
        (
            "revokeWorkspaceMemberKeys",
            "Revoke the keys of a person in a workspace",
        ),
        (Ontora, Token),
        Json(&["RevokedKeys"]),
    ),
    Endpoint::new(
        (Get, "/v1/api-keys/current/predecessor"),
        (
            "getPredecessor",
            "Show whether the predecessor of the presented key is in use",
        ),
        (Ontora, AnyKey),
        Json(&["PredecessorUse"]),
    )
    .errors(&[404]),
    Endpoint::new(
        (Put, "/v1/api-keys/current/predecessor"),
        (
            "endPredecessorWhenQuiet",
            "End the predecessor once it is not used any more",
        ),
        (Ontora, AnyKey),
        Json(&["PredecessorUse"]),
    )
    .json("QuietEnd")
    .errors(&[404]),
    Endpoint::new(
        (Get, "/v1/authorize"),
        ("authorize", "Decide on the request of a gateway's client"),
        (Own, AnyKey),
        Nothing,
    )
    .parameters(&["scope", "tenant", "identity"])
    .status(200),
    Endpoint::new(
        (Post, "/v1/introspect"),
        (
            "introspect",
            "Describe a key to a resource server (RFC 7662)",
        ),
        (Own, AnyKeyOrToken),
        Json(&["Introspection"]),
    )
    .form("Introspect"),
    Endpoint::new(
        (Post, "/v1/leaks"),
        ("reportLeaks", "Revoke keys that strangers can read"),
        (Own, Anyone),
        Json(&["LeakOutcomes"]),
    )
    .json("LeakReport")
    .errors(&[429, 503]),
    Endpoint::new(
        (Post, "/v1/leaks/github"),
        (
            "reportGithubLeaks",
            "Revoke keys that GitHub's secret scanning has found",
        ),
        (Own, Anyone),
        Json(&["GithubFeedback"]),
    )
    .json("GithubReport")
    .errors(&[401, 404, 429, 503]),
    Endpoint::new(
        (Get, "/healthz"),
        ("getHealth", "Tell that the process answers"),
        (Own, Anyone),
        Json(&["Health"]),
    ),
    Endpoint::new(
        (Get, "/readyz"),
        ("getReadiness", "Tell whether the server accepts requests"),
        (Own, Anyone),
        Json(&["Readiness"]),
    )
    .errors(&[503]),
    Endpoint::new(
        (Get, "/metrics"),
        (
            "getMetrics",
            "Return the metrics, to callers on this machine",
        ),
        (Own, Anyone),
        Other("text/plain"),
    )
    .errors(&[404]),
    Endpoint::new(
        (Get, "/openapi.json"),
        ("getDocument", "Return this document"),
        (Own, Anyone),
        Json(&["Document"]),
    ),
    Endpoint::new(
        (Get, "/.well-known/jwks.json"),
        (
            "getKeySet",
            "Return the keys of tokens and identity headers",
        ),
        (Own, Anyone),
        Json(&["KeySet"]),
    ),
    Endpoint::new(
        (Get, "/.well-known/ntro-audit.json"),
        ("getAuditKeySet", "Return the key of the audit logs"),
        (Own, Anyone),
        Json(&["KeySet"]),
    ),
];
