//! Reading messages: one, pages, threads and realtime snapshots (gitter-api 5.5, 7.3 and 14).

use serde::Deserialize;
use serde_json::Value;

use super::{super::view::MessageForm, Caller, Message, Parent, Room, State, message_of};
use crate::{object_id::ObjectId, refusal::Refusal};

/// Messages of a page where no limit is given.
const DEFAULT_PAGE: usize = 50;
/// Messages of a snapshot where no limit is given.
const DEFAULT_SNAPSHOT: usize = 30;
/// The most messages of a page or snapshot.
const MAX_PAGE: usize = 100;
/// The furthest that `skip` goes.
const MAX_SKIP: usize = 5000;

/// The query of a listing, as typed: Gitter forgives much of it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListQuery {
    limit: Option<String>,
    skip: Option<String>,
    before_id: Option<String>,
    after_id: Option<String>,
    include_threads: Option<String>,
}

/// The `ext.snapshot` of a subscription to messages.
#[derive(Debug, Default)]
pub(crate) struct MessageSnapshot {
    /// At most this many; 30 where absent, 50 for 0, never more than 100.
    pub(crate) limit: Option<usize>,
    /// With replies.
    pub(crate) include_threads: bool,
    /// Up to and with this message.
    pub(crate) before_inclusive: Option<String>,
}

impl State {
    /// One message.
    pub(crate) fn message(&self, caller: &Caller, room_id: &str, message_id: &str) -> Result<Value, Refusal> {
        let message = message_of(self.readable_room(caller, room_id)?, message_id)?;
        Ok(self.message_json(message, MessageForm::Answer))
    }

    /// A page of a room, oldest first: of the newest messages, or next to the id given.
    pub(crate) fn messages(
        &self,
        caller: &Caller,
        room_id: &str,
        query: &ListQuery,
    ) -> Result<Vec<Value>, Refusal> {
        let room = self.readable_room(caller, room_id)?;
        let with_replies = query.include_threads.as_deref() == Some("true");
        self.page(room, query, |message| with_replies || is_top_level(message))
    }

    /// A page of the replies to a message, without the message itself.
    pub(crate) fn thread(
        &self,
        caller: &Caller,
        room_id: &str,
        message_id: &str,
        query: &ListQuery,
    ) -> Result<Vec<Value>, Refusal> {
        let room = self.readable_room(caller, room_id)?;
        let parent = Parent::Message(message_of(room, message_id)?.id);
        self.page(room, query, |message| message.parent == parent)
    }

    /// The newest messages of a room, for a subscription. The caller's right to read was checked before.
    pub(crate) fn message_snapshot(
        &self,
        caller: &Caller,
        room_id: &str,
        options: &MessageSnapshot,
    ) -> Result<Vec<Value>, Refusal> {
        let room = self.readable_room(caller, room_id)?;
        let limit = match options.limit {
            None => DEFAULT_SNAPSHOT,
            Some(limit) => page_size(limit),
        };
        let last = options.before_inclusive.as_deref().map(cursor).transpose()?;
        let wanted = room
            .messages
            .values()
            .filter(|message| options.include_threads || is_top_level(message))
            .filter(|message| last.is_none_or(|last| message.id <= last));
        Ok(self.newest(wanted, limit, 0))
    }

    fn page(
        &self,
        room: &Room,
        query: &ListQuery,
        wanted: impl Fn(&Message) -> bool,
    ) -> Result<Vec<Value>, Refusal> {
        let skip = number(query.skip.as_deref()).unwrap_or(0);
        if skip > MAX_SKIP {
            return Err(Refusal::bad_request("skip is too far"));
        }
        let limit = number(query.limit.as_deref()).map_or(DEFAULT_PAGE, page_size);
        let before = query.before_id.as_deref().map(cursor).transpose()?;
        let after = query.after_id.as_deref().map(cursor).transpose()?;
        let wanted = room
            .messages
            .values()
            .filter(|message| wanted(message))
            .filter(|message| before.is_none_or(|before| message.id < before))
            .filter(|message| after.is_none_or(|after| message.id > after));
        if after.is_some() {
            let page = wanted.skip(skip).take(limit);
            return Ok(page
                .map(|message| self.message_json(message, MessageForm::Answer))
                .collect());
        }
        Ok(self.newest(wanted, limit, skip))
    }

    /// The last `limit` of the messages but the last `skip`, oldest first.
    fn newest<'state>(
        &self,
        messages: impl DoubleEndedIterator<Item = &'state Message>,
        limit: usize,
        skip: usize,
    ) -> Vec<Value> {
        let newest_first = messages.rev().skip(skip).take(limit);
        let mut page: Vec<_> = newest_first
            .map(|message| self.message_json(message, MessageForm::Answer))
            .collect();
        page.reverse();
        page
    }
}

fn is_top_level(message: &Message) -> bool {
    !matches!(message.parent, Parent::Message(_))
}

/// A position in a listing; Gitter stumbles over one that is no object id.
fn cursor(text: &str) -> Result<ObjectId, Refusal> {
    text.parse()
        .map_err(|_| Refusal::stumbled("the position is not an object id"))
}

/// A page's size from the number asked for: 0 means the default.
fn page_size(limit: usize) -> usize {
    match limit {
        0 => DEFAULT_PAGE,
        limit => limit.min(MAX_PAGE),
    }
}

fn number(text: Option<&str>) -> Option<usize> {
    text?.parse().ok()
}
