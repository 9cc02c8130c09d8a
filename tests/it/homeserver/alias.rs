//! Aliases as a Matrix person uses them: one that is not known is asked for.

use ruma::{OwnedRoomAliasId, OwnedRoomId, RoomAliasId, UserId};

use super::FakeHomeserver;

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
        if let Some(room) = self.room_of(alias) {
            return Ok(room);
        }
        let status = self.ask_appservice(&format!("rooms/{}", escaped(alias))).await.0;
        if status != 200 {
            return Err(status);
        }
        self.room_of(alias).ok_or(404)
    }

    /// Asks the application service for something below `/_matrix/app/v1/`; gives the status and the body.
    pub(crate) async fn ask_appservice(&self, path: &str) -> (u16, serde_json::Value) {
        let (base, token) = {
            let world = self.shared.world();
            let base = world.appservice.clone().unwrap();
            (base, world.settings.hs_token.clone())
        };
        let url = format!("{}/_matrix/app/v1/{path}", base.as_str().trim_end_matches('/'));
        let answer = reqwest::Client::new().get(url).bearer_auth(token).send();
        let answer = answer.await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap())
    }

    /// Lets an alias lead to a room, as the database of the homeserver may have it.
    pub(crate) fn plant_alias(&self, alias: &str, room: &OwnedRoomId) {
        let alias: OwnedRoomAliasId = RoomAliasId::parse(alias).unwrap();
        self.shared
            .change(|world| world.create_alias(alias, room.clone()))
            .unwrap();
    }
}

/// As Synapse writes an alias into a path: the slash stays as it is.
fn escaped(alias: &str) -> String {
    alias.replace('#', "%23").replace(':', "%3A")
}
