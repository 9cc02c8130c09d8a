//! `pause` and `resume`, `failed` and `retry`: whether things cross, and what did not.

use std::fmt::Write as _;

use super::{
    Asking, Failure, Outcome,
    links::{event_address, message_address},
    status::provision_failed,
};
use crate::{
    bridge::ledger::{ItemPage, ItemQuery, ItemView, LedgerError},
    store::Direction,
};

/// The most items that are listed.
const SHOWN: usize = 10;

/// Stops a portal.
pub(super) async fn pause(asking: &Asking<'_>) -> Result<Outcome, Failure> {
    let room = asking.portal()?.gitter_room_id.as_str();
    asking.bridge.pause(room).await.map_err(provision_failed)?;
    Ok(
        "Nothing crosses now; what is said waits. `!gitter resume` goes on."
            .to_owned()
            .into(),
    )
}

/// Lets a portal go on.
pub(super) async fn resume(asking: &Asking<'_>) -> Result<Outcome, Failure> {
    let room = asking.portal()?.gitter_room_id.as_str();
    asking.spend(1)?;
    asking.bridge.resume(room).await.map_err(provision_failed)?;
    Ok("It goes on; what waited crosses first.".to_owned().into())
}

/// Lists what has failed in a room.
pub(super) async fn failed(asking: &Asking<'_>) -> Result<Outcome, Failure> {
    let portal = asking.portal()?;
    let page = failed_items(asking).await?;
    if page.items().is_empty() {
        return Ok("Nothing has failed here.".to_owned().into());
    }
    let line = |item: &ItemView| {
        let (side, address) = match item.direction() {
            Direction::ToGitter => ("Gitter", event_address(&portal.matrix_room_id, item.source_id())),
            Direction::ToMatrix => (
                "Matrix",
                message_address(asking.bridge, &portal.gitter_uri, item.source_id()),
            ),
        };
        format!("{} did not reach {side}: {}. {address}", item.id(), item.why())
    };
    let mut lines: Vec<String> = page.items().iter().take(SHOWN).map(line).collect();
    if page.items().len() > SHOWN || page.has_more() {
        lines.push("There are more.".to_owned());
    }
    lines.push("`!gitter retry <id>` tries one again, `!gitter retry` all of them.".to_owned());
    Ok(lines.join("\n").into())
}

/// Tries again what has failed in a room: one thing, or a page of them.
pub(super) async fn retry(asking: &Asking<'_>) -> Result<Outcome, Failure> {
    let page = failed_items(asking).await?;
    let ids: Vec<&str> = page.items().iter().map(ItemView::id).collect();
    if let Some(id) = asking.words.first() {
        let Some(id) = ids.iter().find(|known| *known == id) else {
            return Err(Failure::Told(
                "Nothing with this id has failed here. `!gitter failed` lists what has.".to_owned(),
            ));
        };
        asking.bridge.retry_item(id).await.map_err(told)?;
        return Ok("It is tried again.".to_owned().into());
    }
    let (mut tried, mut left) = (0, None);
    for id in ids {
        match asking.bridge.retry_item(id).await.map_err(told) {
            Ok(()) => tried += 1,
            Err(Failure::Told(why)) => left = Some(why),
            Err(failure) => return Err(failure),
        }
    }
    let mut text = match tried {
        0 => "Nothing is tried again.".to_owned(),
        1 => "One thing is tried again.".to_owned(),
        tried => format!("{tried} things are tried again."),
    };
    if let Some(why) = left {
        let _ = write!(text, " Not all can be: {why}");
    }
    if page.has_more() {
        text += " There are more: ask again once these are through.";
    }
    Ok(text.into())
}

async fn failed_items(asking: &Asking<'_>) -> Result<ItemPage, Failure> {
    let query = ItemQuery {
        state: Some("failed".to_owned()),
        room: Some(asking.portal()?.gitter_room_id.to_string()),
        after: None,
    };
    asking.bridge.items(&query).await.map_err(told)
}

fn told(error: LedgerError) -> Failure {
    let text = error.to_string();
    match error {
        LedgerError::Bridge(error) => error.into(),
        _ => Failure::Told(format!("{text}.")),
    }
}
