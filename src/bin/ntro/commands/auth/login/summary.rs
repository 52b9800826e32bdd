//! Summary of a login.

use std::path::PathBuf;

use ntro_client::api::Whoami;
use ntro_client::ops::NewLogin;
use ntro_client::secrets::{StoreKind, StoreSettings, identity_beside_keys};
use serde::Serialize;

use crate::commands::identity::TenantName;
use crate::output::{Fields, Paint, Report, whole_seconds};

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::commands::auth) struct LoginSummary {
    /// Name of the connection.
    connection: String,
    /// Base URL of the server.
    host: String,
    /// System that the key belongs to.
    #[cfg_attr(test, schemars(with = "crate::schema::ProviderName"))]
    provider: &'static str,
    /// Prefix of the key.
    key_prefix: String,
    /// Store that holds the key.
    #[cfg_attr(test, schemars(with = "crate::schema::StoreName"))]
    store: String,
    /// Whether this is the default connection.
    is_default: bool,
    /// Whether the server accepted the key; false with `--no-verify`.
    verified: bool,
    /// Default tenant chosen by this login.
    default_tenant: Option<String>,
    /// E-mail address or name of the key's owner; null with `--no-verify`.
    identity: Option<String>,
    /// Tenants that the key reaches; null with `--no-verify`.
    tenants: Option<Vec<TenantName>>,
    /// When the key expires, if the server reports it.
    expires_at: Option<jiff::Timestamp>,
    /// Identity that opens the encrypted file and is stored beside it.
    #[serde(skip)]
    identity_beside: Option<PathBuf>,
}

impl LoginSummary {
    pub(super) fn new(
        new: &NewLogin,
        is_default: bool,
        checked: Option<&Whoami>,
        stores: &StoreSettings,
    ) -> Self {
        Self {
            connection: new.name.to_string(),
            host: new.host.to_string(),
            provider: new.provider.as_str(),
            key_prefix: new.key.prefix().to_string(),
            store: new.store.to_string(),
            is_default,
            verified: checked.is_some(),
            default_tenant: new.default_tenant.as_ref().map(ToString::to_string),
            tenants: checked.map(|checked| checked.tenants.iter().map(TenantName::from).collect()),
            identity: checked.map(|Whoami { identity, .. }| {
                identity.email.as_ref().unwrap_or(&identity.name).clone()
            }),
            expires_at: new.expires_at.map(whole_seconds),
            identity_beside: identity_beside_keys(stores, new.store),
        }
    }
}

impl Report for LoginSummary {
    fn text(&self, paint: Paint) -> String {
        let kind: Option<StoreKind> = self.store.parse().ok();
        let place = match (&kind, &self.identity_beside) {
            (Some(kind), Some(identity)) => format!(
                "in {}, which `{}` beside it opens",
                kind.summary(),
                identity.display()
            ),
            // Its summary already includes the preposition.
            (Some(StoreKind::Plaintext), None) => StoreKind::Plaintext.summary().to_owned(),
            (Some(kind), None) => format!("in {}", kind.summary()),
            (None, _) => format!("in {}", self.store),
        };
        let as_whom = match &self.identity {
            Some(identity) => format!(" as {identity}"),
            None => ", without asking the server".to_owned(),
        };
        let mut fields = Fields::new(paint);
        fields.put("host", &format!("{} ({})", self.host, self.provider));
        fields.put("key", &format!("{}… {place}", self.key_prefix));
        let reached = self.tenants.iter().flatten();
        let named = |slug: &String| {
            let tenant = reached.clone().find(|tenant| tenant.slug == *slug);
            tenant.map_or_else(|| slug.clone(), TenantName::shown)
        };
        fields.put_some("tenant", self.default_tenant.as_ref().map(named).as_deref());
        fields.put_some(
            "expires",
            self.expires_at.map(|at| at.to_string()).as_deref(),
        );
        fields.put("default", if self.is_default { "yes" } else { "no" });
        let head = format!("logged in to `{}`{as_whom}", self.connection);
        format!("{} {head}\n{}", paint.good("✓"), fields.text())
    }
}
