use std::collections::HashMap;
use std::future::Future;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use turmoil::net::{TcpListener, TcpStream};

const PORT: u16 = 1_000;

/// Questions and answers between hosts. Only their numbers travel over the simulated network.
pub(super) struct Exchange<Q, A>(Arc<Mutex<Calls<Q, A>>>);

struct Calls<Q, A> {
    last: u64,
    questions: HashMap<u64, Q>,
    answers: HashMap<u64, A>,
}

impl<Q, A> Clone for Exchange<Q, A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Q: Send + 'static, A: Send + 'static> Exchange<Q, A> {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Calls {
            last: 0,
            questions: HashMap::new(),
            answers: HashMap::new(),
        })))
    }

    /// Asks a host, and returns `None` if its connection breaks.
    pub(super) async fn ask(&self, host: &str, question: Q) -> Option<A> {
        let mut stream = TcpStream::connect((host, PORT)).await.ok()?;
        let number = {
            let mut calls = self.0.lock().unwrap();
            calls.last += 1;
            let number = calls.last;
            calls.questions.insert(number, question);
            number
        };
        stream.write_u64(number).await.ok()?;
        stream.read_u8().await.ok()?;
        self.0.lock().unwrap().answers.remove(&number)
    }

    /// Answers the questions to this host.
    pub(super) async fn answer<F>(
        self,
        pause: Pause,
        answer: impl Fn(Q) -> F + Clone + Send + 'static,
    ) -> turmoil::Result
    where
        F: Future<Output = A> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            let (exchange, answer) = (self.clone(), answer.clone());
            tokio::spawn(pause.wrap(async move {
                let Ok(number) = stream.read_u64().await else {
                    return;
                };
                let question = exchange.0.lock().unwrap().questions.remove(&number);
                let Some(question) = question else {
                    return;
                };
                let answer = answer(question).await;
                exchange.0.lock().unwrap().answers.insert(number, answer);
                // The other end may have gone away.
                let _ = stream.write_u8(1).await;
            }));
        }
    }
}

/// Stops the tasks of a host, as SIGSTOP does. Its connections wait, and its clock goes on.
#[derive(Clone, Default)]
pub(super) struct Pause(Arc<Mutex<(bool, Vec<Waker>)>>);

impl Pause {
    pub(super) fn set(&self, paused: bool) {
        let mut state = self.0.lock().unwrap();
        state.0 = paused;
        if !paused {
            for waker in state.1.drain(..) {
                waker.wake();
            }
        }
    }

    pub(super) fn wrap<F: Future>(&self, future: F) -> Pausable<F> {
        Pausable {
            pause: self.clone(),
            future: Box::pin(future),
        }
    }
}

pub(super) struct Pausable<F> {
    pause: Pause,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Pausable<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        {
            let mut state = self.pause.0.lock().unwrap();
            if state.0 {
                state.1.push(context.waker().clone());
                return Poll::Pending;
            }
        }
        self.future.as_mut().poll(context)
    }
}
