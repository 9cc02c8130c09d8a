//! Ends signed links for good, as an operator asks: those of a link, a file, an event or a room.

use ruma::RoomId;
use tracing::info;

use super::{Bridge, provision::ProvisionError};
use crate::{
    ids::{GitterRoomId, MediaId},
    store::media::{self, Ended},
};

/// The path of a link before what is signed.
const PATH: &str = "/media/";

impl Bridge {
    /// Ends the links that a link, an `mxc:` address or an event id stands for, and says how many there were that had
    /// not ended.
    ///
    /// # Errors
    /// When it stands for none of these, or the database fails.
    pub async fn revoke_media(&self, target: &str) -> Result<usize, ProvisionError> {
        if target.starts_with("mxc://") {
            return self.revoke(Ended::File(target)).await;
        }
        if target.starts_with('$') {
            return self.revoke(Ended::Event(target)).await;
        }
        let signed = target.rsplit_once(PATH).map_or(target, |(_, signed)| signed);
        match self.media_id(signed) {
            Some(id) => self.revoke(Ended::Link(&id)).await,
            None => Err(ProvisionError::Invalid {
                error: format!("{target:?} is no link of this bridge, no mxc: address and no event id"),
                mend: "give the whole of one of these, in quotation marks".to_owned(),
            }),
        }
    }

    /// Ends all links of a room, given by either side's id; it need not be linked any more.
    ///
    /// # Errors
    /// When it is no such id, or the database fails.
    pub async fn revoke_media_of_room(&self, room: &str) -> Result<usize, ProvisionError> {
        if RoomId::parse(room).is_err() && room.parse::<GitterRoomId>().is_err() {
            return Err(ProvisionError::Invalid {
                error: format!("{room:?} is no id of a room"),
                mend: "give the id of the Matrix room or of the Gitter room; `room list --json` shows both"
                    .to_owned(),
            });
        }
        self.revoke(Ended::Room(room)).await
    }

    /// The id in a link, also in one that has expired.
    fn media_id(&self, signed: &str) -> Option<MediaId> {
        let signer = &self.links.as_ref()?.signer;
        signer.read(signed, i64::MIN).ok().map(|claims| claims.id)
    }

    async fn revoke(&self, links: Ended<'_>) -> Result<usize, ProvisionError> {
        let mut tx = self.db.write().await?;
        let ended = media::revoke(&mut tx, links).await?;
        tx.commit().await?;
        self.cache.remove(&ended).await;
        info!(links = ended.len(), of = ?links, "Links to media were revoked");
        Ok(ended.len())
    }
}
