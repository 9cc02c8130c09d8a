//! Whom a Gitter message mentions, as Matrix users.

use std::collections::BTreeSet;

use ruma::{OwnedUserId, UserId};
use serde::Deserialize as _;
use serde_json::Value;

use super::{Context, context::User};
use crate::{
    ids::GitterMessageId,
    model::{self, Mention, Message},
};

/// Somebody on Matrix: a ghost or a real user.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Person {
    /// The Matrix id.
    pub(super) id: OwnedUserId,
    /// The name for people.
    pub(super) name: String,
}

/// Finds people by the names in one Gitter message.
#[derive(Debug, Clone, Copy)]
pub(super) struct People<'a> {
    context: &'a Context,
    mentions: &'a [Mention],
}

impl<'a> People<'a> {
    /// The people that this message may mention.
    pub(super) fn of(message: &'a Message, context: &'a Context) -> Self {
        Self {
            context,
            mentions: &message.mentions,
        }
    }

    /// What is known of the world.
    pub(super) fn context(&self) -> &'a Context {
        self.context
    }

    /// Who is meant by `@name`: the Gitter user that Gitter itself found, else the one of that name, else
    /// the Matrix user if it is an id.
    pub(super) fn mentioned(&self, name: &str) -> Option<Person> {
        let users = &self.context.users;
        let by_gitter = self
            .mentions
            .iter()
            .find(|mention| !mention.group && mention.screen_name == name)
            .and_then(|mention| self.context.gitter_user(mention.user_id.as_ref()?.as_str()));
        let by_name = || users.iter().find(|user| user.username.eq_ignore_ascii_case(name));
        match by_gitter.or_else(by_name) {
            Some(user) => Some(ghost(user)),
            None => self.matrix_user(name),
        }
    }

    /// Everyone in the message's own list: for messages whose HTML is not read.
    pub(super) fn listed(&self) -> Vec<OwnedUserId> {
        let mut found: Vec<OwnedUserId> = Vec::new();
        for mention in self.mentions.iter().filter(|mention| !mention.group) {
            if let Some(person) = self.mentioned(&mention.screen_name)
                && !found.contains(&person.id)
            {
                found.push(person.id);
            }
        }
        found
    }

    /// Whether everyone in the Gitter room was notified. Gitter lets bridges do so for anyone, so only an
    /// admin's word counts (gitter-api 5.6).
    pub(super) fn is_announcement(&self, author: Option<&model::User>) -> bool {
        let author = author.and_then(|author| self.context.gitter_user(&author.id));
        author.is_some_and(|author| author.admin) && self.mentions.iter().any(is_all)
    }

    /// A Matrix id, as Gitter people write it. A time such as `@10:30` has the same form, so the server
    /// must be one that there can be: the homeserver, a member's, or a name with a dot.
    fn matrix_user(&self, name: &str) -> Option<Person> {
        let id = UserId::parse(format!("@{name}")).ok()?;
        let member = self.context.member(&id);
        let is_plausible = member.is_some()
            || id.server_name() == self.context.server_name
            || id.server_name().as_str().contains('.');
        is_plausible.then(|| Person {
            name: member
                .and_then(|member| member.display_name.clone())
                .unwrap_or_else(|| id.to_string()),
            id,
        })
    }
}

/// Whom a message has mentioned so far.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The people.
    pub(super) people: BTreeSet<OwnedUserId>,
    /// Whether everyone in the room was.
    pub(super) everyone: bool,
}

/// Whom a message and its edits have mentioned, as far as the map tells: by what the events said, or by
/// Gitter's list.
pub(super) fn known(id: &GitterMessageId, context: &Context) -> Known {
    let mut known = Known::default();
    for pair in context.pairs_of(id) {
        let listed: Vec<Mention> = pair
            .mentions
            .iter()
            .filter_map(|mention| Mention::deserialize(mention).ok())
            .collect();
        let people = People {
            context,
            mentions: &listed,
        };
        known.people.extend(people.listed());
        known.everyone |= listed.iter().any(is_all);
        let content = pair.content.as_ref();
        for mentions in [content, content.and_then(|content| content.get("m.new_content"))]
            .into_iter()
            .filter_map(|content| content?.get("m.mentions"))
        {
            let ids = mentions.get("user_ids").and_then(Value::as_array);
            let ids = ids.into_iter().flatten().filter_map(Value::as_str);
            known.people.extend(ids.filter_map(|id| UserId::parse(id).ok()));
            known.everyone |= mentions.get("room") == Some(&Value::Bool(true));
        }
    }
    known
}

fn is_all(mention: &Mention) -> bool {
    mention.group && mention.screen_name == "all"
}

fn ghost(user: &User) -> Person {
    Person {
        id: user.mxid.clone(),
        name: user.display_name.clone().unwrap_or_else(|| user.username.clone()),
    }
}
