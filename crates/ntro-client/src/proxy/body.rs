//! The bodies that pass through the proxy, in bounded memory.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use super::record::Record;
use super::upstream::UpstreamBody;
use crate::redact::Redactor;

/// The body of an answer.
pub(super) enum ProxyBody {
    /// All of it; `None` once it is sent.
    Whole(Option<Bytes>),
    /// That of the upstream server.
    Answer(Box<AnswerBody>),
}

impl ProxyBody {
    pub(super) fn empty() -> Self {
        Self::Whole(None)
    }
}

impl Body for ProxyBody {
    type Data = Bytes;
    type Error = Box<dyn StdError + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut *self {
            Self::Whole(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Self::Answer(body) => body.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_none(),
            Self::Answer(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => {
                SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64))
            }
            // Its length is in the headers, if it is known.
            Self::Answer(_) => SizeHint::default(),
        }
    }
}

/// The body of an upstream answer, redacted. Trailers are dropped.
pub(super) struct AnswerBody {
    body: UpstreamBody,
    redactor: Redactor,
    /// The length, if the server announced it: the HTTP library asks for no more than that.
    length: Option<u64>,
    has_ended: bool,
    /// Reported after the bytes that were held back.
    failure: Option<<ProxyBody as Body>::Error>,
    /// Whether there was a pause before the failure.
    has_paused: bool,
    record: Record,
}

impl AnswerBody {
    pub(super) fn new(body: UpstreamBody, redactor: Redactor, record: Record) -> Self {
        Self {
            length: body.size_hint().exact(),
            body,
            redactor,
            has_ended: false,
            failure: None,
            has_paused: false,
            record,
        }
    }

    /// Ends the body, and returns the bytes that were held back.
    fn end(&mut self, ready: &mut Vec<u8>) {
        self.has_ended = true;
        self.record.complete();
        self.redactor.finish(ready);
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, <ProxyBody as Body>::Error>>> {
        loop {
            if self.has_ended {
                // The HTTP library writes what arrived before during the pause.
                if self.failure.is_some() && !std::mem::replace(&mut self.has_paused, true) {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                return Poll::Ready(self.failure.take().map(Err));
            }
            let mut ready = Vec::new();
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let Ok(bytes) = frame.into_data() else {
                        continue;
                    };
                    self.record.received += bytes.len() as u64;
                    let is_last = self.length == Some(self.record.received);
                    if self.redactor.passes(&bytes) {
                        if is_last {
                            self.end(&mut ready);
                        }
                        return Poll::Ready(Some(Ok(Frame::data(bytes))));
                    }
                    ready.reserve(bytes.len());
                    self.redactor.push(&bytes, &mut ready);
                    if is_last {
                        self.end(&mut ready);
                    }
                }
                Some(Err(error)) => {
                    self.end(&mut ready);
                    self.record.fail("upstream_broke_off");
                    self.failure = Some(error);
                }
                None => self.end(&mut ready),
            }
            // Bytes that were held back alone make no frame.
            if !ready.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(ready.into()))));
            }
        }
    }
}

/// Why a request has no whole body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the body of the request did not arrive in time")]
    TimedOut,
    #[error("the body of the request broke off")]
    BrokeOff,
}

/// The body of a request that is sent while it arrives. Trailers are dropped.
pub(super) struct RequestBody {
    body: Incoming,
    /// Masks the tokens.
    redactor: Redactor,
    sent: Arc<AtomicU64>,
    timeout: Duration,
    timer: Pin<Box<Sleep>>,
    has_ended: bool,
    presence: Arc<()>,
}

impl RequestBody {
    pub(super) fn new(
        body: Incoming,
        redactor: Redactor,
        sent: Arc<AtomicU64>,
        timeout: Duration,
    ) -> Self {
        Self {
            body,
            redactor,
            sent,
            timeout,
            timer: Box::pin(tokio::time::sleep(timeout)),
            has_ended: false,
            presence: Arc::default(),
        }
    }

    /// Returns what is gone once the body is sent.
    pub(super) fn presence(&self) -> Weak<()> {
        Arc::downgrade(&self.presence)
    }

    /// Reads the whole body.
    pub(super) async fn collect(mut self) -> Result<Bytes, BodyError> {
        let mut whole = Vec::new();
        while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut self).poll_frame(cx)).await
        {
            if let Ok(bytes) = frame?.into_data() {
                whole.extend_from_slice(&bytes);
            }
        }
        Ok(whole.into())
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        loop {
            if this.has_ended {
                return Poll::Ready(None);
            }
            let frame = match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    ready!(this.timer.as_mut().poll(cx));
                    return Poll::Ready(Some(Err(BodyError::TimedOut)));
                }
            };
            this.timer.as_mut().reset(Instant::now() + this.timeout);
            let mut ready = Vec::new();
            match frame {
                Some(Ok(frame)) => {
                    let Ok(bytes) = frame.into_data() else {
                        continue;
                    };
                    this.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                    if this.redactor.passes(&bytes) {
                        return Poll::Ready(Some(Ok(Frame::data(bytes))));
                    }
                    this.redactor.push(&bytes, &mut ready);
                }
                Some(Err(_)) => {
                    this.has_ended = true;
                    return Poll::Ready(Some(Err(BodyError::BrokeOff)));
                }
                None => {
                    this.has_ended = true;
                    this.redactor.finish(&mut ready);
                }
            }
            if !ready.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(ready.into()))));
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
