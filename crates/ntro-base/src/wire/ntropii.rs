//! Ntropii: `camelCase` fields, paths below `/v1`.

use serde::{Deserialize, Serialize};

/// The response of `GET /me`.
///
/// The official client requires the first five fields, none of them `null`, and ignores the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct UserProfile {
    /// User id of the key's owner, or the key's own id.
    pub id: String,
    /// Address of the owner.
    pub email: String,
    /// Name of the owner or of the key.
    pub name: String,
    /// Organisation that the key comes from.
    pub org_id: String,
    /// Name of the organisation. Sent by an authority only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_name: Option<String>,
    /// Role names.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The tenants that the key reaches. Sent by an authority only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenants: Option<Vec<TenantRef>>,
    /// The key itself. Sent by an authority only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyRef>,
}

/// A short reference to a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TenantRef {
    /// UUID.
    pub id: String,
    /// URL-safe name.
    pub slug: String,
    /// Display name.
    pub name: String,
}

/// The presented key, in the response of `GET /me` of an authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct KeyRef {
    /// UUID of the key.
    pub id: String,
    /// The displayable start of the key.
    pub prefix: String,
    /// RFC 3339, or `null` for a key that never expires.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// `false` for a key that may not rotate itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_rotate: Option<bool>,
    /// UUID of the key that created it, for a child key; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// RFC 3339: when one of its tripwires was last presented; absent if none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tripped_at: Option<String>,
}

/// A tenant, as `GET /workspace/tenants` lists it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// UUID.
    pub id: String,
    /// Display name.
    pub name: String,
    /// URL-safe name.
    pub slug: String,
    /// `managed-postgres`, `snowflake` or `microsoft-fabric`; the official client requires it.
    #[serde(default)]
    pub data_platform: String,
    /// Id of the data platform's configuration.
    #[serde(default)]
    pub data_platform_config_id: Option<String>,
    /// `ACTIVE`, `SUSPENDED`, …
    #[serde(default = "provisioning")]
    pub status: String,
    /// Free settings: an object, or a string that holds one.
    #[serde(default)]
    pub config: Option<serde_json::Value>,
    /// How many entities the tenant has.
    #[serde(default)]
    pub entity_count: u64,
    /// RFC 3339.
    #[serde(default)]
    pub created_at: Option<String>,
    /// RFC 3339.
    #[serde(default)]
    pub updated_at: Option<String>,
}

fn provisioning() -> String {
    "PROVISIONING".to_owned()
}

/// A list, in either of the formats that the official client accepts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum List<T> {
    /// `[…]`
    Bare(Vec<T>),
    /// `{"items": […]}`
    Paged {
        /// The items of this page.
        items: Vec<T>,
    },
}

impl<T> List<T> {
    /// Returns the items of either format.
    #[must_use]
    pub fn into_items(self) -> Vec<T> {
        match self {
            Self::Bare(items) | Self::Paged { items } => items,
        }
    }
}

/// The body of `POST /workspace/tenants`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CreateTenant {
    /// Display name.
    pub name: String,
    /// URL-safe name.
    pub slug: String,
    /// `managed-postgres`, `snowflake` or `microsoft-fabric`.
    pub data_platform: String,
    /// Required except with `managed-postgres`, forbidden with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_platform_config_id: Option<String>,
}

/// A key of a tenant in the authority's own endpoints: the fields of
/// [`ontora::ApiKeyInfo`](super::ontora::ApiKeyInfo) in camel case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TenantKey {
    /// UUID.
    pub id: String,
    /// UUID of the tenant.
    pub tenant_id: String,
    /// Display name of the tenant, in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_name: Option<String>,
    /// Display name.
    pub name: String,
    /// The displayable start of the key.
    pub key_prefix: String,
    /// RFC 3339, or `null` for never.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    #[serde(default)]
    pub last_used_at: Option<String>,
    /// The address that it was last used from; absent if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_address: Option<String>,
    /// The `User-Agent` of that request; absent if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_agent: Option<String>,
    /// The creator.
    #[serde(default)]
    pub created_by: Option<String>,
    /// RFC 3339; `null` while the key is live.
    #[serde(default)]
    pub revoked_at: Option<String>,
    /// RFC 3339: when it was paused; absent while it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<String>,
    /// `false` for a key that may not rotate itself; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_rotate: Option<bool>,
    /// UUID of the key that created it, for a child key; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// RFC 3339: when one of its tripwires was last presented; absent if none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tripped_at: Option<String>,
    /// The whole key; only in the response that creates it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// The request body that creates a key of a tenant at an authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CreateTenantKey {
    /// Display name.
    pub name: String,
    /// 1 to 365, or `null` for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_days: Option<u32>,
    /// `false` for a key that may not rotate itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_rotate: Option<bool>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn profile_has_five_required_fields() {
        let profile = UserProfile {
            id: "u1".into(),
            email: "dev@acme.test".into(),
            name: "Dev".into(),
            org_id: "org1".into(),
            org_name: None,
            roles: vec!["tenant:admin".into()],
            tenants: None,
            key: None,
        };
        let wire = json!({"id": "u1", "email": "dev@acme.test", "name": "Dev", "orgId": "org1", "roles": ["tenant:admin"]});
        assert_eq!(serde_json::to_value(&profile).unwrap(), wire);
        assert_eq!(
            serde_json::from_value::<UserProfile>(wire).unwrap(),
            profile
        );
    }

    #[test]
    fn authority_profile_has_tenants_and_key() {
        let wire = json!({
            "id": "k", "email": "k@keys.invalid", "name": "CI", "orgId": "o", "roles": [],
            "tenants": [{"id": "t", "slug": "acme", "name": "Acme"}],
            "key": {"id": "k", "prefix": "ntro_prod_abc", "expiresAt": null}
        });
        let profile: UserProfile = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(serde_json::to_value(&profile).unwrap(), wire);
    }

    #[test]
    fn tenant_reads_minimal_fields() {
        let tenant: Tenant = serde_json::from_value(
            json!({"id": "t", "name": "Acme", "slug": "acme", "dataPlatform": "snowflake"}),
        )
        .unwrap();
        assert_eq!(tenant.status, "PROVISIONING");
        assert_eq!(
            serde_json::to_value(&tenant).unwrap(),
            json!({
                "id": "t", "name": "Acme", "slug": "acme", "dataPlatform": "snowflake",
                "dataPlatformConfigId": null, "status": "PROVISIONING", "config": null,
                "entityCount": 0, "createdAt": null, "updatedAt": null
            })
        );
    }

    #[test]
    fn list_reads_both_formats() {
        for wire in [json!([1, 2]), json!({"items": [1, 2], "total": 2})] {
            let list: List<u8> = serde_json::from_value(wire).unwrap();
            assert_eq!(list.into_items(), [1, 2]);
        }
        assert!(serde_json::from_value::<List<u8>>(json!({"data": [1]})).is_err());
    }

    #[test]
    fn create_tenant_omits_empty_fields() {
        let body = CreateTenant {
            name: "Acme".into(),
            slug: "acme".into(),
            data_platform: "managed-postgres".into(),
            data_platform_config_id: None,
        };
        assert_eq!(
            serde_json::to_value(&body).unwrap(),
            json!({"name": "Acme", "slug": "acme", "dataPlatform": "managed-postgres"})
        );
    }

    #[test]
    fn tenant_key_omits_secret() {
        let wire = json!({
            "id": "k", "tenantId": "t", "name": "CI", "keyPrefix": "ntro_prod_a", "expiresAt": null,
            "createdAt": "2026-01-01T00:00:00Z", "lastUsedAt": null, "createdBy": null, "revokedAt": null
        });
        let key: TenantKey = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(serde_json::to_value(&key).unwrap(), wire);
    }
}
