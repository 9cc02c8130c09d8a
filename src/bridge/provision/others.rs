//! Checks beside those without which nothing works: whether another bridge joins the same rooms, and what the bridge may do
//! beyond speaking.

use jiff::{SignedDuration, Timestamp};
use ruma::RoomId;
use serde_json::Value;

use super::{ProvisionError, checks::Survey};
use crate::{
    bridge::{Bridge, BridgeError, room_state},
    gitter::{Class, MessagePage},
    matrix::RoomAccess,
    model,
    store::ledger,
};

/// Virtual users of another bridge who spoke in this time may speak again.
const RECENT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How many of the newest messages of others are looked up in the map.
const LOOKED_UP: usize = 5;

/// Two bridges between the same two rooms would tell each other everything for ever.
pub(super) async fn in_matrix_room(
    bridge: &Bridge,
    room: &RoomId,
    survey: &mut Survey,
) -> Result<(), ProvisionError> {
    const CHECK: &str = "no_other_bridge";
    let state = bridge.matrix.whole_state(room).await.map_err(BridgeError::from)?;
    let other = state.iter().find(|event| is_other(bridge, event));
    let Some(other) = other else {
        survey.passed(CHECK, "no other bridge joins the room with Gitter");
        return Ok(());
    };
    let text = |pointer: &str| other.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
    survey.failed(
        CHECK,
        format!(
            "{} says that another bridge joins the room with Gitter's {}; messages would go round between the two",
            text("/sender"),
            text("/content/channel/id")
        ),
        format!(
            "end that bridge first; if it is gone already, empty the room's state event {} with the key {:?}",
            text("/type"),
            text("/state_key")
        ),
    );
    Ok(())
}

/// Whether a state event says that another bridge joins the room with Gitter.
fn is_other(bridge: &Bridge, event: &Value) -> bool {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    room_state::BRIDGE_EVENTS.contains(&text("/type"))
        && text("/content/protocol/id").eq_ignore_ascii_case("gitter")
        && text("/sender") != bridge.matrix.bot()
}

/// What the bot may do in the Matrix room beside speaking.
pub(super) fn power(bridge: &Bridge, access: &RoomAccess, survey: &mut Survey) {
    const CHECK: &str = "matrix_room_power";
    let bot = bridge.matrix.bot();
    let lacks: Vec<&str> = [
        (access.may_redact_others(bot), "redact what is deleted on Gitter"),
        (
            access.may_change_state(bot),
            "say in the room's state where it is linked to",
        ),
    ]
    .into_iter()
    .filter_map(|(may, what)| (!may).then_some(what))
    .collect();
    if lacks.is_empty() {
        survey.passed(CHECK, format!("{bot} may redact, and set the room's state"));
    } else {
        survey.advised(
            CHECK,
            format!("{bot} may not {}; all else works", lacks.join(", and not ")),
            format!("give {bot} power level 50"),
        );
    }
}

/// What the account may do in the Gitter room beside speaking, and who else speaks there for Matrix people.
pub(super) async fn on_gitter(
    bridge: &Bridge,
    room: &model::Room,
    survey: &mut Survey,
) -> Result<(), ProvisionError> {
    const CHECK: &str = "gitter_room_other_bridge";
    let name = &bridge.account.username;
    if room.permissions.admin {
        survey.passed("gitter_account_admin", format!("{name} is an admin of the room"));
    } else {
        survey.advised(
            "gitter_account_admin",
            format!("{name} is no admin of the room, so moderators on Matrix cannot delete or ban there"),
            format!("if they are to, make {name} an admin of the room on Gitter"),
        );
    }
    match other_virtual_user(bridge, room).await? {
        None => survey.passed(CHECK, "nobody else speaks there for people of Matrix"),
        Some(other) => survey.advised(
            CHECK,
            format!("another bridge posted there for {other} lately; what it posts does not cross, unless bridge.relay_foreign is set"),
            "see that it does not join the same Matrix room: everything would go round between the two",
        ),
    }
    Ok(())
}

/// Somebody of Matrix who spoke in a Gitter room lately, and not by this bridge.
async fn other_virtual_user(bridge: &Bridge, room: &model::Room) -> Result<Option<String>, BridgeError> {
    let newest = MessagePage {
        after: None,
        before: None,
        limit: 100,
        class: Class::Read,
    };
    let since = Timestamp::now() - RECENT;
    let listed = bridge.gitter.messages(&room.id, &newest).await?;
    let virtual_ones = listed.iter().rev().filter_map(|raw| {
        let message: model::Message = serde_json::from_str(raw.get()).ok()?;
        let user = message.virtual_user?;
        (message.sent? > since).then_some((message.id, user.external_id))
    });
    let mut tx = bridge.db.read().await?;
    for (id, user) in virtual_ones.take(LOOKED_UP) {
        if ledger::pairs(&mut tx, id.as_str()).await?.is_empty() {
            return Ok(Some(user));
        }
    }
    Ok(None)
}
