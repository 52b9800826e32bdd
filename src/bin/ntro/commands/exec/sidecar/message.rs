//! The messages between the process that becomes the program and the one beside it, over a socket that
//! is neither in an environment nor in an argument list.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ntro_base::{ApiKey, UnknownScope};
use ntro_client::api::ChildRequest;
use ntro_client::proxy::Rules;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::inherited_keys::InheritedKeys;
use crate::error::CliError;
use crate::exit::Kind;

/// Longer than any message.
const LONGEST: usize = 1 << 20;

/// The task of the process beside a program.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    /// The process that becomes the program.
    pub(super) process: i32,
    /// The program that it runs, for the log and the name of its key.
    pub(super) program: String,
    /// The variables that hold secrets: the process beside it has none in its environment.
    pub(super) secrets: Vec<(String, Zeroizing<String>)>,
    /// The child key to create.
    pub(super) child_key: Option<ChildTerms>,
    /// The proxy to be; none for a program that gets the child key itself.
    pub(super) proxy: Option<ProxyOrder>,
}

/// The rights and the life of a child key.
#[derive(Serialize, Deserialize)]
pub(in super::super) struct ChildTerms {
    /// Names of its scopes; those of the parent if empty.
    pub(in super::super) scopes: Vec<String>,
    /// The time after which it expires.
    pub(in super::super) life: Duration,
}

impl ChildTerms {
    /// Returns the request for a key that has the name of a program.
    pub(super) fn request(&self, program: &str) -> Result<ChildRequest, UnknownScope> {
        let scopes = self.scopes.iter().map(|scope| scope.parse());
        let scopes: Vec<_> = scopes.collect::<Result<_, _>>()?;
        let name = Path::new(program).file_name();
        Ok(ChildRequest {
            name: name.and_then(|name| name.to_str()?.parse().ok()),
            scopes: (!scopes.is_empty()).then_some(scopes),
            life: self.life,
        })
    }
}

/// The proxy of a keyless program.
#[derive(Serialize, Deserialize)]
pub(in super::super) struct ProxyOrder {
    /// The folder of the program, which the proxy removes.
    pub(in super::super) home: PathBuf,
    /// The calls that it may make.
    pub(in super::super) rules: Rules,
    /// Whether to call the server before the program starts.
    pub(in super::super) check: bool,
    /// Whether the program sends the listener, from a network of its own.
    pub(in super::super) sends_listener: bool,
}

/// The answer to an order.
#[derive(Serialize, Deserialize)]
pub(super) enum Reply {
    /// The program can start.
    Ready(Ready),
    /// The process beside it has ended.
    Failed(Failure),
}

/// What the program is given.
#[derive(Serialize, Deserialize)]
pub(in super::super) struct Ready {
    /// The port of the proxy, unless the program sends the listener.
    pub(in super::super) port: Option<u16>,
    /// The token that stands for the key, or the child key.
    pub(super) key: Zeroizing<String>,
    pub(in super::super) inherited: InheritedKeys,
}

impl Ready {
    pub(in super::super) fn key(&self) -> Result<ApiKey, CliError> {
        let invalid = |_| {
            CliError::new(
                Kind::Failure,
                "the process beside the program sent an invalid key",
            )
        };
        self.key.parse().map_err(invalid)
    }
}

/// An error, to be reported by the process that the user started.
#[derive(Serialize, Deserialize)]
pub(super) struct Failure {
    kind: String,
    message: String,
    hint: Option<String>,
    request_id: Option<String>,
    is_key_rejected: bool,
}

impl From<CliError> for Failure {
    fn from(error: CliError) -> Self {
        Self {
            kind: error.kind.as_str().to_owned(),
            message: error.message,
            hint: error.hint,
            request_id: error.request_id,
            is_key_rejected: error.is_key_rejected,
        }
    }
}

impl From<Failure> for CliError {
    fn from(failure: Failure) -> Self {
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == failure.kind);
        Self {
            hint: failure.hint,
            request_id: failure.request_id,
            is_key_rejected: failure.is_key_rejected,
            ..Self::new(kind.unwrap_or(Kind::Failure), failure.message)
        }
    }
}

/// Sends a message.
pub(super) fn send(socket: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let text = Zeroizing::new(serde_json::to_vec(message)?);
    let length = u32::try_from(text.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    socket.write_all(&length.to_be_bytes())?;
    socket.write_all(&text)
}

/// Receives a message.
pub(super) fn receive<T: DeserializeOwned>(socket: &mut impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    socket.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut text = Zeroizing::new(vec![0; length]);
    socket.read_exact(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_whole() {
        let mut wire = Vec::new();
        let order = Order {
            process: 7,
            program: "/usr/bin/agent".to_owned(),
            secrets: vec![("NTRO_API_KEY".to_owned(), "ntro_prod_x".to_owned().into())],
            child_key: Some(ChildTerms {
                scopes: vec!["exports".to_owned()],
                life: Duration::from_secs(60),
            }),
            proxy: None,
        };
        send(&mut wire, &order).unwrap();
        let error = CliError::new(Kind::Forbidden, "no").hint("ask");
        send(&mut wire, &Reply::Failed(error.into())).unwrap();
        let mut wire = wire.as_slice();
        let order: Order = receive(&mut wire).unwrap();
        assert_eq!((order.process, order.secrets.len()), (7, 1));
        let request = order.child_key.unwrap().request(&order.program).unwrap();
        assert_eq!(request.name.unwrap().as_str(), "agent");
        assert_eq!(request.scopes, Some(vec![ntro_base::Scope::Exports]));
        let Reply::Failed(failure) = receive(&mut wire).unwrap() else {
            panic!("not a failure");
        };
        let error = CliError::from(failure);
        assert_eq!(error.kind, Kind::Forbidden);
        assert_eq!(error.hint.as_deref(), Some("ask"));
        assert!(receive::<Reply>(&mut wire).is_err());
    }

    #[test]
    fn impossible_length_is_refused() {
        let error = receive::<Reply>(&mut [0xff; 8].as_slice()).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
