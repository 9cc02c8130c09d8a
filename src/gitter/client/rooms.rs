//! What belongs to rooms beside their messages: their group, and who administers them (gitter-api 4.3 and 4.7).

use http::Method;

use super::GitterClient;
use crate::{
    gitter::{budget::Class, error::GitterError},
    ids::{GitterGroupId, GitterRoomId},
    model::{Group, User},
};

impl GitterClient {
    /// A group.
    pub async fn group(&self, group: &GitterGroupId) -> Result<Group, GitterError> {
        let request = self.transport.request(Method::GET, &["groups", group.as_str()]);
        self.transport.send(Class::Read, "group", request).await?.json()
    }

    /// The admins that a room names itself. Those who are by what it is backed by, such as a repository, are not
    /// among them: Gitter lists them nowhere.
    pub async fn room_admins(&self, room: &GitterRoomId) -> Result<Vec<User>, GitterError> {
        let path = ["rooms", room.as_str(), "security", "extraAdmins"];
        let request = self.transport.request(Method::GET, &path);
        self.transport
            .send(Class::Read, "list admins", request)
            .await?
            .json()
    }
}
