//! Child keys and tripwires, which only an authority offers.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Map, Value};

use super::admin::new_key;
use super::client::Client;
use super::error::Error;
use super::http::Call;
use super::key_info::NewKey;
use super::path::segment;
use ntro_base::{KeyName, Scope};

const FUNCTION: &str = "child keys";

/// A child key to create.
#[derive(Clone, Debug)]
pub struct ChildRequest {
    /// Its display name; that of its parent when `None`.
    pub name: Option<KeyName>,
    /// Its scopes; those of its parent when `None`.
    pub scopes: Option<Vec<Scope>>,
    /// How long it lives, in whole seconds.
    pub life: Duration,
}

impl ChildRequest {
    fn body(&self) -> Value {
        let mut body = Map::new();
        if let Some(name) = &self.name {
            body.insert("name".to_owned(), name.as_str().into());
        }
        if let Some(scopes) = &self.scopes {
            let names = scopes.iter().map(|scope| scope.as_str()).collect();
            body.insert("scopes".to_owned(), names);
        }
        body.insert(
            "expires_in_seconds".to_owned(),
            self.life.as_secs().max(1).into(),
        );
        Value::Object(body)
    }
}

impl Client {
    /// Creates a child of the presented key, which ends with it.
    ///
    /// The request is sent once, under the unique name `attempt`. After an error that is not
    /// [without effect](Error::is_without_effect) a child may exist or may still be created;
    /// [`Client::cancel_child`] with the same name revokes it.
    ///
    /// [`Error::NotOffered`] when the server lacks the endpoint.
    pub async fn create_child(
        &self,
        request: &ChildRequest,
        attempt: &str,
    ) -> Result<NewKey, Error> {
        let call = Call::post(self.current("/children"))
            .with_body(request.body())
            .known_by(attempt);
        let answer = self.http().send(&call).await?.offered(FUNCTION)?;
        new_key(self.provider(), answer)
    }

    /// Revokes a child of the presented key by its id. Succeeds when there is none.
    pub async fn revoke_child(&self, id: &str) -> Result<(), Error> {
        let url = self.current(&format!("/children/{}", segment(id)));
        let answer = self.http().send(&Call::delete(url)).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(()),
            _ => answer.into_success().map(drop),
        }
    }

    /// Revokes the child that an attempt has created, and prevents the attempt from creating one
    /// later. Succeeds when there is none. The server remembers an attempt for a day.
    ///
    /// [`Error::NotOffered`] when the server lacks the endpoint.
    pub async fn cancel_child(&self, attempt: &str) -> Result<(), Error> {
        let call = Call::delete(self.current("/children")).known_by(attempt);
        let answer = self.http().send(&call).await?.offered(FUNCTION)?;
        answer.into_success().map(drop)
    }

    /// Sets a tripwire: the server reports when the one-off token with this SHA-256, in hexadecimal
    /// digits, is presented to it. Setting it again changes its expiry.
    ///
    /// [`Error::NotOffered`] when the server lacks the endpoint.
    pub async fn set_tripwire(&self, sha256: &str, life: Duration) -> Result<(), Error> {
        let body = serde_json::json!({
            "sha256": sha256,
            "expires_in_seconds": life.as_secs().max(1),
        });
        let call = Call::post_once(self.current("/tripwires"), body);
        let answer = self.http().send(&call).await?.offered("tripwires")?;
        answer.into_success().map(drop)
    }
}
