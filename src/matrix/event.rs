//! Events: sending them once, redacting them, and looking for what was sent before.

use jiff::Timestamp;
use ruma::{
    DeviceId, EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, RoomId, UInt, UserId,
    api::client::{
        filter::RoomEventFilter,
        message::{get_message_events, send_message_event},
        redact::redact_event,
        room::get_room_event,
    },
    events::MessageLikeEventType,
    serde::Raw,
};
use serde::Deserialize;
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use super::{
    Endpoint, MatrixClient, MatrixError,
    marker::SourceMarker,
    room::found,
    transport::{unreadable, unwritable},
};

/// The event that an event redacts, wherever the room's version has it say so; both where it says two.
pub fn redacted_by<'a>(event_type: &str, event: &'a Value) -> impl Iterator<Item = &'a str> {
    let redacts = event_type == "m.room.redaction";
    ["/redacts", "/content/redacts"]
        .into_iter()
        .filter(move |_| redacts)
        .filter_map(|place| event.pointer(place)?.as_str())
}

/// An event to send.
#[derive(Debug, Clone)]
pub struct SendEvent<'a> {
    /// The room.
    pub room: &'a RoomId,
    /// A ghost or the bot, joined to the room.
    pub sender: &'a UserId,
    /// A device of the sender, so that the homeserver remembers the transaction id beyond its restart.
    pub device: Option<&'a DeviceId>,
    /// Unique among all rooms and senders, and the same whenever the same event is sent again: what was
    /// stored under it is answered with its event id, whatever the content is now.
    pub transaction_id: &'a str,
    /// Such as `m.room.message`.
    pub event_type: &'a str,
    /// The content; no floating-point numbers, and less than 64 KiB with all else of the event.
    pub content: &'a Value,
    /// The time to show (`?ts=`); the homeserver's time if none, or if before 1970.
    pub timestamp: Option<Timestamp>,
}

/// An event to redact.
#[derive(Debug, Clone)]
pub struct Redact<'a> {
    /// The room.
    pub room: &'a RoomId,
    /// A ghost or the bot.
    pub sender: &'a UserId,
    /// A device of the sender, as in [`SendEvent`].
    pub device: Option<&'a DeviceId>,
    /// As in [`SendEvent`].
    pub transaction_id: &'a str,
    /// The event.
    pub event_id: &'a EventId,
    /// Why, for people.
    pub reason: Option<&'a str>,
}

/// What is left to know of an event that was sent before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastEvent {
    /// The event.
    pub event_id: OwnedEventId,
    /// Its marker; none if it has none, and always none once it is redacted.
    pub marker: Option<SourceMarker>,
    /// Whether it is redacted.
    pub redacted: bool,
}

/// Some of the latest events of a sender in a room, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// The events; may be empty though there are older ones.
    pub events: Vec<PastEvent>,
    /// Where older events begin; none at the room's beginning.
    pub next: Option<String>,
}

/// Some of a room's latest events, newest first, as the client-server API gives them.
#[derive(Debug, Clone)]
pub struct HistoryPage {
    /// The events; may be empty though there are older ones.
    pub events: Vec<Box<RawValue>>,
    /// Where older events begin; none at the room's beginning.
    pub next: Option<String>,
}

impl PastEvent {
    /// Reads an event in the form that the client-server API gives; none if it has no id.
    pub fn read(event: &RawValue) -> Option<Self> {
        let event: EventJson = serde_json::from_str(event.get()).ok()?;
        Some(Self {
            event_id: event.event_id,
            marker: SourceMarker::of(&event.content),
            redacted: event.unsigned.get("redacted_because").is_some(),
        })
    }
}

#[derive(Deserialize)]
struct EventJson {
    event_id: OwnedEventId,
    #[serde(default)]
    content: Value,
    #[serde(default)]
    unsigned: Value,
}

impl MatrixClient {
    /// Sends an event; the same transaction id gives the same event id.
    pub async fn send(&self, event: &SendEvent<'_>) -> Result<OwnedEventId, MatrixError> {
        let endpoint = Endpoint::Send;
        let content = to_raw_value(event.content).map_err(|source| unwritable(endpoint, source))?;
        let mut request = send_message_event::v3::Request::new_raw(
            event.room.to_owned(),
            event.transaction_id.into(),
            MessageLikeEventType::from(event.event_type),
            Raw::from_json(content),
        );
        request.timestamp = event.timestamp.and_then(milliseconds);
        let answer = self
            .call_with_device(endpoint, event.sender, event.device, request)
            .await?;
        Ok(answer.event_id)
    }

    /// Redacts an event; gives the redaction's own id. Redacting it again makes another redaction, except
    /// under the same transaction id.
    pub async fn redact(&self, redact: &Redact<'_>) -> Result<OwnedEventId, MatrixError> {
        let mut request = redact_event::v3::Request::new(
            redact.room.to_owned(),
            redact.event_id.to_owned(),
            redact.transaction_id.into(),
        );
        request.reason = redact.reason.map(str::to_owned);
        let answer = self
            .call_with_device(Endpoint::Redact, redact.sender, redact.device, request)
            .await?;
        Ok(answer.event_id)
    }

    /// An event of a room, as the bot sees it; none if there is no such event. Synapse says the same of one
    /// that the bot may not see.
    pub async fn event(
        &self,
        room: &RoomId,
        event_id: &EventId,
    ) -> Result<Option<Box<RawValue>>, MatrixError> {
        let request = get_room_event::v3::Request::new(room.to_owned(), event_id.to_owned());
        let answer = self.call_as(Endpoint::Event, self.bot(), request).await;
        Ok(found(answer)?.map(|answer| answer.event.into_json()))
    }

    /// A page of all that happened in a room, as the bot may see it, newest first. `from` is the `next` of the
    /// page before.
    pub async fn history(
        &self,
        room: &RoomId,
        from: Option<String>,
        limit: u32,
    ) -> Result<HistoryPage, MatrixError> {
        let mut request = get_message_events::v3::Request::backward(room.to_owned());
        request.from = from;
        request.limit = UInt::from(limit);
        let answer = self.call_as(Endpoint::Messages, self.bot(), request).await?;
        Ok(HistoryPage {
            events: answer.chunk.into_iter().map(Raw::into_json).collect(),
            next: answer.end,
        })
    }

    /// A page of what `sender` sent to a room, newest first by arrival: the look-up for a marker. `from` is
    /// the `next` of the page before.
    pub async fn messages_by(
        &self,
        room: &RoomId,
        sender: &UserId,
        event_types: &[&str],
        from: Option<String>,
        limit: u32,
    ) -> Result<EventPage, MatrixError> {
        let mut request = get_message_events::v3::Request::backward(room.to_owned());
        request.from = from;
        request.limit = UInt::from(limit);
        request.filter = RoomEventFilter::default();
        request.filter.senders = Some(vec![sender.to_owned()]);
        request.filter.types = Some(event_types.iter().map(|&name| name.to_owned()).collect());
        let answer = self.call_as(Endpoint::Messages, self.bot(), request).await?;
        let events = answer
            .chunk
            .iter()
            .map(|event| PastEvent::read(event.json()).ok_or_else(|| no_id(event.json())))
            .collect::<Result<_, _>>()?;
        Ok(EventPage {
            events,
            next: answer.end,
        })
    }
}

/// An event without an id cannot be judged, and to pass it over might send it a second time.
fn no_id(event: &RawValue) -> MatrixError {
    let bytes = event.get().len();
    unreadable(
        Endpoint::Messages,
        format!("an event of {bytes} bytes has no event_id"),
    )
}

fn milliseconds(time: Timestamp) -> Option<MilliSecondsSinceUnixEpoch> {
    UInt::try_from(time.as_millisecond())
        .ok()
        .map(MilliSecondsSinceUnixEpoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(event: &Value) -> Option<PastEvent> {
        PastEvent::read(&to_raw_value(event).unwrap())
    }

    #[test]
    fn a_redacted_event_is_seen_as_redacted() {
        let event = serde_json::json!({
            "event_id": "$e", "content": {}, "unsigned": { "redacted_because": { "event_id": "$r" } }
        });
        assert!(read(&event).unwrap().redacted);
    }

    #[test]
    fn an_odd_event_is_still_read_for_its_id() {
        let event = serde_json::json!({ "event_id": "$e", "content": [1.5], "unsigned": null });
        let event = read(&event).unwrap();
        assert_eq!(
            (event.event_id.as_str(), event.marker, event.redacted),
            ("$e", None, false)
        );
        assert_eq!(read(&serde_json::json!({ "content": {} })), None);
    }

    #[test]
    fn a_time_before_1970_is_left_out() {
        assert_eq!(milliseconds(Timestamp::from_millisecond(-1).unwrap()), None);
        let time = Timestamp::from_millisecond(1_606_816_800_123).unwrap();
        assert_eq!(
            milliseconds(time).map(|time| u64::from(time.0)),
            Some(1_606_816_800_123)
        );
    }
}
