//! Bayeux over one WebSocket: frames in, answers and news out, pings, and connects that are held.

use std::{future::Future, ops::ControlFlow, pin::Pin, sync::Arc, time::Duration};

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures_util::{StreamExt, stream::FuturesUnordered};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until, timeout},
};

use self::heartbeat::{Beat, Heartbeat};
use super::{Hold, answer, until};
use crate::{
    server::Server,
    state::{Mount, Outgoing, Socket, Transport},
};

mod heartbeat;

/// A client that does not take a frame for this long is gone.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether the socket goes on.
type Flow = ControlFlow<()>;

struct Connection {
    server: Arc<Server>,
    websocket: WebSocket,
    socket: Socket,
    frames: mpsc::UnboundedReceiver<Outgoing>,
    delayed: FuturesUnordered<Pin<Box<dyn Future<Output = Value> + Send>>>,
    held: Vec<Held>,
    heartbeat: Heartbeat,
}

/// The answers to a batch with a connect.
struct Held {
    client: String,
    due: Instant,
    replies: Vec<Value>,
}

/// Serves a WebSocket until either side ends it.
pub(crate) async fn serve(server: Arc<Server>, mount: Mount, websocket: WebSocket) {
    let (socket, frames) = server.lock().realtime.open_socket(Transport::WebSocket, mount);
    let mut connection = Connection {
        server,
        websocket,
        socket,
        frames,
        delayed: FuturesUnordered::new(),
        held: Vec::new(),
        heartbeat: Heartbeat::new(Instant::now()),
    };
    tracing::debug!("WebSocket opened");
    while connection.step().await.is_continue() {}
    connection
        .server
        .lock()
        .realtime
        .close_socket(connection.socket.id);
    tracing::debug!("WebSocket closed");
}

impl Connection {
    /// Waits for the next thing to do, and does it.
    async fn step(&mut self) -> Flow {
        let answer_due = self.held.iter().map(|held| held.due).min();
        tokio::select! {
            // In this order, so that news comes before the answers to what followed it, and overtakes frames
            // that are delayed on purpose.
            biased;
            () = self.server.stopping.cancelled() => self.close(close_code::AWAY).await,
            // Without a close frame: the connection is just gone.
            () = self.socket.cut.cancelled() => Flow::Break(()),
            () = sleep_until(self.heartbeat.due()) => self.beat().await,
            Some(outgoing) = self.frames.recv() => self.pass(outgoing).await,
            () = until(answer_due) => self.answer_held().await,
            message = self.websocket.recv() => match message {
                Some(Ok(message)) => self.take(message).await,
                Some(Err(_)) | None => Flow::Break(()),
            },
            Some(frame) = self.delayed.next() => self.send(&json!([frame])).await,
        }
    }

    async fn beat(&mut self) -> Flow {
        // A client may have stopped connecting while its socket lives on; news must not reach it for ever.
        self.server.lock().realtime.forget_dead(Instant::now());
        match self.heartbeat.beat(Instant::now()) {
            Beat::Ping => self.write(Message::Ping(Vec::new().into())).await,
            Beat::Close => self.close(close_code::NORMAL).await,
        }
    }

    async fn take(&mut self, message: Message) -> Flow {
        match message {
            Message::Text(text) => match serde_json::from_str(&text) {
                Ok(Value::Array(batch)) => self.answer(&batch).await,
                Ok(message) => self.answer(&[message]).await,
                Err(error) => {
                    tracing::debug!(%error, "A frame that is not JSON was ignored");
                    Flow::Continue(())
                }
            },
            Message::Pong(_) => {
                self.heartbeat.pong(Instant::now());
                Flow::Continue(())
            }
            Message::Close(_) => Flow::Break(()),
            Message::Binary(_) | Message::Ping(_) => Flow::Continue(()),
        }
    }

    async fn answer(&mut self, batch: &[Value]) -> Flow {
        let answers = answer(&mut self.server.lock(), Instant::now(), &self.socket, batch);
        match answers.hold {
            Some(hold) => {
                self.hold(hold, answers.replies);
                Flow::Continue(())
            }
            None => self.send(&Value::Array(answers.replies)).await,
        }
    }

    /// Keeps answers until their connect is due. One connect is outstanding for each client: a further one is
    /// answered together with the first.
    fn hold(&mut self, hold: Hold, replies: Vec<Value>) {
        let outstanding = self.held.iter().find(|held| held.client == hold.client);
        self.held.push(Held {
            due: outstanding.map_or_else(|| Instant::now() + hold.timeout, |held| held.due),
            client: hold.client,
            replies,
        });
    }

    /// Sends the answers that are due. A client that was forgotten meanwhile hears nothing (gitter-api 14).
    async fn answer_held(&mut self) -> Flow {
        let now = Instant::now();
        let due: Vec<_> = self.held.extract_if(.., |held| held.due <= now).collect();
        for held in due {
            if self.server.lock().realtime.knows(&held.client) {
                self.send(&Value::Array(held.replies)).await?;
            }
        }
        Flow::Continue(())
    }

    async fn pass(&mut self, outgoing: Outgoing) -> Flow {
        let Outgoing { frame, delay } = outgoing;
        if delay.is_zero() {
            return self.send(&json!([frame])).await;
        }
        self.delayed.push(Box::pin(async move {
            sleep(delay).await;
            frame
        }));
        Flow::Continue(())
    }

    async fn send(&mut self, batch: &Value) -> Flow {
        self.write(Message::Text(batch.to_string().into())).await
    }

    async fn close(&mut self, code: u16) -> Flow {
        let frame = CloseFrame {
            code,
            reason: "".into(),
        };
        // The socket ends here, whether the client hears of it or not.
        let _ = self.write(Message::Close(Some(frame))).await;
        Flow::Break(())
    }

    async fn write(&mut self, message: Message) -> Flow {
        match timeout(SEND_TIMEOUT, self.websocket.send(message)).await {
            Ok(Ok(())) => Flow::Continue(()),
            Ok(Err(_)) | Err(_) => Flow::Break(()),
        }
    }
}
