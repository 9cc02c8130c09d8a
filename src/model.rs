//! The JSON that Gitter speaks: rooms, users and messages (gitter-api 4 and 5), read leniently.
//!
//! Every field but the id may be absent, and unknown fields are ignored. No I/O here.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::ids::{GitterGroupId, GitterMessageId, GitterRoomId, GitterUserId};

/// A chat message (gitter-api 5.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The message's id.
    pub id: GitterMessageId,
    /// The Markdown as typed.
    #[serde(default, deserialize_with = "or_default")]
    pub text: String,
    /// The text as Gitter rendered it; emoji stay `:shortcode:`.
    #[serde(default, deserialize_with = "or_default")]
    pub html: String,
    /// Whether it is a `/me` line.
    #[serde(default, deserialize_with = "or_default")]
    pub status: bool,
    /// When the server took it.
    #[serde(default, deserialize_with = "or_default")]
    pub sent: Option<Timestamp>,
    /// When its text was last changed; absent if never.
    #[serde(default, deserialize_with = "or_default")]
    pub edited_at: Option<Timestamp>,
    /// The top-level message of the thread it belongs to.
    #[serde(default, deserialize_with = "or_default")]
    pub parent_id: Option<GitterMessageId>,
    /// The counter of saves; absent when it was never stored (gitter-api 5.8).
    #[serde(default, deserialize_with = "or_default")]
    pub v: Option<i64>,
    /// Who wrote it; absent when the account was deleted.
    #[serde(default, deserialize_with = "author")]
    pub from_user: Option<User>,
    /// The Matrix user it was posted for.
    #[serde(default, deserialize_with = "or_default")]
    pub virtual_user: Option<VirtualUser>,
    /// People mentioned.
    #[serde(default, deserialize_with = "or_default")]
    pub mentions: Vec<Mention>,
    /// Issues referred to.
    #[serde(default, deserialize_with = "or_default")]
    pub issues: Vec<Value>,
}

impl Message {
    /// Whether it was deleted but kept, because others reply to it (gitter-api 5.4).
    pub fn is_tombstone(&self) -> bool {
        self.text.is_empty() && self.html.is_empty()
    }
}

/// A user, as embedded in rooms and messages (gitter-api 4.6). For virtual users it is made up by
/// Gitter, and its id is `<type>-<externalId>`, not an account's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The account's id, or the made-up one of a virtual user.
    pub id: String,
    /// The user name; changes with renames.
    #[serde(default, deserialize_with = "or_default")]
    pub username: String,
    /// The name people see; the user name where absent.
    #[serde(default, deserialize_with = "or_default")]
    pub display_name: Option<String>,
    /// A picture that takes `?s=<pixels>`; may be relative to the site.
    #[serde(default, deserialize_with = "or_default")]
    pub avatar_url: Option<String>,
    /// The picture at 128 pixels; may be relative to the site.
    #[serde(default, deserialize_with = "or_default")]
    pub avatar_url_medium: Option<String>,
    /// The picture's version on GitHub.
    #[serde(default, deserialize_with = "or_default")]
    pub gv: Option<Value>,
    /// `admin` for admins of the room it was asked for.
    #[serde(default, deserialize_with = "or_default")]
    pub role: Option<String>,
    /// Whether the account was deleted.
    #[serde(
        default,
        skip_serializing_if = "std::ops::Not::not",
        deserialize_with = "or_default"
    )]
    pub removed: bool,
}

impl User {
    /// The account's id; `None` for the made-up user of a virtual user.
    pub fn account_id(&self) -> Option<GitterUserId> {
        let id = &self.id;
        (id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .then(|| id.parse().ok())
            .flatten()
    }

    /// Whether the account is gone, though it is still shown: deleted, or made a ghost of Gitter's (gitter-api 4.6).
    pub fn is_gone(&self) -> bool {
        self.removed || self.username.starts_with("ghost~")
    }

    /// The name people see.
    pub fn name(&self) -> &str {
        self.display_name
            .as_deref()
            .filter(|name| !name.trim().is_empty())
            .unwrap_or(&self.username)
    }
}

/// Somebody who is banned in a room (gitter-api 8).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ban {
    /// The account; `None` where a virtual user is banned, or the account is gone.
    #[serde(default, deserialize_with = "or_default")]
    pub user: Option<User>,
    /// The virtual user; `None` where an account is banned.
    #[serde(default, deserialize_with = "or_default")]
    pub virtual_user: Option<VirtualUser>,
    /// Who banned them.
    #[serde(default, deserialize_with = "or_default")]
    pub banned_by: Option<User>,
    /// Since when.
    #[serde(default, deserialize_with = "or_default")]
    pub date_banned: Option<Timestamp>,
}

impl Ban {
    /// Who is banned, by what lasts: the account's id, or the external id of the virtual user of Matrix. `None` for an
    /// account that is gone, and for virtual users of others.
    pub fn who(&self) -> Option<&str> {
        match (&self.virtual_user, &self.user) {
            (Some(user), _) => (user.kind == "matrix").then_some(user.external_id.as_str()),
            (None, Some(user)) => Some(user.id.as_str()),
            (None, None) => None,
        }
    }
}

/// The Matrix user that a message is posted for (gitter-api 2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VirtualUser {
    /// The kind of bridge: `matrix`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The Matrix id without `@`.
    pub external_id: String,
    /// The name shown.
    #[serde(default, deserialize_with = "or_default")]
    pub display_name: String,
    /// The picture; what is read may be a proxy's form of what was sent. Never sent as null.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "or_default"
    )]
    pub avatar_url: Option<String>,
}

/// Somebody mentioned in a message (gitter-api 5.6).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mention {
    /// The name as typed, without `@`.
    #[serde(default, deserialize_with = "or_default")]
    pub screen_name: String,
    /// The user, where the name matched one exactly.
    #[serde(default, deserialize_with = "or_default")]
    pub user_id: Option<GitterUserId>,
    /// Whether it is a group (`@/all`).
    #[serde(default, deserialize_with = "or_default")]
    pub group: bool,
    /// Whether it notifies the whole room.
    #[serde(default, deserialize_with = "or_default")]
    pub announcement: bool,
}

/// A room (gitter-api 4.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Room {
    /// The room's id; stable across renames.
    pub id: GitterRoomId,
    /// Display name: group and room part.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// The topic.
    #[serde(default, deserialize_with = "or_default")]
    pub topic: String,
    /// The URI in its canonical case; absent for one-to-one rooms.
    #[serde(default, deserialize_with = "or_default")]
    pub uri: Option<String>,
    /// Whether it is a one-to-one room.
    #[serde(default, deserialize_with = "or_default")]
    pub one_to_one: bool,
    /// The one authoritative word on whether everyone may read it.
    #[serde(default, deserialize_with = "or_default")]
    pub public: bool,
    /// The picture of its group.
    #[serde(default, deserialize_with = "or_default")]
    pub avatar_url: Option<String>,
    /// The group that it belongs to; absent for one-to-one rooms.
    #[serde(default, deserialize_with = "or_default")]
    pub group_id: Option<GitterGroupId>,
    /// What may restrict who posts (gitter-api 4.1); virtual users are refused where it is not empty.
    #[serde(default, deserialize_with = "or_default")]
    pub providers: Vec<String>,
    /// What it is backed by.
    #[serde(default, deserialize_with = "or_default")]
    pub backend: Option<Backend>,
    /// What the account that asked may do there.
    #[serde(default, deserialize_with = "or_default")]
    pub permissions: Permissions,
}

impl Room {
    /// The web address of the repository that backs the room.
    pub fn repository(&self) -> Option<String> {
        let backend = self.backend.as_ref()?;
        let path = backend.link_path.as_deref()?;
        match backend.kind.as_deref()? {
            "GH_REPO" => Some(format!("https://github.com/{path}")),
            "GL_PROJECT" => Some(format!("https://gitlab.com/{path}")),
            _ => None,
        }
    }
}

/// A group of rooms (gitter-api 4.7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// The group's id; stable across renames.
    pub id: GitterGroupId,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Its URI, in its canonical case.
    #[serde(default, deserialize_with = "or_default")]
    pub uri: String,
    /// Its picture.
    #[serde(default, deserialize_with = "or_default")]
    pub avatar_url: Option<String>,
}

/// What a room is backed by (gitter-api 4.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backend {
    /// `GH_REPO`, `GL_PROJECT`, `GROUP` and so on.
    #[serde(default, rename = "type", deserialize_with = "or_default")]
    pub kind: Option<String>,
    /// The path of the repository, project or organisation.
    #[serde(default, deserialize_with = "or_default")]
    pub link_path: Option<String>,
}

/// What an account may do in a room (gitter-api 4.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions {
    /// Whether it is an admin.
    #[serde(default, deserialize_with = "or_default")]
    pub admin: bool,
}

/// Reads null, a wrong shape or an absent field as the default: Gitter drops and nulls fields freely.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + serde::de::DeserializeOwned,
{
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// Reads an author: an object, or only an id (exports and `lookups=user`).
fn author<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<User>, D::Error> {
    let id_only = |id: String| User {
        id,
        username: String::new(),
        display_name: None,
        avatar_url: None,
        avatar_url_medium: None,
        gv: None,
        role: None,
        removed: false,
    };
    Ok(match Value::deserialize(deserializer)? {
        Value::String(id) => Some(id_only(id)),
        value => serde_json::from_value(value).ok(),
    })
}
