//! Rotation with an admin token: a new key like the old one, identified by a mark in its name.

use jiff::SignedDuration;

use super::Error;
use super::journal::{Asked, Unfinished};
use super::reach::Reach;
use crate::api;
use crate::api::{AdminClient, Expiry, KeyInfo, KeyRequest};
use ntro_base::{ApiKey, ConnectionName, KeyName, Scope, TenantSlug};

/// The longest name of a key.
const LONGEST_NAME: usize = 255;

/// The known properties of the key to replace.
pub(super) struct Old {
    pub(super) id: String,
    pub(super) tenant: TenantSlug,
    pub(super) request: KeyRequest,
}

impl Old {
    /// Returns the part that is recorded before the key is requested.
    pub(super) fn asked(&self) -> Asked {
        Asked {
            name: self.request.name.to_string(),
            scopes: self
                .request
                .scopes
                .iter()
                .map(ToString::to_string)
                .collect(),
            expires_in_days: self.request.expires_in_days,
            may_rotate: self.request.may_rotate,
        }
    }

    /// Reads the description of a connection's key, and builds a request for one like it.
    pub(super) async fn describe(
        admin: &AdminClient,
        name: &ConnectionName,
        key: &ApiKey,
        reach: &Reach,
        nonce: &str,
    ) -> Result<Self, Error> {
        let undescribed = |reason: String| Error::Undescribed {
            name: name.clone(),
            reason,
        };
        let mut tenants = reach.tenants.values();
        let (Some(tenant), None) = (tenants.next(), tenants.next()) else {
            return Err(undescribed(format!(
                "it reaches {} tenants, and not just one",
                reach.tenants.len()
            )));
        };
        let keys = admin.list_keys(tenant).await?;
        let told = reach.key.id.as_deref();
        let mut fitting =
            keys.into_iter()
                .filter(is_live)
                .filter(|row| match (told, &row.prefix) {
                    (Some(id), _) => row.id.as_deref() == Some(id),
                    (None, Some(prefix)) => key.expose().starts_with(prefix.as_str()),
                    (None, None) => false,
                });
        let (row, id) = match (fitting.next(), fitting.next()) {
            (Some(row), None) => match row.id.clone() {
                Some(id) => (row, id),
                None => return Err(undescribed("the server tells no id of it".to_owned())),
            },
            (None, _) => {
                let reason = format!("it is not among the live keys of `{tenant}`");
                return Err(undescribed(reason));
            }
            (Some(_), Some(_)) => {
                let reason = format!("several keys of `{tenant}` look like it");
                return Err(undescribed(reason));
            }
        };
        let scopes = row.scopes.as_ref().or(reach.key.scopes.as_ref());
        let scopes = scopes
            .into_iter()
            .flatten()
            .map(|scope| {
                scope
                    .parse::<Scope>()
                    .map_err(|error| undescribed(error.to_string()))
            })
            .collect::<Result<_, _>>()?;
        let was_called = row.name.as_deref().or(reach.key.name.as_deref());
        Ok(Self {
            id,
            tenant: tenant.clone(),
            request: KeyRequest {
                tenant: tenant.clone(),
                name: marked(was_called.unwrap_or("ntro"), nonce)
                    .map_err(|error| undescribed(error.to_string()))?,
                scopes,
                expires_in_days: days(&row),
                may_rotate: row.may_rotate && reach.key.may_rotate,
            },
        })
    }
}

/// Revokes any key that was created, or may still be created, for a rotation.
///
/// A request may still be in transit when its sender was killed. It is sent again, so that the
/// server has processed it: if the first one arrives later, it creates no key.
pub(super) async fn take_back(admin: &AdminClient, recorded: &Unfinished) -> Result<(), Error> {
    if recorded.new_id.is_none()
        && let Some(request) = asked(recorded)
    {
        let (info, _) = admin.create_key_once(&request, &recorded.nonce).await?;
        if let Some(id) = info.id.as_deref() {
            admin.revoke_key(&request.tenant, id).await?;
        }
    }
    revoke_marked(admin, recorded, None).await
}

fn asked(recorded: &Unfinished) -> Option<KeyRequest> {
    let asked = recorded.asked.as_ref()?;
    let scopes = asked.scopes.iter().map(|scope| scope.parse::<Scope>());
    Some(KeyRequest {
        tenant: tenant(recorded)?,
        name: asked.name.parse().ok()?,
        scopes: scopes.collect::<Result<_, _>>().ok()?,
        expires_in_days: asked.expires_in_days,
        may_rotate: asked.may_rotate,
    })
}

/// Revokes the valid keys that were created for a rotation, except one.
pub(super) async fn revoke_marked(
    admin: &AdminClient,
    recorded: &Unfinished,
    except: Option<&str>,
) -> Result<(), Error> {
    let Some(tenant) = tenant(recorded) else {
        return Ok(());
    };
    for row in admin.list_keys(&tenant).await? {
        let made_for_it = row.name.as_deref().and_then(mark) == Some(&recorded.nonce);
        if let Some(id) = row.id.as_deref()
            && made_for_it
            && is_live(&row)
            && except != Some(id)
        {
            admin.revoke_key(&tenant, id).await?;
        }
    }
    Ok(())
}

/// Revokes the replaced key. A missing key is already revoked.
pub(super) async fn revoke_old(admin: &AdminClient, recorded: &Unfinished) -> Result<(), Error> {
    let (Some(tenant), Some(id)) = (tenant(recorded), recorded.old_id.as_deref()) else {
        return Ok(());
    };
    match admin.revoke_key(&tenant, id).await {
        Err(error @ api::Error::NotFound(_)) => {
            let keys = admin.list_keys(&tenant).await?;
            let lives = |row: &KeyInfo| row.id.as_deref() == Some(id) && is_live(row);
            match keys.iter().any(lives) {
                true => Err(error.into()),
                false => Ok(()),
            }
        }
        answer => Ok(answer?),
    }
}

fn tenant(recorded: &Unfinished) -> Option<TenantSlug> {
    recorded.tenant.as_deref()?.parse().ok()
}

fn is_live(row: &KeyInfo) -> bool {
    row.revoked_at.is_none()
}

/// Returns the lifetime of the new key in days, never longer than the old one's.
fn days(row: &KeyInfo) -> Option<u32> {
    let Expiry::At(end) = row.expires else {
        return None;
    };
    let from = row.created_at.unwrap_or_else(jiff::Timestamp::now);
    let life: SignedDuration = end.duration_since(from);
    Some(u32::try_from(life.as_hours() / 24).unwrap_or(0).max(1))
}

/// `CI integration` becomes `CI integration (ntro 1a2b3c4d5e6f7081)`, and so does
/// `CI integration (ntro 0000000000000000)`.
fn marked(name: &str, nonce: &str) -> Result<KeyName, ntro_base::NameError> {
    let bare = match mark(name) {
        Some(old) => name.trim_end_matches(&format!(" (ntro {old})")),
        None => name,
    };
    let suffix = format!(" (ntro {nonce})");
    let kept: String = bare.chars().take(LONGEST_NAME - suffix.len()).collect();
    format!("{}{suffix}", kept.trim_end()).parse()
}

/// Returns the mark in the name of a key that was created for a rotation.
fn mark(name: &str) -> Option<&str> {
    let (_, nonce) = name.strip_suffix(')')?.rsplit_once(" (ntro ")?;
    let is_mark = nonce.len() == 16 && nonce.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_mark.then_some(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mark_is_found_and_replaced() {
        let (first, second) = ("00112233445566ff", "1a2b3c4d5e6f7081");
        let once = marked("CI integration", first).unwrap();
        assert_eq!(once.as_str(), "CI integration (ntro 00112233445566ff)");
        assert_eq!(mark(once.as_str()), Some(first));
        let twice = marked(once.as_str(), second).unwrap();
        assert_eq!(twice.as_str(), "CI integration (ntro 1a2b3c4d5e6f7081)");
        let long = marked(&"ä".repeat(255), first).unwrap();
        assert_eq!(long.as_str().chars().count(), 255);
        assert_eq!(mark(long.as_str()), Some(first));
        for name in [
            "",
            "CI",
            "CI (ntro 1)",
            "CI (ntro 1a2b3c4d5e6f708g)",
            "CI (ntro)",
        ] {
            assert_eq!(mark(name), None, "{name}");
        }
    }

    #[test]
    fn lifetime_is_never_extended() {
        let row = |created: Option<&str>, expires| KeyInfo {
            created_at: created.map(|at| at.parse().unwrap()),
            expires,
            ..KeyInfo::default()
        };
        let end = Expiry::At("2026-04-01T00:00:00Z".parse().unwrap());
        assert_eq!(days(&row(Some("2026-01-01T00:00:00Z"), end)), Some(90));
        assert_eq!(days(&row(Some("2026-01-01T01:00:00Z"), end)), Some(89));
        assert_eq!(days(&row(Some("2026-03-31T23:00:00Z"), end)), Some(1));
        assert_eq!(days(&row(None, Expiry::Never)), None);
    }
}
