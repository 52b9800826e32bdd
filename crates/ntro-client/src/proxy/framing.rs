//! The framing of requests, checked before the HTTP library reads them.
//!
//! The library accepts and repairs what two servers may read in two ways: a `Content-Length` beside
//! `Transfer-Encoding`, line feeds alone, empty lines before a request. Here each is refused.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The largest head of a request.
pub(super) const LARGEST_HEAD: usize = 32 * 1024;
/// No larger than most heads.
const COMMON_HEAD: usize = 1024;
/// The largest trailer section of a chunked body.
const LARGEST_TRAILERS: usize = 8 * 1024;
/// No request begins like this, so the library answers 400 and closes the connection.
const REFUSED: &[u8] = b"\0\r\n\r\n";

/// A stream whose requests are checked while they are read.
pub(super) struct CheckedStream<S> {
    stream: S,
    framing: Framing,
    is_refused: bool,
}

impl<S> CheckedStream<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            framing: Framing::Head(Vec::new()),
            is_refused: false,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for CheckedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_refused {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if self.framing.take(&buffer.filled()[before..]).is_err() {
            tracing::debug!("a request with ambiguous framing is refused");
            self.is_refused = true;
            buffer.set_filled(before);
            let length = REFUSED.len().min(buffer.remaining());
            buffer.put_slice(&REFUSED[..length]);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CheckedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// A request that two servers may read in two ways.
#[derive(Debug, PartialEq, Eq)]
struct Ambiguous;

/// The part of a request that the next byte belongs to.
enum Framing {
    /// The head, as far as it has arrived.
    Head(Vec<u8>),
    /// A head that is too large: the library refuses it.
    Oversize,
    /// A body of known length.
    Body(u64),
    /// The line with a chunk's size, as far as it has arrived.
    ChunkSize(Vec<u8>),
    ChunkData(u64),
    /// The line break after a chunk's data.
    ChunkEnd(Vec<u8>),
    /// The lines after the last chunk.
    Trailers(Vec<u8>),
}

impl Framing {
    /// Takes the next bytes of the stream.
    fn take(&mut self, mut bytes: &[u8]) -> Result<(), Ambiguous> {
        while !bytes.is_empty() {
            if self.is_start()
                && let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n")
                && end + 4 <= LARGEST_HEAD
            {
                // Most heads arrive whole, and are not copied.
                *self = Self::after_head(&bytes[..end])?;
                bytes = &bytes[end + 4..];
                continue;
            }
            let taken = match self {
                Self::Oversize => return Ok(()),
                Self::Body(left) => skip(left, bytes),
                Self::ChunkData(left) => skip(left, bytes),
                Self::Head(text) => {
                    text.reserve(bytes.len().min(COMMON_HEAD));
                    take_until(text, bytes, b"\r\n\r\n")
                }
                Self::ChunkSize(text) | Self::ChunkEnd(text) => take_until(text, bytes, b"\r\n"),
                Self::Trailers(text) => match text.is_empty() {
                    // No trailers: the last line is empty.
                    true => take_until(text, &bytes[..1], b"\r\n"),
                    false if text.ends_with(b"\r\n") => take_until(text, &bytes[..1], b"\r\n"),
                    false => take_until(text, bytes, b"\r\n"),
                },
            };
            bytes = &bytes[taken..];
            if let Some(next) = self.next()? {
                *self = next;
            }
        }
        Ok(())
    }

    /// Returns whether nothing of a request has arrived.
    fn is_start(&self) -> bool {
        matches!(self, Self::Head(text) if text.is_empty())
    }

    /// Returns the part that follows a head.
    fn after_head(head: &[u8]) -> Result<Self, Ambiguous> {
        Ok(match body_of(head)? {
            Body::Length(0) => Self::Head(Vec::new()),
            Body::Length(length) => Self::Body(length),
            Body::Chunked => Self::ChunkSize(Vec::new()),
        })
    }

    /// Returns the part that follows, once this one is complete.
    fn next(&self) -> Result<Option<Self>, Ambiguous> {
        const LONGEST_SIZE: usize = 16;

        let head = || Self::Head(Vec::new());
        Ok(match self {
            Self::Head(text) if text.ends_with(b"\r\n\r\n") => {
                Some(Self::after_head(&text[..text.len() - 4])?)
            }
            Self::Head(text) if text.starts_with(b"\r") || text.starts_with(b"\n") => {
                return Err(Ambiguous);
            }
            Self::Head(text) => (text.len() > LARGEST_HEAD).then_some(Self::Oversize),
            Self::Oversize => None,
            Self::Body(left) => (*left == 0).then(head),
            Self::ChunkSize(text) => match text.strip_suffix(b"\r\n") {
                Some(digits) if digits.len() > LONGEST_SIZE => return Err(Ambiguous),
                Some(digits) => Some(match chunk_size(digits).ok_or(Ambiguous)? {
                    0 => Self::Trailers(Vec::new()),
                    size => Self::ChunkData(size),
                }),
                None if text.len() > LONGEST_SIZE + 1 => return Err(Ambiguous),
                None => None,
            },
            Self::ChunkData(left) => (*left == 0).then(|| Self::ChunkEnd(Vec::new())),
            Self::ChunkEnd(text) => match &text[..] {
                b"\r\n" => Some(Self::ChunkSize(Vec::new())),
                b"\r" => None,
                _ => return Err(Ambiguous),
            },
            Self::Trailers(text) if text == b"\r\n" || text.ends_with(b"\r\n\r\n") => {
                let lines = text.strip_suffix(b"\r\n").unwrap_or_default();
                fields(lines.split_crlf()).try_for_each(|field| field.map(drop))?;
                Some(head())
            }
            Self::Trailers(text) if text.len() > LARGEST_TRAILERS => return Err(Ambiguous),
            Self::Trailers(_) => None,
        })
    }
}

fn skip(left: &mut u64, bytes: &[u8]) -> usize {
    let taken = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
    *left -= taken as u64;
    taken
}

/// Moves bytes to `text` until it ends with `end`. Returns their number.
fn take_until(text: &mut Vec<u8>, bytes: &[u8], end: &[u8]) -> usize {
    let before = text.len();
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        text.extend_from_slice(line);
        if text.ends_with(end) || text.len() > LARGEST_HEAD {
            break;
        }
    }
    text.len() - before
}

enum Body {
    Length(u64),
    Chunked,
}

/// Returns the framing of the body that follows a head.
fn body_of(head: &[u8]) -> Result<Body, Ambiguous> {
    let mut lines = head.split_crlf();
    let request_line = lines.next().ok_or(Ambiguous)?;
    let mut words = request_line.split(|&byte| byte == b' ');
    let version = match (words.next(), words.next(), words.next(), words.next()) {
        (Some([_, ..]), Some([_, ..]), Some(version), None) => version,
        _ => return Err(Ambiguous),
    };
    check_line(request_line)?;
    let (mut length, mut coding) = (None, None);
    for field in fields(lines) {
        let (name, value) = field?;
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = std::str::from_utf8(value).map_err(|_| Ambiguous)?;
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let number = is_number.then(|| digits.parse().ok()).flatten();
            if length.replace(number.ok_or(Ambiguous)?).is_some() {
                return Err(Ambiguous);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding")
            && (!value.eq_ignore_ascii_case(b"chunked") || coding.replace(()).is_some())
        {
            return Err(Ambiguous);
        }
    }
    match (length, coding) {
        (Some(_), Some(())) => Err(Ambiguous),
        (None, Some(())) if version != b"HTTP/1.1" => Err(Ambiguous),
        (None, Some(())) => Ok(Body::Chunked),
        (length, None) => Ok(Body::Length(length.unwrap_or(0))),
    }
}

/// The name and the value of a header line.
type Field<'a> = (&'a [u8], &'a [u8]);

/// Checks header lines and returns their names and values.
fn fields<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
) -> impl Iterator<Item = Result<Field<'a>, Ambiguous>> {
    lines.map(|line| {
        check_line(line)?;
        let colon = line.iter().position(|&byte| byte == b':');
        let (name, value) = line.split_at(colon.ok_or(Ambiguous)?);
        let is_name = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic());
        // A line that begins with white space continues the one before.
        match is_name {
            true => Ok((name, value[1..].trim_ascii())),
            false => Err(Ambiguous),
        }
    })
}

fn check_line(line: &[u8]) -> Result<(), Ambiguous> {
    match line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        true => Err(Ambiguous),
        false => Ok(()),
    }
}

/// Reads the size of a chunk. Extensions, which no client needs, are refused.
fn chunk_size(digits: &[u8]) -> Option<u64> {
    let is_hexadecimal = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    let digits = std::str::from_utf8(digits).ok()?;
    is_hexadecimal.then(|| u64::from_str_radix(digits, 16).ok())?
}

trait SplitCrlf {
    /// Returns the lines of a text; none if it is empty.
    fn split_crlf(&self) -> impl Iterator<Item = &[u8]>;
}

impl SplitCrlf for [u8] {
    fn split_crlf(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = (!self.is_empty()).then_some(self);
        std::iter::from_fn(move || {
            let text = rest?;
            let end = text.windows(2).position(|two| two == b"\r\n");
            let (line, others) = match end {
                Some(end) if end + 2 == text.len() => (&text[..end], None),
                Some(end) => (&text[..end], Some(&text[end + 2..])),
                None => (text, None),
            };
            rest = others;
            Some(line)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(text: &str) -> Result<(), Ambiguous> {
        let whole = Framing::Head(Vec::new()).take(text.as_bytes());
        let mut split = Framing::Head(Vec::new());
        let split = text.bytes().try_for_each(|byte| split.take(&[byte]));
        assert_eq!(whole, split, "{text:?}");
        whole
    }

    #[test]
    fn plain_requests_pass() {
        for text in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\n\n\r\n\0GET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.0\r\nContent-Length:0\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\n\r\n\r\n0A\r\n0123456789\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\nC: d\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(take(text), Ok(()), "{text:?}");
        }
    }

    #[test]
    fn ambiguous_requests_are_refused() {
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n";
        for text in [
            "\r\nGET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\rC: d\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n X: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / x HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n0",
            "POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n0",
            "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n0",
            "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n0",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            &format!("{chunked}transfer-encoding: chunked\r\n\r\n"),
            &format!("{chunked}\r\n1;a=b\r\nx\r\n0\r\n\r\n"),
            &format!("{chunked}\r\n1\nx\r\n0\r\n\r\n"),
            &format!("{chunked}\r\n1\r\nxx\r\n0\r\n\r\n"),
            &format!("{chunked}\r\n-1\r\nxx\r\n0\r\n\r\n"),
            &format!("{chunked}\r\n00000000000000001\r\nx\r\n0\r\n\r\n"),
            &format!("{chunked}\r\n0\r\n A: b\r\n\r\n"),
            &format!("{chunked}\r\n0\r\nA: b\nC: d\r\n\r\n"),
        ] {
            assert_eq!(take(text), Err(Ambiguous), "{text:?}");
        }
    }

    #[test]
    fn oversize_head_is_left_to_library() {
        let mut framing = Framing::Head(Vec::new());
        let line = b"X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
        framing.take(b"GET / HTTP/1.1\r\n").unwrap();
        for _ in 0..2_000 {
            framing.take(line).unwrap();
        }
        assert!(matches!(framing, Framing::Oversize));
    }
}
