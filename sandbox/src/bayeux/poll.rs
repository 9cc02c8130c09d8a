//! Bayeux over HTTP long-polling: a POST brings a batch, and its answer waits with a connect until there is news.
//!
//! What comes between two polls waits in the client's queue. News that was answered to a poll whose client had
//! gone is lost, as with Gitter; the gap in its numbers shows that.

use std::{collections::VecDeque, sync::Arc};

use serde_json::Value;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{Hold, answer, until};
use crate::{
    server::Server,
    state::{Mount, Outgoing, SocketId, Transport},
};

/// Answers a batch that came by POST; `None` where the connection is to be cut instead.
pub(crate) async fn answer_batch(server: Arc<Server>, mount: Mount, batch: Vec<Value>) -> Option<Value> {
    let (socket, frames) = server.lock().realtime.open_socket(Transport::LongPolling, mount);
    let answers = answer(&mut server.lock(), Instant::now(), &socket, &batch);
    let mut poll = Poll {
        server,
        socket: socket.id,
        cut: socket.cut.clone(),
        frames,
        delayed: VecDeque::new(),
    };
    // From here on only its client can send to it: it ends when a newer connect takes its place.
    drop(socket);
    let mut replies = answers.replies;
    if let Some(hold) = answers.hold {
        replies.extend(poll.wait(hold).await?);
    }
    Some(Value::Array(replies))
}

/// A connect that waits.
struct Poll {
    server: Arc<Server>,
    socket: SocketId,
    cut: CancellationToken,
    frames: mpsc::UnboundedReceiver<Outgoing>,
    /// Frames that are held back on purpose, and until when.
    delayed: VecDeque<(Instant, Value)>,
}

impl Poll {
    /// Waits for news or until the time is over, and gives the news.
    async fn wait(&mut self, hold: Hold) -> Option<Vec<Value>> {
        let over = Instant::now() + hold.timeout;
        let mut replaced = false;
        while !self.has_news() {
            let due = self.delayed.iter().map(|(due, _)| *due).min();
            tokio::select! {
                biased;
                () = self.cut.cancelled() => return None,
                outgoing = self.frames.recv(), if !replaced => match outgoing {
                    Some(outgoing) => self.delay(outgoing),
                    // A newer connect has taken over. A client that was forgotten just hears nothing.
                    None if self.server.lock().realtime.knows(&hold.client) => break,
                    None => replaced = true,
                },
                () = until(due) => {}
                () = sleep_until(over) => break,
                () = self.server.stopping.cancelled() => break,
            }
        }
        Some(self.take_news(&hold.client))
    }

    /// Ends the poll: the news so far, while what is still delayed waits for the next.
    fn take_news(&mut self, client: &str) -> Vec<Value> {
        let server = self.server.clone();
        let mut state = server.lock();
        state.realtime.close_socket(self.socket);
        // Nothing more is sent to a closed socket, so this is all.
        while let Ok(outgoing) = self.frames.try_recv() {
            self.delay(outgoing);
        }
        let now = Instant::now();
        let (news, early): (Vec<_>, Vec<_>) = self.delayed.drain(..).partition(|(due, _)| *due <= now);
        for (_, frame) in early {
            state.realtime.give_back(client, frame);
        }
        news.into_iter().map(|(_, frame)| frame).collect()
    }

    fn delay(&mut self, outgoing: Outgoing) {
        let Outgoing { frame, delay } = outgoing;
        self.delayed.push_back((Instant::now() + delay, frame));
    }

    fn has_news(&self) -> bool {
        let now = Instant::now();
        self.delayed.iter().any(|(due, _)| *due <= now)
    }
}
