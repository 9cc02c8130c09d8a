//! The JSON in which Gitter shows users, groups, rooms and messages (gitter-api 4 and 5).
//!
//! Fields without a value are left out, as Gitter leaves out what is undefined. Nothing is changed here.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Group, State, User,
    messages::{Mention, Message, Parent},
    room::{Room, RoomKind},
    virtual_user::VirtualUser,
};
use crate::{markdown::Issue, object_id::ObjectId};

/// Which of the forms of a room is wanted; they differ in what is asked for with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RoomForm {
    /// In lists: with tags, without group and backend.
    Listed,
    /// In the lists of groups and searches: without any of these.
    Bare,
    /// By id: with everything.
    Shown,
    /// Resolved from a URI, and as a snapshot: with group and backend, without tags.
    Resolved,
}

/// Whether a message goes out as an answer or as news; only answers know whether it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MessageForm {
    /// In REST answers and snapshots.
    Answer,
    /// In realtime frames.
    News,
    /// In the answer to a silently banned account: the message was never saved, so it has no `v`.
    NeverStored,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the flags are those of Gitter's JSON"
)]
struct RoomView<'state> {
    id: ObjectId,
    name: String,
    topic: &'state str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<&'state str>,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar_url: Option<String>,
    one_to_one: bool,
    public: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    security: Option<&'static str>,
    github_type: &'static str,
    user_count: usize,
    unread_items: u32,
    mentions: u32,
    lurk: bool,
    noindex: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'state [String]>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    providers: &'state [String],
    permissions: Value,
    room_member: bool,
    group_id: Option<ObjectId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backend: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    v: Option<u32>,
}

impl<'state> RoomView<'state> {
    /// What rooms of groups and one-to-one rooms have in common; the rest is left empty.
    fn common(room: &'state Room, reader: ObjectId, form: RoomForm) -> Self {
        Self {
            id: room.id,
            name: String::new(),
            topic: &room.topic,
            uri: None,
            url: String::new(),
            avatar_url: None,
            one_to_one: false,
            public: false,
            security: None,
            github_type: "",
            user_count: room.members.len(),
            unread_items: 0,
            mentions: 0,
            lurk: false,
            noindex: room.noindex,
            tags: matches!(form, RoomForm::Listed | RoomForm::Shown).then_some(&room.tags[..]),
            providers: &room.providers,
            permissions: json!({ "admin": room.admins.contains(&reader) }),
            room_member: room.members.contains(&reader),
            group_id: None,
            backend: None,
            group: None,
            user: None,
            v: room.v,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageView<'state> {
    id: ObjectId,
    text: &'state str,
    html: &'state str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<bool>,
    sent: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_message_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<bool>,
    read_by: usize,
    urls: Vec<Value>,
    mentions: Vec<Value>,
    issues: &'state [Issue],
    meta: [Value; 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    v: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_user: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    virtual_user: Option<VirtualUser>,
}

/// A time as JavaScript writes it: UTC with milliseconds.
pub(super) fn iso(time: Timestamp) -> String {
    format!("{time:.3}")
}

impl State {
    /// A user object (gitter-api 4.6).
    pub(super) fn user_json(&self, user: &User) -> Value {
        let name = &user.username;
        // Only names with `_` are known not to be GitHub's, and the sized pictures of those are relative to
        // the site (gitter-api 4.6 and 14).
        let (path, sized_base) = if name.contains('_') {
            (format!("/api/private/avatars/g/u/{name}"), "")
        } else {
            (
                format!("/api/private/avatars/gh/u/{name}"),
                self.rules.web_url.as_str(),
            )
        };
        let mut shown = json!({
            "id": user.id,
            "username": name,
            "displayName": user.display_name,
            "url": format!("/{name}"),
            "avatarUrl": format!("{}{path}", self.rules.web_url),
            "avatarUrlSmall": format!("{sized_base}{path}?s=60"),
            "avatarUrlMedium": format!("{sized_base}{path}?s=128"),
            "v": user.v,
        });
        if let (Some(fields), true) = (shown.as_object_mut(), user.removed) {
            fields.insert("removed".to_owned(), json!(true));
        }
        shown
    }

    /// The user object of an id, with the role in a room if one is given.
    pub(super) fn member_json(&self, room: &Room, user: ObjectId) -> Option<Value> {
        let mut member = self.user_json(self.users.get(&user)?);
        if room.admins.contains(&user)
            && let Some(fields) = member.as_object_mut()
        {
            fields.insert("role".to_owned(), json!("admin"));
        }
        Some(member)
    }

    /// A room object as `reader` sees it (gitter-api 4.1 and 4.2). A one-to-one room whose other party is gone
    /// is `None`.
    pub(super) fn room_json(&self, room: &Room, reader: ObjectId, form: RoomForm) -> Option<Value> {
        let view = RoomView::common(room, reader, form);
        match &room.kind {
            RoomKind::Group { group, uri, public } => {
                let group = self.groups.get(group)?;
                let with_group = matches!(form, RoomForm::Shown | RoomForm::Resolved);
                Some(json!(RoomView {
                    name: format!(
                        "{}/{}",
                        group.name,
                        uri.split_once('/').map_or("", |(_, part)| part)
                    ),
                    uri: Some(uri),
                    url: format!("/{uri}"),
                    avatar_url: Some(self.group_avatar_url(group)),
                    public: *public,
                    security: Some(if *public { "PUBLIC" } else { "PRIVATE" }),
                    github_type: "REPO_CHANNEL",
                    group_id: Some(group.id),
                    backend: with_group.then(|| json!({"type": "GROUP"})),
                    group: with_group.then(|| self.group_json(group)),
                    ..view
                }))
            }
            RoomKind::OneToOne => {
                let other = room.members.iter().find(|member| **member != reader)?;
                let other = self.users.get(other)?;
                Some(json!(RoomView {
                    name: other.display_name.clone(),
                    url: format!("/{}", other.username),
                    one_to_one: true,
                    github_type: "ONETOONE",
                    user: Some(self.user_json(other)),
                    ..view
                }))
            }
        }
    }

    /// A room object for all who follow the room, whoever they are: without tags and permissions.
    pub(super) fn plain_room_json(&self, room: &Room) -> Option<Value> {
        let nobody = room.id;
        let mut shown = self.room_json(room, nobody, RoomForm::Bare)?;
        if let Some(fields) = shown.as_object_mut() {
            fields.remove("permissions");
        }
        Some(shown)
    }

    /// A group object (gitter-api 4.7).
    pub(super) fn group_json(&self, group: &Group) -> Value {
        json!({
            "id": group.id,
            "name": group.name,
            "uri": group.uri,
            "homeUri": format!("{}/home", group.uri),
            "backedBy": {"type": null},
            "avatarUrl": self.group_avatar_url(group),
        })
    }

    pub(super) fn group_avatar_url(&self, group: &Group) -> String {
        format!("{}/api/private/avatars/group/i/{}", self.rules.web_url, group.id)
    }

    /// A message object (gitter-api 5.1).
    pub(super) fn message_json(&self, message: &Message, form: MessageForm) -> Value {
        let virtual_user = message.virtual_user.clone().map(|virtual_user| VirtualUser {
            avatar_url: virtual_user.avatar_url.map(|url| self.picture_url(&url)),
            ..virtual_user
        });
        json!(MessageView {
            id: message.id,
            text: &message.text,
            html: &message.html,
            status: message.status,
            sent: iso(message.sent),
            edited_at: message.edited_at.map(iso),
            parent_id: match message.parent {
                Parent::Absent => None,
                Parent::Null => Some(Value::Null),
                Parent::Message(id) => Some(json!(id)),
            },
            thread_message_count: message.thread_message_count,
            unread: (form != MessageForm::News).then_some(false),
            read_by: message.readers.len(),
            urls: message.urls.iter().map(|url| json!({ "url": url })).collect(),
            mentions: message.mentions.iter().map(mention_json).collect(),
            issues: &message.issues,
            meta: [],
            v: (form != MessageForm::NeverStored).then_some(message.v),
            from_user: match &virtual_user {
                Some(virtual_user) => Some(mocked_user_json(virtual_user)),
                None => self.users.get(&message.author).map(|user| self.user_json(user)),
            },
            virtual_user,
        })
    }
}

/// The user that Gitter makes up for a virtual user (gitter-api 2.2).
fn mocked_user_json(virtual_user: &VirtualUser) -> Value {
    let mut user = json!({
        "id": format!("{}-{}", virtual_user.kind, virtual_user.external_id),
        "username": virtual_user.external_id,
        "displayName": virtual_user.display_name,
    });
    if let (Some(fields), Some(url)) = (user.as_object_mut(), &virtual_user.avatar_url) {
        for key in ["avatarUrl", "avatarUrlSmall", "avatarUrlMedium"] {
            fields.insert(key.to_owned(), json!(url));
        }
    }
    user
}

fn mention_json(mention: &Mention) -> Value {
    match mention {
        Mention::User {
            screen_name,
            user: Some(user),
        } => json!({"screenName": screen_name, "userId": user, "userIds": []}),
        Mention::User {
            screen_name,
            user: None,
        } => json!({"screenName": screen_name, "userIds": []}),
        Mention::Everyone => {
            json!({"screenName": "all", "userIds": [], "group": true, "announcement": true})
        }
    }
}
