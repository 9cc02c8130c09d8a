//! The real program serves links, and does not hold files whole.

use std::{fs, path::Path, time::Instant};

use futures_util::future::join_all;
use gitter_matrix_bridge::{config::secret, ids::MediaId, ids::MediaPurpose, media, store};
use reqwest::Client;
use url::Url;

use super::NOW;
use crate::world::{World, database::Database};

const SIZE: usize = 40 * 1024 * 1024;

/// Memory of the program that was started with a configuration, in KiB: now, and at most so far.
fn memory(config_file: &Path) -> (u64, u64) {
    let config_file = config_file.to_str().unwrap();
    let is_it = |folder: &Path| {
        let command = fs::read(folder.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains(config_file)
    };
    let mut folders = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let folder = folders.find(|folder| is_it(folder)).unwrap();
    let status = fs::read_to_string(folder.join("status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    (field("VmRSS:"), field("VmHWM:"))
}

#[tokio::test]
async fn ten_transfers_of_40_megabytes_take_less_than_20_of_memory() {
    let world = World::start(Database::Sqlite).await;
    let config = world.bridge.config();
    let keys = secret::read_or_make_list(&config.media.key_file).unwrap();
    let base: Url = world
        .bridge
        .appservice()
        .as_str()
        .trim_end_matches('/')
        .parse()
        .unwrap();
    let signer = media::Signer::new(&keys, &base).unwrap();
    let db = store::Db::open(&config.database.url).await.unwrap();
    let mut links = Vec::new();
    for number in 0..10 {
        let mxc = world.homeserver.add_media("video/mp4", vec![number; SIZE]);
        let wanted = store::NewMedia {
            purpose: MediaPurpose::Media,
            gitter_room_id: None,
            matrix_room_id: None,
            owner: "$e",
            mxc: &mxc,
            file_name: "a.mp4",
            content_type: "",
            encryption: "",
            body: "",
        };
        let mut tx = db.write().await.unwrap();
        let id = MediaId::from_bytes(rand::random());
        let row = store::media::make_or_find(&mut tx, &id, &wanted, NOW)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let claims = media::Claims {
            id: row.id,
            purpose: row.purpose,
            expires: None,
        };
        links.push(signer.link(&claims).unwrap());
    }
    db.close().await;
    let http = Client::new();
    let (before, _) = memory(&world.bridge.config_file());
    let start = Instant::now();
    join_all(links.iter().map(async |link| {
        let mut answer = http.get(link).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut length = 0;
        while let Some(chunk) = answer.chunk().await.unwrap() {
            length += chunk.len();
        }
        assert_eq!(length, SIZE);
    }))
    .await;
    let (_, most) = memory(&world.bridge.config_file());
    println!(
        "10 times 40 MiB in {:.1} s; memory from {before} KiB to at most {most} KiB",
        start.elapsed().as_secs_f64()
    );
    assert!(most - before < 20 * 1024, "from {before} KiB to {most} KiB");
    world.close().await;
}

#[tokio::test]
async fn ten_uploads_of_gitter_at_once_take_less_than_20_megabytes_of_memory() {
    // The most that Gitter takes (gitter-api 6).
    const UPLOAD: usize = 20 * 1024 * 1024;
    let mut world = World::start(Database::Sqlite).await;
    let mut rooms = Vec::new();
    for number in 0..10 {
        rooms.push(world.link(&format!("pier-{number}")).await);
    }
    let (before, _) = memory(&world.bridge.config_file());
    let start = Instant::now();
    for (number, room) in rooms.iter().enumerate() {
        let bytes = vec![u8::try_from(number).unwrap(); UPLOAD];
        let name = format!("{number}.bin");
        world
            .gitter
            .upload("wren", room.gitter, &name, "application/octet-stream", bytes)
            .unwrap();
    }
    for (number, room) in rooms.iter().enumerate() {
        let event = world.arrives_on_matrix(room, &format!("{number}.bin")).await;
        assert_eq!(event["content"]["info"]["size"], UPLOAD);
    }
    let (_, most) = memory(&world.bridge.config_file());
    println!(
        "10 times 20 MiB to Matrix in {:.1} s; memory from {before} KiB to at most {most} KiB",
        start.elapsed().as_secs_f64()
    );
    assert!(most - before < 20 * 1024, "from {before} KiB to {most} KiB");
    world.close().await;
}
