//! What people of Matrix ask the bot for. What it means is not known here.

use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use sqlx::FromRow;

use super::{
    Direction, StoreError, Tx,
    db::{execute, query, statements},
    error::column,
    inbox,
};

statements! {
    INSERT = "INSERT INTO command (event_id, matrix_room_id, user_id, body, created_at, due_at, number)
        VALUES ($1, $2, $3, $4, $5, $5, $6) ON CONFLICT (event_id) DO NOTHING";
    // Of each person only what they asked for first, whoever has it; what waits for a code does not count.
    DUE = "SELECT event_id, matrix_room_id, user_id, body, created_at, number, due_at, tries, reply
        FROM command WHERE NOT done AND due_at <= $1
            AND NOT EXISTS (SELECT 1 FROM command AS earlier
                WHERE earlier.user_id = command.user_id AND NOT earlier.done
                    AND (earlier.number < command.number
                        OR earlier.number = command.number AND earlier.event_id < command.event_id)
                    AND NOT EXISTS (SELECT 1 FROM code WHERE code.event_id = earlier.event_id))
        ORDER BY number, event_id LIMIT 100";
    // Whoever moves the time on has it until then; others find another time.
    CLAIM = "UPDATE command SET due_at = $3, tries = tries + 1 WHERE event_id = $1 AND due_at = $2 AND NOT done";
    POSTPONE = "UPDATE command SET due_at = $2 WHERE event_id = $1 AND NOT done";
    RELEASE_ALL = "UPDATE command SET due_at = 0 WHERE NOT done";
    SET_REPLY = "UPDATE command SET reply = $2 WHERE event_id = $1 AND NOT done";
    FINISH = "UPDATE command SET done = TRUE, body = '', reply = '' WHERE event_id = $1";
    COUNT = "SELECT COUNT(*) FROM command WHERE user_id = $1 AND created_at > $2 AND number < $3";
    WAITING = "SELECT COUNT(*) FROM command WHERE NOT done AND (user_id = $1 OR matrix_room_id = $2)";
    PRUNE = "DELETE FROM command WHERE done AND created_at <= $1";
    FORGET = "DELETE FROM command WHERE user_id = $1 AND done";
}

/// More than a transaction holds.
const IN_ONE_MOMENT: i64 = 1_000;

/// How many invites and departures of a person or in a room wait: each look at a room sees all before it.
const DEPARTURES: i64 = 10;

/// How many commands of a person wait: of more, none would be answered.
const COMMANDS: i64 = 50;

/// Something that somebody asked for.
#[derive(Debug, Clone)]
pub struct AskedFor {
    /// The event.
    pub event_id: OwnedEventId,
    /// Where it was said.
    pub room: OwnedRoomId,
    /// Who said it.
    pub user: OwnedUserId,
    /// The event, as JSON.
    pub body: String,
    /// When it was accepted.
    pub created_at: i64,
    /// How often it was taken up.
    pub tries: i64,
    /// What is to be answered; empty while that is not known.
    pub reply: String,
    number: i64,
    due_at: i64,
}

#[derive(FromRow)]
struct Row {
    event_id: String,
    matrix_room_id: String,
    user_id: String,
    body: String,
    created_at: i64,
    number: i64,
    due_at: i64,
    tries: i64,
    reply: String,
}

impl TryFrom<Row> for AskedFor {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            event_id: column("command", "event_id", row.event_id)?,
            room: column("command", "matrix_room_id", row.matrix_room_id)?,
            user: column("command", "user_id", row.user_id)?,
            body: row.body,
            created_at: row.created_at,
            tries: row.tries,
            reply: row.reply,
            number: row.number,
            due_at: row.due_at,
        })
    }
}

/// Something to note that somebody asks for.
#[derive(Debug, Clone, Copy)]
pub struct NewCommand<'a> {
    /// The event.
    pub event_id: &'a EventId,
    /// Where it was said.
    pub room: &'a RoomId,
    /// Who said it.
    pub user: &'a UserId,
    /// The event, as JSON.
    pub body: &'a str,
    /// How many events of the same transaction stand before it.
    pub place: usize,
    /// Whether it is a command, and no invite or departure.
    pub is_command: bool,
}

/// Notes what somebody asks for in an event, before its item is accepted; not if it was accepted before, nor if much
/// of theirs waits already.
pub async fn note(tx: &mut Tx, new: &NewCommand<'_>, now: i64) -> Result<bool, StoreError> {
    if inbox::is_known(tx, Direction::ToGitter, new.event_id.as_str()).await? {
        return Ok(false);
    }
    let (room, most) = if new.is_command {
        ("", COMMANDS)
    } else {
        (new.room.as_str(), DEPARTURES)
    };
    let (waiting,) = query!(tx, fetch_one, (i64,), WAITING, new.user.as_str(), room)?;
    if waiting >= most {
        return Ok(false);
    }
    let place = i64::try_from(new.place)
        .unwrap_or(i64::MAX)
        .min(IN_ONE_MOMENT - 1);
    let noted = execute!(
        tx,
        INSERT,
        new.event_id.as_str(),
        new.room.as_str(),
        new.user.as_str(),
        new.body,
        now,
        now.saturating_mul(IN_ONE_MOMENT).saturating_add(place)
    )?;
    Ok(noted == 1)
}

/// What is to be done now, the oldest first, and of each person only what they asked for first; at most 100.
pub async fn due(tx: &mut Tx, now: i64) -> Result<Vec<AskedFor>, StoreError> {
    let rows = query!(tx, fetch_all, Row, DUE, now)?;
    rows.into_iter().map(AskedFor::try_from).collect()
}

/// Takes something up until a time; `false` if somebody else did.
pub async fn claim(tx: &mut Tx, asked: &AskedFor, until: i64) -> Result<bool, StoreError> {
    Ok(execute!(tx, CLAIM, asked.event_id.as_str(), asked.due_at, until)? == 1)
}

/// Lets something be taken up again from a time on.
pub async fn postpone(tx: &mut Tx, asked: &AskedFor, until: i64) -> Result<(), StoreError> {
    execute!(tx, POSTPONE, asked.event_id.as_str(), until)?;
    Ok(())
}

/// Lets everything be taken up again, where nobody else can have it.
pub async fn release_all(tx: &mut Tx) -> Result<(), StoreError> {
    execute!(tx, RELEASE_ALL)?;
    Ok(())
}

/// Notes what is to be answered: from now on it is only said.
pub async fn set_reply(tx: &mut Tx, asked: &AskedFor, reply: &str) -> Result<(), StoreError> {
    execute!(tx, SET_REPLY, asked.event_id.as_str(), reply)?;
    Ok(())
}

/// Notes that something is done.
pub async fn finish(tx: &mut Tx, asked: &AskedFor) -> Result<(), StoreError> {
    execute!(tx, FINISH, asked.event_id.as_str())?;
    Ok(())
}

/// How much the same person asked for before it, since a time.
pub async fn count_before(tx: &mut Tx, asked: &AskedFor, since: i64) -> Result<i64, StoreError> {
    let (count,) = query!(
        tx,
        fetch_one,
        (i64,),
        COUNT,
        asked.user.as_str(),
        since,
        asked.number
    )?;
    Ok(count)
}

/// Forgets what was done and asked for up to a time.
pub async fn prune(tx: &mut Tx, up_to: i64) -> Result<(), StoreError> {
    execute!(tx, PRUNE, up_to)?;
    Ok(())
}

/// Forgets what somebody asked for.
pub async fn forget(tx: &mut Tx, user: &UserId) -> Result<(), StoreError> {
    execute!(tx, FORGET, user.as_str())?;
    Ok(())
}
