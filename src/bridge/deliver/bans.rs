//! Bans, and lifts bans, on both sides. All of it may simply be repeated: on Matrix the bridge looks first.

use ruma::{OwnedUserId, UserId};
use serde_json::{Value, json};

use super::{Arrival, Delivery};
use crate::{
    bridge::{
        BridgeError,
        failure::{self, Decision},
        moderation, now, portal,
        say::say,
        worker::Step,
    },
    gitter::{Class, GitterError, MessagePage},
    matrix::MatrixError,
    model::{self, User},
    outcome::Reason,
    store::{Attempt, AttemptState, Ghost, ban, ghost},
    translate::{GitterAction, MatrixAction, Translation, to_matrix},
};

/// Why something of a ghost does not cross that a moderator has banned.
pub(super) const SHUT_OUT: &str = "its author's ghost is banned in the Matrix room";

/// Why a ban had no effect.
const NO_POWER: &str = "the bot has not the power to ban in the Matrix room";

impl Delivery<'_> {
    /// Whether an item is a ban on Gitter, or the end of one.
    pub(super) fn is_ban(self) -> bool {
        matches!(self.item.operation.as_str(), "ban" | "unban")
    }

    /// Translates a ban on Gitter, and freezes what it is on Matrix.
    pub(super) async fn begin_ban(self) -> Result<Step, BridgeError> {
        let context = portal::for_ban(self.bridge, self.portal, self.item).await?;
        match to_matrix::translate(&self.operation(), &context) {
            Translation::Actions { actions } => {
                self.freeze(&actions, |action| action.sender().to_string()).await
            }
            Translation::Skipped { skipped, detail } => self.skip(skipped, detail).await,
        }
    }

    /// Bans somebody on Matrix, or lifts a ban, where that is not so already.
    pub(super) async fn change_membership(
        self,
        attempt: &Attempt,
        last: bool,
        action: &MatrixAction,
    ) -> Result<Step, BridgeError> {
        let room = &self.portal.matrix_room_id;
        let (MatrixAction::Ban { user, .. } | MatrixAction::Unban { user, .. }) = action else {
            return Ok(Step::Lost);
        };
        let matrix = &self.bridge.matrix;
        let found = match matrix.membership(room, user).await {
            Ok(found) => found,
            Err(error) => return self.membership_failed(attempt, &error).await,
        };
        let is_ban = matches!(action, MatrixAction::Ban { .. });
        if found.is_ban() == is_ban {
            return self.arrived(attempt, last, &Arrival::default()).await;
        }
        if !is_ban && found.by.as_deref() != Some(matrix.bot()) && !self.moderates().await? {
            let why = "a moderator of the Matrix room made the ban that stands there";
            return self.skip(Reason::NotAllowed, why.to_owned()).await;
        }
        if !self.open(attempt).await? {
            return Ok(Step::Lost);
        }
        let changed = match action {
            MatrixAction::Ban { reason, .. } => matrix.ban(room, user, reason).await,
            _ => matrix.unban(room, user).await,
        };
        match changed {
            Ok(()) => self.arrived(attempt, last, &Arrival::default()).await,
            Err(error) if error.is("M_FORBIDDEN") => self.without_power(attempt, last, user, is_ban).await,
            Err(error) => self.membership_failed(attempt, &error).await,
        }
    }

    /// The bot may not ban, or not this person. A ghost leaves; of a person, the room is told.
    async fn without_power(
        self,
        attempt: &Attempt,
        last: bool,
        user: &UserId,
        is_ban: bool,
    ) -> Result<Step, BridgeError> {
        let room = &self.portal.matrix_room_id;
        let mut tx = self.bridge.db.read().await?;
        let is_ghost = ghost::ghost_by_user_id(&mut tx, user).await?.is_some();
        drop(tx);
        if is_ghost && is_ban {
            return match self.bridge.matrix.leave(room, user).await {
                Err(error) if !error.is("M_FORBIDDEN") => self.membership_failed(attempt, &error).await,
                _ => self.arrived(attempt, last, &Arrival::default()).await,
            };
        }
        let text = if is_ban {
            format!(
                "{user} was banned on Gitter: what they say here is not shown there any more. I have not the power to \
                 ban them here, too; a moderator can, or can give me that power."
            )
        } else {
            format!(
                "The ban of {user} was lifted on Gitter. I have not the power to lift it here; a moderator can."
            )
        };
        if let Err(BridgeError::Matrix(error)) = say(self.bridge, room, &self.item.source_key, &text).await {
            return self.membership_failed(attempt, &error).await;
        }
        self.skip(Reason::NotAllowed, NO_POWER.to_owned()).await
    }

    /// Whether a refusal means that the ghost is banned on Matrix. For an attempt that may have arrived nothing is skipped.
    pub(super) async fn is_shut_out(self, attempt: &Attempt, error: &MatrixError) -> bool {
        if attempt.state != AttemptState::Planned || error.status().is_none_or(|status| status != 403) {
            return false;
        }
        let Ok(action) = self.action::<MatrixAction>(attempt) else {
            return false;
        };
        let (room, sender) = (&self.portal.matrix_room_id, action.sender());
        let found = self.bridge.matrix.membership(room, sender).await;
        found.is_ok_and(|found| found.is_ban())
    }

    async fn membership_failed(self, attempt: &Attempt, error: &MatrixError) -> Result<Step, BridgeError> {
        let decision = failure::matrix_send(error, attempt.tries + 1, now());
        self.failed(attempt, AttemptState::Unknown, decision, &error.to_string())
            .await
    }

    /// Whether bans cross both ways in this portal.
    async fn moderates(self) -> Result<bool, BridgeError> {
        let mut tx = self.bridge.db.read().await?;
        let settings = self
            .bridge
            .room_settings(&mut tx, self.portal.gitter_room_id.as_str())
            .await?;
        Ok(settings.moderation)
    }

    /// Bans somebody on Gitter, or lifts a ban.
    pub(super) async fn ban_on_gitter(
        self,
        attempt: &Attempt,
        last: bool,
        action: &GitterAction,
    ) -> Result<Step, BridgeError> {
        let mut action = action.clone();
        if let Some(ghost) = self.banned_ghost().await? {
            let name = match self.present_name(attempt, &action, &ghost).await {
                Ok(name) => name,
                Err(error) => return self.ban_failed(attempt, &error).await,
            };
            match (&mut action, name) {
                (GitterAction::Ban { username, .. } | GitterAction::Unban { username }, Some(name)) => {
                    *username = name;
                }
                (GitterAction::Ban { .. }, None) => return self.nobody_to_ban(&ghost).await,
                // Nobody has that ban any more.
                (GitterAction::Unban { .. }, None) => {
                    self.note_ban(&action).await?;
                    return self.arrived(attempt, last, &Arrival::default()).await;
                }
                _ => return Ok(Step::Lost),
            }
        }
        let Some(permit) = self.gitter_permit().await? else {
            return Ok(Step::Wait { until: now() });
        };
        if !self.open(attempt).await? {
            return Ok(Step::Lost);
        }
        let (gitter, room) = (&self.bridge.gitter, &self.portal.gitter_room_id);
        let done = match &action {
            GitterAction::Ban {
                username,
                remove_messages,
            } => gitter.ban(permit, room, username, *remove_messages).await,
            GitterAction::Unban { username } => gitter.unban(permit, room, username).await,
            _ => return Ok(Step::Lost),
        };
        match done {
            Ok(()) => {
                self.note_ban(&action).await?;
                self.arrived(attempt, last, &Arrival::default()).await
            }
            Err(error) => self.ban_failed(attempt, &error).await,
        }
    }

    async fn ban_failed(self, attempt: &Attempt, error: &GitterError) -> Result<Step, BridgeError> {
        let decision = failure::gitter_change(error, attempt.tries + 1);
        if matches!(decision, Decision::Reject(_) | Decision::Skip(_)) {
            let why = "Gitter does not allow it: admins of a room cannot be banned, and the bridge's account has to be \
                       one.";
            self.tell_moderator(why).await?;
        }
        self.failed(attempt, AttemptState::Unknown, decision, &error.to_string())
            .await
    }

    /// The account is not found by the name that is known: another may have that name by now.
    async fn nobody_to_ban(self, ghost: &Ghost) -> Result<Step, BridgeError> {
        let name = &ghost.username;
        self.tell_moderator(&format!(
            "the account that was called {name} is neither found among the members of the Gitter room nor among those who \
             spoke there lately. An admin of the room can ban it there."
        ))
        .await?;
        let detail = format!("the account that was called {name} is not found in the Gitter room");
        self.skip(Reason::NotFound, detail).await
    }

    /// What the account of a ghost is called now. Names may be changed, and given to others; ids last. For the end of a ban
    /// only who is banned counts; a ban that may have arrived has removed its member.
    async fn present_name(
        self,
        attempt: &Attempt,
        action: &GitterAction,
        ghost: &Ghost,
    ) -> Result<Option<String>, GitterError> {
        let (gitter, room) = (&self.bridge.gitter, &self.portal.gitter_room_id);
        let of_ghost = |user: &User| user.account_id().as_ref() == Some(&ghost.gitter_user_id);
        let is_end = matches!(action, GitterAction::Unban { .. });
        if is_end || attempt.state != AttemptState::Planned {
            let bans = gitter.bans(room, Class::Read).await?;
            let banned = bans.into_iter().filter_map(|ban| ban.user).find(of_ghost);
            if is_end || banned.is_some() {
                return Ok(banned.map(|user| user.username));
            }
        }
        let members = gitter.members_named(room, &ghost.username).await?;
        let found = match members.into_iter().find(of_ghost) {
            Some(found) => Some(found),
            None => self.newest_authors().await?.into_iter().find(of_ghost),
        };
        Ok(found.map(|user| user.username))
    }

    /// Who has spoken in the Gitter room lately, whether members or not.
    async fn newest_authors(self) -> Result<Vec<User>, GitterError> {
        let newest = MessagePage {
            limit: 100,
            class: Class::Read,
            ..MessagePage::default()
        };
        let listed = self
            .bridge
            .gitter
            .messages(&self.portal.gitter_room_id, &newest)
            .await?;
        let messages = listed
            .iter()
            .filter_map(|raw| serde_json::from_str::<model::Message>(raw.get()).ok());
        let authors = messages.filter(|message| message.virtual_user.is_none());
        Ok(authors.filter_map(|message| message.from_user).collect())
    }

    /// The ghost that the event is about; `None` where it is about somebody of Matrix.
    async fn banned_ghost(self) -> Result<Option<Ghost>, BridgeError> {
        let Some(user) = self.banned_user() else {
            return Ok(None);
        };
        let mut tx = self.bridge.db.read().await?;
        Ok(ghost::ghost_by_user_id(&mut tx, &user).await?)
    }

    /// Whom the event is about.
    fn banned_user(self) -> Option<OwnedUserId> {
        let event: Value = serde_json::from_str(&self.item.body).ok()?;
        UserId::parse(event.get("state_key")?.as_str()?).ok()
    }

    /// Notes a ban that this bridge made or lifted, so that it is no news when it is seen on Gitter.
    async fn note_ban(self, action: &GitterAction) -> Result<(), BridgeError> {
        let Some(user) = self.banned_user() else {
            return Ok(());
        };
        let room = &self.portal.gitter_room_id;
        let mut tx = self.bridge.db.write().await?;
        let ghost = ghost::ghost_by_user_id(&mut tx, &user).await?;
        let who = match &ghost {
            Some(ghost) => ghost.gitter_user_id.as_str(),
            None => user.as_str().trim_start_matches('@'),
        };
        if let GitterAction::Ban { .. } = action {
            let ban = json!({ "user": { "id": who } });
            ban::record_ban(&mut tx, room, who, &ban.to_string()).await?;
        } else {
            ban::remove_ban(&mut tx, room, who).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Tells a moderator that what they did had no effect on Gitter; nobody where it is something else.
    async fn tell_moderator(self, why: &str) -> Result<(), BridgeError> {
        let what = match self.item.operation.as_str() {
            "m.room.redaction" => "Your deletion",
            "m.room.member" => "Your ban, or the end of one,",
            _ => return Ok(()),
        };
        self.tell_sender(&format!("{what} did not reach Gitter: {why}"))
            .await
    }

    /// Tells who made the event something, where notices are wanted.
    pub(super) async fn tell_sender(self, text: &str) -> Result<(), BridgeError> {
        let Some(sender) = self.sender() else {
            return Ok(());
        };
        let mut tx = self.bridge.db.read().await?;
        let gitter_room = self.portal.gitter_room_id.as_str();
        let wanted = self.bridge.room_settings(&mut tx, gitter_room).await?.notices;
        drop(tx);
        if wanted {
            let (room, key) = (&self.portal.matrix_room_id, &self.item.source_id);
            moderation::tell(self.bridge, room, &sender, key, text).await;
        }
        Ok(())
    }

    /// The sender of the event.
    pub(super) fn sender(self) -> Option<OwnedUserId> {
        let event: Value = serde_json::from_str(&self.item.body).ok()?;
        UserId::parse(event.get("sender")?.as_str()?).ok()
    }

    /// Skips what may not cross; a moderator is told so.
    pub(super) async fn skip_not_allowed(self, detail: String) -> Result<Step, BridgeError> {
        self.tell_moderator(&format!("{detail}.")).await?;
        self.skip(Reason::NotAllowed, detail).await
    }
}
