//! Calls to the upstream server.

mod client;
mod direct;

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::{Request, Response};
use ntro_base::http::{PlainConnector, source_chain};
use url::Url;

use self::client::Client;
use self::direct::{Direct, DirectBody};
use super::Settings;
use super::body::{BodyError, RequestBody};

/// The way to the upstream server.
pub(super) enum Upstream {
    /// Plain HTTP/1.1, without a proxy.
    Direct(Box<Direct>),
    /// TLS, or through a proxy.
    Client(Box<Client>),
}

/// The body of a call.
pub(super) enum CallBody {
    Whole(Bytes),
    Stream(Box<RequestBody>),
}

/// The body of the server's answer.
pub(super) enum UpstreamBody {
    Direct(DirectBody),
    Client(reqwest::Body),
}

/// Why a call has no answer.
#[derive(Debug)]
pub(super) enum CallError {
    /// The body of the request did not arrive.
    Body(BodyError),
    TimedOut,
    /// There is no connection, for this reason.
    Unreachable(String),
    /// The connection broke off.
    BrokeOff(String),
    /// Nothing can be sent: a whole message.
    Unusable(String),
}

impl Upstream {
    /// Takes the number of calls under way, which chooses between connections.
    pub(super) fn new(settings: &Settings, under_way: &Arc<AtomicUsize>) -> Self {
        let calls = &settings.calls;
        let server = Url::parse(&settings.host.origin().to_string()).ok();
        let plain = server
            .and_then(|server| PlainConnector::new(&server, calls.connect_timeout, &calls.proxies));
        match plain {
            Some(plain) => Self::Direct(Box::new(Direct::new(plain, &calls.user_agent))),
            None => Self::Client(Box::new(Client::new(settings, Arc::clone(under_way)))),
        }
    }

    /// Sends a request whose URI is a path with a query.
    pub(super) async fn call(
        &self,
        request: Request<CallBody>,
    ) -> Result<Response<UpstreamBody>, CallError> {
        Ok(match self {
            Self::Direct(direct) => direct.call(request).await?.map(UpstreamBody::Direct),
            Self::Client(client) => client.call(request).await?.map(UpstreamBody::Client),
        })
    }

    /// Closes connections that were not used for long.
    pub(super) fn close_idle(&self) {
        if let Self::Direct(direct) = self {
            direct.close_idle();
        }
    }
}

/// Returns why the body of a request did not arrive, if an error comes from that.
fn body_error(error: &(dyn StdError + 'static)) -> Option<BodyError> {
    source_chain(error).find_map(|error| error.downcast_ref().copied())
}

impl Body for CallBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(body) => body.size_hint(),
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = Box<dyn StdError + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut *self {
            Self::Direct(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Self::Client(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Direct(body) => body.is_end_stream(),
            Self::Client(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Direct(body) => body.size_hint(),
            Self::Client(body) => body.size_hint(),
        }
    }
}
