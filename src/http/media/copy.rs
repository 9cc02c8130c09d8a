//! Copies: written while a file passes, and read in place of the homeserver's.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use tokio::io;
use tokio_util::io::ReaderStream;
use tracing::{error, warn};

use crate::{
    cache::{Cache, Copy, NewCopy},
    ids::MediaId,
    store::{self, Db, MediaState},
};

/// The bytes read at once.
const CHUNK: usize = 64 * 1024;

/// A copy that grows as the file passes.
pub(super) struct Copying {
    copy: NewCopy,
    id: MediaId,
    cache: Arc<Cache>,
    db: Db,
}

impl Copying {
    /// Begins a copy, where there is room for one.
    pub(super) async fn begin(
        cache: &Arc<Cache>,
        db: &Db,
        id: &MediaId,
        length: u64,
        content_type: &str,
    ) -> Option<Self> {
        Some(Self {
            copy: cache.begin(id, length, content_type).await?,
            id: id.clone(),
            cache: Arc::clone(cache),
            db: db.clone(),
        })
    }

    /// Writes what comes next; `None` if that cannot be, or was the last.
    pub(super) async fn write(mut self, chunk: &Bytes) -> Option<Self> {
        match self.copy.write(chunk).await {
            // Apart from the reader, who may be gone with the last byte and does not wait for disks.
            Ok(()) if self.copy.is_whole() => {
                tokio::spawn(self.finish());
                None
            }
            Ok(()) => Some(self),
            Err(failure) => {
                warn!(media.id = self.id.as_str(), error = %failure, "A copy of a file was not made");
                None
            }
        }
    }

    /// Keeps the copy, unless its link has ended meanwhile. Who ends links deletes copies after that is committed, so
    /// that one of the two sees the other's.
    async fn finish(self) {
        let Self { copy, id, cache, db } = self;
        if let Err(failure) = copy.finish().await {
            warn!(media.id = id.as_str(), error = %failure, "A copy of a file was not made");
            return;
        }
        let is_live = async {
            let found = store::media::by_id(&mut db.read().await?, &id).await?;
            Ok::<_, store::StoreError>(found.is_some_and(|media| media.state == MediaState::Live))
        };
        let may_stay = is_live.await.unwrap_or_else(|failure| {
            error!(error = %failure, "A link to media could not be looked up");
            false
        });
        if !may_stay {
            cache.remove(&[id]).await;
        }
    }
}

/// The bytes of a copy from a place on.
pub(super) async fn read(
    copy: Copy,
    first: u64,
) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + 'static> {
    let reader = copy.read_from(first).await?;
    Ok(ReaderStream::with_capacity(reader, CHUNK))
}
