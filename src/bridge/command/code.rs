//! Codes: an admin of a Gitter room allows what somebody asked for on Matrix by posting one there.
//!
//! A code holds for ten minutes, for one pair of rooms and one purpose. The room is listed now and then meanwhile, at the
//! lowest urgency but history's. Only an account counts that Gitter lists as an admin of the room: not the bridge's own,
//! in whose name others may speak, and no virtual user.

use jiff::{SignedDuration, Timestamp};

use super::{Asking, Failure, Outcome, link, links::room_address, settings};
use crate::{
    bridge::{BridgeError, now, say},
    gitter::{Class, GitterError, MessagePage},
    ids::{GitterMessageId, GitterRoomId},
    model,
    store::{
        StoreError,
        code::{self, Code, CodePurpose},
        setting::SettingName,
    },
};

/// How long a code holds, in milliseconds.
const HOLDS: i64 = 600_000;

/// How many codes hold at once: each costs a few requests a minute.
const MOST: i64 = 5;

/// Letters that cannot be taken for others.
const LETTERS: &[u8] = b"23456789abcdefghjkmnpqrstuvwxyz";

/// How many of them a code has: nobody guesses it in ten minutes.
const LENGTH: usize = 10;

/// Clocks may differ by this.
const SLACK: SignedDuration = SignedDuration::from_secs(10);

/// Gives somebody a code, or looks whether it was posted.
pub(super) async fn ask(
    asking: &Asking<'_>,
    room: &GitterRoomId,
    uri: &str,
    purpose: CodePurpose,
) -> Result<Outcome, Failure> {
    let mut tx = asking.bridge.db.read().await?;
    let kept = code::of_event(&mut tx, &asking.asked.event_id).await?;
    drop(tx);
    let Some(kept) = kept else {
        if asking.asked.tries > 1 {
            return Err(Failure::Told(
                "The code that was given here does not hold any more.".to_owned(),
            ));
        }
        let made = make(asking, room, purpose).await?;
        tell(asking, &made, uri).await?;
        return Ok(Outcome::Later(now() + wait(0)));
    };
    // A crash may have come between keeping and telling; a repeat is not said twice.
    if asking.asked.tries <= 1 {
        tell(asking, &kept, uri).await?;
    }
    if kept.expires_at <= now() {
        end(asking, &kept).await?;
        return Err(Failure::Told(format!(
            "No admin of {uri} posted the code there in time, so nothing was changed. Ask again for another."
        )));
    }
    match was_posted(asking, &kept).await {
        Ok(true) => {
            let outcome = match purpose {
                CodePurpose::Link => link::finish(asking, uri).await?,
                CodePurpose::Moderation => {
                    settings::set(asking, (SettingName::Moderation, Some("on"))).await?
                }
            };
            end(asking, &kept).await?;
            Ok(outcome)
        }
        // Gitter may be away, or the budget spent: there is time.
        Ok(false) | Err(Failure::Bridge(BridgeError::Gitter(_))) => {
            Ok(Outcome::Later(now() + wait(now() - kept.expires_at + HOLDS)))
        }
        Err(failure) => Err(failure),
    }
}

/// How long to wait for the next look at a code of an age, in milliseconds: less and less is to be expected.
fn wait(age: i64) -> i64 {
    (age / 8).clamp(3_000, 30_000)
}

async fn make(asking: &Asking<'_>, room: &GitterRoomId, purpose: CodePurpose) -> Result<Code, Failure> {
    let now = now();
    let letters = || {
        LETTERS
            .get(rand::random_range(0..LETTERS.len()))
            .map_or('x', |letter| char::from(*letter))
    };
    let begin = Timestamp::from_millisecond(now).unwrap_or(Timestamp::UNIX_EPOCH);
    let begin = begin + asking.bridge.gitter.clock_offset().unwrap_or_default() - SLACK;
    let made = Code {
        gitter_room: room.clone(),
        code: std::iter::repeat_with(letters).take(LENGTH).collect(),
        event_id: asking.asked.event_id.clone(),
        expires_at: now + HOLDS,
        read_to: GitterMessageId::first_of_second(begin),
        purpose,
    };
    let mut tx = asking.bridge.db.write().await?;
    if code::count_others(&mut tx, &made.event_id, now).await? >= MOST {
        return Err(Failure::Told(
            "Too many people wait for an admin of a Gitter room just now. Ask again in ten minutes."
                .to_owned(),
        ));
    }
    if !code::keep(&mut tx, &asking.room, &made, now).await? {
        return Err(Failure::Told(
            "A code for just this is waited for already. Once it has ended, ten minutes after it was given, there can be \
             another."
                .to_owned(),
        ));
    }
    tx.commit().await?;
    Ok(made)
}

async fn tell(asking: &Asking<'_>, code: &Code, uri: &str) -> Result<(), Failure> {
    let address = room_address(asking.bridge, uri);
    let what = match code.purpose {
        CodePurpose::Link => format!("link this room with {uri}"),
        CodePurpose::Moderation => format!("let bans and deletions of this room's moderators count in {uri}"),
    };
    let text = format!(
        "To {what}, an admin of that room has to agree: they post `{}` there, on Gitter ({address}), within ten minutes.",
        code.code
    );
    let event = serde_json::from_str(&asking.asked.body).unwrap_or_default();
    let key = format!("code {}", asking.asked.event_id);
    Ok(say::answer(asking.bridge, &asking.asked.room, &key, &text, &event).await?)
}

async fn end(asking: &Asking<'_>, kept: &Code) -> Result<(), StoreError> {
    let mut tx = asking.bridge.db.write().await?;
    code::end(&mut tx, kept).await?;
    tx.commit().await
}

/// Whether an admin of the Gitter room has posted a code.
async fn was_posted(asking: &Asking<'_>, kept: &Code) -> Result<bool, Failure> {
    let gitter = &asking.bridge.gitter;
    let page = MessagePage {
        after: Some(kept.read_to.clone()),
        before: None,
        limit: 100,
        class: Class::Read,
    };
    let listed = gitter
        .messages(&kept.gitter_room, &page)
        .await
        .map_err(BridgeError::from)?;
    let mut newest = kept.read_to.clone();
    for raw in listed {
        let Ok(message) = serde_json::from_str::<model::Message>(raw.get()) else {
            continue;
        };
        if newest < message.id {
            newest = message.id.clone();
        }
        let Some(author) = author(asking, &message, &kept.code) else {
            continue;
        };
        match gitter.is_admin(&kept.gitter_room, author).await {
            Ok(true) => return Ok(true),
            Ok(false) => {
                let text = format!(
                    "{} posted the code on Gitter, but Gitter does not list them as an admin of that room. It still waits \
                     for one who is.",
                    author.username
                );
                let key = format!("no admin {}", message.id);
                say::say(asking.bridge, &asking.asked.room, &key, &text).await?;
            }
            // Gone meanwhile, or hidden from the bridge's account.
            Err(GitterError::Status { status, .. }) if status.is_client_error() => {}
            Err(error) => return Err(BridgeError::from(error).into()),
        }
    }
    if newest != kept.read_to {
        let mut tx = asking.bridge.db.write().await?;
        code::has_read(&mut tx, kept, &newest).await?;
        tx.commit().await?;
    }
    Ok(false)
}

/// Who posted the code, if a message is such a post and somebody of Gitter's wrote it.
fn author<'a>(asking: &Asking<'_>, message: &'a model::Message, code: &str) -> Option<&'a model::User> {
    let author = message.from_user.as_ref()?;
    let account = author.account_id()?;
    let is_own = account == asking.bridge.account.user_id;
    (!is_own && message.virtual_user.is_none() && message.text.contains(code)).then_some(author)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_grow_rare_and_stay_few() {
        let (mut age, mut looks) = (0, 0);
        while age < HOLDS {
            age += wait(age);
            looks += 1;
        }
        assert!((20..60).contains(&looks), "{looks}");
    }
}
