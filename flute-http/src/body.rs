// SPDX-License-Identifier: MPL-2.0

//! What follows the header of an answer.

use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use crate::arriving_object::{ArrivingObject, Reading};
use crate::stored_object::{Piece, StoredObject};

/// Bytes that are read from a file at once. The page cache has them, so that no other request waits for a disk.
const PIECE: usize = 64 << 10;

/// Pieces of an arriving object that wait for the client.
const AHEAD: usize = 2;

/// The content of an answer.
#[derive(Debug)]
pub struct ResponseBody(Kind);

#[derive(Debug)]
enum Kind {
    /// These bytes.
    Bytes(Bytes),
    /// Bytes of an object that are still to be sent.
    Stored { object: Arc<StoredObject>, rest: Range<u64> },
    /// What comes, and how much that will be if it is known.
    Stream { pieces: mpsc::Receiver<io::Result<Bytes>>, rest: Option<u64> },
}

impl ResponseBody {
    /// Nothing.
    pub fn empty() -> Self {
        Self::bytes(Bytes::new())
    }

    /// These bytes.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self(Kind::Bytes(bytes.into()))
    }

    /// What comes, until nothing more can. An error breaks the connection off, so that the client knows that there is not
    /// all.
    pub fn stream(pieces: mpsc::Receiver<io::Result<Bytes>>) -> Self {
        Self(Kind::Stream { pieces, rest: None })
    }

    /// A range of an object.
    pub(crate) fn stored(object: Arc<StoredObject>, range: Range<u64>) -> Self {
        Self(Kind::Stored { object, rest: range })
    }

    /// A range of an object as it comes, which is waited for while something comes at least every `timeout`. Without an
    /// end it is all from the start of the range on.
    pub(crate) fn arriving(object: Arc<ArrivingObject>, start: u64, end: Option<u64>, timeout: Duration) -> Self {
        let (pieces, receiver) = mpsc::channel(AHEAD);
        tokio::spawn(async move {
            if let Err(error) = follow(&object, start, end.unwrap_or(u64::MAX), timeout, &pieces).await {
                // The client may have gone.
                let _ = pieces.send(Err(error)).await;
            }
        });
        Self(Kind::Stream { pieces: receiver, rest: end.map(|end| end - start) })
    }
}

/// Hands the bytes of an object on as they come, until the client has gone or there are no more.
async fn follow(
    object: &ArrivingObject,
    start: u64,
    end: u64,
    timeout: Duration,
    pieces: &mpsc::Sender<io::Result<Bytes>>,
) -> io::Result<()> {
    let mut position = start;
    while position < end {
        let wanted = usize::try_from(end - position).unwrap_or(usize::MAX).min(PIECE);
        let bytes = match unless_closed(pieces, object.read_async(position, wanted, timeout)).await.transpose()? {
            None => break,
            Some(Reading::Bytes(bytes)) => bytes,
            Some(Reading::Complete(stored)) => {
                let bytes = read(&stored, position, wanted)?;
                if bytes.is_empty() {
                    break;
                }
                bytes
            }
            Some(Reading::Nothing | Reading::Abandoned) => break,
        };
        position += bytes.len() as u64;
        if pieces.send(Ok(bytes)).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// What comes of a future, or `None` as soon as the client has gone.
async fn unless_closed<T>(pieces: &mpsc::Sender<io::Result<Bytes>>, future: impl Future<Output = T>) -> Option<T> {
    let (mut closed, mut future) = (pin!(pieces.closed()), pin!(future));
    poll_fn(|cx| match closed.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => future.as_mut().poll(cx).map(Some),
    })
    .await
}

fn read(object: &Arc<StoredObject>, offset: u64, length: usize) -> io::Result<Bytes> {
    Ok(match object.piece(offset, length)? {
        Piece::Shared(slice) => Bytes::from_owner(slice),
        Piece::Read(bytes) => bytes.into(),
    })
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.0 {
            Kind::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::Stored { rest, .. } if rest.is_empty() => Poll::Ready(None),
            Kind::Stored { object, rest } => {
                let wanted = usize::try_from(rest.end - rest.start).unwrap_or(usize::MAX).min(PIECE);
                let bytes = read(object, rest.start, wanted);
                if let Ok(bytes) = &bytes {
                    rest.start += bytes.len() as u64;
                }
                Poll::Ready(Some(bytes.map(Frame::data)))
            }
            Kind::Stream { pieces, rest } => pieces.poll_recv(cx).map(|piece| {
                let bytes = piece?;
                if let (Ok(bytes), Some(rest)) = (&bytes, rest) {
                    *rest = rest.saturating_sub(bytes.len() as u64);
                }
                Some(bytes.map(Frame::data))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Bytes(bytes) => bytes.is_empty(),
            Kind::Stored { rest, .. } => rest.is_empty(),
            Kind::Stream { rest, .. } => *rest == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Stored { rest, .. } => SizeHint::with_exact(rest.end - rest.start),
            Kind::Stream { rest: Some(rest), .. } => SizeHint::with_exact(*rest),
            Kind::Stream { rest: None, .. } => SizeHint::default(),
        }
    }
}
