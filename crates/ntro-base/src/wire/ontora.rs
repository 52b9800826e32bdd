//! Ontora: `snake_case` fields, paths that begin with `/v1`.

use serde::{Deserialize, Serialize};

/// A key, as every key endpoint returns it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKeyInfo {
    /// UUID.
    #[serde(default)]
    pub id: String,
    /// UUID of the workspace that the key belongs to.
    #[serde(default)]
    pub workspace_id: String,
    /// Display name of the workspace. Sent with the presented key and in lists, by an authority only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_name: Option<String>,
    /// UUID of the workspace's organisation. Sent with the presented key, by an authority only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation_id: Option<String>,
    /// Display name of the organisation. Sent with the presented key, by an authority only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation_name: Option<String>,
    /// Display name.
    #[serde(default)]
    pub name: String,
    /// Scope names.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The displayable start of the key.
    #[serde(default)]
    pub key_prefix: String,
    /// RFC 3339, or `null` for never.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// RFC 3339.
    #[serde(default)]
    pub created_at: Option<String>,
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
    /// RFC 3339: when it was paused; absent while it is not, and from servers other than an
    /// authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<String>,
    /// `us`, `eu`, …
    #[serde(default)]
    pub region: Option<String>,
    /// `false` for a key that may not rotate itself; absent otherwise, and from servers other than
    /// an authority.
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

/// The body of `POST /v1/api-keys`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateApiKey {
    /// Display name, 1 to 255 characters.
    pub name: String,
    /// UUID of the workspace.
    pub workspace_id: String,
    /// At least one scope name.
    pub scopes: Vec<String>,
    /// 1 to 365, or `null` for never.
    #[serde(default)]
    pub expires_in_days: Option<u32>,
    /// `false` for a key that may not rotate itself. Read by an authority only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_rotate: Option<bool>,
}

/// A workspace, as `GET /v1/workspaces` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Workspace {
    /// UUID.
    pub id: String,
    /// Display name.
    pub name: String,
    /// The caller's role there: `admin` or `member`.
    pub role: String,
    /// RFC 3339.
    #[serde(default)]
    pub created_at: Option<String>,
}

/// A member of a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Member {
    /// User id.
    pub user_id: String,
    /// `admin` or `member`.
    pub role: String,
    /// RFC 3339.
    #[serde(default)]
    pub created_at: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn current_key_reads_minimal_fields() {
        let info: ApiKeyInfo = serde_json::from_value(json!({
            "workspace_id": "w", "name": "CI", "scopes": ["exports"], "region": "eu"
        }))
        .unwrap();
        assert_eq!((info.id.as_str(), info.region.as_deref()), ("", Some("eu")));
    }

    #[test]
    fn key_writes_every_field() {
        let wire = json!({
            "id": "k", "workspace_id": "w", "name": "CI integration", "scopes": ["interviews"],
            "key_prefix": "ont_live_ab12", "expires_at": null, "created_at": "2026-01-01T00:00:00Z",
            "last_used_at": null, "created_by": null, "revoked_at": null, "region": "us"
        });
        let mut info: ApiKeyInfo = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(serde_json::to_value(&info).unwrap(), wire);
        info.key = Some("ont_live_ab12_x".into());
        assert_eq!(
            serde_json::to_value(&info).unwrap()["key"],
            "ont_live_ab12_x"
        );
    }

    #[test]
    fn bodies_match_documented_fields() {
        let body = CreateApiKey {
            name: "CI integration".into(),
            workspace_id: "w".into(),
            scopes: vec!["interviews".into(), "exports".into()],
            expires_in_days: Some(90),
            may_rotate: None,
        };
        assert_eq!(
            serde_json::to_value(&body).unwrap(),
            json!({"name": "CI integration", "workspace_id": "w", "scopes": ["interviews", "exports"], "expires_in_days": 90})
        );
        let wire = json!({"id": "w", "name": "Acme", "role": "admin", "created_at": "2026-01-01T00:00:00Z"});
        let workspace: Workspace = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(serde_json::to_value(&workspace).unwrap(), wire);
        let wire = json!({"user_id": "u", "role": "member", "created_at": null});
        let member: Member = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(serde_json::to_value(&member).unwrap(), wire);
    }
}
