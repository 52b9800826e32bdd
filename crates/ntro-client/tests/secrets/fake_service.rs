//! A scripted Secret Service, for behaviour that a real one rarely shows.

use std::collections::HashMap;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use ntro_client::secrets::KeyringSettings;
use zbus::export::futures_core::Stream;
use zbus::message::{Message, Type};
use zbus::{Connection, MessageStream, ObjectPath, OwnedObjectPath, Variant};

use crate::secret_service::{Mode, SecretService};
use crate::support::bus;

const ITEM: &str = "/org/freedesktop/secrets/collection/c/1";
const COLLECTION: &str = "/org/freedesktop/secrets/collection/c";
const PROMPT: &str = "/org/freedesktop/secrets/prompt/p";

/// The unusual behaviour.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// Stores the key without answering.
    StoresSilently,
    /// Neither stores nor answers.
    LosesWrites,
    /// Erases without answering.
    ErasesSilently,
    /// Is locked until its prompt is answered.
    AsksAndIsUnlocked,
    /// Has a prompt for a new item, and dismisses it.
    Dismisses,
    /// Has a prompt for a new item, and never completes it.
    NeverAnswers,
    /// Sends messages with terminal control characters.
    SaysControlCharacters,
    /// Sends answers of the wrong types.
    AnswersNonsense,
    /// Takes more than a third of the default timeout before its first answer.
    StartsSlowly,
}

/// A bus with no other service.
pub struct FakeService {
    pub bus: SecretService,
    stop: tokio::sync::oneshot::Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl FakeService {
    pub fn start(habit: Habit) -> Self {
        let service = SecretService::start(Mode::Absent);
        let address = bus(&service).unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (ready, wait) = mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let connection = zbus::connection::Builder::address(address.as_str())
                    .build()
                    .await
                    .unwrap();
                let messages = MessageStream::from(&connection);
                connection
                    .request_name("org.freedesktop.secrets")
                    .await
                    .unwrap();
                ready.send(()).unwrap();
                tokio::select! {
                    () = serve(&connection, messages, habit) => {}
                    _ = stopped => {}
                }
            });
        });
        wait.recv().unwrap();
        Self {
            bus: service,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for FakeService {
    fn drop(&mut self) {
        let (stop, _) = tokio::sync::oneshot::channel();
        drop(std::mem::replace(&mut self.stop, stop));
        let ended = self.thread.take().unwrap().join();
        if !thread::panicking() {
            ended.unwrap();
        }
    }
}

async fn serve(connection: &Connection, mut messages: MessageStream, habit: Habit) {
    let mut stored: Option<Vec<u8>> = None;
    let mut locked = habit == Habit::AsksAndIsUnlocked;
    if matches!(habit, Habit::AsksAndIsUnlocked | Habit::ErasesSilently) {
        stored = Some(b"stored".to_vec());
    }
    let path = |path: &'static str| ObjectPath::try_from(path).unwrap();
    let next = async |messages: &mut MessageStream| {
        std::future::poll_fn(|cx| std::pin::Pin::new(&mut *messages).poll_next(cx)).await
    };
    let mut is_slow = habit == Habit::StartsSlowly;
    while let Some(Ok(message)) = next(&mut messages).await {
        if message.message_type() != Type::MethodCall {
            continue;
        }
        if std::mem::take(&mut is_slow) {
            tokio::time::sleep(KeyringSettings::TIMEOUT.mul_f32(0.37)).await;
        }
        let header = message.header();
        let member = header.member().unwrap().as_str().to_owned();
        if habit == Habit::AnswersNonsense {
            connection
                .reply(&header, &("nonsense", 7_u8))
                .await
                .unwrap();
            continue;
        }
        if habit == Habit::SaysControlCharacters {
            let text = "\u{1b}[31mred\u{7}";
            connection
                .reply_error(&header, "org.example.Error", &(text,))
                .await
                .unwrap();
            continue;
        }
        match member.as_str() {
            "OpenSession" => {
                let answer = (Variant::from(""), path("/session"));
                connection.reply(&header, &answer).await.unwrap();
            }
            "SearchItems" => {
                let items = Vec::from_iter(stored.as_ref().map(|_| path(ITEM)));
                let answer = match locked {
                    false => (items, vec![]),
                    true => (vec![], items),
                };
                connection.reply(&header, &answer).await.unwrap();
            }
            "ReadAlias" => connection.reply(&header, &path(COLLECTION)).await.unwrap(),
            "Get" => {
                let answer = Variant::from(locked);
                connection.reply(&header, &answer).await.unwrap();
            }
            "GetSecrets" => {
                let value = stored.clone().unwrap_or_default();
                let secret = (path("/session"), Vec::<u8>::new(), value, "text/plain");
                let answer = HashMap::from([(path(ITEM), secret)]);
                connection.reply(&header, &answer).await.unwrap();
            }
            "Unlock" => {
                let answer = (Vec::<ObjectPath<'_>>::new(), path(PROMPT));
                connection.reply(&header, &answer).await.unwrap();
            }
            "Prompt" => {
                connection.reply(&header, &()).await.unwrap();
                if habit == Habit::NeverAnswers {
                    continue;
                }
                locked = false;
                let sender = header.sender().unwrap().to_owned();
                let answer = (habit == Habit::Dismisses, Variant::from(""));
                connection
                    .emit_signal(
                        Some(sender),
                        PROMPT,
                        "org.freedesktop.Secret.Prompt",
                        "Completed",
                        &answer,
                    )
                    .await
                    .unwrap();
            }
            "Dismiss" => connection.reply(&header, &()).await.unwrap(),
            "CreateItem" if habit == Habit::LosesWrites => {}
            "CreateItem" if matches!(habit, Habit::Dismisses | Habit::NeverAnswers) => {
                let answer = (path("/"), path(PROMPT));
                connection.reply(&header, &answer).await.unwrap();
            }
            "CreateItem" => {
                stored = Some(secret_in(&message));
                if habit != Habit::StoresSilently {
                    let answer = (path(ITEM), path("/"));
                    connection.reply(&header, &answer).await.unwrap();
                }
            }
            "SetSecret" => {
                let body = message.body();
                let ((_, _, value, _),): (Secret,) = body.deserialize().unwrap();
                stored = Some(value);
                if habit != Habit::StoresSilently {
                    connection.reply(&header, &()).await.unwrap();
                }
            }
            "Delete" => {
                stored = None;
                if habit != Habit::ErasesSilently {
                    connection.reply(&header, &path("/")).await.unwrap();
                }
            }
            other => panic!("{other}"),
        }
    }
}

/// A secret on the wire.
type Secret = (OwnedObjectPath, Vec<u8>, Vec<u8>, String);

fn secret_in(message: &Message) -> Vec<u8> {
    type Call = (HashMap<String, zbus::OwnedVariant>, Secret, bool);
    let body = message.body();
    let (_, (_, _, value, _), replace): Call = body.deserialize().unwrap();
    assert!(replace);
    value
}
