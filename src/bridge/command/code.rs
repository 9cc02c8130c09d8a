//! Codes: an admin of a Gitter room allows what somebody asked for on Matrix by posting one there.
//!
//! A code holds for ten minutes, for one pair of rooms and one purpose. The room is listed now and then meanwhile, at the
//! lowest urgency but history's. Only an account counts that Gitter lists as an admin of the room: not the bridge's own,
//! in whose name others may speak, and no virtual user. Who asked has to be there still, with the power to ask.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{Asking, Failure, Outcome, link, links::room_address, settings, status::provision_failed};
use crate::{
    bridge::{
        BridgeError, now,
        provision::{Linker, ProvisionError},
        say,
    },
    gitter::{Class, GitterError, MessagePage},
    ids::{GitterMessageId, GitterRoomId},
    model,
    store::{
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

/// The code that was given to a command, if one was. It counts for what it was given for alone.
pub(super) async fn given(asking: &Asking<'_>, purpose: CodePurpose) -> Result<Option<Code>, Failure> {
    let mut tx = asking.bridge.db.read().await?;
    let given = code::of_event(&mut tx, &asking.asked.event_id).await?;
    drop(tx);
    match given {
        Some(given) if given.purpose != purpose || given.matrix_room != asking.room => Err(out_of_date()),
        given => Ok(given),
    }
}

/// What is said where a code was given for other rooms than it would be used for now.
pub(super) fn out_of_date() -> Failure {
    Failure::Told(
        "The code that was given here was for other rooms than these are now, so it does not hold any more. Ask again \
         for another."
            .to_owned(),
    )
}

/// Gives somebody a code.
pub(super) async fn give(
    asking: &Asking<'_>,
    room: &GitterRoomId,
    uri: &str,
    purpose: CodePurpose,
) -> Result<Outcome, Failure> {
    let made = make(asking, room, purpose).await?;
    tell(asking, &made, uri).await?;
    Ok(Outcome::Later(now() + wait(0)))
}

/// Looks whether a code was posted, and does what it allows.
pub(super) async fn look(asking: &Asking<'_>, given: &Code, uri: &str) -> Result<Outcome, Failure> {
    if given.expires_at <= now() {
        return Err(Failure::Told(format!(
            "No admin of {uri} posted the code there in time, so nothing was changed. Ask again for another."
        )));
    }
    // A crash may have come between keeping and telling; a repeat is not said twice.
    if asking.asked.tries <= 1 {
        tell(asking, given, uri).await?;
    }
    match look_once(asking, given, uri).await {
        Ok(Some(outcome)) => Ok(outcome),
        // Gitter may be away, or the budget spent: there is time.
        Ok(None) | Err(Failure::Bridge(BridgeError::Gitter(_))) => {
            Ok(Outcome::Later(now() + wait(now() - given.expires_at + HOLDS)))
        }
        Err(failure) => Err(failure),
    }
}

async fn look_once(asking: &Asking<'_>, given: &Code, uri: &str) -> Result<Option<Outcome>, Failure> {
    if !asking.may_request(1) || !was_posted(asking, given).await? {
        return Ok(None);
    }
    let outcome = match given.purpose {
        CodePurpose::Link => link::finish(asking, uri, Linker::Person(Some(&given.gitter_room))).await?,
        CodePurpose::Moderation => {
            settings::set(asking, (SettingName::Moderation, Some("on")), in_time).await?
        }
    };
    Ok(Some(outcome))
}

/// While a code holds there is time for another try.
pub(super) fn in_time(error: ProvisionError) -> Failure {
    match error {
        ProvisionError::Bridge(error) => error.into(),
        error => provision_failed(error),
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
        matrix_room: asking.room.clone(),
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
    if !code::keep(&mut tx, &made, now).await? {
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
        "To {what}, an admin of that room has to agree: they post `{}` there, on Gitter ({address}), as a message of \
         nothing else, within ten minutes.",
        code.code
    );
    let event = serde_json::from_str(&asking.asked.body).unwrap_or_default();
    let key = format!("code {}", asking.asked.event_id);
    Ok(say::answer(asking.bridge, &asking.asked.room, &key, &text, &event).await?)
}

/// Whether an admin of the Gitter room has posted a code.
async fn was_posted(asking: &Asking<'_>, given: &Code) -> Result<bool, Failure> {
    let page = MessagePage {
        after: Some(given.read_to.clone()),
        before: None,
        limit: 100,
        class: Class::Read,
    };
    let listed = asking
        .bridge
        .gitter
        .messages(&given.gitter_room, &page)
        .await
        .map_err(BridgeError::from)?;
    let mut read_to = given.read_to.clone();
    let mut refused = BTreeSet::new();
    let mut found = Ok(false);
    for raw in listed {
        let Ok(message) = serde_json::from_str::<model::Message>(raw.get()) else {
            continue;
        };
        if let Some(author) = author(asking, &message, &given.code)
            && !refused.contains(&author.id)
        {
            // What was not looked into is looked at again the next time.
            if !asking.may_request(1) {
                break;
            }
            found = agrees(asking, given, author).await;
            if !matches!(found, Ok(false)) {
                break;
            }
            refused.insert(author.id.clone());
        }
        read_to = read_to.max(message.id);
    }
    if read_to != given.read_to {
        let mut tx = asking.bridge.db.write().await?;
        code::has_read(&mut tx, given, &read_to).await?;
        tx.commit().await?;
    }
    found
}

/// Whether who posted a code is an admin of the Gitter room; who is none is told of once.
async fn agrees(asking: &Asking<'_>, given: &Code, author: &model::User) -> Result<bool, Failure> {
    match asking.bridge.gitter.is_admin(&given.gitter_room, author).await {
        Ok(true) => Ok(true),
        Ok(false) => {
            let text = format!(
                "{} posted the code on Gitter, but Gitter does not list them as an admin of that room. It still waits for \
                 one who is.",
                author.username
            );
            let key = format!("no admin {} {}", given.event_id, author.id);
            say::say(asking.bridge, &asking.asked.room, &key, &text).await?;
            Ok(false)
        }
        // Gone meanwhile, or hidden from the bridge's account.
        Err(GitterError::Status { status, .. }) if status.is_client_error() => Ok(false),
        Err(error) => Err(BridgeError::from(error).into()),
    }
}

/// Who posted the code, if a message is that and nothing else and somebody of Gitter's wrote it: who quotes a code, or
/// warns of it, does not agree.
fn author<'a>(asking: &Asking<'_>, message: &'a model::Message, code: &str) -> Option<&'a model::User> {
    let author = message.from_user.as_ref()?;
    let account = author.account_id()?;
    let is_own = account == asking.bridge.account.user_id;
    let is_code = message.text.trim().trim_matches('`') == code;
    (!is_own && message.virtual_user.is_none() && is_code).then_some(author)
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
