//! The checks before two rooms are linked, in the order in which things break, each with its mend.

use http::StatusCode;
use ruma::{OwnedRoomId, RoomAliasId, RoomId, events::StateEventType};

use super::{LinkRequest, Linker, ProvisionError, create, others};
use crate::{
    bridge::{Bridge, BridgeError, alias, life},
    check::Checks,
    gitter::GitterError,
    matrix::{MatrixError, RoomAccess},
    model,
    store::{Portal, PortalKind, portal},
};

/// What the checks found out.
#[derive(Debug, Default)]
pub(in crate::bridge) struct Survey {
    pub(in crate::bridge) checks: Checks,
    pub(in crate::bridge) gitter_room: Option<model::Room>,
    pub(super) matrix_room: Option<OwnedRoomId>,
    pub(super) virtual_users: bool,
    /// The portal that joins just these two rooms already.
    pub(in crate::bridge) existing: Option<Portal>,
    /// The portal whose Gitter room is gone and whose Matrix room is wanted.
    pub(super) outlived: Option<Portal>,
    /// Which room is linked with a third, and what to do.
    pub(super) already_linked: Option<(String, String)>,
    /// The portal of a room that the bridge made, which an operator's link replaces.
    pub(super) replaced: Option<Portal>,
}

impl Survey {
    pub(super) fn passed(&mut self, check: &'static str, detail: impl Into<String>) {
        self.checks.passed(check, detail);
    }

    pub(super) fn failed(&mut self, check: &'static str, detail: impl Into<String>, mend: impl Into<String>) {
        self.checks.failed(check, detail, mend);
    }

    pub(super) fn advised(
        &mut self,
        check: &'static str,
        detail: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.checks.advised(check, detail, mend);
    }
}

/// Looks at everything that linking needs. Failed checks are in the result; an error means that one of the
/// sides could not be asked.
pub(in crate::bridge) async fn survey(
    bridge: &Bridge,
    linker: Linker<'_>,
    request: &LinkRequest,
) -> Result<Survey, ProvisionError> {
    let mut survey = Survey::default();
    gitter_room(bridge, &request.gitter_uri, &mut survey).await?;
    agreed(linker, &mut survey);
    if let Some(matrix_room) = &request.matrix_room {
        known_matrix_room(bridge, matrix_room, &mut survey).await?;
    }
    links(bridge, linker, request.matrix_room.is_none(), &mut survey).await?;
    if survey.already_linked.is_some() {
        return Ok(survey);
    }
    if let Some(portal) = &survey.existing {
        // An operator sees how linked rooms are by now.
        if request.dry_run && matches!(linker, Linker::Operator) {
            let room = portal.matrix_room_id.clone();
            membership(bridge, &room, true, &mut survey).await?;
        }
        return Ok(survey);
    }
    if let Some(room) = survey.matrix_room.clone() {
        membership(bridge, &room, request.dry_run, &mut survey).await?;
    }
    if request.matrix_room.is_none() {
        create::alias_is_free(bridge, &mut survey).await?;
    }
    if let Some(room) = survey.gitter_room.clone().filter(|room| room.public) {
        flair(bridge, &room, &mut survey).await?;
        // Advice alone, which a link does not wait for.
        if request.dry_run {
            others::on_gitter(bridge, &room, &mut survey).await?;
        }
    }
    Ok(survey)
}

/// The Gitter room: allowed, there, public.
async fn gitter_room(bridge: &Bridge, uri: &str, survey: &mut Survey) -> Result<(), ProvisionError> {
    let uri = uri.trim().trim_matches('/');
    if !bridge.settings.rooms.allow(uri) {
        survey.failed(
            "gitter_room_allowed",
            format!("{uri} is not among the rooms that may be linked"),
            "add it to bridge.rooms in the configuration and restart the bridge",
        );
        return Ok(());
    }
    survey.passed("gitter_room_allowed", format!("{uri} may be linked"));
    let room = match bridge.gitter.resolve(uri).await {
        Ok(room) => room,
        Err(error) => {
            let mend = match &error {
                GitterError::NotARoomUri { .. } => "write the URI as group/room, as in the room's address",
                GitterError::OneToOne { .. } => "choose a room of a group",
                GitterError::Renamed { .. } | GitterError::OtherRoom { .. } => {
                    "use the room's present URI, as its page shows it"
                }
                GitterError::Status { status, .. }
                    if [StatusCode::NOT_FOUND, StatusCode::FORBIDDEN].contains(status) =>
                {
                    "check the spelling; only public rooms can be linked"
                }
                _ => return Err(BridgeError::from(error).into()),
            };
            let detail = match &error {
                GitterError::Status { .. } => format!("Gitter knows no public room {uri}"),
                error => error.to_string(),
            };
            survey.failed("gitter_room_exists", detail, mend);
            return Ok(());
        }
    };
    survey.passed("gitter_room_exists", format!("{uri} has the id {}", room.id));
    if room.public {
        survey.passed("gitter_room_public", "everyone may read it");
    } else {
        survey.failed(
            "gitter_room_public",
            format!("{uri} is private"),
            "make it public on Gitter, or link another; the bridge shows what is said to everyone in Matrix",
        );
    }
    survey.gitter_room = Some(room);
    Ok(())
}

/// The address may lead to another room than when an admin of the Gitter room was asked.
fn agreed(linker: Linker<'_>, survey: &mut Survey) {
    let (Linker::Person(Some(agreed)), Some(room)) = (linker, &survey.gitter_room) else {
        return;
    };
    if room.id != *agreed {
        survey.checks.failed(
            "gitter_room_agreed",
            "the address leads to another Gitter room than the one whose admin agreed",
            "ask again, for an admin of the room that is there now",
        );
    }
}

/// The Matrix room, by id or alias.
async fn known_matrix_room(bridge: &Bridge, room: &str, survey: &mut Survey) -> Result<(), ProvisionError> {
    const CHECK: &str = "matrix_room_exists";
    if let Ok(id) = RoomId::parse(room) {
        survey.passed(CHECK, format!("taken as the room id {id}"));
        survey.matrix_room = Some(id);
        return Ok(());
    }
    let Ok(alias) = RoomAliasId::parse(room) else {
        return Err(ProvisionError::Invalid {
            error: format!("matrix_room {room:?} is neither a room id nor an alias"),
            mend: "write it as !id or #alias:server".to_owned(),
        });
    };
    match alias::resolve(bridge, &alias).await? {
        Some(id) => {
            survey.passed(CHECK, format!("{alias} is {id}"));
            survey.matrix_room = Some(id);
        }
        None => survey.failed(
            CHECK,
            format!("no room has the alias {alias}"),
            "check the alias, or use the room's id",
        ),
    }
    Ok(())
}

const NOT_LINKED: &str = "not_linked";

/// A room is in at most one portal.
async fn links(
    bridge: &Bridge,
    linker: Linker<'_>,
    to_be_made: bool,
    survey: &mut Survey,
) -> Result<(), ProvisionError> {
    let mut tx = bridge.db.read().await?;
    let by_gitter = match &survey.gitter_room {
        Some(room) => portal::portal_by_gitter_room(&mut tx, &room.id).await?,
        None => None,
    };
    let by_matrix = match &survey.matrix_room {
        Some(room) => portal::portal_by_matrix_room(&mut tx, room).await?,
        None => None,
    };
    let outlived = match &by_matrix {
        Some(other) => life::is_gone(&mut tx, other).await?,
        None => false,
    };
    match (by_gitter, by_matrix) {
        (None, None) => survey.passed(NOT_LINKED, "neither room is linked"),
        (Some(one), Some(other)) if one.gitter_room_id == other.gitter_room_id => {
            survey.passed(NOT_LINKED, "these two rooms are linked with each other already");
            survey.existing = Some(one);
        }
        (None, Some(other)) if outlived => {
            let uri = &other.gitter_uri;
            let detail = format!("{uri}, with which the Matrix room was linked, is gone");
            survey.passed(NOT_LINKED, detail);
            survey.outlived = Some(other);
        }
        (Some(made), None) if made.kind == PortalKind::Created && matches!(linker, Linker::Operator) => {
            already_made(made, to_be_made, survey);
        }
        (Some(other), _) | (None, Some(other)) => linked_otherwise(&other, survey),
    }
    Ok(())
}

/// What joins one of two rooms now, which may have changed since all else was looked at.
pub(super) async fn links_now(
    bridge: &Bridge,
    linker: Linker<'_>,
    gitter: &model::Room,
    matrix: &RoomId,
) -> Result<Survey, ProvisionError> {
    let mut survey = Survey {
        gitter_room: Some(gitter.clone()),
        matrix_room: Some(matrix.to_owned()),
        ..Survey::default()
    };
    links(bridge, linker, false, &mut survey).await?;
    if let Some(other) = survey.outlived.take() {
        linked_otherwise(&other, &mut survey);
    }
    Ok(survey)
}

/// The bridge made a room for the Gitter room before: it is the one to be made, or makes way for another.
fn already_made(made: Portal, to_be_made: bool, survey: &mut Survey) {
    if to_be_made {
        survey.passed(NOT_LINKED, "its room has been made already");
        survey.existing = Some(made);
        return;
    }
    if survey.matrix_room.is_none() {
        return linked_otherwise(&made, survey);
    }
    let detail = format!("it replaces {}, which the bridge made", made.matrix_room_id);
    survey.passed(NOT_LINKED, detail);
    survey.replaced = Some(made);
}

fn linked_otherwise(other: &Portal, survey: &mut Survey) {
    let detail = format!("{} is linked with {}", other.gitter_uri, other.matrix_room_id);
    let room = &other.gitter_room_id;
    let mend = format!("unlink it first: gitter-matrix-bridge room unlink {room}");
    survey.already_linked = Some((detail.clone(), mend.clone()));
    survey.failed(NOT_LINKED, detail, mend);
}

/// What the bot may do in a room that it is in; `None` if it is not. One who has left still reads how the room was then, and
/// everybody reads some rooms.
async fn access_within(bridge: &Bridge, room: &RoomId) -> Result<Option<RoomAccess>, BridgeError> {
    let asked = async {
        let access = bridge.matrix.room_access(room).await?;
        let bot = bridge.matrix.membership(room, bridge.matrix.bot()).await?;
        Ok((bot.membership == "join").then_some(access))
    };
    match asked.await {
        Err(error) if refused(&error) => Ok(None),
        asked => Ok(asked?),
    }
}

/// The bot is in the Matrix room, or gets in, and may do there what it has to.
async fn membership(
    bridge: &Bridge,
    room: &RoomId,
    dry_run: bool,
    survey: &mut Survey,
) -> Result<(), ProvisionError> {
    let bot = bridge.matrix.bot();
    let invite = format!("invite {bot} to the room");
    // A link that fails anyway leaves no trace in the Matrix room.
    let may_join = !dry_run && survey.checks.all_passed();
    let access = match access_within(bridge, room).await? {
        None if may_join => match bridge.matrix.join(room, bot).await {
            Ok(()) => Some(bridge.matrix.room_access(room).await.map_err(BridgeError::from)?),
            Err(error) if refused(&error) => {
                let detail = format!("{bot} is not in the room and may not join it: {error}");
                survey.failed("matrix_room_joined", detail, invite);
                return Ok(());
            }
            Err(error) => return Err(BridgeError::from(error).into()),
        },
        access => access,
    };
    let Some(access) = access else {
        if survey.existing.is_some() {
            let detail = format!("{bot} is not in the room any more");
            survey.failed("matrix_room_joined", detail, invite);
        } else {
            let detail = "linking joins it if the room is public or it is invited";
            survey.advised(
                "matrix_room_joined",
                format!("{bot} is not in the room; {detail}"),
                invite,
            );
        }
        return Ok(());
    };
    survey.passed("matrix_room_joined", format!("{bot} is in the room"));
    if access.encrypted {
        survey.failed(
            "matrix_room_unencrypted",
            "the room is encrypted, and the bridge cannot read it",
            "link a room without encryption; encryption of a room cannot be switched off",
        );
    } else {
        survey.passed("matrix_room_unencrypted", "the room is not encrypted");
    }
    if access.may_send(bot) {
        survey.passed("matrix_room_send", format!("{bot} may send messages"));
    } else {
        survey.failed(
            "matrix_room_send",
            format!("{bot} may not send messages in the room"),
            format!("give {bot} the power to, for example power level 50"),
        );
    }
    ghosts_get_in(bridge, room, &access, survey).await?;
    ghosts_speak(&access, survey);
    others::power(bridge, &access, survey);
    others::in_matrix_room(bridge, room, survey).await
}

/// Ghosts can join by themselves, or the bot may invite them.
async fn ghosts_get_in(
    bridge: &Bridge,
    room: &RoomId,
    access: &RoomAccess,
    survey: &mut Survey,
) -> Result<(), ProvisionError> {
    const CHECK: &str = "matrix_room_ghosts";
    let bot = bridge.matrix.bot();
    if access.may_invite(bot) {
        survey.passed(CHECK, format!("{bot} may invite ghosts"));
        return Ok(());
    }
    let rules = bridge
        .matrix
        .state(room, StateEventType::RoomJoinRules, "")
        .await
        .map_err(BridgeError::from)?;
    if rules.is_some_and(|rules| rules.get("join_rule").is_some_and(|rule| rule == "public")) {
        survey.passed(CHECK, "everyone may join the room, so ghosts may");
    } else {
        survey.failed(
            CHECK,
            format!("ghosts cannot get into the room: it is not public, and {bot} may not invite"),
            format!("give {bot} the power to invite, for example power level 50"),
        );
    }
    Ok(())
}

/// Ghosts have the power that everyone has.
fn ghosts_speak(access: &RoomAccess, survey: &mut Survey) {
    const CHECK: &str = "matrix_room_ghosts_send";
    if access.everyone_may_send() {
        survey.passed(CHECK, "everyone may send messages, so ghosts may");
    } else {
        survey.failed(
            CHECK,
            "ghosts may not send messages: the room asks for more power than everyone has",
            "lower the power level that messages take (m.room.message or events_default) to that of everyone \
             (users_default)",
        );
    }
}

/// Whether the homeserver says that the bot is not in a room, or may not join it.
fn refused(error: &MatrixError) -> bool {
    error.is("M_FORBIDDEN")
        || error.is("M_NOT_FOUND")
        || error
            .status()
            .is_some_and(|status| [StatusCode::NOT_FOUND, StatusCode::FORBIDDEN].contains(&status))
}

/// How Matrix people will look on Gitter.
async fn flair(bridge: &Bridge, room: &model::Room, survey: &mut Survey) -> Result<(), ProvisionError> {
    let allowed = bridge
        .gitter
        .virtual_users_allowed(&room.id)
        .await
        .map_err(BridgeError::from)?;
    survey.virtual_users = allowed;
    let detail = if allowed {
        "Matrix people appear on Gitter as themselves"
    } else {
        "the token may not post for virtual users there: names stand before the messages instead"
    };
    survey.passed("virtual_users", detail);
    Ok(())
}
