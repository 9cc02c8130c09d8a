//! Gitter messages to Matrix events.

use ruma::OwnedUserId;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Context, MatrixAction, Translation, content,
    context::{Message as Crossed, Origin},
};
use crate::{
    model::{Message, User, VirtualUser},
    outcome::Reason,
};

/// Who a message is from when its account is gone and took its name along (DESIGN 3.1).
const FORMER_USER: &str = "former Gitter user";

/// What happened to a Gitter message, as its realtime channel says it (gitter-api 7.4).
#[derive(Debug, Clone, Deserialize)]
pub struct Operation {
    /// `create`, `update`, `patch` or `remove`.
    pub operation: String,
    /// The message; for `remove` only its id.
    pub model: Value,
}

/// Why a message does not cross: the reason and a detail for people.
type Skip = (Reason, &'static str);

/// Translates what happened to a Gitter message.
pub fn translate(operation: &Operation, context: &Context) -> Translation<MatrixAction> {
    match actions(operation, context) {
        Ok(actions) => Translation::Actions { actions },
        Err((reason, detail)) => Translation::skip(reason, detail),
    }
}

fn actions(operation: &Operation, context: &Context) -> Result<Vec<MatrixAction>, Skip> {
    let fields = operation.model.as_object();
    let message = fields
        .and_then(|fields| Message::deserialize(fields).ok())
        .ok_or((Reason::BadEvent, "the message is not an object with an id"))?;
    let crossed = context.crossed_message(&message.id);
    match (operation.operation.as_str(), crossed) {
        ("create", None) => create(&message, context),
        ("create", Some(crossed)) if context.origin(crossed) == Origin::Matrix => {
            Err((Reason::OwnEcho, "the bridge posted it"))
        }
        ("create" | "update", Some(crossed)) => Err(judge_update(&message, crossed, context)),
        ("update", None) => Err(judge_unknown_update(&message, context)),
        ("remove", Some(_)) => Err((
            Reason::NotTranslated,
            "this version does not carry deletions to Matrix",
        )),
        ("remove", None) => Err((Reason::NotFound, "the removed message did not cross")),
        ("patch", _) => Err((Reason::NotAnEdit, "only the count of its readers changed")),
        _ => Err((Reason::BadEvent, "the operation is not one that Gitter has")),
    }
}

/// Judges an update of a message that crossed. Gitter sends one for any save; only a later `editedAt` is
/// an edit, and an empty text a deletion (gitter-api 7.4).
fn judge_update(message: &Message, crossed: &Crossed, context: &Context) -> Skip {
    if is_tombstone(message) {
        return if crossed.tombstone {
            (Reason::NotAnEdit, "its deletion is known already")
        } else {
            (
                Reason::NotTranslated,
                "this version does not carry deletions to Matrix",
            )
        };
    }
    // Never edited is before any edit.
    if message.edited_at <= crossed.edited_at {
        (Reason::NotAnEdit, "its text was not changed since it crossed")
    } else if context.origin(crossed) == Origin::Matrix {
        (Reason::OwnEcho, "only the bridge itself can edit what it posted")
    } else {
        (
            Reason::NotTranslated,
            "this version does not carry edits to Matrix",
        )
    }
}

fn judge_unknown_update(message: &Message, context: &Context) -> Skip {
    let made = message.sent.or_else(|| message.id.time());
    let is_older = made
        .zip(context.portal.created_at)
        .is_some_and(|(made, linked)| made < linked);
    if is_tombstone(message) {
        (Reason::Gone, "it was deleted and had not crossed")
    } else if is_older {
        (Reason::OlderThanPortal, "it is older than the portal")
    } else {
        (Reason::NotFound, "the updated message did not cross")
    }
}

/// Whether a message was deleted but kept, because others reply to it (gitter-api 5.4).
fn is_tombstone(message: &Message) -> bool {
    message.text.is_empty() && message.html.is_empty()
}

fn create(message: &Message, context: &Context) -> Result<Vec<MatrixAction>, Skip> {
    if is_tombstone(message) {
        return Err((Reason::Gone, "it was deleted before it crossed"));
    }
    let author = author(message, context)?;
    let (sender, name) = match &author {
        Author::Ghost(ghost) => (Some(ghost.clone()), None),
        Author::Named(name) => (context.bot(), Some(*name)),
    };
    let sender = sender.ok_or((Reason::NotAllowed, "the bridge's own user has no valid id"))?;
    let fields = content::make(message, name, context).ok_or((Reason::Empty, "it has no visible text"))?;
    Ok(vec![MatrixAction::Send {
        part: 0,
        sender,
        content: Value::Object(fields),
        fallback: None,
    }])
}

/// As whom a message is sent.
enum Author<'a> {
    /// A ghost of its own.
    Ghost(OwnedUserId),
    /// The bot, with this name in the text.
    Named(&'a str),
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
