//! A stream whose peer must begin to speak in time. Protocols bound the head of a request; this bounds the
//! silence before it, which would hold a connection for nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// The length of HTTP/2's preface; no request of HTTP/1.1 with its host is shorter.
const FIRST_WORDS: usize = 24;

/// A stream that fails where its first bytes do not come in time.
pub(super) struct Impatient<S> {
    stream: S,
    /// The end of patience, until the peer has spoken.
    patience: Option<Pin<Box<Sleep>>>,
    heard: usize,
}

impl<S> Impatient<S> {
    pub(super) fn new(stream: S, patience: Duration) -> Impatient<S> {
        Impatient {
            stream,
            patience: Some(Box::pin(tokio::time::sleep(patience))),
            heard: 0,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Some(patience) = &mut self.patience {
            if read.is_pending() {
                ready!(patience.as_mut().poll(cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.heard += buffer.filled().len().saturating_sub(before);
            if self.heard >= FIRST_WORDS {
                self.patience = None;
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn silence_ends_the_connection_and_speech_keeps_it() {
        let (mut silent, here) = tokio::io::duplex(64);
        let mut stream = Impatient::new(here, Duration::from_millis(20));
        silent.write_all(b"PRI * HTTP").await.unwrap();
        let mut bytes = [0; 64];
        assert_eq!(stream.read(&mut bytes).await.unwrap(), 10);
        let error = stream.read(&mut bytes).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);

        let (mut speaks, here) = tokio::io::duplex(64);
        let mut stream = Impatient::new(here, Duration::from_millis(20));
        speaks
            .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        assert!(stream.read(&mut bytes).await.unwrap() > FIRST_WORDS);
        tokio::time::sleep(Duration::from_millis(40)).await;
        speaks.write_all(b"more").await.unwrap();
        assert_eq!(stream.read(&mut bytes).await.unwrap(), 4);
    }
}
