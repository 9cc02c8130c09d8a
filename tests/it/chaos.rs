//! Chaos: people talk on both sides while everything that can break breaks, and in the end both sides have to hold
//! what was said. `cargo xtask chaos` runs it, with a plan in the environment; among the other tests a small one runs.

mod havoc;
mod talk;
mod verdict;

use std::time::{Duration, Instant};

use rand::{SeedableRng as _, rngs::StdRng};
use reqwest::Method;
use xtask::{
    chaos::{PLAN, Plan, Report},
    postgres::Postgres,
    wait,
};

use self::{havoc::Havoc, talk::Talk};
use crate::world::{
    Options, Room, World,
    admin::answer,
    database::{Database, on_both_databases},
};

/// How long what is left may take once everybody is silent.
const LIMIT: Duration = Duration::from_mins(20);

on_both_databases![a_little_of_everything_leaves_both_sides_the_same];

async fn a_little_of_everything_leaves_both_sides_the_same(database: Database) {
    let plan = Plan {
        messages: 150,
        rooms: 3,
        seed: rand::random_range(0..1_000_000),
        kills: 4,
        database_restarts: 0,
        homeserver_restarts: 1,
        faults_percent: 5,
        rate_limit: 0,
        database: String::new(),
        report: None,
    };
    let report = run(&plan, database, None).await;
    assert!(report.is_clean(), "{report:?}");
}

/// The run that `cargo xtask chaos` asks for.
#[tokio::test]
#[ignore = "cargo xtask chaos runs it, with a plan"]
async fn as_planned() {
    let plan: Plan = serde_json::from_str(&std::env::var(PLAN).unwrap()).unwrap();
    let (database, server) = if plan.database == "postgres" {
        (Database::Postgres, Some(Postgres::start().await.unwrap()))
    } else {
        (Database::Sqlite, None)
    };
    let report = run(&plan, database, server).await;
    let file = plan.report.as_ref().unwrap();
    std::fs::write(file, serde_json::to_string(&report).unwrap()).unwrap();
}

/// Runs a plan, and judges.
async fn run(plan: &Plan, database: Database, server: Option<Postgres>) -> Report {
    let started = Instant::now();
    let options = Options {
        rate_limit: plan.rate_limit,
        // A few people say everything.
        flood_limit: 0,
        database_server: server.as_ref().map(|server| server.url().to_owned()),
        ..Options::default()
    };
    let mut world = World::with(database, options).await;
    let mut rooms = Vec::new();
    for number in 0..plan.rooms {
        let room = world.link(&format!("room-{number}")).await;
        world.the_bot_may_moderate(&room);
        rooms.push(room);
    }
    let mut random = StdRng::seed_from_u64(plan.seed);
    let mut talk = Talk::new(&world, &rooms);
    let mut havoc = Havoc::new(plan, server, &mut random);
    while talk.messages() < plan.messages {
        let said = talk.go_on(&world, &mut random);
        havoc.go_on(&mut world, &said, talk.messages(), &mut random).await;
        // So that what is said and what breaks mix; nothing relies on it.
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    havoc.end(&mut world).await;
    eprintln!("Everything is said after {} s", started.elapsed().as_secs());
    settle(&world, &rooms).await;
    let report = Report {
        kills: havoc.kills,
        kills_in_flight: havoc.kills_in_flight,
        database_restarts: havoc.database_restarts,
        faults: havoc.faults,
        seed: plan.seed,
        messages: talk.messages(),
        seconds: started.elapsed().as_secs(),
        ..verdict::of(&world, &rooms).await
    };
    if report.is_clean() {
        world.close().await;
    } else {
        eprintln!("{report:?}");
        world.keep();
    }
    if let Some(server) = havoc.server {
        server.stop().await.unwrap();
    }
    report
}

/// Waits until nothing is left to do. A room's last frames may be among those that were lost, so each room is
/// looked through once, as an operator would.
async fn settle(world: &World, rooms: &[Room]) {
    for room in rooms {
        world.wren_says(room, "over w-over");
        world.ana_says(room, "and out w-out");
    }
    for round in 0..2 {
        idle(world).await;
        if round > 0 {
            break;
        }
        for room in rooms {
            let path = format!("rooms/{}/sync", room.gitter);
            let request = world.admin().authorized(Method::POST, &path);
            assert_eq!(answer(request).await.unwrap().0, 202);
        }
        let looked = rooms.len();
        until("every room to be looked through", async || {
            let log = world.bridge.whole_log();
            Ok((log.matches("Looked through a room").count() >= looked).then_some(()))
        })
        .await;
    }
}

/// Waits until all portals work and no item waits.
async fn idle(world: &World) {
    until("the bridge to have nothing left to do", async || {
        let portals = world.admin().portals().await?;
        let is_idle = portals
            .iter()
            .all(|portal| portal["waiting"] == 0 && portal["state"] == "active");
        let waiting: u64 = portals
            .iter()
            .filter_map(|portal| portal["waiting"].as_u64())
            .sum();
        if is_idle && world.homeserver.events_to_push() == 0 {
            return Ok(Some(()));
        }
        anyhow::bail!("{waiting} items wait")
    })
    .await;
}

async fn until<T>(what: &str, probe: impl AsyncFnMut() -> anyhow::Result<Option<T>>) -> T {
    match wait::until(what, LIMIT, probe).await {
        Ok(value) => value,
        Err(error) => panic!("{error:#}"),
    }
}
