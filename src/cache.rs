//! Copies of the homeserver's files on disk, by the id of the link that leads to them: those read last, up to a limit.
//!
//! A copy is what the homeserver sent, byte for byte: that of an encrypted file is encrypted, and its keys are in the
//! database alone. Nothing here knows who may read; callers ask the database first, and say what has ended.

mod disk;

use std::{
    collections::HashMap,
    io::SeekFrom,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hashlink::LruCache;
use tempfile::TempPath;
use tokio::{
    fs::File,
    io::{self, AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _},
};
use tracing::warn;

use self::disk::Header;
use crate::ids::MediaId;

/// No copy takes more than this part of the limit, so that one file never displaces all others.
const LARGEST_PART: u64 = 4;

/// The bytes that a file holds in memory.
const BUFFER: usize = 64 * 1024;

/// The copies in one folder, which is this cache's alone.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    limit: u64,
    places: Mutex<Places>,
}

/// What is on disk, and what is being written.
#[derive(Debug)]
struct Places {
    /// Whole copies with their sizes, the one read last at the end.
    copies: LruCache<MediaId, u64>,
    /// Copies being written, with the sizes that they will have.
    begun: HashMap<MediaId, u64>,
    /// The sizes of all of them.
    bytes: u64,
}

/// A copy, to be read.
#[derive(Debug)]
pub struct Copy {
    /// The type that the homeserver said.
    pub content_type: String,
    /// The length of the file in bytes.
    pub length: u64,
    file: File,
    /// Where in the file on disk the copy begins.
    begin: u64,
}

/// A copy that is being written. Dropped before its end it leaves nothing behind.
#[derive(Debug)]
pub struct NewCopy {
    cache: Arc<Cache>,
    id: MediaId,
    file: File,
    /// `None` once it is in its place.
    path: Option<TempPath>,
    /// The bytes that are still to come.
    left: u64,
}

impl Cache {
    /// Opens the folder and finds the copies in it; what an earlier process left half-written goes, and with a limit
    /// of 0 all.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub async fn open(folder: &Path, limit: u64) -> io::Result<Self> {
        let folder = folder.to_owned();
        let found = tokio::task::spawn_blocking({
            let folder = folder.clone();
            move || disk::open(&folder, limit > 0)
        });
        let mut places = Places {
            copies: LruCache::new_unbounded(),
            begun: HashMap::new(),
            bytes: 0,
        };
        for (id, size) in found.await.map_err(io::Error::other)?? {
            places.bytes = places.bytes.saturating_add(size);
            places.copies.insert(id, size);
        }
        let surplus = places.make_room(0, limit);
        let cache = Self {
            folder,
            limit,
            places: Mutex::new(places),
        };
        cache.delete(&surplus).await;
        Ok(cache)
    }

    /// The copy of a file, if there is one; it is then the one read last.
    pub async fn get(&self, id: &MediaId) -> Option<Copy> {
        self.places().copies.get(id)?;
        match self.read(id).await {
            Ok(copy) => Some(copy),
            Err(error) => {
                warn!(media.id = id.as_str(), error = %error, "A copy of a file cannot be read; it is fetched again");
                self.remove(std::slice::from_ref(id)).await;
                None
            }
        }
    }

    async fn read(&self, id: &MediaId) -> io::Result<Copy> {
        let path = self.path(id);
        let (file, header) = tokio::task::spawn_blocking(move || disk::read(&path))
            .await
            .map_err(io::Error::other)??;
        let mut file = File::from_std(file);
        file.set_max_buf_size(BUFFER);
        Ok(Copy {
            begin: header.size(),
            length: header.length,
            content_type: header.content_type,
            file,
        })
    }

    /// Begins a copy of a file. `None` where it would be too large, is there or being written already, or cannot be
    /// written.
    pub async fn begin(self: &Arc<Self>, id: &MediaId, length: u64, content_type: &str) -> Option<NewCopy> {
        let header = Header::new(length, content_type);
        let size = header.size().saturating_add(length);
        if size > self.limit / LARGEST_PART {
            return None;
        }
        let surplus = self.places().reserve(id, size, self.limit)?;
        self.delete(&surplus).await;
        match self.make_file(&header).await {
            Ok((file, path)) => Some(NewCopy {
                cache: Arc::clone(self),
                id: id.clone(),
                file,
                path: Some(path),
                left: length,
            }),
            Err(error) => {
                self.places().release(id);
                warn!(folder = %self.folder.display(), error = %error, "A copy of a file cannot be written");
                None
            }
        }
    }

    async fn make_file(&self, header: &Header) -> io::Result<(File, TempPath)> {
        let folder = self.folder.clone();
        let file = tokio::task::spawn_blocking(move || disk::make_file(&folder))
            .await
            .map_err(io::Error::other)??;
        let (file, path) = file.into_parts();
        let mut file = File::from_std(file);
        file.set_max_buf_size(BUFFER);
        file.write_all(header.line().as_bytes()).await?;
        Ok((file, path))
    }

    /// Deletes copies. Who reads one at the moment may read it to its end.
    pub async fn remove(&self, ids: &[MediaId]) {
        let known: Vec<MediaId> = {
            let mut places = self.places();
            ids.iter().filter(|id| places.forget(id)).cloned().collect()
        };
        self.delete(&known).await;
    }

    /// The ids of all copies.
    pub fn ids(&self) -> Vec<MediaId> {
        self.places().copies.iter().map(|(id, _)| id.clone()).collect()
    }

    async fn delete(&self, ids: &[MediaId]) {
        for id in ids {
            if let Err(error) = tokio::fs::remove_file(self.path(id)).await
                && error.kind() != io::ErrorKind::NotFound
            {
                warn!(media.id = id.as_str(), error = %error, "A copy of a file cannot be deleted");
            }
        }
    }

    fn path(&self, id: &MediaId) -> PathBuf {
        self.folder.join(id.as_str())
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    /// Takes copies out, those read longest ago first, until so many more bytes are within the limit.
    fn make_room(&mut self, size: u64, limit: u64) -> Vec<MediaId> {
        let mut surplus = Vec::new();
        while self.bytes.saturating_add(size) > limit
            && let Some((id, gone)) = self.copies.remove_lru()
        {
            self.bytes = self.bytes.saturating_sub(gone);
            surplus.push(id);
        }
        surplus
    }

    /// Room for a new copy, and what has to go for it; `None` if there is none, or it is there.
    fn reserve(&mut self, id: &MediaId, size: u64, limit: u64) -> Option<Vec<MediaId>> {
        let being_written: u64 = self.begun.values().sum();
        if self.copies.contains_key(id) || self.begun.contains_key(id) || being_written + size > limit {
            return None;
        }
        let surplus = self.make_room(size, limit);
        self.bytes = self.bytes.saturating_add(size);
        self.begun.insert(id.clone(), size);
        Some(surplus)
    }

    /// Gives the room of a copy back that was not finished.
    fn release(&mut self, id: &MediaId) {
        let size = self.begun.remove(id).unwrap_or(0);
        self.bytes = self.bytes.saturating_sub(size);
    }

    /// Takes a copy out; whether there was one.
    fn forget(&mut self, id: &MediaId) -> bool {
        let size = self.copies.remove(id);
        self.bytes = self.bytes.saturating_sub(size.unwrap_or(0));
        size.is_some()
    }

    /// A copy is in its place.
    fn settle(&mut self, id: &MediaId) {
        if let Some(size) = self.begun.remove(id) {
            self.copies.insert(id.clone(), size);
        }
    }
}

impl Copy {
    /// The bytes from a place on.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn read_from(mut self, first: u64) -> io::Result<impl io::AsyncRead + Send + 'static> {
        let place = self.begin.saturating_add(first);
        self.file.seek(SeekFrom::Start(place)).await?;
        Ok(self.file.take(self.length.saturating_sub(first)))
    }
}

impl NewCopy {
    /// Writes what comes next.
    ///
    /// # Errors
    /// When the disk fails, or more comes than was said.
    pub async fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        self.left = self
            .left
            .checked_sub(length)
            .ok_or_else(|| io::Error::other("the file is longer than it was said to be"))?;
        self.file.write_all(chunk).await
    }

    /// Whether all has come.
    pub const fn is_whole(&self) -> bool {
        self.left == 0
    }

    /// Puts the copy in its place if it is whole. Whether it may stay has to be asked after this.
    ///
    /// # Errors
    /// When the disk fails, or less came than was said.
    pub async fn finish(mut self) -> io::Result<()> {
        if self.left > 0 {
            return Err(io::Error::other("the file is shorter than it was said to be"));
        }
        self.file.flush().await?;
        // A name must not survive a power cut that its bytes do not.
        self.file.sync_data().await?;
        let place = self.cache.path(&self.id);
        if let Some(path) = self.path.take() {
            tokio::task::spawn_blocking(move || path.persist(place))
                .await
                .map_err(io::Error::other)?
                .map_err(|failed| failed.error)?;
            self.cache.places().settle(&self.id);
        }
        Ok(())
    }
}

impl Drop for NewCopy {
    fn drop(&mut self) {
        // Nothing once it is in its place.
        self.cache.places().release(&self.id);
    }
}

#[cfg(test)]
mod tests;
