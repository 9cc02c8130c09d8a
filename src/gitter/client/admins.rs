//! Who is an admin of a room.

use super::GitterClient;
use crate::{gitter::GitterError, ids::GitterRoomId, model::User};

impl GitterClient {
    /// Whether Gitter lists a member of a room as an admin (gitter-api 4.4). Where it names no roles there, nobody is.
    pub async fn is_admin(&self, room: &GitterRoomId, user: &User) -> Result<bool, GitterError> {
        let members = self.members_named(room, &user.username).await?;
        let found = members.iter().find(|member| member.id == user.id);
        Ok(found.is_some_and(|member| member.role.as_deref() == Some("admin")))
    }
}
