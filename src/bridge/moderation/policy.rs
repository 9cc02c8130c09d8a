//! What the state of portals' Matrix rooms says about who may speak: read once, kept in step by the events that come, and
//! read anew now and then.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ruma::{OwnedRoomId, RoomId};
use serde_json::Value;
use tokio::time::Instant;
use tracing::warn;

use crate::{bridge::Bridge, translate::Policy};

const SERVER_ACL: &str = "m.room.server_acl";
const USER_RULE: &str = "m.policy.rule.user";
const SERVER_RULE: &str = "m.policy.rule.server";

/// How long what was read holds: its changes come as events, so this is for what was never pushed.
const HOLDS: Duration = Duration::from_hours(1);

/// How long nothing is taken to be said where it could not be read.
const UNREAD: Duration = Duration::from_mins(1);

/// What was read of one room: contents, by type and state key.
#[derive(Debug)]
struct Read {
    until: Instant,
    rules: BTreeMap<(String, String), Value>,
}

/// What was read of all rooms.
#[derive(Debug, Default)]
pub(in crate::bridge) struct Policies(Mutex<HashMap<OwnedRoomId, Read>>);

impl Policies {
    /// What holds in a room. Where the homeserver does not say, everybody may speak: it lets them, too. One lane asks and
    /// notes for a room at a time.
    pub(in crate::bridge) async fn of(&self, bridge: &Bridge, room: &RoomId) -> Policy {
        let now = Instant::now();
        if let Some(read) = self.rooms().get(room).filter(|read| read.until >= now) {
            return policy(&read.rules);
        }
        let found = bridge.matrix.whole_state(room).await;
        let mut rooms = self.rooms();
        let read = match found {
            Ok(events) => Read {
                until: now + HOLDS,
                rules: events.iter().filter_map(rule).collect(),
            },
            Err(error) => {
                warn!(portal.matrix_room = %room, error = %error, "The rules of a Matrix room cannot be read");
                let known = rooms.remove(room);
                Read {
                    until: now + UNREAD,
                    rules: known.map(|read| read.rules).unwrap_or_default(),
                }
            }
        };
        let policy = policy(&read.rules);
        rooms.insert(room.to_owned(), read);
        policy
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<OwnedRoomId, Read>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a state event says, in a room that was read before.
    pub(in crate::bridge) fn note(&self, room: &RoomId, event: &Value) {
        let Some((key, content)) = rule(event) else {
            return;
        };
        if let Some(read) = self.rooms().get_mut(room) {
            read.rules.insert(key, content);
        }
    }
}

/// A state event that says who may speak: its type, its key and its content.
fn rule(event: &Value) -> Option<((String, String), Value)> {
    let kind = event.get("type")?.as_str()?;
    let key = event.get("state_key")?.as_str()?;
    [SERVER_ACL, USER_RULE, SERVER_RULE]
        .contains(&kind)
        .then(|| Some(((kind.to_owned(), key.to_owned()), event.get("content")?.clone())))?
}

fn policy(rules: &BTreeMap<(String, String), Value>) -> Policy {
    let of = |wanted: &str| {
        let found = rules.iter().filter(|((kind, _), _)| kind == wanted);
        found.map(|(_, content)| content.clone()).collect::<Vec<Value>>()
    };
    Policy {
        server_acl: rules.get(&(SERVER_ACL.to_owned(), String::new())).cloned(),
        users: of(USER_RULE),
        servers: of(SERVER_RULE),
    }
}
