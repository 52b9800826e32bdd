use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zbus::export::futures_core::Stream as _;
use zbus::message::{Message, Type};
use zbus::{Connection, DBusError as _, DynamicType, MatchRule, MessageStream};
use zbus::{ObjectPath, OwnedObjectPath, OwnedVariant, Variant};
use zeroize::Zeroizing;

use super::super::super::deadline::Budget;
use super::super::super::{Error, StoreKind};
use super::super::settings::usual_socket;
use super::service::Attributes;
use ntro_base::printable;

const DESTINATION: &str = "org.freedesktop.secrets";
const SERVICE_PATH: &str = "/org/freedesktop/secrets";
const SERVICE: &str = "org.freedesktop.Secret.Service";
const COLLECTION: &str = "org.freedesktop.Secret.Collection";
const ITEM: &str = "org.freedesktop.Secret.Item";
const PROMPT: &str = "org.freedesktop.Secret.Prompt";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// The path that stands for no object.
const NOTHING: &str = "/";
const CONTENT_TYPE: &str = "text/plain";
/// The name of the default collection.
const DEFAULT: &(&str,) = &("default",);

/// The most characters of a message of the service.
const LONGEST: usize = 200;

/// A secret on the wire: session, parameters, value, content type.
type Secret = (OwnedObjectPath, Vec<u8>, Vec<u8>, String);

/// The same, borrowed.
type SecretToSend<'a> = (&'a OwnedObjectPath, &'a [u8], &'a [u8], &'a str);

/// The result of a search.
pub(super) struct Found {
    pub(super) unlocked: Vec<OwnedObjectPath>,
    pub(super) locked: Vec<OwnedObjectPath>,
}

impl Found {
    pub(super) fn is_empty(&self) -> bool {
        self.unlocked.is_empty() && self.locked.is_empty()
    }
}

/// An item to store.
pub(super) struct NewItem<'a> {
    pub(super) attributes: &'a Attributes<'a>,
    pub(super) label: &'a str,
    pub(super) secret: &'a [u8],
}

/// The calls of the Secret Service that the store needs, each within the remaining time.
pub(super) struct Bus {
    connection: Connection,
    session: OnceLock<OwnedObjectPath>,
    budget: Arc<Budget>,
}

impl Bus {
    /// Connects to the session bus at this address.
    pub(super) async fn connect(address: Option<&str>, budget: Arc<Budget>) -> Result<Self, Error> {
        let absent = |reason: &str| Error::Absent {
            store: StoreKind::Keyring,
            reason: reason.to_owned(),
        };
        let none = || {
            absent(&format!(
                "there is no session bus at `{}`, and `DBUS_SESSION_BUS_ADDRESS` is not set: pass it on to `ntro` if one runs elsewhere",
                usual_socket()
            ))
        };
        // Several addresses are alternatives. Secrets are only sent over a Unix socket.
        let addresses = address
            .ok_or_else(none)?
            .split(';')
            .filter(|address| address.starts_with("unix:"));
        let mut failure = absent("the session bus is not a Unix socket");
        for address in addresses {
            let connecting = zbus::connection::Builder::address(address).build();
            failure = match within(&budget, None, connecting).await? {
                Ok(connection) => {
                    return Ok(Self {
                        connection,
                        session: OnceLock::new(),
                        budget,
                    });
                }
                Err(zbus::Error::Address(_) | zbus::Error::Unsupported) => {
                    absent("the address of the session bus cannot be used")
                }
                Err(zbus::Error::Connection(..)) => absent("the session bus refuses connections"),
                Err(error) => explain(&error),
            };
        }
        Err(failure)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    pub(super) async fn search(&self, attributes: &Attributes<'_>) -> Result<Found, Error> {
        within(&self.budget, None, self.find(attributes)).await?
    }

    /// Searches, and in parallel opens the session.
    pub(super) async fn search_in_session(&self, name: &Attributes<'_>) -> Result<Found, Error> {
        // Parallel waits count once.
        let both = async { tokio::join!(self.find(name), self.open_session()) };
        let (found, session) = within(&self.budget, None, both).await?;
        session?;
        found
    }

    /// As [`Bus::search`], without a time limit.
    async fn find(&self, attributes: &Attributes<'_>) -> Result<Found, Error> {
        let (unlocked, locked) = self.ask_service("SearchItems", &(attributes,)).await?;
        Ok(Found { unlocked, locked })
    }

    async fn open_session(&self) -> Result<(), Error> {
        if self.session.get().is_none() {
            let input = ("plain", Variant::from(""));
            let (_, session): (OwnedVariant, OwnedObjectPath) =
                self.ask_service("OpenSession", &input).await?;
            let _ = self.session.set(session);
        }
        Ok(())
    }

    fn session(&self) -> Result<&OwnedObjectPath, Error> {
        self.session
            .get()
            .ok_or_else(|| unavailable("no session was opened"))
    }

    /// Returns the default collection, if there is one.
    pub(super) async fn default_collection(&self) -> Result<Option<OwnedObjectPath>, Error> {
        self.service("ReadAlias", DEFAULT).await.map(something)
    }

    pub(super) async fn is_locked(&self, collection: &OwnedObjectPath) -> Result<bool, Error> {
        self.property(collection, COLLECTION, "Locked").await
    }

    pub(super) async fn attributes(
        &self,
        item: &OwnedObjectPath,
    ) -> Result<HashMap<String, String>, Error> {
        self.property(item, ITEM, "Attributes").await
    }

    /// Returns the item that was changed last. Other programs may have created several with the
    /// same name.
    pub(super) async fn newest(
        &self,
        items: &[OwnedObjectPath],
    ) -> Result<Option<OwnedObjectPath>, Error> {
        if let [] | [_] = items {
            return Ok(items.first().cloned());
        }
        let mut ranked = Vec::new();
        for item in items {
            let modified: u64 = self.property(item, ITEM, "Modified").await?;
            ranked.push((modified, item));
        }
        // Paths end in an increasing number, which decides between equal times.
        let rank = |(modified, item): &(u64, &OwnedObjectPath)| {
            (*modified, item.as_str().len(), item.as_str().to_owned())
        };
        Ok(ranked
            .into_iter()
            .max_by_key(rank)
            .map(|(_, item)| item.clone()))
    }

    pub(super) async fn secret(
        &self,
        item: &OwnedObjectPath,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let asked = (&[item][..], self.session()?);
        let secrets: HashMap<OwnedObjectPath, Secret> = self.service("GetSecrets", &asked).await?;
        let mut secrets = secrets.into_values();
        Ok(secrets.next().map(|(_, _, value, _)| Zeroizing::new(value)))
    }

    /// Replaces the secret of an item.
    pub(super) async fn set_secret(
        &self,
        item: &OwnedObjectPath,
        secret: &[u8],
    ) -> Result<(), Error> {
        let secret = self.encoded(secret)?;
        self.change(item, ITEM, "SetSecret", &(secret,)).await
    }

    /// Stores a new item, or returns the prompt for it.
    pub(super) async fn create_item(
        &self,
        collection: &OwnedObjectPath,
        new: &NewItem<'_>,
    ) -> Result<Option<OwnedObjectPath>, Error> {
        let properties = HashMap::from([
            (
                "org.freedesktop.Secret.Item.Label",
                Variant::from(new.label),
            ),
            (
                "org.freedesktop.Secret.Item.Attributes",
                Variant::from(new.attributes.clone()),
            ),
        ]);
        // Replaces an item that another program has created since the search.
        let replace = true;
        let body = (properties, self.encoded(new.secret)?, replace);
        let (_, prompt): (OwnedObjectPath, OwnedObjectPath) = self
            .change(collection, COLLECTION, "CreateItem", &body)
            .await?;
        Ok(something(prompt))
    }

    /// Returns a secret in the format of the session.
    fn encoded<'a>(&'a self, secret: &'a [u8]) -> Result<SecretToSend<'a>, Error> {
        Ok((self.session()?, &[], secret, CONTENT_TYPE))
    }

    /// Erases an item, or returns the prompt for it.
    pub(super) async fn delete(
        &self,
        item: &OwnedObjectPath,
    ) -> Result<Option<OwnedObjectPath>, Error> {
        self.change(item, ITEM, "Delete", &()).await.map(something)
    }

    /// Unlocks items or collections, or returns the prompt for it.
    pub(super) async fn unlock(
        &self,
        objects: &[OwnedObjectPath],
    ) -> Result<Option<OwnedObjectPath>, Error> {
        let (_, prompt): (Vec<OwnedObjectPath>, _) = self.service("Unlock", &(objects,)).await?;
        Ok(something(prompt))
    }

    /// Creates the default collection, or returns the prompt for it.
    pub(super) async fn create_collection(&self) -> Result<Option<OwnedObjectPath>, Error> {
        let properties = HashMap::from([(
            "org.freedesktop.Secret.Collection.Label",
            Variant::from("Default keyring"),
        )]);
        let (_, prompt): (OwnedObjectPath, OwnedObjectPath) = self
            .service("CreateCollection", &(properties, "default"))
            .await?;
        Ok(something(prompt))
    }

    /// Shows a prompt and waits until the user or the service has answered it.
    pub(super) async fn prompt(
        &self,
        prompt: &OwnedObjectPath,
        bound: Duration,
    ) -> Result<(), Error> {
        let mut completed = self.completed(prompt).await?;
        let () = self.call(prompt, PROMPT, "Prompt", &("",)).await?;
        let next = std::future::poll_fn(|cx| Pin::new(&mut completed).poll_next(cx));
        let Ok(message) = tokio::time::timeout(bound, next).await else {
            // Otherwise the prompt would stay on the screen without effect.
            let _: Result<(), Error> = self.call(prompt, PROMPT, "Dismiss", &()).await;
            return Err(Error::TimedOut {
                store: StoreKind::Keyring,
                after: bound,
                in_doubt: false,
            });
        };
        let message = message
            .ok_or_else(|| unavailable("the connection to the session bus ended"))?
            .map_err(|error| explain(&error))?;
        let (dismissed, _): (bool, OwnedVariant) = read(&message)?;
        if dismissed {
            return Err(Error::Refused {
                store: StoreKind::Keyring,
                reason: "its prompt was dismissed, or could not be shown".to_owned(),
            });
        }
        Ok(())
    }

    async fn completed(&self, prompt: &OwnedObjectPath) -> Result<MessageStream, Error> {
        let rule = MatchRule::builder()
            .msg_type(Type::Signal)
            .interface(PROMPT)
            .member("Completed")
            .path(prompt)
            .build()
            .map_err(|error| explain(&error))?;
        let stream = MessageStream::for_match_rule(rule, &self.connection, None);
        within(&self.budget, None, stream)
            .await?
            .map_err(|error| explain(&error))
    }

    async fn property<T>(
        &self,
        path: &OwnedObjectPath,
        interface: &str,
        name: &str,
    ) -> Result<T, Error>
    where
        T: TryFrom<OwnedVariant>,
    {
        let value: OwnedVariant = self
            .call(path, PROPERTIES, "Get", &(interface, name))
            .await?;
        T::try_from(value).map_err(|_| unavailable("a property has another type than it should"))
    }

    async fn service<T: DeserializeOwned + zbus::Type>(
        &self,
        method: &str,
        body: &(impl Serialize + DynamicType),
    ) -> Result<T, Error> {
        within(&self.budget, None, self.ask_service(method, body)).await?
    }

    /// As [`Bus::service`], without a time limit.
    async fn ask_service<T: DeserializeOwned + zbus::Type>(
        &self,
        method: &str,
        body: &(impl Serialize + DynamicType),
    ) -> Result<T, Error> {
        let path = ObjectPath::try_from(SERVICE_PATH).map_err(|error| explain(&error))?;
        self.ask(&path, SERVICE, method, body).await
    }

    async fn call<T: DeserializeOwned + zbus::Type>(
        &self,
        path: &OwnedObjectPath,
        interface: &str,
        method: &str,
        body: &(impl Serialize + DynamicType),
    ) -> Result<T, Error> {
        within(&self.budget, None, self.ask(path, interface, method, body)).await?
    }

    /// As [`Bus::call`], but reserves some time to check the result if there is no answer.
    async fn change<T: DeserializeOwned + zbus::Type>(
        &self,
        path: &OwnedObjectPath,
        interface: &str,
        method: &str,
        body: &(impl Serialize + DynamicType),
    ) -> Result<T, Error> {
        let asking = self.ask(path, interface, method, body);
        within(&self.budget, Some(2.0 / 3.0), asking).await?
    }

    async fn ask<T: DeserializeOwned + zbus::Type>(
        &self,
        path: &ObjectPath<'_>,
        interface: &str,
        method: &str,
        body: &(impl Serialize + DynamicType),
    ) -> Result<T, Error> {
        let call =
            self.connection
                .call_method(Some(DESTINATION), path, Some(interface), method, body);
        read(&call.await.map_err(|error| explain(&error))?)
    }
}

/// Waits within the remaining time, or a share of it.
async fn within<T>(
    budget: &Budget,
    share: Option<f32>,
    work: impl Future<Output = T>,
) -> Result<T, Error> {
    let timed_out = || Error::TimedOut {
        store: StoreKind::Keyring,
        after: budget.allowed(),
        in_doubt: false,
    };
    let left = budget.left().ok_or_else(timed_out)?;
    let start = Instant::now();
    let bound = share.map_or(left, |share| left.mul_f32(share));
    let outcome = tokio::time::timeout(bound, work).await;
    match &outcome {
        Ok(_) => budget.charge_answered(start),
        Err(_) => budget.charge(start),
    }
    outcome.map_err(|_| timed_out())
}

fn read<T: DeserializeOwned + zbus::Type>(message: &Message) -> Result<T, Error> {
    let body = message.body();
    body.deserialize().map_err(|error| explain(&error))
}

/// Returns a path, unless it stands for no object.
fn something(path: OwnedObjectPath) -> Option<OwnedObjectPath> {
    (path.as_str() != NOTHING).then_some(path)
}

fn unavailable(reason: &str) -> Error {
    Error::Unavailable {
        store: StoreKind::Keyring,
        reason: reason.to_owned(),
    }
}

/// Converts an error of the bus or the service.
fn explain(error: &zbus::Error) -> Error {
    let store = StoreKind::Keyring;
    let (name, text) = match error {
        zbus::Error::FDO(error) => (error.name().to_string(), error.description()),
        zbus::Error::MethodError(name, text, _) => (name.to_string(), text.as_deref()),
        error => return unavailable(&printable(&error.to_string(), LONGEST)),
    };
    let standard = name.strip_prefix("org.freedesktop.DBus.Error.");
    match (name.as_str(), standard) {
        ("org.freedesktop.Secret.Error.IsLocked", _) => Error::Locked { store },
        (_, Some("ServiceUnknown" | "NameHasNoOwner")) => Error::Absent {
            store,
            reason: "nothing on the session bus provides a Secret Service".to_owned(),
        },
        (_, Some(spawn)) if spawn.starts_with("Spawn.") => Error::Absent {
            store,
            reason: "the Secret Service cannot be started".to_owned(),
        },
        (_, Some("NoReply" | "Disconnected")) => unavailable("the Secret Service ended"),
        (_, Some("AccessDenied" | "AuthFailed")) => Error::Refused {
            store,
            reason: printable(text.unwrap_or(&name), LONGEST),
        },
        _ => unavailable(&printable(text.unwrap_or(&name), LONGEST)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_of_service_is_escaped() {
        let error = explain(&zbus::Error::Failure(
            "no\u{202e} \u{1b}[2J\nkey".to_owned(),
        ));
        assert!(
            error.to_string().ends_with(" no<U+202E> <U+001B>[2J key"),
            "{error}"
        );
    }
}
