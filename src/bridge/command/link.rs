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
    store::{
        Portal,
        code::{self as codes, CodePurpose},
    },
};

/// What checking two rooms costs at most, in requests to Gitter.
const SURVEY: usize = 5;

/// How long after a link that Gitter did not confirm it is tried again, in milliseconds.
const AGAIN: i64 = 10_000;

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
        // An earlier try made the link, or somebody else did meanwhile.
        return match &asking.portal {
            Some(portal) if portal.gitter_room_id == given.gitter_room => {
                conclude(asking, portal, false).await
            }
            _ => code::look(asking, &given, uri).await,
        };
    }
    asking.spend(SURVEY)?;
    let survey = checks::survey(asking.bridge, Linker::Person(None), &request(asking, uri, true))
        .await
        .map_err(provision_failed)?;
    if let Some(portal) = &survey.existing {
        return conclude(asking, portal, false).await;
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

/// Links the rooms, and says so to both.
pub(super) async fn finish(asking: &Asking<'_>, uri: &str, linker: Linker<'_>) -> Result<Outcome, Failure> {
    let agreed = matches!(linker, Linker::Person(Some(_)));
    let linked = asking.bridge.link_for(linker, &request(asking, uri, false)).await;
    let is_new = match linked {
        Ok(Linked::New(_)) => true,
        Ok(Linked::Before(_)) => false,
        Ok(Linked::DryRun(_)) => return Ok(Outcome::Silence),
        Err(ProvisionError::NoSubscription) if agreed => return Ok(Outcome::Later(now() + AGAIN)),
        Err(error) if agreed => return Err(code::in_time(error)),
        Err(error) => return Err(provision_failed(error)),
    };
    match portal_of(asking.bridge, &asking.room).await? {
        Some(portal) => conclude(asking, &portal, is_new).await,
        None => Err(provision_failed(ProvisionError::NotFound(
            asking.room.to_string(),
        ))),
    }
}

/// Says that the rooms are linked: to both, if it was this command that linked them, now or in an earlier try.
async fn conclude(asking: &Asking<'_>, portal: &Portal, is_new: bool) -> Result<Outcome, Failure> {
    let asked = asking.asked;
    let is_new = is_new || asked.tries > 0 && portal.created_at >= asked.created_at;
    let uri = &portal.gitter_uri;
    if is_new && announce(asking, &portal.gitter_room_id, uri).await? && asking.room == asked.room {
        return Ok(Outcome::Silence);
    }
    let word = if is_new { "Linked" } else { "Linked already" };
    Ok(format!("{word}: {uri} on Gitter ({}).", room_address(asking.bridge, uri)).into())
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
    asking.bridge.end(portal).await.map_err(provision_failed)?;
    Ok(format!("The link with {uri} is ended.").into())
}
