//! What the process that becomes the child and its proxy say to each other, over a socket that is
//! neither in an environment nor in an argument list.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use ntro_client::proxy::{Rule, RuleError, Rules};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::CliError;
use crate::exit::Kind;

/// Longer than any message.
const LONGEST: usize = 1 << 20;

/// What the proxy is for.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    /// The process that becomes the child.
    pub(super) child: i32,
    /// The program that it runs, for the log.
    pub(super) program: String,
    /// The folder of the child, which the proxy removes.
    pub(super) home: PathBuf,
    /// The variables that hold secrets: the proxy has none in its environment.
    pub(super) secrets: Vec<(String, Zeroizing<String>)>,
    /// What may be called.
    pub(super) rules: RuleTexts,
    /// Whether to call the server before the child starts.
    pub(super) check: bool,
    /// Whether the child sends the listener, from a network of its own.
    pub(super) sends_listener: bool,
}

/// [`Rules`] as they are written on the command line.
#[derive(Serialize, Deserialize, Default)]
pub(super) struct RuleTexts {
    pub(super) read_only: bool,
    pub(super) allow: Vec<String>,
    pub(super) deny: Vec<String>,
}

impl RuleTexts {
    pub(super) fn of(rules: &Rules) -> Self {
        let texts = |rules: &[Rule]| rules.iter().map(Rule::to_string).collect();
        Self {
            read_only: rules.read_only,
            allow: texts(&rules.allow),
            deny: texts(&rules.deny),
        }
    }

    /// Returns the rules.
    pub(super) fn parse(&self) -> Result<Rules, RuleError> {
        let parsed = |rules: &[String]| -> Result<Vec<Rule>, RuleError> {
            rules.iter().map(|rule| rule.parse()).collect()
        };
        Ok(Rules {
            read_only: self.read_only,
            allow: parsed(&self.allow)?,
            deny: parsed(&self.deny)?,
        })
    }
}

/// What the proxy answers.
#[derive(Serialize, Deserialize)]
pub(super) enum Reply {
    /// It takes calls, or will once it has the listener.
    Ready(Ready),
    /// It has ended.
    Failed(Failure),
}

/// A proxy that takes calls.
#[derive(Serialize, Deserialize)]
pub(super) struct Ready {
    /// The port, unless the child sends the listener.
    pub(super) port: Option<u16>,
    /// The token that stands for the key.
    pub(super) token: Zeroizing<String>,
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
            child: 7,
            program: "agent".to_owned(),
            home: PathBuf::new(),
            secrets: vec![("NTRO_API_KEY".to_owned(), "ntro_prod_x".to_owned().into())],
            rules: RuleTexts::default(),
            check: true,
            sends_listener: false,
        };
        send(&mut wire, &order).unwrap();
        let error = CliError::new(Kind::Forbidden, "no").hint("ask");
        send(&mut wire, &Reply::Failed(error.into())).unwrap();
        let mut wire = wire.as_slice();
        let order: Order = receive(&mut wire).unwrap();
        assert_eq!((order.child, order.secrets.len()), (7, 1));
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
