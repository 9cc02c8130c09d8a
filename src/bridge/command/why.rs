//! `why`: what became of a message, from the ledger.

use super::{
    Asking, Failure, Outcome,
    links::{event_address, message_address, source_id},
    status::shown,
};
use crate::{
    bridge::ledger::{ExplainedItem, LedgerError},
    store::{Direction, inbox::ItemState},
};

/// The most items of which is told.
const MOST: usize = 5;

/// Says what became of a message.
pub(super) async fn why(asking: &Asking<'_>) -> Result<Outcome, Failure> {
    let id = match (asking.words.first(), &asking.answers) {
        (Some(word), _) => source_id(word).ok_or_else(|| {
            Failure::Told(
                "That is neither a message's id nor a link to one. Or reply to the message with `!gitter why`.".to_owned(),
            )
        })?,
        (None, Some(answered)) => answered.clone(),
        (None, None) => {
            return Err(Failure::Told(
                "Reply to a message with `!gitter why`, or write its id or a link to it behind the command.".to_owned(),
            ));
        }
    };
    let unknown = || {
        let days = asking.bridge.settings.keep_ledger / 86_400_000;
        Failure::Told(format!(
            "Nothing is known here of that message. Either it never reached the bridge, or it is older than the {days} \
             days for which that is kept."
        ))
    };
    let explained = match asking.bridge.explain(&id).await {
        Ok(explained) => explained,
        Err(LedgerError::Bridge(error)) => return Err(error.into()),
        Err(_) => return Err(unknown()),
    };
    // What is said elsewhere is for those who are there.
    let room = asking
        .portal
        .as_ref()
        .map(|portal| portal.gitter_room_id.as_str());
    let here: Vec<&ExplainedItem> = explained
        .items()
        .iter()
        .filter(|item| asking.rights.admin || (room.is_some() && item.room() == room))
        .collect();
    if here.is_empty() {
        return Err(unknown());
    }
    let lines: Vec<String> = here.iter().take(MOST).map(|item| line(asking, item)).collect();
    Ok(lines.join("\n").into())
}

fn line(asking: &Asking<'_>, item: &ExplainedItem) -> String {
    let (side, arrived) = match item.direction() {
        Direction::ToGitter => ("Gitter", item.gitter_message_ids()),
        Direction::ToMatrix => ("Matrix", item.matrix_event_ids()),
    };
    let address = |id: &String| match (item.direction(), &asking.portal) {
        (Direction::ToGitter, Some(portal)) => message_address(asking.bridge, &portal.gitter_uri, id),
        (Direction::ToMatrix, _) => event_address(&asking.room, id),
        _ => id.clone(),
    };
    let what = match item.operation() {
        "m.room.message" | "create" => "It",
        "m.room.redaction" | "remove" => "Its deletion",
        "update" => "A change of it",
        _ => "That",
    };
    let why = item.why();
    match (item.state(), item.outcome()) {
        (ItemState::Settled, Some("bridged")) => {
            let places: Vec<String> = arrived.iter().map(address).collect();
            format!("{what} crossed to {side}. {}", places.join(" "))
                .trim_end()
                .to_owned()
        }
        (ItemState::Settled, Some("failed")) => format!(
            "{what} did not reach {side}: {why}. `!gitter retry {}` tries it again.",
            item.id()
        ),
        (ItemState::Settled, _) => format!("{what} was not sent to {side}: {why}."),
        (ItemState::Held, _) => format!("{what} waits until what is older has been fetched."),
        (ItemState::Waiting, _) => {
            let next = item.next_attempt_at().map_or_else(String::new, |time| {
                format!(" It is tried next at {}.", shown(time))
            });
            let why = if why.is_empty() {
                String::new()
            } else {
                format!(" ({why})")
            };
            format!("{what} waits to be sent to {side}{why}.{next}")
        }
    }
}
