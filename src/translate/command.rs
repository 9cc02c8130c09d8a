//! Commands to the bridge: a text message that begins with `!gitter`. Only recognised here; `bridge::command` carries
//! them out, and they do not cross.

use ruma::OwnedEventId;
use serde_json::{Value, value::RawValue};

use super::{
    event::{self, Event, Relation},
    threads,
};

/// What commands begin with.
pub const PREFIX: &str = "!gitter";

/// A command as somebody typed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What stands behind the prefix.
    pub words: Vec<String>,
    /// The message that it answers, other than for the sake of clients without threads.
    pub answers: Option<OwnedEventId>,
}

/// The command in an event, as the homeserver pushed it; none if it is none.
pub fn of_event(event: &RawValue) -> Option<Command> {
    event::read(event).ok().as_ref().and_then(of)
}

/// The command in an event. An edit is none: what was said first was carried out.
pub(super) fn of(event: &Event) -> Option<Command> {
    let content = &event.content;
    let is_text = content.get("msgtype").and_then(Value::as_str) == Some("m.text");
    let relation = Relation::of(content);
    if event.kind != "m.room.message" || event.state_key.is_some() || !is_text || relation.is_edit {
        return None;
    }
    let body = content.get("body").and_then(Value::as_str)?;
    let body = if relation.is_reply() {
        threads::without_reply_fallback(body)
    } else {
        body
    };
    let mut words = body.split_whitespace().map(str::to_owned);
    words.next().filter(|first| first == PREFIX)?;
    let falls_back = content
        .get("m.relates_to")
        .and_then(|relation| relation.get("is_falling_back"))
        .and_then(Value::as_bool)
        .unwrap_or(false);
    Some(Command {
        words: words.collect(),
        answers: relation.reply_to.filter(|_| !falls_back),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{json, value::to_raw_value};

    use super::*;

    fn read(content: &Value) -> Option<Command> {
        let event = json!({ "type": "m.room.message", "sender": "@ana:example.org", "content": content });
        of_event(&to_raw_value(&event).unwrap())
    }

    #[test]
    fn a_command_is_a_text_that_begins_with_the_prefix() {
        let words = |body: &str| {
            read(&json!({ "msgtype": "m.text", "body": body })).map(|command| command.words.join(","))
        };
        assert_eq!(words("!gitter").as_deref(), Some(""));
        assert_eq!(
            words(" !gitter  settings\nthreads reply ").as_deref(),
            Some("settings,threads,reply")
        );
        for other in [
            "!gitterhelp",
            "say !gitter help",
            "gitter help",
            "!Gitter help",
            "",
        ] {
            assert_eq!(words(other), None, "{other}");
        }
        assert_eq!(
            read(&json!({ "msgtype": "m.notice", "body": "!gitter help" })),
            None
        );
    }

    #[test]
    fn a_command_may_answer_a_message() {
        let reply = json!({ "msgtype": "m.text", "body": "> <@wren:example.org> hi\n\n!gitter why",
            "m.relates_to": { "m.in_reply_to": { "event_id": "$hi" } } });
        let command = read(&reply).unwrap();
        assert_eq!(command.words, ["why"]);
        assert_eq!(command.answers.unwrap(), "$hi");
        // In a thread it stands under the latest message, and is not about that.
        let in_thread = json!({ "msgtype": "m.text", "body": "!gitter why", "m.relates_to": {
            "rel_type": "m.thread", "event_id": "$root", "is_falling_back": true,
            "m.in_reply_to": { "event_id": "$hi" } } });
        assert_eq!(read(&in_thread).unwrap().answers, None);
        let edit = json!({ "msgtype": "m.text", "body": "!gitter help", "m.relates_to": {
            "rel_type": "m.replace", "event_id": "$first" } });
        assert_eq!(read(&edit), None);
    }
}
