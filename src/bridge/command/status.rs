//! `status` and `ping`: how things are, and how long the way is.

use std::fmt::Write as _;

use boot_time::Instant;
use jiff::Timestamp;

use super::{Asking, Failure, Outcome, allowance::Ping, links::room_address};
use crate::{
    bridge::{now, provision::ProvisionError},
    gitter::GitterError,
    store::{Direction, PortalState, installation},
};

/// Measures the way to Gitter and back, unless that was done just now.
pub(super) async fn ping(asking: &Asking<'_>) -> Result<Outcome, Failure> {
    let ping = measure(asking).await?;
    let (took, ago) = (ping.took.as_millis(), ping.at.elapsed().as_secs());
    let mut text = format!("Gitter answered after {took} ms, with any wait for the request budget.");
    if ago > 0 {
        let _ = write!(text, " That was {ago} s ago.");
    }
    if let Some(said_at) = asking.said_at() {
        let way = asking.asked.created_at - said_at;
        if (0..600_000).contains(&way) {
            let _ = write!(
                text,
                " Your message took {way} ms to me, by the homeserver's clock."
            );
        }
    }
    Ok(text.into())
}

/// Whoever asks meanwhile waits for the same answer.
async fn measure(asking: &Asking<'_>) -> Result<Ping, Failure> {
    let bridge = asking.bridge;
    let mut pinged = bridge.command_allowance.pinged.lock().await;
    if let Some(ping) = pinged.filter(Ping::holds) {
        return Ok(ping);
    }
    asking.spend(1)?;
    let begun = Instant::now();
    bridge.gitter.current_user().await.map_err(gitter_away)?;
    let ping = Ping {
        at: Instant::now(),
        took: begun.elapsed(),
    };
    *pinged = Some(ping);
    Ok(ping)
}

/// What somebody is told where Gitter could not be asked.
pub(super) fn gitter_away(error: GitterError) -> Failure {
    Failure::Told(match error {
        GitterError::Unauthorized { .. } => {
            "Gitter does not accept the bridge's token any more, so nothing goes there. The bridge's operator has to put \
             a valid one into gitter.token_file."
                .to_owned()
        }
        error => format!(
            "Gitter could not be asked ({error}). What is said waits until it can be; try the command again in a minute."
        ),
    })
}

/// What somebody is told of what did not work with rooms.
pub(super) fn provision_failed(error: ProvisionError) -> Failure {
    use crate::bridge::BridgeError;
    match error {
        ProvisionError::Invalid { error, mend } | ProvisionError::AlreadyLinked { error, mend } => {
            Failure::Told(format!("{}. To mend it: {mend}.", capitalised(&error)))
        }
        ProvisionError::Checks(checks) => {
            let mut text = "The rooms cannot be linked:".to_owned();
            for check in checks.iter().filter(|check| !check.ok) {
                let _ = write!(
                    text,
                    "\n– {}. To mend it: {}.",
                    capitalised(&check.detail),
                    check.mend
                );
            }
            Failure::Told(text)
        }
        ProvisionError::Bridge(BridgeError::Gitter(error)) => gitter_away(error),
        ProvisionError::Bridge(error) => error.into(),
        error @ (ProvisionError::NotFound(_) | ProvisionError::NoSubscription) => Failure::Told(format!(
            "{}. Try again in a minute.",
            capitalised(&error.to_string())
        )),
    }
}

/// A text as a sentence begins.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Says how things are with a room.
pub(super) async fn status(asking: &Asking<'_>) -> Result<Outcome, Failure> {
    let (bridge, portal) = (asking.bridge, asking.portal()?);
    let view = bridge
        .portal(portal.gitter_room_id.as_str())
        .await
        .map_err(provision_failed)?;
    let uri = &view.gitter_uri;
    let mut lines = vec![format!(
        "Linked with {uri} on Gitter ({}).",
        room_address(bridge, uri)
    )];
    lines.push(state(view.state).to_owned());
    for (direction, name) in [
        (Direction::ToGitter, "Gitter"),
        (Direction::ToMatrix, "the homeserver"),
    ] {
        if !bridge.sides.is_open(direction, now()) {
            lines.push(format!(
                "At the moment {name} takes nothing; what is for it waits."
            ));
        }
    }
    let mut tx = bridge.db.read().await?;
    if installation::other_seen(&mut tx, now()).await?.is_some() {
        lines.push(
            "Another bridge uses the same tokens, so messages may cross twice. The bridge's operator has to stop one of the two."
                .to_owned(),
        );
    }
    drop(tx);
    let last = view.last_bridged_at.map_or_else(
        || "Nothing has crossed yet.".to_owned(),
        |time| format!("Something last crossed at {}.", shown(time)),
    );
    lines.push(format!(
        "{} waiting, {} failed. {last}",
        view.waiting, view.failed
    ));
    if view.failed > 0 {
        lines.push("`!gitter failed` lists what has failed, for those who may try it again.".to_owned());
    }
    Ok(lines.join("\n").into())
}

/// A time to the second.
pub(super) fn shown(time: Timestamp) -> String {
    format!("{time:.0}")
}

const fn state(state: PortalState) -> &'static str {
    match state {
        PortalState::Active => "All works.",
        PortalState::CatchingUp => {
            "It is being looked through for what was missed; what is said meanwhile waits."
        }
        PortalState::Paused => "It is paused: what is said waits. `!gitter resume` goes on.",
        PortalState::Private => "The Gitter room is not public any more, so nothing crosses.",
        PortalState::Broken => {
            "One of the rooms refuses the bridge, so everything waits. The bridge's log says which and why."
        }
    }
}
