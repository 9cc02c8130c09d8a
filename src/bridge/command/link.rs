//! `link` and `unlink`.

use ruma::events::StateEventType;

use super::{Asking, Failure, Outcome, code, links::room_address, status::provision_failed};
use crate::{
    bridge::{
        now,
        provision::{LinkRequest, Linked, ProvisionError, checks},
        say,
    },
    store::code::{self as codes, CodePurpose},
};

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
    if !asking.rights.admin {
        let request = request(asking, uri, true);
        let survey = checks::survey(asking.bridge, &request)
            .await
            .map_err(provision_failed)?;
        if survey.existing.is_none() {
            if !survey.checks.all_passed() {
                return Err(provision_failed(ProvisionError::Checks(survey.checks.into_vec())));
            }
            if let Some(room) = &survey.gitter_room {
                let uri = room.uri.as_deref().unwrap_or(uri);
                return code::ask(asking, &room.id, uri, CodePurpose::Link).await;
            }
        }
    }
    finish(asking, uri).await
}

fn request(asking: &Asking<'_>, uri: &str, dry_run: bool) -> LinkRequest {
    LinkRequest {
        gitter_uri: uri.to_owned(),
        matrix_room: Some(asking.room.to_string()),
        requester: None,
        dry_run,
    }
}

/// Links the rooms, and says so to both once.
pub(super) async fn finish(asking: &Asking<'_>, uri: &str) -> Result<Outcome, Failure> {
    let linked = asking.bridge.link(&request(asking, uri, false)).await;
    let (portal, is_new) = match linked.map_err(provision_failed)? {
        Linked::New(portal) => (portal, true),
        Linked::Before(portal) => (portal, asking.asked.tries > 0),
        Linked::DryRun(_) => return Ok(Outcome::Silence),
    };
    let mut tx = asking.bridge.db.write().await?;
    let untold = codes::announce(&mut tx, &portal.gitter_room_id, &asking.room, now()).await?;
    tx.commit().await?;
    let uri = &portal.gitter_uri;
    if untold {
        let text = announcement(asking, uri).await?;
        say::announce(asking.bridge, &asking.room, portal.gitter_room_id.as_str(), &text).await?;
        if asking.room == asking.asked.room {
            return Ok(Outcome::Silence);
        }
    }
    let word = if is_new { "Linked" } else { "Linked already" };
    Ok(format!("{word}: {uri} on Gitter ({}).", room_address(asking.bridge, uri)).into())
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
