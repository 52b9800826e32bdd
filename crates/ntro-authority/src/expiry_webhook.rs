//! The webhook that is warned of keys that expire soon.

use std::time::Duration;

use aws_lc_rs::hmac;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use url::{Position, Url};

use crate::error::Error;
use crate::store::ExpiryWarning;
use ntro_base::Host;
use ntro_base::http::{CustomRoots, HttpClient, Proxies, root_cause};

/// The fewest bytes of a secret.
const SHORTEST_SECRET: usize = 16;
/// The timeout for a delivery.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The pauses between the attempts of a delivery.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// Where warnings of keys that expire soon are sent.
#[derive(Clone, Debug)]
pub struct ExpiryWebhook {
    url: Url,
    secret: SecretString,
}

impl ExpiryWebhook {
    /// Sends warnings to a URL, by https or on this machine, and signs them with a secret.
    pub fn new(url: Url, secret: SecretString) -> Result<Self, Error> {
        let mut base = url.clone();
        base.set_query(None);
        if !Host::try_from(base).is_ok_and(|host| host.is_safe_transport()) {
            return Err(Error::WebhookUrl {
                url: url[..Position::BeforeUsername].to_owned()
                    + &url[Position::BeforeHost..Position::AfterPath],
            });
        }
        if secret.expose_secret().len() < SHORTEST_SECRET {
            return Err(Error::WebhookSecret);
        }
        Ok(Self { url, secret })
    }

    /// Returns the sender.
    pub(crate) fn sender(&self, proxies: Proxies, roots: CustomRoots) -> ExpirySender {
        ExpirySender {
            client: HttpClient::new(
                concat!("ntro/", env!("CARGO_PKG_VERSION")),
                TIMEOUT,
                proxies,
                roots,
            ),
            url: self.url.clone(),
            key: hmac::Key::new(hmac::HMAC_SHA256, self.secret.expose_secret().as_bytes()),
        }
    }
}

/// Sends warnings to the webhook.
pub(crate) struct ExpirySender {
    client: HttpClient,
    url: Url,
    key: hmac::Key,
}

impl ExpirySender {
    /// Sends a warning, several times if it must. Its id is the same each time.
    pub(crate) async fn deliver(&self, warning: &ExpiryWarning) -> Result<(), String> {
        let key = &warning.key;
        let id = format!("{}-{}", key.id, warning.days);
        let body = json!({
            "type": "key.expiring",
            "delivery_id": id,
            "sent_at": Timestamp::now().to_string(),
            "within_days": warning.days,
            "key": {
                "id": key.id.to_string(),
                "name": key.name.as_str(),
                "key_prefix": key.prefix.as_str(),
                "provider": key.provider.as_str(),
                "tenant": warning.tenant,
                "tenant_id": key.tenant_id.to_string(),
                "expires_at": key.expires_at,
                "created_by": key.created_by,
                "owner": key.owner,
                "last_used_at": key.last_used_at,
            },
        });
        let body = body.to_string();
        let mut pauses = PAUSES.iter();
        loop {
            let sent = self.send(&id, &body).await;
            match (sent, pauses.next()) {
                (Err(_), Some(pause)) => tokio::time::sleep(*pause).await,
                (sent, _) => return sent,
            }
        }
    }

    async fn send(&self, id: &str, body: &str) -> Result<(), String> {
        let client = self.client.for_url(&self.url);
        let client = client.map_err(|error| error.to_string())?;
        let request = client
            .post(self.url.clone())
            .timeout(TIMEOUT)
            .header("content-type", "application/json")
            .header("x-ntro-event", "key.expiring")
            .header("x-ntro-delivery-id", id)
            .header("x-ntro-signature", self.signature(body))
            .body(body.to_owned());
        let response = request.send().await.map_err(|error| root_cause(&error))?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("status {status}")),
        }
    }

    /// Returns `sha256=` and the HMAC of the body in hexadecimal digits.
    fn signature(&self, body: &str) -> String {
        use std::fmt::Write as _;

        let mut text = String::from("sha256=");
        for byte in hmac::sign(&self.key, body.as_bytes()).as_ref() {
            // A string grows without errors.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}
