//! `link` and `unlink`.

use ruma::events::StateEventType;

use super::{Asking, Failure, Outcome, code, links::room_address, portal_of, status::provision_failed};
use crate::{
    bridge::{
        now,
        provision::{LinkRequest, Linked, Linker, ProvisionError, checks},
        say,
    },
    ids::GitterRoomId,
    store::code::{self as codes, CodePurpose},
};

/// What checking two rooms costs at most, in requests to Gitter.
const SURVEY: usize = 5;

/// Links a room with a Gitter room: at once for an admin of the bridge, for others once an admin of the Gitter room has
/// posted the code that they get.
pub(super) async fn link(asking: &Asking<'_>) -> Result<Outcome, Failure> {
    let [word] = asking.words.as_slice() else {
        return Err(Failure::Told(
            "Write the Gitter room behind it, such as `!gitter link tidepool/harbour`.".to_owned(),
        ));
    };
    let site = asking.bridge.settings.web_url.as_str();
    let uri = word.strip_prefix(site).unwrap_or(word).trim_matches('/');
    if asking.rights.admin {
        return finish(asking, uri, Linker::Operator).await;
    }
    if let Some(given) = code::given(asking, CodePurpose::Link).await? {
        return code::look(asking, &given, uri).await;
    }
    asking.spend(SURVEY)?;
    let linker = Linker::Person(None);
    let survey = checks::survey(asking.bridge, linker, &request(asking, uri, true))
        .await
        .map_err(provision_failed)?;
    if survey.existing.is_some() {
        return finish(asking, uri, linker).await;
    }
    match &survey.gitter_room {
        Some(room) if survey.checks.all_passed() => {
            let uri = room.uri.as_deref().unwrap_or(uri);
            code::give(asking, &room.id, uri, CodePurpose::Link).await
        }
        _ => Err(provision_failed(ProvisionError::Checks(survey.checks.into_vec()))),
    }
}

fn request(asking: &Asking<'_>, uri: &str, dry_run: bool) -> LinkRequest {
    LinkRequest {
        gitter_uri: uri.to_owned(),
        matrix_room: Some(asking.room.to_string()),
        requester: None,
        dry_run,
    }
}

/// Links the rooms, and says so to both if it was this that linked them.
pub(super) async fn finish(asking: &Asking<'_>, uri: &str, linker: Linker<'_>) -> Result<Outcome, Failure> {
    let linked = asking.bridge.link_for(linker, &request(asking, uri, false)).await;
    let linked = linked.map_err(|error| match (linker, error) {
        // There is time for another try.
        (Linker::Person(Some(_)), ProvisionError::Bridge(error)) => error.into(),
        (_, error) => provision_failed(error),
    })?;
    let (portal, is_new) = match linked {
        Linked::New(portal) => (portal, true),
        Linked::Before(portal) => (portal, false),
        Linked::DryRun(_) => return Ok(Outcome::Silence),
    };
    let is_new = is_new || is_of_this(asking).await?;
    let uri = &portal.gitter_uri;
    if is_new && announce(asking, &portal.gitter_room_id, uri).await? && asking.room == asking.asked.room {
        return Ok(Outcome::Silence);
    }
    let word = if is_new { "Linked" } else { "Linked already" };
    Ok(format!("{word}: {uri} on Gitter ({}).", room_address(asking.bridge, uri)).into())
}

/// Whether an earlier try of this command made the link.
async fn is_of_this(asking: &Asking<'_>) -> Result<bool, Failure> {
    let portal = portal_of(asking.bridge, &asking.room).await?;
    Ok(asking.asked.tries > 0 && portal.is_some_and(|portal| portal.created_at >= asking.asked.created_at))
}

/// Says to both rooms that they are linked; `false` if that was said before. What is said is noted after it: said twice
/// it is one message.
async fn announce(asking: &Asking<'_>, gitter_room: &GitterRoomId, uri: &str) -> Result<bool, Failure> {
    let (bridge, asked) = (asking.bridge, asking.asked);
    let mut tx = bridge.db.read().await?;
    let announced = codes::announced(&mut tx, gitter_room, &asking.room).await?;
    drop(tx);
    if announced.is_some_and(|at| at >= asked.created_at) {
        return Ok(false);
    }
    let text = announcement(asking, uri).await?;
    let key = format!("{gitter_room} {}", asked.event_id);
    say::announce(bridge, &asking.room, &key, &text).await?;
    let mut tx = bridge.db.write().await?;
    codes::announce(&mut tx, gitter_room, &asking.room, now()).await?;
    tx.commit().await?;
    Ok(true)
}

/// What both rooms are told: that all of it is public is what people have to know.
async fn announcement(asking: &Asking<'_>, uri: &str) -> Result<String, Failure> {
    use crate::bridge::BridgeError;
    let alias = asking
        .bridge
        .matrix
        .state(&asking.room, StateEventType::RoomCanonicalAlias, "")
        .await
        .map_err(BridgeError::from)?;
    let alias = alias
        .as_ref()
        .and_then(|alias| alias.get("alias")?.as_str())
        .map_or_else(
            || "a Matrix room".to_owned(),
            |alias| format!("{alias} on Matrix"),
        );
    Ok(format!(
        "{uri} on Gitter and {alias} are linked now: what is said in one is shown in the other, to everyone. {} asked for \
         it. On Matrix, `!gitter help` says more.",
        asking.user()
    ))
}

/// Ends a link, once it was named.
pub(super) async fn unlink(asking: &Asking<'_>) -> Result<Outcome, Failure> {
    let portal = asking.portal()?;
    let uri = &portal.gitter_uri;
    let named = asking.words.first();
    if named.is_none_or(|named| named.to_lowercase() != uri.to_lowercase()) {
        return Err(Failure::Told(format!(
            "This ends the link with {uri}: Gitter's people leave this room, and what waits is dropped. If you mean it, \
             say `!gitter unlink {uri}`."
        )));
    }
    let room = portal.gitter_room_id.as_str();
    asking.bridge.unlink(room).await.map_err(provision_failed)?;
    Ok(format!("The link with {uri} is ended.").into())
}
