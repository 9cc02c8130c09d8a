//! Linking rooms, unlinking them, and saying which are linked (DESIGN 5 and 6.3).

pub(super) mod checks;
mod create;
mod end;
mod others;
mod sync;

use std::{iter, time::Duration};

use jiff::Timestamp;
use ruma::{OwnedRoomId, OwnedUserId, RoomAliasId};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::{Bridge, BridgeError, alias, catch_up, leave, now, room_state};
use crate::{
    check::Check,
    gitter::{Class, MessagePage},
    ids::GitterRoomId,
    matrix::JoinedMember,
    model,
    store::{Member, Portal, PortalKind, PortalState, StoreError, Tx, lane, life, media, member, portal},
};

/// How long linking waits for the subscription.
const SUBSCRIPTION: Duration = Duration::from_secs(30);

/// Which rooms to link.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkRequest {
    /// The Gitter room's URI, such as `group/room`.
    pub gitter_uri: String,
    /// The Matrix room: an id or an alias. One is made if it is absent.
    pub matrix_room: Option<String>,
    /// Who is invited to a room that is made, and has all power there.
    pub requester: Option<OwnedUserId>,
    /// Only check.
    #[serde(default)]
    pub dry_run: bool,
}

/// For whom rooms are linked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Linker<'a> {
    /// An operator, or an admin of the bridge.
    Operator,
    /// Anybody else, who may not take a room away that others have. With the Gitter room whose admin agreed.
    Person(Option<&'a GitterRoomId>),
}

/// What became of a request to link.
#[derive(Debug, Clone)]
pub enum Linked {
    /// The rooms are linked now.
    New(NewLink),
    /// They were linked with each other before.
    Before(PortalView),
    /// It was a dry run.
    DryRun(Vec<Check>),
}

/// Rooms that are linked now.
#[derive(Debug, Clone, Serialize)]
pub struct NewLink {
    /// The portal.
    #[serde(flatten)]
    pub portal: PortalView,
    /// What works, but could be better.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Check>,
}

/// A portal, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PortalView {
    /// The Gitter room's id.
    pub gitter_room_id: GitterRoomId,
    /// The Gitter room's URI.
    pub gitter_uri: String,
    /// The Matrix room's id.
    pub matrix_room_id: OwnedRoomId,
    /// How it came to be.
    pub kind: PortalKind,
    /// Whether things cross.
    pub state: PortalState,
    /// Items without an outcome.
    pub waiting: i64,
    /// Items that have failed.
    pub failed: i64,
    /// When something last crossed.
    pub last_bridged_at: Option<Timestamp>,
    /// Why it does not work, for people; absent where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_detail: Option<String>,
}

/// Why rooms could not be linked or unlinked.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The request asks for something that cannot be.
    #[error("{error}")]
    Invalid {
        /// What is wrong.
        error: String,
        /// What to do.
        mend: String,
    },
    /// No portal has this room.
    #[error("no linked room is called {0}")]
    NotFound(String),
    /// One of the rooms is linked with a third.
    #[error("{error}")]
    AlreadyLinked {
        /// Which.
        error: String,
        /// What to do.
        mend: String,
    },
    /// A check failed.
    #[error("the rooms cannot be linked: {}", failed(.0))]
    Checks(Vec<Check>),
    /// Linking got stuck on one of the sides, or on the database.
    #[error(transparent)]
    Bridge(#[from] BridgeError),
    /// The Gitter room could not be followed.
    #[error("the Gitter room could not be subscribed and read within 30 s; the rooms are not linked")]
    NoSubscription,
}

impl From<StoreError> for ProvisionError {
    fn from(error: StoreError) -> Self {
        Self::Bridge(error.into())
    }
}

fn failed(checks: &[Check]) -> String {
    let failed: Vec<&str> = checks
        .iter()
        .filter(|check| !check.ok)
        .map(|check| check.detail.as_str())
        .collect();
    failed.join("; ")
}

impl Bridge {
    /// Links a Gitter room with a Matrix room, which is made if none is named, or checks whether that would work.
    pub async fn link(&self, request: &LinkRequest) -> Result<Linked, ProvisionError> {
        self.link_for(Linker::Operator, request).await
    }

    /// The same, for whoever asks for it.
    pub(super) async fn link_for(
        &self,
        linker: Linker<'_>,
        request: &LinkRequest,
    ) -> Result<Linked, ProvisionError> {
        let survey = checks::survey(self, linker, request).await?;
        if request.dry_run {
            return Ok(Linked::DryRun(survey.checks.into_vec()));
        }
        if let Some(portal) = survey.existing {
            return Ok(Linked::Before(self.view(portal).await?));
        }
        if let Some((error, mend)) = survey.already_linked {
            return Err(ProvisionError::AlreadyLinked { error, mend });
        }
        if request.matrix_room.is_none() {
            return self.create(survey, request.requester.as_deref()).await;
        }
        match (survey.gitter_room, survey.matrix_room) {
            (Some(gitter), Some(matrix)) if survey.checks.all_passed() => {
                if let Some(outlived) = survey.outlived {
                    self.clear_away(&outlived).await?;
                }
                let _alone = self.lock_room(&gitter.id).await;
                // Somebody else may have had the lock, and linked one of the rooms.
                let links = checks::links_now(self, linker, &gitter, &matrix).await?;
                if let Some(portal) = links.existing {
                    return Ok(Linked::Before(self.view(portal).await?));
                }
                if let Some((error, mend)) = links.already_linked {
                    return Err(ProvisionError::AlreadyLinked { error, mend });
                }
                let portal = self.make_portal(&gitter, matrix, survey.virtual_users, links.replaced);
                Ok(Linked::New(NewLink {
                    portal: self.view(portal.await?).await?,
                    notes: survey.checks.into_advice(),
                }))
            }
            _ => Err(ProvisionError::Checks(survey.checks.into_vec())),
        }
    }

    /// A linked room, by either side's id.
    pub async fn portal(&self, room: &str) -> Result<PortalView, ProvisionError> {
        let portal = self.find_portal(room).await?;
        self.view(portal).await
    }

    pub(super) async fn find_portal(&self, room: &str) -> Result<Portal, ProvisionError> {
        let aliased = match RoomAliasId::parse(room) {
            Ok(alias) => alias::resolve(self, &alias).await?,
            Err(_) => None,
        };
        let name = aliased.as_ref().map_or(room, |aliased| aliased.as_str());
        let mut tx = self.db.read().await?;
        let found = portal::portal_named(&mut tx, name).await?;
        found.ok_or_else(|| ProvisionError::NotFound(room.to_owned()))
    }

    async fn view(&self, portal: Portal) -> Result<PortalView, ProvisionError> {
        let mut tx = self.db.read().await?;
        Ok(view(&mut tx, portal).await?)
    }

    /// Makes the portal and waits until Gitter has confirmed the subscription; undone if it does not. It may replace
    /// the one of a room that the bridge made: once that is gone, nothing is undone any more, since what waited there
    /// is gone with it.
    async fn make_portal(
        &self,
        gitter: &model::Room,
        matrix: OwnedRoomId,
        virtual_users: bool,
        replaced: Option<Portal>,
    ) -> Result<Portal, ProvisionError> {
        if let Some(replaced) = &replaced
            && !self.rehearsed(replaced).await?
        {
            return Err(ProvisionError::NoSubscription);
        }
        let (portal, members) = self.draw_up(gitter, matrix, virtual_users).await?;
        let left = if let Some(replaced) = &replaced {
            let left = self.part(replaced, Some((&portal, members))).await?;
            Some(left.ok_or_else(|| taken(&portal))?)
        } else {
            self.store_portal(&portal, members).await?;
            None
        };
        if !self.subscribed(&portal.gitter_room_id).await? {
            if left.is_none() {
                if let Some(leaving) = self.part(&portal, None).await? {
                    leave::take_leave(self, &leaving).await;
                }
                return Err(ProvisionError::NoSubscription);
            }
            warn!(
                portal.uri = portal.gitter_uri,
                "The Gitter room of a new link cannot be followed yet"
            );
        }
        info!(portal.uri = portal.gitter_uri, portal.matrix_room = %portal.matrix_room_id, "Linked a room");
        if let Some(leaving) = &left {
            leave::take_leave(self, leaving).await;
        }
        if portal.kind == PortalKind::Created
            && let Err(error) = room_state::refresh_admins(self, &portal).await
        {
            warn!(portal.uri = portal.gitter_uri, error = %error, "Who the admins of a room are is not known");
        }
        if let Err(error) = room_state::write(self, &portal, gitter).await {
            warn!(portal.uri = portal.gitter_uri, error = %error, "A room's state could not be set");
        }
        self.find_portal(portal.gitter_room_id.as_str()).await
    }

    /// Whether the Gitter room of a portal that is to be replaced can be followed and read: it is caught up once more.
    /// One that does not work cannot show it.
    async fn rehearsed(&self, portal: &Portal) -> Result<bool, ProvisionError> {
        let room = &portal.gitter_room_id;
        catch_up::stop_catch_up(self, room).await;
        let mut tx = self.db.write().await?;
        catch_up::lock(&mut tx, iter::once(room)).await?;
        portal::set_portal_state(&mut tx, room, PortalState::Active, PortalState::CatchingUp).await?;
        let now = portal::portal_by_gitter_room(&mut tx, room).await?;
        tx.commit().await?;
        if now.is_some_and(|now| now.state == PortalState::CatchingUp) {
            return self.subscribed(room).await;
        }
        Ok(true)
    }

    /// The portal as it is to be, and who is in its Matrix room.
    async fn draw_up(
        &self,
        gitter: &model::Room,
        matrix: OwnedRoomId,
        virtual_users: bool,
    ) -> Result<(Portal, Vec<JoinedMember>), ProvisionError> {
        let newest = MessagePage {
            after: None,
            before: None,
            limit: 1,
            class: Class::Read,
        };
        let newest = self
            .gitter
            .messages(&gitter.id, &newest)
            .await
            .map_err(BridgeError::from)?;
        let since_id = newest
            .last()
            .and_then(|raw| serde_json::from_str::<model::Message>(raw.get()).ok())
            .map(|message| message.id);
        let members = self
            .matrix
            .joined_members(&matrix)
            .await
            .map_err(BridgeError::from)?;
        let made_for_it = create::is_made_for(self, &matrix, gitter).await;
        let kind = if made_for_it.map_err(BridgeError::from)? {
            PortalKind::Created
        } else {
            PortalKind::Linked
        };
        let portal = Portal {
            gitter_room_id: gitter.id.clone(),
            matrix_room_id: matrix,
            gitter_uri: gitter.uri.clone().unwrap_or_default(),
            kind,
            state: PortalState::CatchingUp,
            account_id: self.account.user_id.clone(),
            virtual_users,
            since_id,
            created_at: now(),
            last_bridged_at: 0,
            gitter_admin: gitter.permissions.admin,
            repository: gitter.repository(),
            anew_at: 0,
        };
        Ok((portal, members))
    }

    async fn store_portal(&self, portal: &Portal, members: Vec<JoinedMember>) -> Result<(), ProvisionError> {
        let mut tx = self.db.write().await?;
        store_portal(&mut tx, portal, members).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Subscribes to a Gitter room and waits until its portal has caught up; `false` if that takes too long
    /// or Gitter refuses.
    async fn subscribed(&self, room: &GitterRoomId) -> Result<bool, ProvisionError> {
        let mut changes = self.portals_changed.subscribe();
        self.subscribe(room);
        let deadline = tokio::time::Instant::now() + SUBSCRIPTION;
        loop {
            changes.mark_unchanged();
            let mut tx = self.db.read().await?;
            let state = portal::portal_by_gitter_room(&mut tx, room)
                .await?
                .map(|portal| portal.state);
            drop(tx);
            match state {
                Some(PortalState::Active) => return Ok(true),
                Some(PortalState::CatchingUp) => {}
                _ => return Ok(false),
            }
            if !matches!(
                tokio::time::timeout_at(deadline, changes.changed()).await,
                Ok(Ok(()))
            ) {
                return Ok(false);
            }
        }
    }
}

/// Stores a new portal, its lanes and its room's members.
async fn store_portal(
    tx: &mut Tx,
    portal: &Portal,
    members: Vec<JoinedMember>,
) -> Result<(), ProvisionError> {
    let cursor = portal.since_id.as_ref().map_or("", |id| id.as_str());
    lane::make_lanes(tx, &portal.gitter_room_id, cursor).await?;
    if let Err(error) = portal::insert_portal(tx, portal).await {
        return Err(if error.is_taken() {
            taken(portal)
        } else {
            error.into()
        });
    }
    media::resume(tx, &portal.gitter_room_id).await?;
    member::clear_members(tx, &portal.matrix_room_id).await?;
    for joined in members {
        let joined = Member {
            user_id: joined.user_id,
            membership: "join".to_owned(),
            display_name: joined.display_name.unwrap_or_default(),
            avatar_url: joined.avatar.map(|avatar| avatar.to_string()).unwrap_or_default(),
        };
        member::record_member(tx, &portal.matrix_room_id, &joined).await?;
    }
    Ok(())
}

/// Somebody else linked one of the rooms in this very moment.
fn taken(portal: &Portal) -> ProvisionError {
    ProvisionError::AlreadyLinked {
        error: format!(
            "{} or {} was linked just now",
            portal.gitter_uri, portal.matrix_room_id
        ),
        mend: "see which rooms are linked: gitter-matrix-bridge room list".to_owned(),
    }
}

async fn view(tx: &mut Tx, portal: Portal) -> Result<PortalView, StoreError> {
    let counts = portal::count_items(tx, &portal.gitter_room_id).await?;
    let life = life::of(tx, &portal.gitter_room_id).await?;
    let detail = life.map(|life| life.detail).unwrap_or_default();
    Ok(PortalView::new(portal, counts.waiting, counts.failed, detail))
}

impl PortalView {
    /// A portal with so many items that wait and have failed. Why it stopped is told where it did.
    pub(super) fn new(portal: Portal, waiting: i64, failed: i64, detail: String) -> Self {
        let works = matches!(portal.state, PortalState::Active | PortalState::CatchingUp);
        let crossed =
            (portal.last_bridged_at > 0).then(|| Timestamp::from_millisecond(portal.last_bridged_at).ok());
        Self {
            gitter_room_id: portal.gitter_room_id,
            gitter_uri: portal.gitter_uri,
            matrix_room_id: portal.matrix_room_id,
            kind: portal.kind,
            state: portal.state,
            waiting,
            failed,
            last_bridged_at: crossed.flatten(),
            state_detail: Some(detail).filter(|detail| !works && !detail.is_empty()),
        }
    }
}
