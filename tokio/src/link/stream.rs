//! The octet streams under wrapper and HDLC.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_serial::SerialStream;

/// TCP or a serial line.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Serial(SerialStream),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Serial(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Serial(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Serial(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Serial(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// What was read and not used yet.
pub(crate) struct Input {
    octets: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Input {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { octets: vec![0; capacity].into_boxed_slice(), start: 0, end: 0 }
    }

    pub(crate) fn unread(&self) -> &[u8] {
        &self.octets[self.start..self.end]
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
    }

    /// Reads more; only when nothing is unread.
    pub(crate) async fn fill(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<(), crate::Error> {
        use tokio::io::AsyncReadExt;
        let count = stream.read(&mut self.octets).await?;
        if count == 0 {
            return Err(crate::Error::Closed);
        }
        (self.start, self.end) = (0, count);
        Ok(())
    }
}
