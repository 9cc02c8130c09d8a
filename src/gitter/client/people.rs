//! Who is in a room (gitter-api 4.3).

use http::Method;
use serde_json::value::RawValue;

use super::GitterClient;
use crate::{
    gitter::{budget::Class, error::GitterError},
    ids::GitterRoomId,
    model::User,
};

/// The most people of a page.
pub const PEOPLE_PAGE: usize = 100;

impl GitterClient {
    /// A page of a room's members, from the one with this number on, in no order that lasts. `None` behind the last page;
    /// who cannot be read is left out.
    pub async fn members(&self, room: &GitterRoomId, skip: usize) -> Result<Option<Vec<User>>, GitterError> {
        let (limit, skip) = (PEOPLE_PAGE.to_string(), skip.to_string());
        let request = self
            .transport
            .request(Method::GET, &["rooms", room.as_str(), "users"])
            .query(&[("limit", &limit), ("skip", &skip)]);
        let reply = self
            .transport
            .send(Class::History, "list members", request)
            .await?;
        let page: Vec<Box<RawValue>> = reply.json()?;
        if page.is_empty() {
            return Ok(None);
        }
        let read = page.iter().filter_map(|raw| serde_json::from_str(raw.get()).ok());
        Ok(Some(read.collect()))
    }

    /// The members of a room whose names begin so, of which Gitter gives a hundred at most.
    pub async fn members_named(&self, room: &GitterRoomId, start: &str) -> Result<Vec<User>, GitterError> {
        let request = self
            .transport
            .request(Method::GET, &["rooms", room.as_str(), "users"])
            .query(&[("q", start), ("limit", "100")]);
        self.transport
            .send(Class::Read, "list members", request)
            .await?
            .json()
    }
}
