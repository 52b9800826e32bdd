use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper::header::{ACCEPT, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use ntro_base::http::{ConnectError, PlainConnector, root_cause};
use tokio::net::TcpStream;

use super::{CallBody, CallError, body_error};

/// How long a connection is kept without a call.
const IDLE: Duration = Duration::from_secs(90);

/// Calls the server by plain HTTP/1.1.
///
/// A connection belongs to one call at a time, whose task drives it: nothing is handed to another
/// task, as a client with connections in the background does.
pub(in crate::proxy) struct Direct {
    connector: PlainConnector,
    host: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    idle: Arc<Idle>,
}

/// The connections without a call, and when their last one ended.
#[derive(Default)]
struct Idle(Mutex<Vec<(Instant, Box<Link>)>>);

/// A connection to the server.
struct Link {
    sender: SendRequest<CallBody>,
    /// None once it has ended.
    connection: Option<Connection<TokioIo<TcpStream>, CallBody>>,
}

impl Direct {
    pub(super) fn new(connector: PlainConnector, user_agent: &str) -> Self {
        Self {
            host: HeaderValue::from_str(&connector.authority()).ok(),
            user_agent: HeaderValue::from_str(user_agent).ok(),
            connector,
            idle: Arc::default(),
        }
    }

    pub(super) async fn call(
        &self,
        mut request: Request<CallBody>,
    ) -> Result<Response<DirectBody>, CallError> {
        let headers = request.headers_mut();
        if let Some(host) = &self.host {
            headers.insert(HOST, host.clone());
        }
        if let Some(user_agent) = &self.user_agent {
            headers
                .entry(USER_AGENT)
                .or_insert_with(|| user_agent.clone());
        }
        headers
            .entry(ACCEPT)
            .or_insert(HeaderValue::from_static("*/*"));
        let presence = match request.body() {
            CallBody::Whole(_) => Weak::new(),
            CallBody::Stream(body) => body.presence(),
        };
        loop {
            let kept = self.idle.take();
            let is_new = kept.is_none();
            let mut link = match kept {
                Some(link) => link,
                None => self.connect().await?,
            };
            match link.call(request).await {
                Ok(answer) if presence.strong_count() > 0 => {
                    // The rest of the request must arrive even if the program reads no answer yet.
                    if let Some(connection) = link.connection.take() {
                        tokio::spawn(connection);
                    }
                    return Ok(answer.map(|body| DirectBody {
                        body,
                        link: None,
                        idle: Arc::clone(&self.idle),
                    }));
                }
                Ok(answer) => {
                    return Ok(answer.map(|body| DirectBody {
                        body,
                        link: Some(link),
                        idle: Arc::clone(&self.idle),
                    }));
                }
                // The server has closed a kept connection.
                Err(mut error) => match error.take_message() {
                    Some(unsent) if !is_new => request = unsent,
                    _ => return Err(failure(&error.into_error())),
                },
            }
        }
    }

    /// Closes the connections that were not used for long.
    pub(super) fn close_idle(&self) {
        self.idle.lock().retain(|(since, _)| since.elapsed() < IDLE);
    }

    async fn connect(&self) -> Result<Box<Link>, CallError> {
        let stream = self
            .connector
            .connect()
            .await
            .map_err(|error| match error {
                ConnectError::TimedOut => CallError::TimedOut,
                ConnectError::Failed(error) => CallError::Unreachable(root_cause(&*error)),
            })?;
        let link = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = link.map_err(|error| failure(&error))?;
        Ok(Box::new(Link {
            sender,
            connection: Some(connection),
        }))
    }
}

fn failure(error: &hyper::Error) -> CallError {
    match body_error(error) {
        Some(error) => CallError::Body(error),
        None => CallError::BrokeOff(root_cause(error)),
    }
}

impl Idle {
    /// Returns the connection that was used last.
    fn take(&self) -> Option<Box<Link>> {
        let (since, link) = self.lock().pop()?;
        (since.elapsed() < IDLE).then_some(link)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Instant, Box<Link>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    /// Sends a request, and returns the answer once its head has arrived.
    async fn call(
        &mut self,
        request: Request<CallBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<CallBody>>> {
        let Self { sender, connection } = self;
        let mut answer = pin!(sender.try_send_request(request));
        std::future::poll_fn(|cx| {
            drive(connection, cx);
            // Only the connection makes it ready.
            answer
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
        })
        .await
    }
}

/// Reads and writes what is possible at present.
fn drive(connection: &mut Option<Connection<TokioIo<TcpStream>, CallBody>>, cx: &mut Context<'_>) {
    // The call and the body get the error, if there is one.
    if let Some(open) = connection
        && Pin::new(open).poll(cx).is_ready()
    {
        *connection = None;
    }
}

/// The body of an answer, with the connection that it arrives on.
pub(in crate::proxy) struct DirectBody {
    body: Incoming,
    /// None if another task drives the connection, and at the end.
    link: Option<Box<Link>>,
    idle: Arc<Idle>,
}

impl DirectBody {
    /// Keeps the connection for another call, or closes it.
    fn release(&mut self) {
        if let Some(link) = self.link.take()
            && link.connection.is_some()
            && link.sender.is_ready()
        {
            self.idle.lock().push((Instant::now(), link));
        }
    }
}

impl Body for DirectBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let Some(link) = &mut this.link else {
            return Pin::new(&mut this.body).poll_frame(cx);
        };
        // Only the connection makes it ready.
        let quiet = &mut Context::from_waker(Waker::noop());
        let mut arrived = Pin::new(&mut this.body).poll_frame(quiet);
        if arrived.is_pending() {
            drive(&mut link.connection, cx);
            arrived = Pin::new(&mut this.body).poll_frame(quiet);
        }
        if matches!(arrived, Poll::Ready(None)) {
            this.release();
        }
        arrived
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for DirectBody {
    fn drop(&mut self) {
        if self.body.is_end_stream() {
            self.release();
        }
    }
}
