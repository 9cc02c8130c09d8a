use std::{fs, sync::Arc, time::Duration};

use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;

use super::Cache;
use crate::ids::MediaId;

fn id(number: u8) -> MediaId {
    MediaId::from_bytes([number; 12])
}

async fn open(folder: &TempDir, limit: u64) -> Arc<Cache> {
    let cache = Cache::open(&folder.path().join("media-cache"), limit).await;
    Arc::new(cache.unwrap())
}

async fn put(cache: &Arc<Cache>, number: u8, bytes: &[u8]) -> bool {
    let length = bytes.len().try_into().unwrap();
    let Some(mut copy) = cache.begin(&id(number), length, "text/plain").await else {
        return false;
    };
    for chunk in bytes.chunks(7) {
        copy.write(chunk).await.unwrap();
    }
    copy.finish().await.unwrap();
    true
}

async fn read(cache: &Cache, number: u8, first: u64) -> Option<Vec<u8>> {
    let copy = cache.get(&id(number)).await?;
    assert_eq!(copy.content_type, "text/plain");
    let mut bytes = Vec::new();
    let mut reader = Box::pin(copy.read_from(first).await.unwrap());
    reader.read_to_end(&mut bytes).await.unwrap();
    Some(bytes)
}

/// The names in the folder, and all their bytes.
fn on_disk(folder: &TempDir) -> (usize, u64) {
    let entries = fs::read_dir(folder.path().join("media-cache")).unwrap();
    let sizes = entries.map(|entry| entry.unwrap().metadata().unwrap().len());
    let sizes: Vec<u64> = sizes.collect();
    (sizes.len(), sizes.iter().sum())
}

#[tokio::test]
async fn a_copy_is_read_whole_or_from_a_place_on_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let cache = open(&folder, 10_000).await;
    assert!(put(&cache, 1, b"two oars and a sail").await);
    for cache in [cache, open(&folder, 10_000).await] {
        assert_eq!(read(&cache, 1, 0).await.unwrap(), b"two oars and a sail");
        assert_eq!(read(&cache, 1, 4).await.unwrap(), b"oars and a sail");
        assert_eq!(read(&cache, 1, 100).await.unwrap(), b"");
        assert_eq!(read(&cache, 2, 0).await, None);
        assert!(!put(&cache, 1, b"again").await, "it is there");
    }
}

#[tokio::test]
async fn the_limit_holds_and_what_was_read_longest_ago_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let cache = open(&folder, 4_000).await;
    let bytes = [5; 900];
    for number in 1..=4 {
        assert!(put(&cache, number, &bytes).await);
    }
    assert!(read(&cache, 1, 0).await.is_some());
    assert!(put(&cache, 5, &bytes).await);
    assert_eq!(read(&cache, 2, 0).await, None, "it was read longest ago");
    for number in [1, 3, 4, 5] {
        assert!(read(&cache, number, 0).await.is_some(), "{number}");
    }
    let (files, size) = on_disk(&folder);
    assert!(files == 4 && size <= 4_000, "{files} files of {size} bytes");
    assert!(!put(&cache, 6, &[5; 1_001]).await, "more than a quarter");

    // The order survives, and a smaller limit holds at once.
    let path = folder.path().join("media-cache").join(id(1).as_str());
    let soon = fs::metadata(&path).unwrap().modified().unwrap() + Duration::from_mins(1);
    fs::File::options()
        .append(true)
        .open(path)
        .unwrap()
        .set_modified(soon)
        .unwrap();
    let smaller = open(&folder, 1_000).await;
    assert_eq!(smaller.ids(), [id(1)]);
    assert_eq!(on_disk(&folder).0, 1);
}

#[tokio::test]
async fn copies_being_written_count_and_are_written_once() {
    let folder = tempfile::tempdir().unwrap();
    let cache = open(&folder, 4_000).await;
    let mut begun = Vec::new();
    for number in 1..=4 {
        begun.push(cache.begin(&id(number), 900, "text/plain").await.unwrap());
    }
    assert!(cache.begin(&id(1), 900, "text/plain").await.is_none());
    assert!(cache.begin(&id(5), 900, "text/plain").await.is_none());
    drop(begun);
    assert_eq!(on_disk(&folder), (0, 0), "nothing unfinished stays");
    assert!(put(&cache, 5, &[5; 900]).await);
}

#[tokio::test]
async fn nothing_is_a_copy_that_is_not_whole() {
    let folder = tempfile::tempdir().unwrap();
    let cache = open(&folder, 10_000).await;
    let mut short = cache.begin(&id(1), 3, "text/plain").await.unwrap();
    short.write(b"ab").await.unwrap();
    assert!(cache.get(&id(1)).await.is_none(), "it is being written");
    assert!(short.finish().await.is_err());
    let mut long = cache.begin(&id(1), 3, "text/plain").await.unwrap();
    assert!(long.write(b"abcd").await.is_err());
    drop(long);
    assert_eq!(on_disk(&folder).0, 0);

    for number in [1, 2] {
        assert!(put(&cache, number, b"two oars").await);
        let path = folder.path().join("media-cache").join(id(number).as_str());
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_len(file.metadata().unwrap().len() - 1).unwrap();
    }
    assert!(cache.get(&id(1)).await.is_none(), "found when it is read");
    assert_eq!(on_disk(&folder).0, 1);
    fs::write(folder.path().join("media-cache/.part-x"), "left behind").unwrap();
    assert_eq!(open(&folder, 10_000).await.ids(), [], "found at the start");
    assert_eq!(on_disk(&folder).0, 0);
}

#[tokio::test]
async fn what_has_ended_is_deleted_and_no_limit_is_no_cache() {
    let folder = tempfile::tempdir().unwrap();
    let cache = open(&folder, 10_000).await;
    for number in 1..=3 {
        assert!(put(&cache, number, b"two oars").await);
    }
    let reading = cache.get(&id(1)).await.unwrap();
    cache.remove(&[id(1), id(2), id(9)]).await;
    assert_eq!(cache.ids(), [id(3)]);
    assert_eq!(on_disk(&folder).0, 1);
    let mut bytes = Vec::new();
    let mut reader = Box::pin(reading.read_from(0).await.unwrap());
    reader.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(bytes, b"two oars", "who reads may go on");

    let off = open(&folder, 0).await;
    assert!(!folder.path().join("media-cache").exists());
    assert!(!put(&off, 1, b"").await);
}
