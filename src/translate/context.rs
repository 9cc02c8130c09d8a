//! All that translation may know of the world. `bridge::portal` loads it; fixtures spell it out
//! (DESIGN 6.4, which names every field).

use jiff::Timestamp;
use ruma::{EventId, OwnedEventId, OwnedRoomAliasId, OwnedRoomId, OwnedServerName, OwnedUserId, UserId};
use serde::Deserialize;
use url::Url;

use super::Policy;
use crate::ids::{GhostTemplate, GitterMessageId, GitterRoomId, GitterUserId};

/// The length of a signed link that signing keeps to, in UTF-16 units.
pub const DEFAULT_LINK_UNITS: usize = 120;

/// What is known when one item is translated.
#[derive(Debug, Clone, Deserialize)]
pub struct Context {
    /// The homeserver's name.
    pub server_name: OwnedServerName,
    /// When the item is translated.
    pub now: Timestamp,
    /// The Gitter site, for permalinks.
    pub web_url: Url,
    /// The rooms that the item crosses between.
    pub portal: Portal,
    /// Gitter users with their ghosts: the author and everyone mentioned, as far as known.
    #[serde(default)]
    pub users: Vec<User>,
    /// Matrix members: the sender, everyone mentioned and everyone who shares the sender's display name, as
    /// far as known.
    #[serde(default)]
    pub members: Vec<Member>,
    /// Messages that crossed before, which the item relates to, oldest first: what it is itself, if it is
    /// mapped; what it replies to; for a message in a thread, the thread's root (on both sides) and its
    /// latest reply.
    #[serde(default)]
    pub messages: Vec<Message>,
    /// Whether the account may post for virtual users; else the prefix form is used.
    #[serde(default = "yes")]
    pub virtual_users: bool,
    /// The `bridge` settings that matter here, and those of the portal.
    #[serde(default)]
    pub settings: Settings,
    /// The bridge's own users.
    #[serde(default)]
    pub bot: Bot,
    /// Hosts of Gitter's uploads.
    #[serde(default)]
    pub files_hosts: Vec<String>,
    /// Host of Gitter's image proxy.
    #[serde(default)]
    pub image_proxy_host: Option<String>,
    /// Other portals, for links between rooms.
    #[serde(default)]
    pub rooms: Vec<Room>,
    /// Gitter's clock less ours, in milliseconds.
    #[serde(default)]
    pub clock_offset_ms: i64,
    /// The length that a stand-in counts for, in UTF-16 units.
    #[serde(default = "default_link_units")]
    pub link_units: usize,
    /// Whom the room's moderators do not let speak.
    #[serde(default)]
    pub policy: Policy,
    /// How ids of new ghosts are made.
    #[serde(default)]
    pub ghost_localpart: GhostTemplate,
    /// Why nothing that the event's sender says crosses to Gitter; absent where it does.
    #[serde(default)]
    pub barred: Option<Barred>,
}

/// Why nothing that somebody says on Matrix crosses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Barred {
    /// The sender does not want it to.
    OptedOut,
    /// `bridge.permissions` does not name the sender.
    NotPermitted,
}

impl Context {
    /// The bridge's own Matrix user; `None` only where the server's name leaves no room for it.
    pub fn bot(&self) -> Option<OwnedUserId> {
        self.bot
            .mxid
            .clone()
            .or_else(|| UserId::parse(format!("@gitterbot:{}", self.server_name)).ok())
    }

    /// Whether a Matrix user is the bot or a ghost.
    pub fn is_own(&self, user: &UserId) -> bool {
        self.ghost(user).is_some() || self.bot().is_some_and(|bot| bot == user)
    }

    /// The Gitter user that a ghost stands for.
    pub fn ghost(&self, ghost: &UserId) -> Option<&User> {
        self.users.iter().find(|user| user.mxid == ghost)
    }

    /// The Gitter user with this id.
    pub fn gitter_user(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.gitter_id.as_str() == id)
    }

    /// The member with this Matrix id.
    pub fn member(&self, user: &UserId) -> Option<&Member> {
        self.members.iter().find(|member| member.mxid == user)
    }

    /// What an event crossed as: the message itself before its edits, the first of its parts.
    pub fn crossed_event(&self, event: &EventId) -> Option<&Message> {
        self.messages
            .iter()
            .filter(|message| message.matrix_event_id == event)
            .min_by_key(|message| (message.kind != Kind::Create, message.part))
    }

    /// What a Gitter message crossed as: the message itself before its edits, the first of its parts.
    pub fn crossed_message(&self, id: &GitterMessageId) -> Option<&Message> {
        self.messages
            .iter()
            .filter(|message| message.gitter_message_id == *id)
            .min_by_key(|message| (message.kind != Kind::Create, message.part))
    }

    /// Everything that a Gitter message crossed as: its parts and their edits, oldest first.
    pub fn pairs_of(&self, id: &GitterMessageId) -> impl Iterator<Item = &Message> {
        let id = id.clone();
        self.messages
            .iter()
            .filter(move |message| message.gitter_message_id == id)
    }

    /// The side that a message was written on; where the map does not say, its sender does.
    pub fn origin(&self, message: &Message) -> Origin {
        message.origin.unwrap_or_else(|| match &message.sender {
            Some(sender) if self.is_own(sender) => Origin::Gitter,
            _ => Origin::Matrix,
        })
    }
}

/// The portal of the item.
#[derive(Debug, Clone, Deserialize)]
pub struct Portal {
    /// The Gitter room.
    pub gitter_room_id: GitterRoomId,
    /// Its URI in canonical case.
    pub gitter_uri: String,
    /// The Matrix room.
    pub matrix_room_id: OwnedRoomId,
    /// The web address of the repository that backs the Gitter room.
    #[serde(default)]
    pub repository: Option<String>,
    /// When the rooms were linked.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
}

/// A Gitter user and its ghost.
#[derive(Debug, Clone, Deserialize)]
pub struct User {
    /// The ghost.
    pub mxid: OwnedUserId,
    /// The Gitter user.
    pub gitter_id: GitterUserId,
    /// The current user name.
    pub username: String,
    /// The current display name.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Whether the user is an admin of the Gitter room.
    #[serde(default)]
    pub admin: bool,
    /// Whether the user is banned in the Gitter room, as far as known.
    #[serde(default)]
    pub banned: bool,
}

/// A member of the Matrix room.
#[derive(Debug, Clone, Deserialize)]
pub struct Member {
    /// The Matrix user.
    pub mxid: OwnedUserId,
    /// The name in this room.
    #[serde(default)]
    pub display_name: Option<String>,
    /// The picture in this room, an mxc URI.
    #[serde(default)]
    pub avatar: Option<String>,
    /// Whether the member may notify the whole room.
    #[serde(default)]
    pub may_notify_room: bool,
    /// Whether the member may redact other people's events.
    #[serde(default)]
    pub may_redact: bool,
    /// Whether the member's virtual user is banned in the Gitter room, as far as known.
    #[serde(default)]
    pub banned: bool,
}

/// A message that crossed: one row of the map.
#[derive(Debug, Clone, Deserialize)]
pub struct Message {
    /// Its event.
    pub matrix_event_id: OwnedEventId,
    /// Its Gitter message.
    pub gitter_message_id: GitterMessageId,
    /// The top-level message of its thread on Gitter.
    #[serde(default)]
    pub gitter_parent_id: Option<GitterMessageId>,
    /// When Gitter took it.
    #[serde(default)]
    pub sent: Option<Timestamp>,
    /// Its Gitter text.
    #[serde(default)]
    pub text: String,
    /// The event's sender.
    #[serde(default)]
    pub sender: Option<OwnedUserId>,
    /// The side it was written on.
    #[serde(default)]
    pub origin: Option<Origin>,
    /// Which of the messages that one source message became.
    #[serde(default)]
    pub part: u32,
    /// What the pair stands for.
    #[serde(default)]
    pub kind: Kind,
    /// Whether it is a `/me` line.
    #[serde(default)]
    pub status: bool,
    /// When its Gitter text was last changed.
    #[serde(default)]
    pub edited_at: Option<Timestamp>,
    /// Gitter's counter of saves.
    #[serde(default)]
    pub v: Option<i64>,
    /// The event's content.
    #[serde(default)]
    pub content: Option<serde_json::Value>,
    /// The Gitter message's mentions.
    #[serde(default)]
    pub mentions: Vec<serde_json::Value>,
    /// Whether it is a tombstone on Gitter.
    #[serde(default)]
    pub tombstone: bool,
}

/// The side that a message was written on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A Gitter user wrote it.
    Gitter,
    /// A Matrix user wrote it.
    Matrix,
}

/// What a pair of event and Gitter message stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The message itself.
    #[default]
    Create,
    /// A change of its text.
    Edit,
    /// A change of its text that Gitter's edit window no longer allowed, posted as a message.
    Correction,
}

/// Settings that change what translation does.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// How threads of Gitter look in Matrix.
    pub threads: Threads,
    /// What becomes of reactions.
    pub reactions: Reactions,
    /// Whether `@room` of those who may becomes `@/all`.
    pub announce: bool,
    /// The most messages that one event may become.
    pub max_parts: u32,
    /// Whether virtual users that other bridges posted cross.
    pub relay_foreign: bool,
    /// The template of ghosts' display names.
    pub ghost_display_name: String,
    /// Whether bans, and deletions of what Gitter people wrote, go to Gitter.
    pub moderation: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            threads: Threads::Thread,
            reactions: Reactions::Ignore,
            announce: false,
            max_parts: 4,
            relay_foreign: false,
            ghost_display_name: "{display_name} (Gitter)".to_owned(),
            moderation: true,
        }
    }
}

/// How threads of Gitter look in Matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Threads {
    /// As threads, with the fallback for clients that know only replies.
    Thread,
    /// As plain replies.
    Reply,
}

/// What becomes of reactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reactions {
    /// They are skipped.
    Ignore,
    /// Each is a line in the message's thread.
    Thread,
}

/// The bridge's own users on both sides.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct Bot {
    /// The bot; `@gitterbot` of the homeserver where absent.
    pub mxid: Option<OwnedUserId>,
    /// The Gitter account's user name.
    pub gitter_username: Option<String>,
    /// Whether the Gitter account is an admin of the room.
    pub gitter_admin: bool,
}

impl Default for Bot {
    fn default() -> Self {
        Self {
            mxid: None,
            gitter_username: None,
            gitter_admin: true,
        }
    }
}

/// Another portal.
#[derive(Debug, Clone, Deserialize)]
pub struct Room {
    /// The Gitter room.
    pub gitter_room_id: GitterRoomId,
    /// Its URI.
    pub gitter_uri: String,
    /// The Matrix room.
    pub matrix_room_id: OwnedRoomId,
    /// The Matrix room's alias.
    #[serde(default)]
    pub alias: Option<OwnedRoomAliasId>,
}

const fn yes() -> bool {
    true
}

const fn default_link_units() -> usize {
    DEFAULT_LINK_UNITS
}
