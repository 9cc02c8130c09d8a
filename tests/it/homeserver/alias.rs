//! Aliases as a Matrix person uses them: one that is not known is asked for.

use ruma::{OwnedRoomAliasId, OwnedRoomId, RoomAliasId, UserId};
use serde_json::Value;

use super::{FakeHomeserver, Shared};

impl FakeHomeserver {
    /// The room that an alias leads to, without asking anybody.
    pub(crate) fn room_of(&self, alias: &str) -> Option<OwnedRoomId> {
        let alias = RoomAliasId::parse(alias).unwrap();
        self.shared.world().resolve_alias(&alias).ok().cloned()
    }

    /// Joins by an alias. One in the application service's namespace is asked for if it is not known; the
    /// answer's status is given where that does not help.
    pub(crate) async fn join_alias(&self, alias: &str, user: &UserId) -> Result<OwnedRoomId, u16> {
        let room = self.find(alias).await?;
        self.shared
            .change(|world| world.join(&room, user))
            .map_err(|refusal| refusal.status.as_u16())?;
        Ok(room)
    }

    async fn find(&self, alias: &str) -> Result<OwnedRoomId, u16> {
        self.shared.find_alias(&RoomAliasId::parse(alias).unwrap()).await
    }

    /// Asks the application service for something below `/_matrix/app/v1/`; gives the status and the body.
    pub(crate) async fn ask_appservice(&self, path: &str) -> (u16, Value) {
        self.try_ask(path).await.expect("it answers")
    }

    /// The same, of one that may not answer.
    pub(crate) async fn try_ask(&self, path: &str) -> Option<(u16, Value)> {
        self.shared.ask_appservice(path).await
    }

    /// Takes an alias away, as an admin of the homeserver may.
    pub(crate) fn lose_alias(&self, alias: &str) {
        let alias = RoomAliasId::parse(alias).unwrap();
        self.shared.change(|world| world.delete_alias(&alias)).unwrap();
    }

    /// Lets an alias lead to a room, as the database of the homeserver may have it.
    pub(crate) fn plant_alias(&self, alias: &str, room: &OwnedRoomId) {
        let alias: OwnedRoomAliasId = RoomAliasId::parse(alias).unwrap();
        self.shared
            .change(|world| world.create_alias(alias, room.clone()))
            .unwrap();
    }
}

impl Shared {
    /// The room that an alias leads to; one in the application service's namespace is asked for if it is not known.
    pub(super) async fn find_alias(&self, alias: &OwnedRoomAliasId) -> Result<OwnedRoomId, u16> {
        let known = || self.world().resolve_alias(alias).ok().cloned();
        if let Some(room) = known() {
            return Ok(room);
        }
        if !alias.alias().starts_with(&self.world().settings.user_prefix) {
            return Err(404);
        }
        let asked = self
            .ask_appservice(&format!("rooms/{}", escaped(alias.as_str())))
            .await;
        match asked {
            Some((200, _)) => known().ok_or(404),
            Some((status, _)) => Err(status),
            None => Err(404),
        }
    }

    async fn ask_appservice(&self, path: &str) -> Option<(u16, Value)> {
        let (base, token) = {
            let world = self.world();
            (world.appservice.clone()?, world.settings.hs_token.clone())
        };
        let url = format!("{}/_matrix/app/v1/{path}", base.as_str().trim_end_matches('/'));
        let answer = reqwest::Client::new().get(url).bearer_auth(token).send();
        let answer = answer.await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().await.ok()?))
    }
}

/// As Synapse writes an alias into a path: the slash stays as it is.
fn escaped(alias: &str) -> String {
    alias.replace('#', "%23").replace(':', "%3A")
}
