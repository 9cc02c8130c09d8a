//! Exports: the rows of Gitter's NDJSON files, and how often each may be had (gitter-api 10).

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Caller, State, messages::Message, view::MessageForm};
use crate::{object_id::ObjectId, refusal::Refusal};

/// How long an account and client waits for the next file of a kind.
const INTERVAL: SignedDuration = SignedDuration::from_hours(3);
/// The files of a user that a sandbox has nothing for.
const EMPTY_USER_FILES: [&str; 15] = [
    "user-settings",
    "identities",
    "group-favourites",
    "room-favourites",
    "room-last-access-times",
    "room-invites",
    "room-sent-invites",
    "room-removed-users",
    "push-notification-devices",
    "uri-lookups",
    "subscriptions",
    "known-external-access",
    "fingerprints",
    "oauth-clients",
    "oauth-access-tokens",
];

impl State {
    /// Counts a request for a kind of file, before anything else of it is looked at. Without a limit on requests
    /// there is none on exports.
    pub(crate) fn charge_export(
        &mut self,
        now: Timestamp,
        caller: &Caller,
        kind: &str,
    ) -> Result<(), Refusal> {
        if self.rules.rate_limit == 0 {
            return Ok(());
        }
        let last = self.exports.get(&(caller.clone(), kind.to_owned()));
        if last.is_some_and(|last| now.duration_since(*last) < INTERVAL) {
            return Err(Refusal::too_many(
                "this kind of file was exported in the last three hours",
            ));
        }
        self.exports.insert((caller.clone(), kind.to_owned()), now);
        Ok(())
    }

    /// The rows of a room's file, for its admins.
    pub(crate) fn export_room(
        &self,
        caller: &Caller,
        room_id: &str,
        file: &str,
    ) -> Result<Vec<Value>, Refusal> {
        let room = self.administered_room(caller, room_id)?;
        match file {
            "messages" => Ok(room.messages.values().map(|message| self.row(message)).collect()),
            "users" => {
                let members = room.members.iter().filter_map(|member| self.users.get(member));
                Ok(members.map(|user| self.user_json(user)).collect())
            }
            "integration-events" => Ok(room
                .activity
                .iter()
                .map(|entry| self.activity_json(entry))
                .collect()),
            "bans" => self.bans(caller, room_id),
            _ => Err(no_such_file()),
        }
    }

    /// The rows of a file of the caller's own.
    pub(crate) fn export_user(&self, caller: &Caller, user: &str, file: &str) -> Result<Vec<Value>, Refusal> {
        let user: ObjectId = user
            .parse()
            .map_err(|_| Refusal::not_found("there is no such user"))?;
        if user != caller.user {
            return Err(Refusal::forbidden("only the account's own files can be had"));
        }
        match file {
            "me" => Ok(self.current_user(caller).into_iter().collect()),
            "rooms" => Ok(self.rooms(caller)),
            "admin-groups" => Ok(self.groups(caller, true)),
            "messages" => {
                let messages = self.rooms.values().flat_map(|room| room.messages.values());
                let theirs = messages.filter(|message| message.author == user);
                Ok(theirs.map(|message| self.user_row(message)).collect())
            }
            file if EMPTY_USER_FILES.contains(&file) => Ok(Vec::new()),
            _ => Err(no_such_file()),
        }
    }

    /// A message as a row: its author as an id, or the virtual user alone.
    fn row(&self, message: &Message) -> Value {
        let from_user = match &message.virtual_user {
            Some(_) => None,
            None => Some(json!(message.author)),
        };
        self.row_from(message, from_user)
    }

    /// A message as a row of its author's: in place of the author, a promise that nobody waited for.
    fn user_row(&self, message: &Message) -> Value {
        let author = self.users.get(&message.author).map(|user| self.user_json(user));
        let promise = json!({"isFulfilled": true, "isRejected": false, "fulfillmentValue": author});
        self.row_from(message, Some(promise))
    }

    fn row_from(&self, message: &Message, from_user: Option<Value>) -> Value {
        let mut row = self.message_json(message, MessageForm::News);
        if let Some(fields) = row.as_object_mut() {
            fields.remove("fromUser");
            fields.extend(from_user.map(|user| ("fromUser".to_owned(), user)));
        }
        row
    }
}

fn no_such_file() -> Refusal {
    Refusal::not_found("there is no such file to export")
}
