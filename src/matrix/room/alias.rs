//! Aliases of the directory.

use ruma::{
    OwnedRoomId, RoomAliasId, RoomId,
    api::client::alias::{create_alias, delete_alias},
};

use super::found;
use crate::matrix::{Endpoint, MatrixClient, MatrixError};

impl MatrixClient {
    /// Lets an alias lead to a room that the bot is in. An alias that is taken is 409.
    pub async fn create_alias(&self, alias: &RoomAliasId, room: &RoomId) -> Result<(), MatrixError> {
        let room = OwnedRoomId::from(room);
        let request = create_alias::v3::Request::new(alias.to_owned(), room);
        self.call_as(Endpoint::CreateAlias, self.bot(), request).await?;
        Ok(())
    }

    /// Takes an alias away. One that is not there is success.
    pub async fn delete_alias(&self, alias: &RoomAliasId) -> Result<(), MatrixError> {
        let request = delete_alias::v3::Request::new(alias.to_owned());
        found(self.call_as(Endpoint::DeleteAlias, self.bot(), request).await)?;
        Ok(())
    }
}
