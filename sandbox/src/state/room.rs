//! A room, and who may do what in it (gitter-api 4.4 and 8). Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::messages::Message;
use crate::{object_id::ObjectId, refusal::Refusal};

/// A room with all that is in it.
pub(super) struct Room {
    pub(super) id: ObjectId,
    pub(super) kind: RoomKind,
    pub(super) topic: String,
    pub(super) tags: Vec<String>,
    pub(super) noindex: bool,
    pub(super) members: BTreeSet<ObjectId>,
    pub(super) admins: BTreeSet<ObjectId>,
    pub(super) providers: Vec<String>,
    /// In the order they were made, which decides what the check of a virtual user meets first.
    pub(super) bans: Vec<Ban>,
    /// The activity feed, oldest first.
    pub(super) activity: Vec<Activity>,
    pub(super) messages: BTreeMap<ObjectId, Message>,
    /// Saves after the first; absent until then.
    pub(super) v: Option<u32>,
}

/// What a room belongs to.
pub(super) enum RoomKind {
    /// A room of a group.
    Group {
        group: ObjectId,
        /// `<group>/<room>` in its canonical case.
        uri: String,
        public: bool,
    },
    /// A conversation of its two members.
    OneToOne,
}

/// A ban from a room.
pub(super) struct Ban {
    pub(super) who: Banned,
    pub(super) by: ObjectId,
    pub(super) at: Timestamp,
}

/// Who is banned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Banned {
    /// An account.
    User(ObjectId),
    /// Somebody on the other side of a bridge, by type and id, letter for letter.
    VirtualUser { kind: String, external_id: String },
}

/// An entry of the activity feed: here only bans and their ends.
pub(super) struct Activity {
    pub(super) id: ObjectId,
    pub(super) text: String,
    pub(super) at: Timestamp,
    /// `banned` or `unbanned`.
    pub(super) event: &'static str,
    pub(super) banned: Banned,
    pub(super) by: ObjectId,
}

impl Room {
    /// A room without members, messages or anything else.
    pub(super) fn empty(id: ObjectId, kind: RoomKind) -> Self {
        Self {
            id,
            kind,
            topic: String::new(),
            tags: Vec::new(),
            noindex: false,
            members: BTreeSet::new(),
            admins: BTreeSet::new(),
            providers: Vec::new(),
            bans: Vec::new(),
            activity: Vec::new(),
            messages: BTreeMap::new(),
            v: None,
        }
    }

    /// Its `<group>/<room>`; none for a one-to-one room.
    pub(super) fn uri(&self) -> Option<&str> {
        match &self.kind {
            RoomKind::Group { uri, .. } => Some(uri),
            RoomKind::OneToOne => None,
        }
    }

    pub(super) fn is_one_to_one(&self) -> bool {
        matches!(self.kind, RoomKind::OneToOne)
    }

    pub(super) fn is_public(&self) -> bool {
        matches!(self.kind, RoomKind::Group { public: true, .. })
    }

    /// Whether an account may read: members, and in public rooms everyone who is not banned.
    pub(super) fn may_read(&self, user: ObjectId) -> bool {
        let banned = Banned::User(user);
        self.members.contains(&user) || (self.is_public() && !self.bans.iter().any(|ban| ban.who == banned))
    }

    /// Whether an account may write. Virtual users have a policy of their own on top of this.
    pub(super) fn may_write(&self, user: ObjectId) -> bool {
        self.may_read(user) && (self.providers.is_empty() || self.admins.contains(&user))
    }

    /// Whether a virtual user may write: in public rooms, and not when banned.
    ///
    /// # Errors
    /// 403; and with `ban_bug` the 500 of Gitter 21.15, which stumbles over the first ban of an account that it
    /// meets on its way through the list.
    pub(super) fn check_virtual_user(
        &self,
        kind: &str,
        external_id: &str,
        ban_bug: bool,
    ) -> Result<(), Refusal> {
        if !self.is_public() {
            return Err(Refusal::forbidden("virtual users only write in public rooms"));
        }
        for ban in &self.bans {
            match &ban.who {
                Banned::User(_) if ban_bug => {
                    return Err(Refusal::stumbled(
                        "the check of virtual users stumbled over the ban of an account",
                    ));
                }
                Banned::VirtualUser {
                    kind: banned_kind,
                    external_id: banned_id,
                } if banned_kind == kind && banned_id == external_id => {
                    return Err(Refusal::forbidden("the virtual user is banned from the room"));
                }
                Banned::User(_) | Banned::VirtualUser { .. } => {}
            }
        }
        Ok(())
    }
}
