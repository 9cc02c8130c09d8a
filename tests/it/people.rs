//! People of Gitter rooms in Matrix rooms: who is there, and by which name.

use std::time::{Duration, Instant};

use gitter_sandbox::{NewRoom, NewUser, UserChange};
use reqwest::Method;
use ruma::{OwnedUserId, UserId};
use serde_json::{Value, json};
use xtask::said::ghost_username;

use crate::{
    homeserver::{Effect, RoomOptions, Stage},
    world::{
        Options, Room, World,
        admin::answer,
        database::{Database, on_both_databases},
        until,
    },
};

on_both_databases![
    all_members_are_there_where_they_are_mirrored,
    who_came_and_went_unseen_is_found,
    people_who_come_do_not_keep_people_who_talk_waiting,
    only_who_speaks_joins_where_that_is_wanted_and_leaves_when_they_leave,
    a_new_name_shows_without_a_message,
    an_account_that_is_gone_leaves_and_takes_its_name_along,
    people_without_a_name_go_by_their_user_name,
    a_ghost_that_is_banned_stays_out,
    a_new_name_on_matrix_is_used_from_the_next_message_on,
];

async fn all_members_are_there_where_they_are_mirrored(database: Database) {
    let mut world = mirroring(database).await;
    let room = world.link_with_members("pier", &["wren", "bridge_bot"]).await;
    let wren = world.ghost_there(&room, "wren", "join").await;
    assert_eq!(world.name(&room, &wren), "Wren (Gitter)");
    world.joins_on_gitter("kelp", &room).await;
    world.ghost_there(&room, "kelp", "join").await;
    world.leaves_on_gitter("kelp", &room).await;
    world.ghost_there(&room, "kelp", "leave").await;
    assert_eq!(world.ghosts(&room).len(), 2, "not the bridge's own account");
    world.close().await;
}

async fn who_came_and_went_unseen_is_found(database: Database) {
    let mut world = mirroring(database).await;
    let room = world.link_with_members("pier", &["wren"]).await;
    world.ghost_there(&room, "wren", "join").await;
    world.bridge.stop().await;
    world.leaves_on_gitter("wren", &room).await;
    world.joins_on_gitter("kelp", &room).await;
    world.bridge.start().await;
    world.ghost_there(&room, "kelp", "join").await;
    world.ghost_there(&room, "wren", "leave").await;
    world.close().await;
}

async fn people_who_come_do_not_keep_people_who_talk_waiting(database: Database) {
    let mut world = mirroring(database).await;
    let people = world.make_people(30);
    let slow = Effect::Latency(Duration::from_millis(100));
    world.requests_suffer(Method::POST, "/join", slow, Stage::Before, 1_000);
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let room = world.link_with_members("pier", &people).await;
    let talks = world.ghost_there(&room, people[0], "join").await;
    world.wren_says(&room, "hello everybody");
    world.arrives_on_matrix(&room, "hello everybody").await;
    let events = world.homeserver.events(&room.matrix);
    let there = events.iter().filter(|event| is_join_of_ghost(event)).count();
    assert!(
        there < people.len(),
        "all {there} came before anybody could say a word"
    );
    for person in &people {
        world.ghost_there(&room, person, "join").await;
    }
    assert_eq!(world.homeserver.membership(&room.matrix, &talks), "join");
    world.homeserver.clear_faults();
    world.close().await;
}

/// By hand: `cargo nextest run --test it a_thousand --run-ignored all --no-capture`.
#[tokio::test]
#[ignore = "it takes a minute, and its figure depends on the machine"]
async fn a_thousand_members_come_and_a_message_crosses_meanwhile() {
    let mut world = mirroring(Database::Sqlite).await;
    let people = world.make_people(1_000);
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let began = Instant::now();
    let room = world.link_with_members("pier", &people).await;
    let (mut longest, mut said) = (Duration::ZERO, 0);
    while world.ghosts(&room).len() < 1_001 {
        let text = format!("meanwhile {said}");
        let at = Instant::now();
        world.wren_says(&room, &text);
        world.arrives_on_matrix(&room, &text).await;
        longest = longest.max(at.elapsed());
        said += 1;
    }
    eprintln!(
        "all were there after {:?}; the slowest message took {longest:?}",
        began.elapsed()
    );
    assert!(longest < Duration::from_secs(5));
    world.close().await;
}

async fn only_who_speaks_joins_where_that_is_wanted_and_leaves_when_they_leave(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_members("pier", &["wren", "kelp"]).await;
    world.wren_says(&room, "hello");
    world.arrives_on_matrix(&room, "hello").await;
    world.leaves_on_gitter("kelp", &room).await;
    world.leaves_on_gitter("wren", &room).await;
    let wren = world.ghost_there(&room, "wren", "leave").await;
    assert_eq!(world.ghosts(&room), [wren]);
    // Who is no member may talk in a public room all the same.
    world.wren_says(&room, "back");
    world.arrives_on_matrix(&room, "back").await;
    world.close().await;
}

async fn a_new_name_shows_without_a_message(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_members("pier", &["wren"]).await;
    world.wren_says(&room, "hello");
    world.arrives_on_matrix(&room, "hello").await;
    let wren = world.ghost_there(&room, "wren", "join").await;
    let new = UserChange {
        username: Some("wrenna".to_owned()),
        display_name: Some("Wrenna".to_owned()),
        ..UserChange::default()
    };
    world.gitter.alter_user("wren", &new).unwrap();
    world.goes_by(&room, &wren, "Wrenna (Gitter)").await;
    // The same ghost, whatever the name.
    world.gitter.post("wrenna", room.gitter, "still me").unwrap();
    let event = world.arrives_on_matrix(&room, "still me").await;
    assert_eq!(event["sender"], wren.as_str());
    world.close().await;
}

async fn an_account_that_is_gone_leaves_and_takes_its_name_along(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_members("pier", &["wren"]).await;
    world.wren_says(&room, "farewell");
    world.arrives_on_matrix(&room, "farewell").await;
    let wren = world.ghost_there(&room, "wren", "join").await;
    let gone = UserChange {
        removed: Some(true),
        ..UserChange::default()
    };
    world.gitter.alter_user("wren", &gone).unwrap();
    world.ghost_there(&room, "wren", "leave").await;
    world
        .homeserver
        .wait_until("the name to go", |world| {
            (world.profile(&wren)
                == (
                    Some("former Gitter user (Gitter)".to_owned()),
                    Some(String::new()),
                ))
                .then_some(())
        })
        .await;
    world.close().await;
}

async fn people_without_a_name_go_by_their_user_name(database: Database) {
    let mut world = mirroring(database).await;
    world.gitter.add_user(&NewUser::named("moss", " ")).unwrap();
    let room = world.link_with_members("pier", &["moss"]).await;
    let moss = world.ghost_there(&room, "moss", "join").await;
    assert_eq!(world.name(&room, &moss), "moss (Gitter)");
    world.close().await;
}

async fn a_ghost_that_is_banned_stays_out(database: Database) {
    let mut world = mirroring(database).await;
    let room = world.link_with_members("pier", &["kelp"]).await;
    let kelp = world.ghost_there(&room, "kelp", "join").await;
    let ban = json!({ "membership": "ban" });
    let (matrix, ana) = (&room.matrix, &world.ana);
    world
        .homeserver
        .set_state(matrix, ana, "m.room.member", kelp.as_str(), ban);
    world.drained().await;
    world.leaves_on_gitter("kelp", &room).await;
    world.joins_on_gitter("kelp", &room).await;
    world.joins_on_gitter("wren", &room).await;
    world.ghost_there(&room, "wren", "join").await;
    assert_eq!(world.homeserver.membership(&room.matrix, &kelp), "ban");
    world.close().await;
}

async fn a_new_name_on_matrix_is_used_from_the_next_message_on(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.ana_says(&room, "before");
    let (matrix, ana) = (&room.matrix, &world.ana);
    let new = json!({ "membership": "join", "displayname": "Ana of the Pier" });
    world
        .homeserver
        .set_state(matrix, ana, "m.room.member", ana.as_str(), new);
    world.ana_says(&room, "after");
    let mut names = Vec::new();
    for text in ["before", "after"] {
        let message = world.arrives_on_gitter(&room, text).await;
        names.push(message.virtual_user.unwrap().display_name);
    }
    assert_eq!(names, ["Ana", "Ana of the Pier"]);
    world.close().await;
}

/// A world in which all members of Gitter rooms are to be in the Matrix rooms.
async fn mirroring(database: Database) -> World {
    let options = Options {
        membership: "mirror",
        ..Options::default()
    };
    World::with(database, options).await
}

fn is_join_of_ghost(event: &Value) -> bool {
    event["type"] == "m.room.member"
        && event["content"]["membership"] == "join"
        && username_of(event).is_some()
}

/// The Gitter user name of the ghost that a membership event is of.
fn username_of(event: &Value) -> Option<&str> {
    let user = event["state_key"].as_str()?.trim_start_matches('@');
    ghost_username(user.trim_end_matches(":localhost"))
}

impl World {
    /// Makes so many people on Gitter; gives their user names.
    fn make_people(&self, count: usize) -> Vec<String> {
        let names: Vec<String> = (0..count).map(|number| format!("person{number}")).collect();
        for name in &names {
            self.gitter.add_user(&NewUser::named(name, name)).unwrap();
        }
        names
    }

    /// Makes a room on each side, with these members on Gitter, and links them.
    async fn link_with_members(&mut self, name: &str, members: &[&str]) -> Room {
        let uri = format!("tidepool/{name}");
        let new = NewRoom {
            members: members.iter().map(ToString::to_string).collect(),
            ..NewRoom::public(&uri)
        };
        let room = Room {
            gitter: self.gitter.add_room(&new).unwrap(),
            uri,
            matrix: self.homeserver.make_room(&self.ana, &RoomOptions::default()),
        };
        self.link_rooms(room.clone()).await;
        room
    }

    async fn as_user(&self, username: &str, method: Method, path: &str, body: &Value) {
        let users = self.gitter.state().users;
        let user = users.into_iter().find(|user| user.username == username).unwrap();
        let request = reqwest::Client::new()
            .request(method, format!("{}/{path}", self.gitter_api()))
            .bearer_auth(&user.tokens[0].token)
            .json(body);
        let (status, answer) = answer(request).await.unwrap();
        assert_eq!(status, 200, "{answer}");
    }

    async fn joins_on_gitter(&self, username: &str, room: &Room) {
        let body = json!({ "id": room.gitter });
        self.as_user(username, Method::POST, "user/me/rooms", &body).await;
    }

    async fn leaves_on_gitter(&self, username: &str, room: &Room) {
        let path = format!("rooms/{}/users/me", room.gitter);
        self.as_user(username, Method::DELETE, &path, &json!({})).await;
    }

    /// The ghosts that are or were in a Matrix room.
    fn ghosts(&self, room: &Room) -> Vec<OwnedUserId> {
        let events = self.homeserver.events(&room.matrix);
        let mut ghosts: Vec<OwnedUserId> = events
            .iter()
            .filter(|event| is_join_of_ghost(event))
            .map(|event| event["state_key"].as_str().unwrap().try_into().unwrap())
            .collect();
        ghosts.sort();
        ghosts.dedup();
        ghosts
    }

    /// Waits until the ghost of a Gitter user stands so in the Matrix room, and gives it.
    async fn ghost_there(&self, room: &Room, username: &str, membership: &str) -> OwnedUserId {
        self.homeserver
            .wait_until(&format!("{username} to {membership}"), |world| {
                let events = world.events(&room.matrix);
                let last = events
                    .iter()
                    .rev()
                    .find(|event| username_of(event) == Some(username))?;
                let user = last["state_key"].as_str()?;
                (last["content"]["membership"] == membership).then(|| user.try_into().unwrap())
            })
            .await
    }

    /// By which name somebody goes in the Matrix room.
    fn name(&self, room: &Room, user: &UserId) -> String {
        let events = self.homeserver.events(&room.matrix);
        let last = events
            .iter()
            .rev()
            .find(|event| event["state_key"] == user.as_str());
        last.unwrap()["content"]["displayname"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    async fn goes_by(&self, room: &Room, user: &UserId, name: &str) {
        until(&format!("{user} to go by {name:?}"), async || {
            Ok((self.name(room, user) == name).then_some(()))
        })
        .await;
    }
}
