//! Events, and what of them goes to the application service.

use ruma::{OwnedEventId, RoomId, UserId};
use serde_json::Value;

use super::World;
use crate::homeserver::{
    error::{Refusal, refuse},
    memory::TransactionKey,
    room::Draft,
};

/// An event may have 65,536 bytes; some go to what the content does not hold.
const MAX_CONTENT_BYTES: usize = 65_000;

impl World {
    /// All events of a room, in the order that they came in, as clients see them now.
    pub(crate) fn events(&self, room: &RoomId) -> Vec<Value> {
        let room = &self.rooms[room];
        (0..room.len()).map(|index| room.event(index)).collect()
    }

    /// Does it once: a transaction id that was used before is answered with its event.
    pub(in crate::homeserver) fn once(
        &mut self,
        key: TransactionKey,
        act: impl FnOnce(&mut Self) -> Result<OwnedEventId, Refusal>,
    ) -> Result<OwnedEventId, Refusal> {
        if let Some(event_id) = self.transactions.event_of(&key) {
            return Ok(event_id);
        }
        let event_id = act(self)?;
        self.transactions.remember(key, &event_id);
        Ok(event_id)
    }

    pub(in crate::homeserver) fn send(
        &mut self,
        room: &RoomId,
        draft: Draft,
    ) -> Result<OwnedEventId, Refusal> {
        check_content(&draft.content)?;
        self.room(room)?.may_send(&draft)?;
        Ok(self.append(room, draft))
    }

    pub(in crate::homeserver) fn redact(
        &mut self,
        room: &RoomId,
        draft: Draft,
    ) -> Result<OwnedEventId, Refusal> {
        self.room(room)?.may_redact(&draft)?;
        Ok(self.append(room, draft))
    }

    pub(super) fn append(&mut self, room_id: &RoomId, draft: Draft) -> OwnedEventId {
        let event_id: OwnedEventId = format!("${}", self.new_id())
            .try_into()
            .expect("made ids are valid");
        let target = draft.state_key.as_deref().and_then(|key| UserId::parse(key).ok());
        let names_ours = [Some(draft.sender.clone()), target];
        let room = self.rooms.get_mut(room_id).expect("callers have seen the room");
        let index = room.len();
        room.append(event_id.clone(), draft);
        let present = self.rooms[room_id].members(&["join", "invite"]);
        if names_ours
            .into_iter()
            .flatten()
            .chain(present)
            .any(|user| self.is_of_appservice(&user))
        {
            self.outbox.push((room_id.to_owned(), index));
        }
        event_id
    }

    /// Leaves out what would be pushed last, as Synapse may do with an event that it stores while it ends its
    /// catching up: it is pushed only once the application service has failed again.
    pub(in crate::homeserver) fn leave_out_newest(&mut self) {
        self.left_out.extend(self.outbox.pop());
    }

    /// The application service failed: what was left out goes first.
    pub(in crate::homeserver) fn push_failed(&mut self) {
        let left_out = std::mem::take(&mut self.left_out);
        self.outbox
            .splice(self.pushed_events..self.pushed_events, left_out);
    }

    /// How many events the application service has not taken yet.
    pub(crate) fn events_to_push(&self) -> usize {
        self.outbox.len() - self.pushed_events
    }

    /// The next events for the application service, at most `limit`, as they are now.
    pub(in crate::homeserver) fn next_to_push(&self, limit: usize) -> Vec<Value> {
        self.outbox
            .iter()
            .skip(self.pushed_events)
            .take(limit)
            .map(|(room, index)| self.rooms[room].event(*index))
            .collect()
    }

    pub(in crate::homeserver) fn has_pushed(&mut self, events: usize) {
        self.pushed_events += events;
        self.pushed_transactions += 1;
    }
}

fn check_content(content: &Value) -> Result<(), Refusal> {
    if !content.is_object() {
        return Err(refuse(400, "M_BAD_JSON", "Content must be a JSON object."));
    }
    if has_float(content) {
        return Err(refuse(400, "M_BAD_JSON", "Bad JSON value: float"));
    }
    if content.to_string().len() > MAX_CONTENT_BYTES {
        return Err(refuse(413, "M_TOO_LARGE", "event too large"));
    }
    Ok(())
}

fn has_float(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_float),
        Value::Object(fields) => fields.values().any(has_float),
        _ => false,
    }
}
