//! Media on their way: signed links for Matrix files, and Gitter files onto Matrix.
//!
//! [`link`] and [`avatar_link`] make the links that stand-ins of translation stand for; [`upload`] puts a file of
//! Gitter's on Matrix, once. What is done where that fails is the caller's decision.

use std::{sync::Arc, time::Duration};

use ruma::{EventId, OwnedMxcUri, RoomId, UserId};
use serde_json::Value;
use tracing::error;
use url::Url;

use super::Bridge;
use crate::{
    gitter::{FileClient, FileError},
    ids::{GitterRoomId, MediaPurpose},
    matrix::{MatrixClient, MatrixError},
    media::{Claims, Signer},
    store::{
        Db, Media, MediaState, NewMedia, StoreError, Tx,
        media::{self, Upload},
    },
};

/// Makes links.
#[derive(Debug)]
pub struct Links {
    /// Signs them.
    pub signer: std::sync::Arc<Signer>,
    /// `media.expires`.
    pub expires: Option<Duration>,
}

/// The event that a link is for.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Where the link is shown.
    pub gitter_room_id: &'a GitterRoomId,
    /// Where the event is.
    pub matrix_room_id: &'a RoomId,
    /// The event.
    pub event_id: &'a EventId,
    /// Its content; of an edit, the new content.
    pub content: &'a Value,
}

/// The link of a stand-in, which is given without its brackets (`media:mxc://a/b`, `thumbnail:mxc://a/b`,
/// `fulltext:$event`); `None` if that is no stand-in. The same one for the same event has the same link.
pub async fn link(
    tx: &mut Tx,
    links: &Links,
    stand_in: &str,
    source: &Source<'_>,
    now: i64,
) -> Result<Option<String>, StoreError> {
    let Some((word, target)) = stand_in.split_once(':') else {
        return Ok(None);
    };
    let Ok(purpose) = word.parse::<MediaPurpose>() else {
        return Ok(None);
    };
    let text = |pointer: &str| source.content.pointer(pointer).and_then(Value::as_str);
    let named = text("/filename").or_else(|| text("/body")).unwrap_or_default();
    let mut wanted = NewMedia {
        purpose,
        gitter_room_id: Some(source.gitter_room_id),
        matrix_room_id: Some(source.matrix_room_id),
        owner: source.event_id.as_str(),
        mxc: target,
        file_name: named,
        content_type: text("/info/mimetype").unwrap_or_default(),
        encryption: "",
        body: "",
    };
    let file = encrypted_file(source.content, purpose);
    let encryption = file.map(Value::to_string).unwrap_or_default();
    match purpose {
        MediaPurpose::Avatar => return Ok(None),
        MediaPurpose::FullText => {
            wanted.owner = target;
            wanted.mxc = "";
            wanted.file_name = "";
            wanted.body = text("/body").unwrap_or_default();
        }
        MediaPurpose::Media | MediaPurpose::Thumbnail => {
            wanted.encryption = &encryption;
            if let Some(url) = file.and_then(|file| file.get("url")).and_then(Value::as_str) {
                wanted.mxc = url;
            }
        }
    }
    signed(tx, links, &wanted, now).await
}

/// The link of a person's picture: the same for the same picture, wherever it is shown. It does not expire, since
/// Gitter shows it with old messages too.
pub async fn avatar_link(
    tx: &mut Tx,
    links: &Links,
    user: &UserId,
    mxc: &str,
    now: i64,
) -> Result<Option<String>, StoreError> {
    let wanted = NewMedia {
        purpose: MediaPurpose::Avatar,
        gitter_room_id: None,
        matrix_room_id: None,
        owner: user.as_str(),
        mxc,
        file_name: "avatar",
        content_type: "",
        encryption: "",
        body: "",
    };
    signed(tx, links, &wanted, now).await
}

async fn signed(
    tx: &mut Tx,
    links: &Links,
    wanted: &NewMedia<'_>,
    now: i64,
) -> Result<Option<String>, StoreError> {
    // By what it is: after a backup was restored the link is made anew, and must be the one that is known on Gitter.
    let room = wanted.matrix_room_id.map_or("", |room| room.as_str());
    let what = [wanted.purpose.as_str(), room, wanted.owner, wanted.mxc];
    let Some(new_id) = links.signer.id(&what) else {
        return Ok(None);
    };
    let row = media::make_or_find(tx, &new_id, wanted, now).await?;
    // Gitter draws a person without a picture, but not one whose picture is gone.
    if row.purpose == MediaPurpose::Avatar && row.state == MediaState::Revoked {
        return Ok(None);
    }
    Ok(links.signer.link(&links.claims(row)))
}

impl Links {
    fn claims(&self, media: Media) -> Claims {
        let expires = self
            .expires
            .filter(|_| media.purpose != MediaPurpose::Avatar)
            .map(|lifetime| {
                let made = u64::try_from(media.created_at / 1_000).unwrap_or_default();
                u32::try_from(made.saturating_add(lifetime.as_secs())).unwrap_or(u32::MAX)
            });
        Claims {
            id: media.id,
            purpose: media.purpose,
            expires,
        }
    }
}

/// The encrypted file of an event that a link with this purpose shows: a small picture of its own if there is one.
fn encrypted_file(content: &Value, purpose: MediaPurpose) -> Option<&Value> {
    let file = content.get("file")?;
    let small = || content.pointer("/info/thumbnail_file");
    match purpose {
        MediaPurpose::Thumbnail => small().or(Some(file)),
        _ => Some(file),
    }
}

/// How often it is asked whether what there are copies of may still be seen. What ends in this process is dropped at
/// once, and nothing that has ended is served, so this is for what other processes end.
const COPIES_CHECKED: Duration = Duration::from_hours(1);

/// Deletes copies of what has ended, now and again and again.
pub(super) async fn drop_ended_copies(bridge: Arc<Bridge>) {
    let all = async {
        loop {
            if let Err(error) = drop_ended(&bridge).await {
                error!(error = %error, "It could not be asked which copies of files may stay");
            }
            tokio::time::sleep(COPIES_CHECKED).await;
        }
    };
    bridge.stop.run_until_cancelled(all).await;
}

async fn drop_ended(bridge: &Bridge) -> Result<(), StoreError> {
    for id in bridge.cache.ids() {
        let known = media::by_id(&mut bridge.db.read().await?, &id).await?;
        if known.is_none_or(|media| media.state != MediaState::Live) {
            bridge.cache.remove(&[id]).await;
        }
    }
    Ok(())
}

/// Why a Gitter file is not on Matrix.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// It could not be fetched.
    #[error(transparent)]
    File(#[from] FileError),
    /// The homeserver did not take it.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
    /// It could not be looked up or remembered.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A Gitter file on Matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Uploaded {
    /// Where it is.
    pub mxc: OwnedMxcUri,
    /// What a message with it has beside `body`, `filename` and `url`: `msgtype` and `info`.
    pub content: Value,
}

impl Uploaded {
    /// The same with a small picture of it, if that is one.
    #[must_use]
    pub fn with_thumbnail(mut self, thumbnail: &Self) -> Self {
        let is_picture = thumbnail
            .content
            .get("msgtype")
            .is_some_and(|kind| kind == "m.image");
        if let Some(info) = self.content.get_mut("info").and_then(Value::as_object_mut)
            && let Some(known) = thumbnail.content.get("info").filter(|_| is_picture)
        {
            info.insert("thumbnail_info".to_owned(), known.clone());
            let mxc = Value::String(thumbnail.mxc.to_string());
            info.insert("thumbnail_url".to_owned(), mxc);
        }
        self
    }

    /// Completes the content of a message whose `url` was a stand-in.
    pub fn complete(&self, content: &mut Value) {
        let Some(fields) = content.as_object_mut() else {
            return;
        };
        if let Some(known) = self.content.as_object() {
            fields.extend(known.clone());
        }
        fields.insert("url".to_owned(), Value::String(self.mxc.to_string()));
    }
}

/// Puts a file of Gitter's on Matrix as a user, unless it is there already. No transaction is open meanwhile.
pub async fn upload(
    db: &Db,
    matrix: &MatrixClient,
    files: &FileClient,
    user: &UserId,
    url: &Url,
    file_name: &str,
    now: i64,
) -> Result<Uploaded, UploadError> {
    let known = media::upload(&mut db.read().await?, url.as_str()).await?;
    if let Some(known) = known
        && let Ok(content) = serde_json::from_str(&known.content)
    {
        let mxc = OwnedMxcUri::from(known.mxc);
        return Ok(Uploaded { mxc, content });
    }
    let fetched = files.fetch(url).await?;
    let content = fetched.content();
    let (length, content_type) = (fetched.length, fetched.content_type);
    let file = tokio::fs::File::from_std(fetched.file);
    let mxc = matrix
        .upload_stream(user, file, length, &content_type, file_name)
        .await?;
    let uploaded = Upload {
        mxc: mxc.to_string(),
        content: content.to_string(),
    };
    let mut tx = db.write().await?;
    media::record_upload(&mut tx, url.as_str(), &uploaded, now).await?;
    tx.commit().await?;
    Ok(Uploaded { mxc, content })
}
