//! A homeserver for tests, as Synapse 1.163 behaves towards an application service: in this process, with
//! all its state in memory, on a real socket.
//!
//! It keeps to what Synapse was seen to do (who may do what, which status and error code says no, when two
//! sends are one, how transactions are pushed and repeated) and leaves out what the bridge never meets:
//! federation, sync, logins, encryption. Tests act as Matrix users through [`FakeHomeserver`], not over HTTP.

mod alias;
mod api;
mod error;
mod fault;
mod memory;
mod push;
mod room;
mod server;
mod tests;
mod upgrade;
mod world;

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use jiff::Timestamp;
use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde_json::{Value, json};
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};
use url::Url;

pub(crate) use self::{
    fault::{Effect, Fault, Stage},
    world::{RoomOptions, World},
};
use self::{room::Draft, server::Running};

/// Longer than anything here takes: only a test that would never end gets there.
const PATIENCE: Duration = Duration::from_mins(2);

/// What the homeserver is told about itself and the application service.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) server_name: String,
    pub(crate) appservice_id: String,
    pub(crate) as_token: String,
    pub(crate) hs_token: String,
    /// The bot's localpart.
    pub(crate) sender_localpart: String,
    /// What the localparts of the registration's exclusive users begin with.
    pub(crate) user_prefix: String,
    /// Whether it knows devices of application services, and with them durable transaction ids.
    pub(crate) devices: bool,
    /// The first and the longest pause between repeats of a transaction.
    pub(crate) push_pauses: (Duration, Duration),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server_name: "localhost".to_owned(),
            appservice_id: "gitter".to_owned(),
            as_token: "as-token-of-the-tests".to_owned(),
            hs_token: "hs-token-of-the-tests".to_owned(),
            sender_localpart: "gitterbot".to_owned(),
            user_prefix: "gitter_".to_owned(),
            devices: true,
            push_pauses: (Duration::from_millis(10), Duration::from_millis(200)),
        }
    }
}

/// What all tasks of the homeserver share.
#[derive(Debug)]
struct Shared {
    world: Mutex<World>,
    /// Told after every change of the world.
    changes: watch::Sender<()>,
    /// Ends the pause before a transaction is repeated.
    push_now: Notify,
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world
            .lock()
            .expect("no test panics while it holds the world")
    }

    /// Changes the world, and wakes whoever waits for a change.
    fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let result = change(&mut self.world());
        self.changes.send_replace(());
        result
    }

    /// Waits until the world is as asked for.
    async fn until<T>(&self, mut ready: impl FnMut(&World) -> Option<T>) -> T {
        let mut changes = self.changes.subscribe();
        loop {
            changes.borrow_and_update();
            if let Some(value) = ready(&self.world()) {
                return value;
            }
            changes.changed().await.expect("the sender is in self");
        }
    }
}

/// A running homeserver; it stops when dropped.
pub(crate) struct FakeHomeserver {
    shared: Arc<Shared>,
    settings: Settings,
    url: Url,
    running: Option<Running>,
}

impl FakeHomeserver {
    /// Starts a homeserver on a free port of the loopback interface.
    pub(crate) async fn start(settings: Settings) -> Self {
        install_crypto();
        let shared = Arc::new(Shared {
            world: Mutex::new(World::new(settings.clone())),
            changes: watch::Sender::new(()),
            push_now: Notify::new(),
        });
        let running = Running::start(Arc::clone(&shared), 0).await;
        let url = format!("http://127.0.0.1:{}", running.port());
        Self {
            shared,
            settings,
            url: url.parse().expect("it is a URL"),
            running: Some(running),
        }
    }

    /// Where its client-server API is.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where transactions and pings go: the `url` of the registration. Nothing is pushed before it is set.
    pub(crate) fn set_appservice(&self, url: &Url) {
        self.shared.change(|world| world.appservice = Some(url.clone()));
    }

    /// Stops as if killed: connections break, the port refuses, what was only in memory is forgotten.
    pub(crate) async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
            self.shared.change(World::forget_what_is_not_on_disk);
        }
    }

    /// Stops if it runs, and starts again on the same port.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        let port = self.url.port().expect("it was started with one");
        self.running = Some(Running::start(Arc::clone(&self.shared), port).await);
    }

    /// Arranges that some requests to come go wrong.
    pub(crate) fn add_fault(&self, fault: Fault) {
        self.shared.change(|world| world.faults.push(fault));
    }

    /// Forgets what was arranged to go wrong and has not yet.
    pub(crate) fn clear_faults(&self) {
        self.shared.change(|world| world.faults.clear());
    }

    /// How many events the application service has not taken yet.
    pub(crate) fn events_to_push(&self) -> usize {
        self.shared.world().events_to_push()
    }

    /// How many more requests will go wrong as arranged.
    pub(crate) fn faults_left(&self) -> u32 {
        self.shared.world().faults.iter().map(|fault| fault.times).sum()
    }

    /// Waits until the world is as asked for; `what` says it for people, should it never be.
    pub(crate) async fn wait_until<T>(&self, what: &str, ready: impl FnMut(&World) -> Option<T>) -> T {
        timeout(PATIENCE, self.shared.until(ready))
            .await
            .unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
    }

    /// Waits until every event so far has been taken by the application service.
    pub(crate) async fn wait_until_pushed(&self) {
        self.wait_until("all events to be pushed", |world| {
            (world.events_to_push() == 0).then_some(())
        })
        .await;
    }

    /// How many transactions the application service has answered with 200.
    pub(crate) fn transactions(&self) -> u64 {
        self.shared.world().pushed_transactions
    }

    /// Makes a Matrix user of this homeserver.
    pub(crate) fn make_user(&self, localpart: &str, display_name: &str) -> OwnedUserId {
        self.shared.change(|world| {
            let user = world.user_id(localpart);
            world.add_user(&user, Some(display_name));
            user
        })
    }

    /// Makes a room, with its creator joined.
    pub(crate) fn make_room(&self, creator: &UserId, options: &RoomOptions) -> OwnedRoomId {
        self.shared.change(|world| world.create_room(creator, options))
    }

    /// Joins a room as a Matrix user.
    pub(crate) fn join(&self, room: &RoomId, user: &UserId) {
        self.shared
            .change(|world| world.join(room, user))
            .expect("the user may join");
    }

    /// Leaves a room as a Matrix user.
    pub(crate) fn leave(&self, room: &RoomId, user: &UserId) {
        self.shared
            .change(|world| world.leave(room, user))
            .expect("the user may leave");
    }

    /// Invites somebody to a room as a Matrix user.
    pub(crate) fn invite(&self, room: &RoomId, inviter: &UserId, user: &UserId) {
        self.shared
            .change(|world| world.invite(room, inviter, user))
            .expect("the user may invite");
    }

    /// Sends a plain message as a Matrix user.
    pub(crate) fn send_text(&self, room: &RoomId, user: &UserId, body: &str) -> OwnedEventId {
        self.send(
            room,
            user,
            "m.room.message",
            json!({ "msgtype": "m.text", "body": body }),
        )
    }

    /// Sends a plain message as a Matrix user, and leaves it out of what is pushed.
    pub(crate) fn send_text_left_out(&self, room: &RoomId, user: &UserId, body: &str) {
        let content = json!({ "msgtype": "m.text", "body": body });
        let draft = Draft::message(user, "m.room.message", content, now());
        self.shared
            .change(|world| {
                let sent = world.send(room, draft);
                world.leave_out_newest();
                sent
            })
            .expect("the user may send");
    }

    /// Sends an event as a Matrix user.
    pub(crate) fn send(
        &self,
        room: &RoomId,
        user: &UserId,
        event_type: &str,
        content: Value,
    ) -> OwnedEventId {
        let draft = Draft::message(user, event_type, content, now());
        self.shared
            .change(|world| world.send(room, draft))
            .expect("the user may send")
    }

    /// Sets a state event as a Matrix user.
    pub(crate) fn set_state(
        &self,
        room: &RoomId,
        user: &UserId,
        event_type: &str,
        state_key: &str,
        content: Value,
    ) -> OwnedEventId {
        let draft = Draft::state(user, event_type, state_key, content, now());
        self.shared
            .change(|world| world.send(room, draft))
            .expect("the user may set it")
    }

    /// Redacts an event as a Matrix user.
    pub(crate) fn redact(&self, room: &RoomId, user: &UserId, event: &EventId) -> OwnedEventId {
        let draft = Draft::redaction(user, event, None, now());
        self.shared
            .change(|world| world.redact(room, draft))
            .expect("the user may redact")
    }

    /// Where a user stands in a room: `join`, `invite`, `leave` or `ban`.
    pub(crate) fn membership(&self, room: &RoomId, user: &UserId) -> String {
        let world = self.shared.world();
        world
            .room(room)
            .expect("there is the room")
            .membership(user)
            .to_owned()
    }

    /// The events of a room that the bot acknowledged, in order.
    pub(crate) fn receipts(&self, room: &RoomId) -> Vec<String> {
        let world = self.shared.world();
        let of_room = world.receipts.iter().filter(|(found, _)| found == room);
        of_room.map(|(_, event)| event.clone()).collect()
    }

    /// All events of a room, in the order that they came in, as clients see them.
    pub(crate) fn events(&self, room: &RoomId) -> Vec<Value> {
        self.shared.world().events(room)
    }

    /// Waits until a room has at least so many messages, and gives all of them, in the order that they came in.
    pub(crate) async fn wait_for_messages(&self, room: &RoomId, count: usize) -> Vec<Value> {
        self.wait_until(&format!("{count} messages in {room}"), |world| {
            let mut events = world.events(room);
            events.retain(|event| event["type"] == "m.room.message");
            (events.len() >= count).then_some(events)
        })
        .await
    }

    /// What the bot left for itself under a type.
    pub(crate) fn account_data_of_bot(&self, event_type: &str) -> Option<Value> {
        let world = self.shared.world();
        world.account_data(&world.user_id(&self.settings.sender_localpart), event_type)
    }

    /// What was uploaded as an `mxc:` URI: its content type and bytes.
    pub(crate) fn media(&self, uri: &str) -> Option<(String, Vec<u8>)> {
        self.shared.world().media(uri)
    }
}

impl FakeHomeserver {
    /// Keeps a file as if a Matrix user had uploaded it, and gives its `mxc:` URI.
    pub(crate) fn add_media(&self, content_type: &str, bytes: Vec<u8>) -> String {
        self.shared
            .change(|world| world.add_media(content_type.to_owned(), bytes))
    }
}

/// Gives the process the provider of cryptography that HTTP clients need.
pub(crate) fn install_crypto() {
    // Another test of this process may have done it before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The homeserver's clock, in milliseconds since 1970.
fn now() -> i64 {
    Timestamp::now().as_millisecond()
}
