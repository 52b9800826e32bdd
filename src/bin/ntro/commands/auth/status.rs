use std::sync::Arc;

use jiff::{Timestamp, Unit};
use ntro::api::{self, Client};
use ntro::connection::{self, Flags, Value};
use ntro::domain::ConnectionName;
use ntro::secrets;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::super::identity;
use crate::context::Context;
use crate::error::CliError;
use crate::exit::{Exit, Kind};
use crate::output::{Paint, Report, Table, progress};

/// Connections that are asked at the same time.
const AT_ONCE: usize = 16;

/// Check connections against their servers
#[derive(clap::Args, Debug)]
pub(crate) struct StatusArgs {
    /// Check every connection, not only the one that `-c` or the default names
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Statuses(Vec<Status>);

#[derive(Debug, Serialize)]
struct Status {
    name: String,
    state: State,
    host: Option<String>,
    message: Option<String>,
    expires_at: Option<Timestamp>,
    #[serde(skip)]
    expires_in_days: Option<i64>,
    #[serde(skip)]
    kind: Option<Kind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Valid,
    Rejected,
    Unreachable,
    Locked,
    LoggedOut,
    Failed,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Rejected => "rejected",
            Self::Unreachable => "unreachable",
            Self::Locked => "locked",
            Self::LoggedOut => "logged out",
            Self::Failed => "failed",
        }
    }
}

pub(crate) fn run(args: StatusArgs, cx: &Context) -> Result<Exit, CliError> {
    let names: Vec<ConnectionName> = match args.all {
        true => cx
            .config()?
            .names()
            .filter_map(|name| name.parse().ok())
            .collect(),
        false => {
            cx.tell_shadows(&Value::ALL)?;
            vec![cx.connection_name()?]
        }
    };
    let bar = progress::bar(cx.printer(), "checking", names.len());
    // Keys first and one after the other: a store may ask for its passphrase.
    let mut rows = Vec::new();
    let mut asked = Vec::new();
    for name in names {
        let mut row = Status::of(cx, &name)?;
        match client(cx, &name, args.all)? {
            Ok(client) => asked.push((rows.len(), client)),
            Err(error) => {
                row.without_key(error);
                bar.inc(1);
            }
        }
        rows.push(row);
    }
    let answers = cx.block_on(ask_all(asked, || bar.inc(1)))?;
    bar.finish_and_clear();
    for (index, answer) in answers {
        rows[index].answered(answer, cx.now());
    }
    let worst = rows.iter().find_map(|row| row.kind);
    cx.printer().print(&Statuses(rows))?;
    Ok(worst.map_or(Exit::Fine, Exit::Found))
}

type Answer = Result<Option<Timestamp>, api::Error>;

async fn ask_all(asked: Vec<(usize, Client)>, each: impl Fn()) -> Vec<(usize, Answer)> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for (index, client) in asked {
        let places = Arc::clone(&places);
        tasks.spawn(async move {
            // Never closed, so a place is always given in the end.
            let _place = places.acquire_owned().await;
            let answer = client.identity().await;
            (index, answer.map(|identity| identity::expiry(&identity)))
        });
    }
    let mut answers = Vec::new();
    while let Some(answer) = tasks.join_next().await {
        each();
        answers.extend(answer);
    }
    answers
}

/// Returns the client of a connection, or why it has no key. Of several connections each is taken
/// by itself, without the variables that override the active one.
fn client(
    cx: &Context,
    name: &ConnectionName,
    by_itself: bool,
) -> Result<Result<Client, connection::Error>, CliError> {
    let settings = cx.stores()?;
    let flags = Flags::of_connection(name.clone());
    let resolver = match by_itself {
        true => cx.resolver()?.alone(&flags),
        false => cx.resolver()?,
    };
    let connection = resolver.connection(|kind| secrets::open(kind, settings));
    Ok(connection.map(|connection| cx.client(&connection)))
}

impl Status {
    fn of(cx: &Context, name: &ConnectionName) -> Result<Self, CliError> {
        let entry = cx.config()?.connections.get(name.as_str());
        Ok(Self {
            name: name.to_string(),
            state: State::Failed,
            host: entry.and_then(|entry| entry.host.clone()),
            message: None,
            expires_at: None,
            expires_in_days: None,
            kind: None,
        })
    }

    fn without_key(&mut self, error: connection::Error) {
        let error = CliError::from(error);
        self.state = match error.kind {
            Kind::NotAuthenticated => State::LoggedOut,
            Kind::Store => State::Locked,
            _ => State::Failed,
        };
        self.fail(error);
    }

    fn answered(&mut self, answer: Answer, now: Timestamp) {
        match answer {
            Ok(expires_at) => {
                self.state = State::Valid;
                self.expires_at = expires_at;
                self.expires_in_days = expires_at
                    .and_then(|at| now.until((Unit::Hour, at)).ok())
                    .map(|span| i64::from(span.get_hours()).div_euclid(24));
            }
            Err(error) => {
                let error = CliError::from(error);
                self.state = match error.kind {
                    Kind::NotAuthenticated => State::Rejected,
                    Kind::Unreachable => State::Unreachable,
                    _ => State::Failed,
                };
                self.fail(error);
            }
        }
    }

    fn fail(&mut self, error: CliError) {
        self.kind = Some(error.kind);
        self.message = Some(error.message);
    }
}

impl Report for Statuses {
    fn text(&self, paint: Paint) -> String {
        let mut table = Table::new(paint, &["NAME", "STATUS", "HOST", ""]);
        for row in &self.0 {
            let remark = match (&row.message, row.expires_in_days) {
                (Some(message), _) => message.clone(),
                (None, Some(days)) => format!("expires in {days} days"),
                (None, None) => String::new(),
            };
            table.row([
                row.name.clone(),
                row.state.as_str().to_owned(),
                row.host.clone().unwrap_or_else(|| "-".to_owned()),
                remark,
            ]);
        }
        table.text()
    }
}
