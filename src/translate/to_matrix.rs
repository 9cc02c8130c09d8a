//! Gitter messages to Matrix events.

use ruma::OwnedUserId;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Context, MatrixAction, Translation, content,
    context::{Message as Crossed, Origin},
    moderation,
};
use crate::{
    model::{Message, User, VirtualUser},
    outcome::Reason,
};

/// Who a message is from when its account is gone and took its name along (DESIGN 3.1).
pub const FORMER_USER: &str = "former Gitter user";

/// What happened to a Gitter message, as its realtime channel says it (gitter-api 7.4).
#[derive(Debug, Clone, Deserialize)]
pub struct Operation {
    /// `create`, `update`, `patch` or `remove`; `ban` or `unban` of somebody in the room.
    pub operation: String,
    /// The message, for `remove` only its id; or the ban (gitter-api 8).
    pub model: Value,
}

/// Why a message does not cross: the reason and a detail for people.
pub(super) type Skip = (Reason, &'static str);

/// Translates what happened to a Gitter message.
pub fn translate(operation: &Operation, context: &Context) -> Translation<MatrixAction> {
    match actions(operation, context) {
        Ok(actions) => Translation::Actions { actions },
        Err((reason, detail)) => Translation::skip(reason, detail),
    }
}

fn actions(operation: &Operation, context: &Context) -> Result<Vec<MatrixAction>, Skip> {
    if let "ban" | "unban" = operation.operation.as_str() {
        return moderation::ban(operation, context);
    }
    let fields = operation.model.as_object();
    let message = fields
        .and_then(|fields| Message::deserialize(fields).ok())
        .ok_or((Reason::BadEvent, "the message is not an object with an id"))?;
    let crossed = context.crossed_message(&message.id);
    match (operation.operation.as_str(), crossed) {
        ("create", None) => create(&message, context),
        ("create", Some(crossed)) if context.origin(crossed) == Origin::Matrix && !message.is_tombstone() => {
            Err((Reason::OwnEcho, "the bridge posted it"))
        }
        ("create" | "update", Some(crossed)) => update(&message, crossed, context),
        ("update", None) => Err(judge_unknown_update(&message, context)),
        ("remove", Some(crossed)) => remove(crossed, context),
        ("remove", None) => Err((Reason::NotFound, "the removed message did not cross")),
        ("patch", _) => Err((Reason::NotAnEdit, "only the count of its readers changed")),
        _ => Err((Reason::BadEvent, "the operation is not one that Gitter has")),
    }
}

/// Judges an update of a message that crossed. Gitter sends one for any save; only a later `editedAt` is
/// an edit, and an empty text a deletion (gitter-api 7.4).
fn update(message: &Message, crossed: &Crossed, context: &Context) -> Result<Vec<MatrixAction>, Skip> {
    if message.is_tombstone() {
        return if crossed.tombstone {
            Err((Reason::NotAnEdit, "its deletion is known already"))
        } else {
            Ok(redactions(crossed, context))
        };
    }
    // Never edited is before any edit.
    let known = context
        .pairs_of(&message.id)
        .filter_map(|pair| pair.edited_at)
        .max();
    if message.edited_at <= known {
        Err((Reason::NotAnEdit, "its text was not changed since it crossed"))
    } else if context.origin(crossed) == Origin::Matrix {
        Err((Reason::OwnEcho, "only the bridge itself can edit what it posted"))
    } else if crossed.tombstone {
        Err((
            Reason::Gone,
            "it was deleted, and Matrix has no way back from a redaction",
        ))
    } else {
        edit(message, crossed, context)
    }
}

fn judge_unknown_update(message: &Message, context: &Context) -> Skip {
    let made = message.sent.or_else(|| message.id.time());
    let is_older = made
        .zip(context.portal.created_at)
        .is_some_and(|(made, linked)| made < linked);
    if message.is_tombstone() {
        (Reason::Gone, "it was deleted and had not crossed")
    } else if is_older {
        (Reason::OlderThanPortal, "it is older than the portal")
    } else {
        (Reason::NotFound, "the updated message did not cross")
    }
}

fn create(message: &Message, context: &Context) -> Result<Vec<MatrixAction>, Skip> {
    if message.is_tombstone() {
        return Err((Reason::Gone, "it was deleted before it crossed"));
    }
    let author = author(message, context)?;
    let written = content::create(message, author.name(), context).ok_or(EMPTY)?;
    Ok(vec![MatrixAction::Send {
        part: 0,
        sender: author.sender(context)?,
        content: Value::Object(written.content),
        fallback: written.fallback.map(Value::Object),
    }])
}

/// An edit is written as a create is, and sent by who sent what it replaces.
fn edit(message: &Message, crossed: &Crossed, context: &Context) -> Result<Vec<MatrixAction>, Skip> {
    let author = author(message, context)?;
    let written = content::edit(message, author.name(), crossed, context).ok_or(EMPTY)?;
    let sender = match &crossed.sender {
        Some(sender) => sender.clone(),
        None => author.sender(context)?,
    };
    Ok(vec![MatrixAction::Edit {
        sender,
        event_id: crossed.matrix_event_id.clone(),
        content: Value::Object(written.content),
        fallback: written.fallback.map(Value::Object),
    }])
}

/// A message that nobody would see.
const EMPTY: Skip = (Reason::Empty, "it has no visible text");

fn remove(crossed: &Crossed, context: &Context) -> Result<Vec<MatrixAction>, Skip> {
    match (crossed.tombstone, context.origin(crossed)) {
        (false, _) => Ok(redactions(crossed, context)),
        (true, Origin::Matrix) => Err((Reason::OwnEcho, "the bridge deleted it")),
        (true, Origin::Gitter) => Err((Reason::Gone, "its deletion is known already")),
    }
}

/// Redacts what a message crossed as, and all its edits: clients may show an edit without its original.
fn redactions(crossed: &Crossed, context: &Context) -> Vec<MatrixAction> {
    let mut events = vec![crossed];
    for pair in context.pairs_of(&crossed.gitter_message_id) {
        if !events
            .iter()
            .any(|event| event.matrix_event_id == pair.matrix_event_id)
        {
            events.push(pair);
        }
    }
    events
        .into_iter()
        .filter_map(|event| {
            let own = event.sender.clone().filter(|sender| context.is_own(sender));
            Some(MatrixAction::Redact {
                sender: own.or_else(|| context.bot())?,
                event_id: event.matrix_event_id.clone(),
            })
        })
        .collect()
}

/// As whom a message is sent.
enum Author<'a> {
    /// A ghost of its own.
    Ghost(OwnedUserId),
    /// The bot, with this name in the text.
    Named(&'a str),
}

impl Author<'_> {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Ghost(_) => None,
            Self::Named(name) => Some(name),
        }
    }

    fn sender(self, context: &Context) -> Result<OwnedUserId, Skip> {
        match self {
            Self::Ghost(ghost) => Ok(ghost),
            Self::Named(_) => context
                .bot()
                .ok_or((Reason::NotAllowed, "the bridge's own user has no valid id")),
        }
    }
}

fn author<'a>(message: &'a Message, context: &Context) -> Result<Author<'a>, Skip> {
    match (&message.virtual_user, &message.from_user) {
        (Some(_), _) if !context.settings.relay_foreign => Err((
            Reason::OtherBridge,
            "another bridge posted it, and bridge.relay_foreign is off",
        )),
        (Some(user), _) => Ok(Author::Named(virtual_name(user))),
        (None, Some(user)) => {
            Ok(ghost(user, context).map_or_else(|| Author::Named(user_name(user)), Author::Ghost))
        }
        (None, None) => Ok(Author::Named(FORMER_USER)),
    }
}

/// The ghost of a Gitter account: the stored one, else the one that its template makes.
fn ghost(user: &User, context: &Context) -> Option<OwnedUserId> {
    if let Some(known) = context.gitter_user(&user.id) {
        return Some(known.mxid.clone());
    }
    let template = &context.ghost_localpart;
    template
        .make(&context.server_name, &user.account_id()?, &user.username)
        .ok()
}

fn virtual_name(user: &VirtualUser) -> &str {
    let name = user.display_name.trim();
    if name.is_empty() { &user.external_id } else { name }
}

fn user_name(user: &User) -> &str {
    let name = user.name().trim();
    if name.is_empty() { FORMER_USER } else { name }
}
