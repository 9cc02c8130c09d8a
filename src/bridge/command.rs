//! What people of Matrix ask the bot for: commands (`!gitter help`), and to come into a room or out of it.
//!
//! `accept` notes them in the transaction that accepts their events, so none is lost; here they are carried out, each
//! person's one after another, and answered once. The answer is written down before it is said: what is done again after
//! a crash is only what had not come that far, and nothing here does harm when done again.

mod allowance;
mod code;
mod invite;
mod link;
mod links;
mod page;
mod rooms;
mod settings;
mod status;
mod table;
mod who;
mod why;

use std::{collections::HashSet, sync::Arc, time::Duration};

use ruma::{EventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde_json::{Value, value::RawValue};
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

pub(super) use self::allowance::Allowance;
pub use self::page::page;
use self::{
    table::{Entry, Kind},
    who::Rights,
};
use super::{Bridge, BridgeError, now, say};
use crate::{
    store::{
        Portal, StoreError, Tx, code as codes,
        command::{self, AskedFor, NewCommand},
        ghost, portal,
    },
    translate::command::{Command, of_event},
};

/// How often it is looked for what was asked elsewhere, or is to be done later.
const LOOK: Duration = Duration::from_secs(1);

/// How long whoever takes something up has it, in milliseconds, unless they say in time that they are still at it.
const LEASE: i64 = 30_000;

/// How often they say so.
const RENEWAL: Duration = Duration::from_secs(10);

/// How late a command may come, and for how long it is tried, in milliseconds: nobody waits for an answer any longer.
const FRESH: i64 = 3_600_000;

/// How long it is remembered what was asked, in milliseconds.
const KEPT: i64 = 86_400_000;

/// How often what is older goes.
const PRUNE: Duration = Duration::from_hours(1);

/// How many commands of a person are carried out in a minute.
const MOST: i64 = 10;

/// What comes of a command.
enum Outcome {
    /// It is answered.
    Answer(String),
    /// Nothing is to be said.
    Silence,
    /// It goes on at a time.
    Later(i64),
}

impl From<String> for Outcome {
    fn from(text: String) -> Self {
        Self::Answer(text)
    }
}

/// Why a command is not carried out now.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The person is told why, and what helps.
    #[error("{0}")]
    Told(String),
    /// It is tried again.
    #[error(transparent)]
    Bridge(#[from] BridgeError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Bridge(error.into())
    }
}

/// A command, where and by whom.
struct Asking<'a> {
    bridge: &'a Arc<Bridge>,
    asked: &'a AskedFor,
    /// The room that it is about.
    room: OwnedRoomId,
    /// That room's portal.
    portal: Option<Portal>,
    /// What stands behind the command's name.
    words: Vec<String>,
    /// The message that it answers.
    answers: Option<String>,
    rights: Rights,
}

impl Asking<'_> {
    fn user(&self) -> &UserId {
        &self.asked.user
    }

    /// When it was said, by the homeserver's clock.
    fn said_at(&self) -> Option<i64> {
        let event: Value = serde_json::from_str(&self.asked.body).unwrap_or(Value::Null);
        said_at(&event)
    }

    /// Spends some of the requests to Gitter that people may cause; `false` if there are not as many left.
    fn may_request(&self, requests: usize) -> bool {
        self.rights.admin || self.bridge.command_allowance.take(requests)
    }

    /// The same, or what to say where there are not as many left.
    fn spend(&self, requests: usize) -> Result<(), Failure> {
        if self.may_request(requests) {
            return Ok(());
        }
        Err(Failure::Told(
            "People ask for so much just now that messages would have to wait for it. Try again in a minute."
                .to_owned(),
        ))
    }

    /// The room's portal, or what to say where it has none.
    fn portal(&self) -> Result<&Portal, Failure> {
        self.portal.as_ref().ok_or_else(|| {
            Failure::Told(
                "This room is not linked with Gitter. Link it with `!gitter link <group/room>`, or name a linked room by \
                 its #alias behind the command."
                    .to_owned(),
            )
        })
    }
}

/// When an event was made, by its homeserver's clock.
fn said_at(event: &Value) -> Option<i64> {
    event.get("origin_server_ts").and_then(Value::as_i64)
}

/// Notes what somebody asks the bot for in an event, if anything. `place`: how many events that came with it stand
/// before it. `is_linked`: whether its room is in a portal.
pub(super) async fn note(
    tx: &mut Tx,
    (place, event): (usize, &RawValue),
    room: &RoomId,
    is_linked: bool,
    now: i64,
) -> Result<bool, StoreError> {
    let json = event.get();
    if !json.contains(crate::translate::command::PREFIX) && !json.contains("\"m.room.member\"") {
        return Ok(false);
    }
    let is_command = of_event(event).is_some();
    if !is_command && (is_linked || !invite::is_one(event)) {
        return Ok(false);
    }
    let event: Value = serde_json::from_str(json).unwrap_or(Value::Null);
    let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default();
    let made_at = said_at(&event).unwrap_or(now);
    let (Ok(event_id), Ok(user)) = (EventId::parse(text("event_id")), UserId::parse(text("sender"))) else {
        return Ok(false);
    };
    if made_at < now - FRESH {
        return Ok(false);
    }
    let new = NewCommand {
        event_id: &event_id,
        room,
        user: &user,
        body: json,
        place,
        is_command,
    };
    command::note(tx, &new, now).await
}

/// Carries out what is asked for until the bridge stops.
pub(super) async fn run(bridge: Arc<Bridge>) {
    let mut at_work = JoinSet::new();
    let mut busy = HashSet::new();
    if let Err(error) = begin(&bridge).await {
        warn!(error = %error, "What people asked for before cannot be taken up yet");
    }
    let mut prunes = tokio::time::interval(PRUNE);
    loop {
        if let Err(error) = take_up(&bridge, &mut at_work, &mut busy).await {
            debug!(error = %error, "What people ask for cannot be read now");
        }
        tokio::select! {
            () = bridge.stop.cancelled() => return,
            () = bridge.asked.notified() => {}
            _ = prunes.tick() => {
                if let Err(error) = prune(&bridge).await {
                    debug!(error = %error, "What people asked for long ago cannot be forgotten now");
                }
            }
            Some(done) = at_work.join_next(), if !at_work.is_empty() => {
                // Who was served by a task that broke is not known; then everybody's next turn is looked for.
                match done {
                    Ok(user) => { busy.remove(&user); }
                    Err(error) => {
                        warn!(error = %error, "A command broke off");
                        busy.clear();
                    }
                }
            }
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// What a process that is gone had taken up is taken up again.
async fn begin(bridge: &Bridge) -> Result<(), StoreError> {
    if bridge.db.is_shared() {
        return Ok(());
    }
    let mut tx = bridge.db.write().await?;
    command::release_all(&mut tx).await?;
    tx.commit().await
}

/// Forgets what was done long ago.
async fn prune(bridge: &Bridge) -> Result<(), StoreError> {
    let mut tx = bridge.db.write().await?;
    command::prune(&mut tx, now() - KEPT).await?;
    codes::prune(&mut tx, now() - KEPT).await?;
    tx.commit().await
}

async fn take_up(
    bridge: &Arc<Bridge>,
    at_work: &mut JoinSet<OwnedUserId>,
    busy: &mut HashSet<OwnedUserId>,
) -> Result<(), StoreError> {
    let mut tx = bridge.db.read().await?;
    let due = command::due(&mut tx, now()).await?;
    drop(tx);
    for asked in due {
        if !busy.insert(asked.user.clone()) {
            continue;
        }
        let bridge = Arc::clone(bridge);
        at_work.spawn(async move {
            if let Err(error) = step(&bridge, &asked).await {
                debug!(error = %error, event.id = %asked.event_id, "A command waits");
            }
            asked.user
        });
    }
    Ok(())
}

/// Takes one thing up.
async fn step(bridge: &Arc<Bridge>, asked: &AskedFor) -> Result<(), BridgeError> {
    let mut tx = bridge.db.write().await?;
    let claimed = command::claim(&mut tx, asked, now() + LEASE).await?;
    tx.commit().await?;
    if !claimed {
        return Ok(());
    }
    let event: Value = serde_json::from_str(&asked.body).unwrap_or(Value::Null);
    let done = match held(bridge, asked, Box::pin(go_on(bridge, asked, &event))).await {
        Err(error) if asked.created_at < now() - FRESH => {
            warn!(error = %error, event.id = %asked.event_id, "A command is given up");
            None
        }
        Err(error) => {
            let wait = super::failure::back_off(u32::try_from(asked.tries).unwrap_or(1) + 1, 60_000);
            info!(error = %error, event.id = %asked.event_id, "A command cannot be carried out now; it is tried again");
            Some(now() + wait)
        }
        Ok(later) => later,
    };
    let mut tx = bridge.db.write().await?;
    if let Some(until) = done {
        command::postpone(&mut tx, asked, until).await?;
    } else {
        // With the command its code ends, however it went.
        command::finish(&mut tx, asked).await?;
        codes::end(&mut tx, &asked.event_id).await?;
    }
    Ok(tx.commit().await?)
}

/// Keeps what was taken up from other processes while it is worked on.
async fn held<T>(bridge: &Bridge, asked: &AskedFor, work: impl Future<Output = T>) -> T {
    let renewed = async || {
        let mut tx = bridge.db.write().await?;
        command::postpone(&mut tx, asked, now() + LEASE).await?;
        tx.commit().await
    };
    // Both go on at once: the work may have the database that this waits for.
    let renewing = async {
        loop {
            tokio::time::sleep(RENEWAL).await;
            if let Err(error) = renewed().await {
                debug!(error = %error, event.id = %asked.event_id, "A command may be taken up by another process");
            }
        }
    };
    tokio::select! {
        done = work => done,
        never = renewing => never,
    }
}

/// Carries something out, if that is still to be done, and says the answer. Gives the time at which it goes on, if it
/// does.
async fn go_on(bridge: &Arc<Bridge>, asked: &AskedFor, event: &Value) -> Result<Option<i64>, BridgeError> {
    let reply = if asked.reply.is_empty() {
        match outcome(bridge, asked, event).await? {
            Outcome::Silence => return Ok(None),
            Outcome::Later(until) => return Ok(Some(until)),
            Outcome::Answer(reply) => reply,
        }
    } else {
        asked.reply.clone()
    };
    if asked.reply.is_empty() {
        let mut tx = bridge.db.write().await?;
        command::set_reply(&mut tx, asked, &reply).await?;
        tx.commit().await?;
    }
    match say::answer(bridge, &asked.room, asked.event_id.as_str(), &reply, event).await {
        // The bot is not there any more, or may not speak: nobody can be answered.
        Err(BridgeError::Matrix(error)) if error.refuses() => {
            info!(error = %error, room = %asked.room, "A command cannot be answered in its room");
            Ok(None)
        }
        said => said.map(|()| None),
    }
}

async fn outcome(bridge: &Arc<Bridge>, asked: &AskedFor, event: &Value) -> Result<Outcome, BridgeError> {
    if is_own(bridge, &asked.user).await? {
        return Ok(Outcome::Silence);
    }
    let command = RawValue::from_string(asked.body.clone())
        .ok()
        .and_then(|raw| of_event(&raw));
    let mut tx = bridge.db.read().await?;
    let before = command::count_before(&mut tx, asked, asked.created_at - 60_000).await?;
    drop(tx);
    let Some(command) = command else {
        if before >= MOST && invite::is_invite(event) {
            info!(user.id = %asked.user, "An invite is passed over: the same person asked for a lot just before");
            return Ok(Outcome::Silence);
        }
        return invite::handle(bridge, asked, event).await;
    };
    match before {
        MOST => {
            return Ok(Outcome::Answer(
                "That is a lot at once. Wait a minute, then ask again.".to_owned(),
            ));
        }
        more if more > MOST => return Ok(Outcome::Silence),
        _ => {}
    }
    match obey(bridge, asked, command).await {
        Ok(outcome) => Ok(outcome),
        Err(Failure::Told(text)) => Ok(Outcome::Answer(text)),
        Err(Failure::Bridge(error)) => Err(error),
    }
}

/// Whether a user is the bot or a ghost.
async fn is_own(bridge: &Bridge, user: &UserId) -> Result<bool, StoreError> {
    let mut tx = bridge.db.read().await?;
    Ok(user == bridge.matrix.bot() || ghost::ghost_by_user_id(&mut tx, user).await?.is_some())
}

async fn obey(bridge: &Arc<Bridge>, asked: &AskedFor, command: Command) -> Result<Outcome, Failure> {
    let mut words = command.words.into_iter();
    let name = words.next().unwrap_or_else(|| "help".to_owned()).to_lowercase();
    let mut words: Vec<String> = words.collect();
    let Some(entry) = Entry::named(&name) else {
        return Err(Failure::Told(table::unknown(&name)));
    };
    let named = if who::is_permitted(bridge, &asked.user) {
        who::named_room(bridge, asked, &mut words).await?
    } else {
        None
    };
    let room = named.unwrap_or_else(|| asked.room.clone());
    let rights = who::rights(bridge, asked, &room).await?;
    if entry.kind != Kind::Help {
        rights.check(entry.who)?;
    }
    let asking = Asking {
        portal: portal_of(bridge, &room).await?,
        bridge,
        asked,
        room,
        words,
        answers: command.answers.map(|event| event.to_string()),
        rights,
    };
    info!(command = entry.name, user.id = %asked.user, room = %asking.room, "Carrying out a command");
    match entry.kind {
        Kind::Help => Ok(table::help(&asking).into()),
        Kind::Ping => status::ping(&asking).await,
        Kind::Status => status::status(&asking).await,
        Kind::Why => why::why(&asking).await,
        Kind::OptOut => settings::opt_out(&asking).await,
        Kind::OptIn => settings::opt_in(&asking).await,
        Kind::Settings => settings::settings(&asking).await,
        Kind::Pause => rooms::pause(&asking).await,
        Kind::Resume => rooms::resume(&asking).await,
        Kind::Failed => rooms::failed(&asking).await,
        Kind::Retry => rooms::retry(&asking).await,
        Kind::Unlink => link::unlink(&asking).await,
        Kind::Link => link::link(&asking).await,
    }
}

async fn portal_of(bridge: &Bridge, room: &RoomId) -> Result<Option<Portal>, StoreError> {
    let mut tx = bridge.db.read().await?;
    portal::portal_by_matrix_room(&mut tx, room).await
}
