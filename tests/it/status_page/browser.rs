//! The status page in headless Chromium: empty, busy and failing, light and dark, wide and narrow, with scripts and
//! without. axe-core looks for what keeps people out. The pictures stay in `.cache/status-page`, to be looked at.

use std::{env, path::PathBuf, process::Stdio};

use gitter_sandbox::{RequestEffect, When};
use reqwest::Method;
use serde_json::json;
use xtask::{npm, packages, process, workspace};

use super::failed;
use crate::world::{Room, World, admin::answer, database::Database, until};

/// How many rooms a busy bridge has.
const ROOMS: usize = 100;

/// As if all of it had happened in the last hour, rather than now.
const SPREAD: &str =
    "UPDATE inbox SET settled_at = settled_at - (abs(random()) % 3300) * 1000 WHERE state = 'settled'";

/// Node.js with Chromium and what `tests/page` needs.
struct Browser {
    packages: PathBuf,
    chromium: PathBuf,
    pictures: PathBuf,
}

impl Browser {
    /// `None`, said on stderr, where something is missing; where `CI` is set that is a failure.
    async fn find() -> Option<Self> {
        packages::browser().await.unwrap();
        let (node, npm, chromium) = (
            packages::find("node"),
            packages::find("npm"),
            packages::find("chromium"),
        );
        let (Some(_), Some(_), Some(chromium)) = (node, npm, chromium) else {
            assert!(env::var_os("CI").is_none(), "Node.js, npm or Chromium is missing");
            eprintln!(
                "Skipped: Node.js, npm or Chromium is missing (Debian's names are nodejs, npm and chromium)"
            );
            return None;
        };
        let pictures = workspace::cache().join("status-page");
        std::fs::create_dir_all(&pictures).unwrap();
        Some(Self {
            packages: npm::install(&project()).await.unwrap(),
            chromium,
            pictures,
        })
    }

    /// Looks at the page, and fails with what is wrong with it.
    async fn look(&self, world: &World, script: &str, name: &str) {
        let output = process::command("node")
            .arg(project().join(script))
            .env("NODE_PATH", self.packages.join("node_modules"))
            .env("CHROMIUM", &self.chromium)
            .env("PICTURES", &self.pictures)
            .env("PAGE", world.admin().page(""))
            .env("TOKEN", world.admin().token())
            .env("NAME", name)
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script} {name}: {said}");
    }
}

fn project() -> PathBuf {
    workspace::root().join("tests/page")
}

/// Links many rooms and lets people talk in them, in some more than in others.
async fn make_busy(world: &mut World) -> Vec<Room> {
    let names = [
        "harbour",
        "lighthouse",
        "rust",
        "gardening",
        "type-theory",
        "weekend-hacks",
        "bicycles",
        "compilers",
    ];
    let mut rooms = Vec::new();
    for number in 0..ROOMS {
        rooms.push(world.make_rooms(&format!("{}-{number:02}", names[number % names.len()])));
    }
    for room in &rooms {
        world.link_rooms(room.clone()).await;
    }
    for (number, room) in rooms.iter().enumerate() {
        world.both_say(room, "message", [9, 0, 3, 1, 5, 0, 2][number % 7]);
    }
    world.crossed().await;
    world.bridge.stop().await;
    world.database.change(SPREAD).await;
    world.bridge.start().await;
    rooms
}

/// Lets some of it fail, in all the ways that an operator may see.
async fn make_failing(world: &World, rooms: &[Room]) {
    for (room, count) in [(&rooms[3], 3), (&rooms[11], 1), (&rooms[26], 1)] {
        world.posts_suffer(room, RequestEffect::Status(403), When::Before, count);
        for number in 0..count {
            world.ana_says(room, &format!("refused {number}"));
        }
    }
    failed(world, 5).await;
    for (room, what) in [(&rooms[40], "pause"), (&rooms[41], "pause")] {
        let path = format!("rooms/{}/{what}", room.gitter);
        let (status, told) = answer(world.admin().authorized(Method::POST, &path))
            .await
            .unwrap();
        assert_eq!(status, 202, "{told}");
    }
    world.ana_says(&rooms[40], "this waits");
    let gone = json!({ "membership": "leave" });
    world.homeserver.set_state(
        &rooms[50].matrix,
        &world.ana,
        "m.room.member",
        "@gitterbot:localhost",
        gone,
    );
    until("a room to be broken", async || {
        let (_, portal) = world.admin().portal(&rooms[50].gitter.to_string()).await;
        Ok((portal["state"] == "broken").then_some(()))
    })
    .await;
}

#[tokio::test]
async fn the_page_is_for_everybody_in_each_of_its_states() {
    let Some(browser) = Browser::find().await else {
        return;
    };
    let options = crate::world::Options {
        privacy_check: "5s",
        // Enough for all that this says.
        rate_limit: 3_000,
        ..crate::world::Options::default()
    };
    let mut world = World::with(Database::Sqlite, options).await;
    browser.look(&world, "look.js", "empty").await;
    let rooms = make_busy(&mut world).await;
    browser.look(&world, "look.js", "busy").await;
    make_failing(&world, &rooms).await;
    browser.look(&world, "look.js", "failing").await;
    browser.look(&world, "use.js", "failing").await;
    world.close().await;
}
