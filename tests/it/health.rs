//! What monitoring is told: what is missing, since when, and that it is there again.

use std::path::PathBuf;

use gitter_sandbox::{Fault, RequestEffect, RequestFault, When};
use reqwest::Client;
use serde_json::Value;
use url::Url;

use crate::world::{
    Options, World,
    admin::{Answer, answer},
    database::{Database, on_both_databases},
    until,
};

on_both_databases![
    it_is_not_ready_while_the_homeserver_is_away,
    it_is_not_ready_without_a_realtime_connection,
    missing_credentials_are_waited_for,
];

/// The part that is missing, as both listeners tell it.
async fn lacks(world: &World, part: &str) -> Value {
    until(&format!("{part} to be missing"), async || {
        let (status, body) = world.admin().health("ready").await?;
        let found = body["parts"].as_array().cloned().unwrap_or_default();
        let found = found.into_iter().find(|found| found["part"] == *part);
        match found.filter(|found| found["ok"] == false && found["detail"] != "not looked at yet") {
            Some(found) => {
                assert_eq!((status, &body["ready"]), (503, &Value::Bool(false)), "{body}");
                assert!(found["since"].is_string(), "{body}");
                Ok(Some(found))
            }
            None => anyhow::bail!("{body}"),
        }
    })
    .await
}

/// What `appservice.listen` answers for a path.
async fn appservice(world: &World, path: &str) -> Answer {
    let url: Url = world.bridge.appservice().join(path).unwrap();
    answer(Client::new().get(url)).await.unwrap()
}

async fn it_is_not_ready_while_the_homeserver_is_away(database: Database) {
    let mut world = World::start(database).await;
    let (status, body) = appservice(&world, "/_matrix/mau/ready").await;
    assert_eq!((status, &body["ready"]), (200, &Value::Bool(true)), "{body}");
    let address = world.homeserver.url().authority().to_owned();
    world.homeserver.stop().await;
    let part = lacks(&world, "homeserver").await;
    assert!(
        part["detail"].as_str().unwrap().contains("homeserver.url"),
        "{part}"
    );
    let log = world.bridge.whole_log();
    let told = log
        .lines()
        .find(|line| line.contains("The homeserver does not answer as it should"));
    assert!(told.is_some_and(|line| line.contains("WARN")), "{told:?}");
    let (status, body) = appservice(&world, "/_matrix/mau/ready").await;
    assert_eq!(status, 503, "{body}");
    assert!(
        !body.to_string().contains(&address),
        "it tells an address: {body}"
    );
    let (status, body) = appservice(&world, "/_matrix/mau/live").await;
    assert_eq!((status, &body["live"]), (200, &Value::Bool(true)), "{body}");
    world.homeserver.restart().await;
    world.bridge.wait_until_ready().await;
    world.finish().await;
}

async fn it_is_not_ready_without_a_realtime_connection(database: Database) {
    let mut world = World::start(database).await;
    world.link("pier").await;
    world.bridge.stop().await;
    // Neither WebSocket nor polling.
    world.gitter.add_fault(Fault::Request(RequestFault {
        effect: RequestEffect::Status(502),
        when: When::Before,
        times: 1_000_000,
        method: None,
        path: "/bayeux".to_owned(),
    }));
    world.bridge.launch();
    let part = lacks(&world, "realtime").await;
    assert!(
        part["detail"].as_str().unwrap().contains("gitter.realtime_url"),
        "{part}"
    );
    world.gitter.clear_faults();
    world.bridge.wait_until_ready().await;
    world.finish().await;
}

async fn missing_credentials_are_waited_for(database: Database) {
    let options = Options {
        token_file: true,
        ..Options::default()
    };
    let mut world = World::with(database, options).await;
    let room = world.link("pier").await;
    world.bridge.stop().await;
    let registration = world.bridge.config().appservice.registration;
    let kept = [world.token_file(), registration].map(Kept::take);
    world.both_say(&room, "unheard", 2);
    world.bridge.launch();
    let part = lacks(&world, "credentials").await;
    let detail = part["detail"].as_str().unwrap();
    for key in ["gitter.token_file", "appservice.registration"] {
        assert!(detail.contains(key), "{key} in {detail}");
    }
    assert_eq!(appservice(&world, "/_matrix/mau/live").await.0, 200);
    assert_eq!(appservice(&world, "/_matrix/mau/ready").await.0, 503);
    let (status, body) = appservice(&world, "/_matrix/app/v1/ping").await;
    assert_eq!(
        (status, &body["errcode"]),
        (503, &Value::from("M_UNKNOWN")),
        "{body}"
    );
    let log = world.bridge.whole_log();
    let told = log
        .lines()
        .filter(|line| line.contains("Credentials are missing"));
    assert_eq!(told.count(), 1, "it is said once");
    let [token, registration] = kept;
    token.put_back();
    until("the registration alone to be missing", async || {
        let (_, body) = world.admin().health("ready").await?;
        let detail = body["parts"][0]["detail"].as_str().unwrap_or_default();
        Ok((!detail.contains("token_file") && detail.contains("registration")).then_some(()))
    })
    .await;
    registration.put_back();
    world.bridge.wait_until_ready().await;
    world.finish().await;
}

/// A file that is away for a while.
struct Kept(PathBuf, Vec<u8>);

impl Kept {
    fn take(path: PathBuf) -> Self {
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        Self(path, bytes)
    }

    fn put_back(self) {
        std::fs::write(self.0, self.1).unwrap();
    }
}
