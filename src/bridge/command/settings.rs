//! `settings`, `optout` and `optin`: what holds in a room, and for one person.

use super::{Asking, Failure, Outcome, code, status::provision_failed};
use crate::{
    bridge::{provision::ProvisionError, room_settings},
    store::{code::CodePurpose, opt_out, setting::SettingName},
};

/// Shows what holds in a room, or changes one thing.
pub(super) async fn settings(asking: &Asking<'_>) -> Result<Outcome, Failure> {
    let portal = asking.portal()?;
    let room = &portal.gitter_room_id;
    let (name, word) = match asking.words.as_slice() {
        [] => {
            let view = asking
                .bridge
                .settings_of(room.as_str())
                .await
                .map_err(provision_failed)?;
            let lines = view.words().map(|(name, word, is_set)| {
                let note = if is_set {
                    "set for this room"
                } else {
                    "as configured"
                };
                format!("{} {word} ({note})", name.as_str())
            });
            return Ok(lines.join("\n").into());
        }
        [name, word] => (name, word),
        _ => {
            return Err(Failure::Told(
                "Write the name of one setting and its value, such as `!gitter settings threads reply`."
                    .to_owned(),
            ));
        }
    };
    let change = room_settings::change(name, Some(word)).map_err(provision_failed)?;
    // What is done to Gitter's people is for admins of the Gitter room to allow.
    if change == (SettingName::Moderation, Some("on")) && !asking.rights.admin {
        let uri = &portal.gitter_uri;
        return match code::given(asking, CodePurpose::Moderation).await? {
            Some(given) if given.gitter_room == *room => code::look(asking, &given, uri).await,
            Some(_) => Err(code::out_of_date()),
            None => {
                // A code would be of no use.
                let may_moderate = asking.bridge.must_moderate(room).await;
                may_moderate.map_err(provision_failed)?;
                code::give(asking, room, uri, CodePurpose::Moderation).await
            }
        };
    }
    set(asking, change, provision_failed).await
}

/// Makes a change, and says what holds now. `failed` says what comes of a failure.
pub(super) async fn set(
    asking: &Asking<'_>,
    change: (SettingName, Option<&'static str>),
    failed: fn(ProvisionError) -> Failure,
) -> Result<Outcome, Failure> {
    let portal = asking.portal()?;
    let view = asking
        .bridge
        .apply_settings(&portal.gitter_room_id, &[change])
        .await
        .map_err(failed)?;
    let words = view.words();
    let word = words.iter().find(|(name, _, _)| *name == change.0);
    let word = word.map_or("", |(_, word, _)| word);
    Ok(format!("From now on {} is {word} here.", change.0.as_str()).into())
}

/// Keeps what somebody says in Matrix.
pub(super) async fn opt_out(asking: &Asking<'_>) -> Result<Outcome, Failure> {
    let said_at = asking.said_at().unwrap_or(asking.asked.created_at);
    let mut tx = asking.bridge.db.write().await?;
    opt_out::opt_out(&mut tx, asking.user(), said_at).await?;
    tx.commit().await?;
    Ok("From now on nothing that you say goes to Gitter, in any room. What went there stays until you delete it; what \
        you delete is deleted there too. `!gitter optin` takes this back."
        .to_owned()
        .into())
}

/// Lets what somebody says go to Gitter again.
pub(super) async fn opt_in(asking: &Asking<'_>) -> Result<Outcome, Failure> {
    let said_at = asking.said_at().unwrap_or(asking.asked.created_at);
    let mut tx = asking.bridge.db.write().await?;
    opt_out::opt_in(&mut tx, asking.user(), said_at).await?;
    tx.commit().await?;
    Ok("What you say in linked rooms goes to Gitter.".to_owned().into())
}
