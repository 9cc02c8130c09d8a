//! One connection: what its client keeps the bridge waiting for, and since when.
//!
//! hyper reads and writes through [`Timed`], which gives up in time; [`Pulse`] knows what is waited for. Nothing here
//! looks at what is said.

use std::{
    io::{self, ErrorKind, IoSlice},
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

use super::listener::Limits;

/// What a connection is at, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing was said yet.
    New(Instant),
    /// The head of a request has begun.
    Head(Instant),
    /// A request is under way: its body, the work, or the answer.
    Request(Instant),
    /// A request was answered, and no other has begun.
    Idle(Instant),
}

#[derive(Debug, Clone, Copy)]
struct State {
    phase: Phase,
    /// Whether some of an answer waits for its client. hyper is done with an answer before all of it is sent.
    unsent: bool,
}

/// The state of one connection, shared by those who read it, who answer, and who close it.
#[derive(Debug, Clone)]
pub(super) struct Pulse {
    state: Arc<Mutex<State>>,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                phase: Phase::New(Instant::now()),
                unsent: false,
            })),
        }
    }

    /// A request begins; it ends when what is returned is dropped.
    pub(super) fn begin(&self) -> Answering {
        self.set(Phase::Request(Instant::now()));
        Answering(self.clone())
    }

    /// How long the client has been waited for; `None` while a request is under way.
    pub(super) fn waited(&self) -> Option<Duration> {
        let state = self.get();
        match state.phase {
            Phase::New(since) | Phase::Head(since) | Phase::Idle(since) if !state.unsent => {
                Some(since.elapsed())
            }
            _ => None,
        }
    }

    /// How long a request has been under way, or the rest of its answer.
    pub(super) fn answering(&self) -> Option<Duration> {
        let state = self.get();
        match state.phase {
            Phase::Request(since) => Some(since.elapsed()),
            Phase::New(since) | Phase::Head(since) | Phase::Idle(since) if state.unsent => {
                Some(since.elapsed())
            }
            _ => None,
        }
    }

    fn heard(&self) {
        if matches!(self.get().phase, Phase::New(_) | Phase::Idle(_)) {
            self.set(Phase::Head(Instant::now()));
        }
    }

    fn is_held_up(&self) {
        self.lock().unsent = true;
    }

    /// Everything is sent; whether that was waited for. The client's time begins now.
    fn has_sent(&self) -> bool {
        let mut state = self.lock();
        let was_unsent = mem::replace(&mut state.unsent, false);
        if was_unsent {
            state.phase = match state.phase {
                Phase::Request(since) => Phase::Request(since),
                Phase::New(_) => Phase::New(Instant::now()),
                Phase::Head(_) => Phase::Head(Instant::now()),
                Phase::Idle(_) => Phase::Idle(Instant::now()),
            };
        }
        was_unsent
    }

    /// When to give up on the client. The body of a request has the request's own limit.
    fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let state = self.get();
        match state.phase {
            _ if state.unsent => None,
            Phase::New(since) | Phase::Head(since) => Some(since + limits.head),
            Phase::Idle(since) => Some(since + limits.idle),
            Phase::Request(_) => None,
        }
    }

    fn get(&self) -> State {
        *self.lock()
    }

    fn set(&self, phase: Phase) {
        self.lock().phase = phase;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is under way.
#[derive(Debug)]
pub(super) struct Answering(Pulse);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.set(Phase::Idle(Instant::now()));
    }
}

/// The body of an answer, which ends the request when hyper has all of it.
pub(super) struct Answer {
    body: Body,
    _answering: Answering,
}

impl Answer {
    pub(super) fn new(body: Body, answering: Answering) -> Self {
        Self {
            body,
            _answering: answering,
        }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that fails once its other end has been waited for too long.
pub(super) struct Timed<S> {
    stream: S,
    pulse: Pulse,
    limits: Limits,
    reading: Pin<Box<Sleep>>,
    writing: Option<Pin<Box<Sleep>>>,
}

impl<S> Timed<S> {
    pub(super) fn new(stream: S, pulse: Pulse, limits: Limits) -> Self {
        Self {
            stream,
            pulse,
            limits,
            reading: Box::pin(sleep(limits.head)),
            writing: None,
        }
    }

    /// What became of a try to write, or that it has been tried for too long.
    fn written<T>(&mut self, context: &mut Context<'_>, tried: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if tried.is_ready() {
            self.writing = None;
            return tried;
        }
        self.pulse.is_held_up();
        let stall = self.limits.stall;
        let writing = self.writing.get_or_insert_with(|| Box::pin(sleep(stall)));
        ready!(writing.as_mut().poll(context));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, buffer) {
            if buffer.filled().len() > before {
                self.pulse.heard();
            }
            return Poll::Ready(read);
        }
        let Some(deadline) = self.pulse.deadline(&self.limits) else {
            return Poll::Pending;
        };
        if self.reading.deadline() != deadline {
            self.reading.as_mut().reset(deadline);
        }
        ready!(self.reading.as_mut().poll(context));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, tried)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(context, tried)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tried = Pin::new(&mut self.stream).poll_flush(context);
        // hyper flushes once its own buffer is empty. Then the next limit holds, which its reading looks at.
        if tried.is_ready() && self.pulse.has_sent() {
            context.waker().wake_by_ref();
        }
        self.written(context, tried)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tried = Pin::new(&mut self.stream).poll_shutdown(context);
        self.written(context, tried)
    }
}
