//! Translation: what a message of one side is on the other (DESIGN 3 and 4).
//!
//! Pure, synchronous and total: any input gives actions or a skip with a reason. Everything it needs to
//! know is in the [`Context`]; it does no I/O, reads no clock and never panics. Creation, edits, history
//! and previews all go through the same two functions, [`to_gitter::translate`] and
//! [`to_matrix::translate`].

mod addresses;
mod attachments;
mod body;
mod changes;
pub mod command;
mod content;
pub mod context;
mod emoji;
mod escape;
mod event;
mod formatted;
mod html;
mod link;
mod mentions;
mod moderation;
mod pack;
mod people;
mod pills;
mod policy;
mod split;
mod stand_in;
mod threads;
pub mod to_gitter;
pub mod to_matrix;
mod typed;
mod uploads;

use ruma::{OwnedEventId, OwnedUserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::{context::Context, people::templated as ghost_display_name, policy::Policy};
use crate::{ids::GitterMessageId, outcome::Reason};

/// What translation made of an input. In JSON, the value of `expected` in a fixture (DESIGN 6.4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Translation<A> {
    /// What to do on the other side, in order; never empty.
    Actions {
        /// The actions.
        actions: Vec<A>,
    },
    /// Nothing to do.
    Skipped {
        /// Why.
        skipped: Reason,
        /// More for people; not compared by tests.
        #[serde(default)]
        detail: String,
    },
}

impl<A> Translation<A> {
    /// A skip with its reason, and a detail for people.
    pub fn skip(reason: Reason, detail: impl Into<String>) -> Self {
        Self::Skipped {
            skipped: reason,
            detail: detail.into(),
        }
    }
}

/// One thing to do on Gitter. Stored as JSON when first attempted, and then never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum GitterAction {
    /// Post a message.
    Send {
        /// Which of the messages that one event becomes, from 0.
        part: u32,
        /// Gitter Markdown; at most 4,096 UTF-16 units once stand-ins are replaced.
        text: String,
        /// Whether it is a `/me` line.
        status: bool,
        /// The top-level message of its thread.
        parent_id: Option<GitterMessageId>,
        /// For whom it is posted; `None` when the account itself posts it (prefix form).
        virtual_user: Option<VirtualUserAction>,
    },
    /// Change the text of a message.
    Edit {
        /// Which of the messages that one event became.
        part: u32,
        /// The message.
        message_id: GitterMessageId,
        /// The new Markdown.
        text: String,
    },
    /// Delete a message.
    Delete {
        /// The message.
        message_id: GitterMessageId,
    },
    /// Ban somebody from the room.
    Ban {
        /// The Gitter user's name.
        username: String,
        /// Whether what they wrote there goes, too.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        remove_messages: bool,
    },
    /// Lift a ban.
    Unban {
        /// The Gitter user's name, or the external id of a virtual user.
        username: String,
    },
}

/// The virtual user of a message to Gitter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualUserAction {
    /// The Matrix id without `@`.
    pub external_id: String,
    /// At most 255 UTF-16 units.
    pub display_name: String,
    /// An mxc URI, which delivery replaces by a signed link.
    pub avatar: Option<String>,
}

/// One thing to do on Matrix. Stored as JSON when first attempted, and then never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum MatrixAction {
    /// Send an `m.room.message`.
    Send {
        /// Which of the events that one message becomes, from 0.
        part: u32,
        /// A ghost or the bot.
        sender: OwnedUserId,
        /// The event's content.
        content: Value,
        /// What to send instead where an upload in `content` cannot be made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fallback: Option<Value>,
    },
    /// Send an `m.room.message` that replaces another's content.
    Edit {
        /// Who sent what is replaced: a ghost or the bot.
        sender: OwnedUserId,
        /// What is replaced.
        event_id: OwnedEventId,
        /// The event's content, with its `m.new_content` and the relation.
        content: Value,
        /// What to send instead where an upload in `content` cannot be made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fallback: Option<Value>,
    },
    /// Redact an event.
    Redact {
        /// Who sent it, or the bot for what people on Matrix sent.
        sender: OwnedUserId,
        /// The event.
        event_id: OwnedEventId,
    },
    /// Ban a user from the room.
    Ban {
        /// The bot.
        sender: OwnedUserId,
        /// A ghost, or the person whom a virtual user stands for.
        user: OwnedUserId,
        /// Why, for people.
        reason: String,
    },
    /// Lift a ban.
    Unban {
        /// The bot.
        sender: OwnedUserId,
        /// Who was banned.
        user: OwnedUserId,
    },
}

impl MatrixAction {
    /// Who acts.
    pub const fn sender(&self) -> &OwnedUserId {
        match self {
            Self::Send { sender, .. }
            | Self::Edit { sender, .. }
            | Self::Redact { sender, .. }
            | Self::Ban { sender, .. }
            | Self::Unban { sender, .. } => sender,
        }
    }

    /// What is sent; a redaction and a ban have no content.
    pub const fn content(&self) -> Option<&Value> {
        match self {
            Self::Send { content, .. } | Self::Edit { content, .. } => Some(content),
            Self::Redact { .. } | Self::Ban { .. } | Self::Unban { .. } => None,
        }
    }

    /// The web address of the file that is to be put on Matrix first.
    pub fn upload(&self) -> Option<&str> {
        self.stand_in("/url")
    }

    /// The web address of the small picture of that file, if there is one.
    pub fn thumbnail(&self) -> Option<&str> {
        self.stand_in("/info/thumbnail_url")
    }

    fn stand_in(&self, pointer: &str) -> Option<&str> {
        let url = self.content()?.pointer(pointer)?.as_str()?;
        url.strip_prefix("{upload:")?.strip_suffix('}')
    }

    /// The name of the file that it sends; empty for none.
    pub fn file_name(&self) -> &str {
        let name = self.content().and_then(|content| content.get("filename"));
        name.and_then(Value::as_str).unwrap_or_default()
    }

    /// The action with its upload made: `complete` is given each content that names the file.
    #[must_use]
    pub fn with_upload(mut self, complete: impl Fn(&mut Value)) -> Self {
        if let Some((content, fallback)) = self.contents() {
            *fallback = None;
            complete(content);
            if let Some(new) = content.get_mut("m.new_content") {
                complete(new);
            }
        }
        self
    }

    /// The action without its upload. Both contents are of one message, so the marker stays.
    #[must_use]
    pub fn without_upload(mut self) -> Self {
        if let Some((content, fallback)) = self.contents()
            && let Some(mut text) = fallback.take()
        {
            let marker = content.get_mut(content::SOURCE_KEY).map(Value::take);
            if let (Some(fields), Some(marker)) = (text.as_object_mut(), marker) {
                fields.insert(content::SOURCE_KEY.to_owned(), marker);
            }
            *content = text;
        }
        self
    }

    const fn contents(&mut self) -> Option<(&mut Value, &mut Option<Value>)> {
        match self {
            Self::Send {
                content, fallback, ..
            }
            | Self::Edit {
                content, fallback, ..
            } => Some((content, fallback)),
            Self::Redact { .. } | Self::Ban { .. } | Self::Unban { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
