//! Bans, and who may have things done on Gitter (DESIGN 4, "bans" and "deletions").
//!
//! Who is banned where by now is told by the context; who may ban on Matrix the homeserver has checked.

use ruma::{OwnedUserId, UserId};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Context, GitterAction, MatrixAction,
    event::Event,
    to_matrix::{self, Operation},
};
use crate::{model::Ban, outcome::Reason};

/// Why an event does not cross.
type Skip = (Reason, String);

/// What asks homeservers and clients to redact all that a banned person sent (MSC4293).
const REDACT_EVENTS: [&str; 2] = ["redact_events", "org.matrix.msc4293.redact_events"];

/// The only kind of virtual users that stand for Matrix people.
const MATRIX: &str = "matrix";

/// Whether bans, and deletions of what Gitter people wrote, may go to Gitter at all.
pub(super) fn reaches_gitter(context: &Context) -> Result<(), Skip> {
    let why = if !context.settings.moderation {
        "moderation of Gitter is off for this room; only an admin of the Gitter room can have it switched on"
    } else if !context.bot.gitter_admin {
        "the bridge's account is no admin of the Gitter room"
    } else {
        return Ok(());
    };
    Err((Reason::NotAllowed, why.to_owned()))
}

/// What a membership event does on Gitter: the ban of a ghost is one of its user, and a ban that is lifted here is
/// lifted there. Bans of Matrix people need nothing: what they say is not accepted by their homeserver any more.
pub(super) fn membership(event: &Event, user: &str, context: &Context) -> Result<Vec<GitterAction>, Skip> {
    let nothing = || {
        (
            Reason::NoEquivalent,
            "Gitter does not show who is in a Matrix room".to_owned(),
        )
    };
    let user = UserId::parse(user).map_err(|_| (Reason::BadEvent, "it is of nobody".to_owned()))?;
    let ghost = context.ghost(&user);
    let is_banned = match ghost {
        Some(ghost) => ghost.banned,
        None => context.member(&user).is_some_and(|member| member.banned),
    };
    let username = match ghost {
        Some(ghost) => ghost.username.clone(),
        None => user.as_str().trim_start_matches('@').to_owned(),
    };
    let before = event.membership_before.as_deref();
    let action = match event.content.get("membership").and_then(Value::as_str) {
        Some("ban") if ghost.is_some() && is_banned => {
            return Err((
                Reason::NoEquivalent,
                "the user is banned on Gitter already".to_owned(),
            ));
        }
        Some("ban") if ghost.is_some() => GitterAction::Ban {
            username,
            remove_messages: REDACT_EVENTS
                .iter()
                .any(|key| event.content.get(*key) == Some(&Value::Bool(true))),
        },
        Some("leave") if user != event.sender && is_lifted(before, is_banned, ghost.is_some()) => {
            GitterAction::Unban { username }
        }
        _ => return Err(nothing()),
    };
    reaches_gitter(context)?;
    if let GitterAction::Ban { username, .. } | GitterAction::Unban { username } = &action
        && username.is_empty()
    {
        return Err((
            Reason::NotFound,
            "the Gitter user's name is not known any more".to_owned(),
        ));
    }
    Ok(vec![action])
}

/// Whether somebody who leaves by another's hand was banned before. Homeservers may leave out what was before: then what
/// is known of Gitter decides. Of Matrix people only a ban that Gitter made is lifted there.
fn is_lifted(before: Option<&str>, is_banned: bool, is_ghost: bool) -> bool {
    match before {
        Some("ban") => is_ghost || is_banned,
        Some(_) => false,
        None => is_banned,
    }
}

/// What a ban on Gitter is on Matrix, and its end.
pub(super) fn ban(operation: &Operation, context: &Context) -> Result<Vec<MatrixAction>, to_matrix::Skip> {
    let fields = operation.model.as_object();
    let ban = fields
        .and_then(|fields| Ban::deserialize(fields).ok())
        .ok_or((Reason::BadEvent, "the ban is not an object"))?;
    let user = banned(&ban, context)?;
    let sender = context
        .bot()
        .ok_or((Reason::NotAllowed, "the bridge's own user has no valid id"))?;
    if user == sender {
        return Err((Reason::OwnEcho, "it is of the bridge's own user"));
    }
    Ok(vec![if operation.operation == "unban" {
        MatrixAction::Unban { sender, user }
    } else {
        let by = ban.banned_by.as_ref().map(|user| user.username.trim());
        let reason = match by.filter(|name| !name.is_empty()) {
            Some(name) => format!("Banned on Gitter by {name}"),
            None => "Banned on Gitter".to_owned(),
        };
        MatrixAction::Ban { sender, user, reason }
    }])
}

/// Who is banned, on Matrix.
fn banned(ban: &Ban, context: &Context) -> Result<OwnedUserId, to_matrix::Skip> {
    match (&ban.virtual_user, &ban.user) {
        (Some(user), _) if user.kind != MATRIX => Err((
            Reason::OtherBridge,
            "the virtual user is of another kind of bridge",
        )),
        (Some(user), _) => UserId::parse(format!("@{}", user.external_id.trim_start_matches('@')))
            .map_err(|_| (Reason::NotFound, "the virtual user's id is none of Matrix")),
        (None, Some(user)) if context.bot.gitter_username.as_deref() == Some(user.username.as_str()) => {
            Err((Reason::OwnEcho, "it is of the bridge's own account"))
        }
        (None, Some(user)) => context
            .gitter_user(&user.id)
            .map(|known| known.mxid.clone())
            .ok_or((Reason::NoEquivalent, "the user was never seen on Matrix")),
        (None, None) => Err((Reason::NotFound, "the account is gone")),
    }
}
