//! Who is an admin of a room.

use http::Method;

use super::GitterClient;
use crate::{
    gitter::{Class, GitterError},
    ids::GitterRoomId,
    model::User,
};

impl GitterClient {
    /// Whether Gitter lists a member of a room as an admin (gitter-api 4.4). Where it names no roles there, nobody is.
    pub async fn is_admin(&self, room: &GitterRoomId, user: &User) -> Result<bool, GitterError> {
        let request = self
            .transport
            .request(Method::GET, &["rooms", room.as_str(), "users"])
            .query(&[("q", user.username.as_str()), ("limit", "100")]);
        let reply = self.transport.send(Class::Read, "list members", request).await?;
        let members: Vec<User> = reply.json()?;
        let found = members.iter().find(|member| member.id == user.id);
        Ok(found.is_some_and(|member| member.role.as_deref() == Some("admin")))
    }
}
