//! Bans and moderators' deletions, both ways.

use gitter_sandbox::{Fault, NewUser, RoomChange, UserChange};
use reqwest::Method;
use ruma::{OwnedUserId, UserId};
use serde_json::{Value, json};

use crate::world::{
    Options, Room, World,
    admin::answer,
    database::{Database, on_both_databases},
    id_of, until,
};

on_both_databases![
    a_ban_on_gitter_is_one_of_the_ghost_until_it_is_lifted,
    without_the_power_to_ban_the_ghost_leaves,
    a_virtual_user_banned_on_gitter_is_banned_on_matrix,
    without_the_power_to_ban_a_person_the_room_is_told,
    who_was_banned_before_is_no_news,
    a_ban_of_a_ghost_is_one_on_gitter_until_it_is_lifted,
    moderation_needs_an_admins_account,
    an_account_that_is_made_an_admin_later_moderates,
    what_was_set_for_a_room_ends_with_its_link,
    each_end_of_a_ban_counts,
    a_ban_by_an_old_name_hits_nobody_else,
    a_ban_that_asks_for_it_takes_the_messages_along,
    a_ban_by_a_moderator_alone_is_not_lifted_from_gitter,
    without_leave_nothing_is_moderated_on_gitter_and_the_moderator_told_once,
    what_a_banned_ghost_says_is_skipped,
    what_was_said_before_a_ban_crosses_and_what_was_redacted_does_not,
    whom_the_rooms_rules_ban_does_not_reach_gitter,
    who_floods_is_told_and_waits_their_turn,
];

async fn a_ban_on_gitter_is_one_of_the_ghost_until_it_is_lifted(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_admins("pier", &["wren"]).await;
    world.the_bot_may_moderate(&room);
    let kelp = world.ghost_that_says(&room, "kelp", "spam").await;
    world.wren_bans(&room, &json!({ "username": "kelp" })).await;
    world.stands(&room, &kelp, "ban").await;
    assert_eq!(world.reason(&room, &kelp), "Banned on Gitter by wren");
    world.wren_unbans(&room, "kelp").await;
    world.stands(&room, &kelp, "leave").await;
    world.ghost_that_says(&room, "kelp", "sorry").await;
    world.drained().await;
    assert_eq!(world.items("failed forbidden").await, 0);
    world.close().await;
}

async fn without_the_power_to_ban_the_ghost_leaves(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_admins("pier", &["wren"]).await;
    let kelp = world.ghost_that_says(&room, "kelp", "spam").await;
    world.wren_bans(&room, &json!({ "username": "kelp" })).await;
    world.stands(&room, &kelp, "leave").await;
    world.drained().await;
    assert_eq!(world.items("failed forbidden").await, 0);
    world.close().await;
}

async fn a_virtual_user_banned_on_gitter_is_banned_on_matrix(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_admins("pier", &["wren"]).await;
    world.the_bot_may_moderate(&room);
    let bo = world.bo_joins(&room);
    let user = json!({ "type": "matrix", "externalId": "bo:localhost" });
    world.wren_bans(&room, &json!({ "virtualUser": user })).await;
    world.stands(&room, &bo, "ban").await;
    world.wren_unbans(&room, "bo:localhost").await;
    world.stands(&room, &bo, "leave").await;
    world.close().await;
}

async fn without_the_power_to_ban_a_person_the_room_is_told(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_admins("pier", &["wren"]).await;
    world.bo_joins(&room);
    let user = json!({ "type": "matrix", "externalId": "bo:localhost" });
    world.wren_bans(&room, &json!({ "virtualUser": user })).await;
    let told = world.told(&room, 1).await;
    assert!(
        told[0].starts_with("@bo:localhost was banned on Gitter"),
        "{told:?}"
    );
    world.drained().await;
    assert_eq!(world.items("skipped not_allowed").await, 1);
    world.close().await;
}

async fn who_was_banned_before_is_no_news(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_admins("pier", &["wren"]).await;
    world.the_bot_may_moderate(&room);
    let kelp = world.ghost_that_says(&room, "kelp", "spam").await;
    assert_eq!(world.admin().unlink(&room.gitter.to_string()).await.0, 204);
    // Both clocks are known to about a second.
    world.gitter.add_fault(Fault::ClockSkewMs(-5_000));
    world.wren_bans(&room, &json!({ "username": "kelp" })).await;
    world.gitter.clear_faults();
    world.link_rooms(room.clone()).await;
    world.bo_joins(&room);
    let user = json!({ "type": "matrix", "externalId": "bo:localhost" });
    world.wren_bans(&room, &json!({ "virtualUser": user })).await;
    world
        .stands(&room, UserId::parse("@bo:localhost").unwrap().as_ref(), "ban")
        .await;
    world.drained().await;
    assert_eq!(world.homeserver.membership(&room.matrix, &kelp), "leave");
    world.close().await;
}

async fn a_ban_of_a_ghost_is_one_on_gitter_until_it_is_lifted(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_admins("pier", &["bridge_bot"]).await;
    world.allow_moderation(&room).await;
    world.the_bot_may_moderate(&room);
    let kelp = world.ghost_that_says(&room, "kelp", "spam").await;
    world.ana_sets(&room, &kelp, json!({ "membership": "ban", "reason": "spam" }));
    world.banned_on_gitter(&room, 1).await;
    assert_eq!(world.gitter.messages(room.gitter).len(), 1, "what was said stays");
    // Gitter tells of it, and it is no news.
    world.drained().await;
    world.ana_sets(&room, &kelp, json!({ "membership": "leave" }));
    world.banned_on_gitter(&room, 0).await;
    world.ghost_that_says(&room, "kelp", "sorry").await;
    // Whatever kicks a ghost out is no ban.
    world.ana_sets(&room, &kelp, json!({ "membership": "leave" }));
    world.drained().await;
    assert_eq!(world.tries_to_gitter(&room).await, 2);
    world.close().await;
}

async fn moderation_needs_an_admins_account(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_admins("pier", &["wren"]).await;
    let (status, body) = world.sets_moderation(&room).await;
    assert_eq!(status, 400, "{body}");
    let error = body["error"].as_str().unwrap();
    assert!(
        error.starts_with("the bridge's account bridge_bot is no admin of tidepool/pier"),
        "{body}"
    );
    world.close().await;
}

async fn an_account_that_is_made_an_admin_later_moderates(database: Database) {
    let options = Options {
        privacy_check: "5s",
        ..Options::default()
    };
    let mut world = World::with(database, options).await;
    let room = world.link_with_admins("pier", &["wren"]).await;
    for (admins, count) in [("bridge_bot", 1), ("wren", 0)] {
        let change = RoomChange {
            admins: Some(vec![admins.to_owned()]),
            ..RoomChange::default()
        };
        world.gitter.alter_room(room.gitter, &change).unwrap();
        until("what the account may do to be known", async || {
            let query = "SELECT COUNT(*) FROM portal WHERE gitter_admin AND gitter_room_id = $1";
            let found = world.database.number(query, &room.gitter.to_string()).await;
            Ok((found == count).then_some(()))
        })
        .await;
    }
    world.close().await;
}

async fn what_was_set_for_a_room_ends_with_its_link(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_admins("pier", &["bridge_bot"]).await;
    world.allow_moderation(&room).await;
    world.the_bot_may_moderate(&room);
    let kelp = world.ghost_that_says(&room, "kelp", "spam").await;
    world.ana_sets(&room, &kelp, json!({ "membership": "ban" }));
    world.banned_on_gitter(&room, 1).await;
    world.drained().await;
    assert_eq!(world.admin().unlink(&room.gitter.to_string()).await.0, 204);
    let query = "SELECT COUNT(*) FROM gitter_ban WHERE gitter_room_id = $1";
    assert_eq!(world.database.number(query, &room.gitter.to_string()).await, 0);
    let other = Room {
        matrix: world.make_rooms("other").matrix,
        ..room
    };
    world.link_rooms(other.clone()).await;
    let path = format!("rooms/{}/settings", other.gitter);
    let (_, settings) = answer(world.admin().authorized(Method::GET, &path))
        .await
        .unwrap();
    assert_eq!(settings["moderation"], false, "{settings}");
    assert_eq!(settings["set"], json!([]), "{settings}");
    world.close().await;
}

async fn each_end_of_a_ban_counts(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_admins("pier", &["bridge_bot", "wren"]).await;
    world.allow_moderation(&room).await;
    world.the_bot_may_moderate(&room);
    let kelp = world.ghost_that_says(&room, "kelp", "spam").await;
    for _ in 0..2 {
        world.ana_sets(&room, &kelp, json!({ "membership": "ban" }));
        world.banned_on_gitter(&room, 1).await;
        world.drained().await;
        world.wren_unbans(&room, "kelp").await;
        world.stands(&room, &kelp, "leave").await;
        world.drained().await;
    }
    world.close().await;
}

async fn a_ban_by_an_old_name_hits_nobody_else(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_admins("pier", &["bridge_bot"]).await;
    world.allow_moderation(&room).await;
    world.the_bot_may_moderate(&room);
    let kelp = world.ghost_that_says(&room, "kelp", "spam").await;
    let renamed = |name: &str| UserChange {
        username: Some(name.to_owned()),
        ..UserChange::default()
    };
    // The old name is somebody else's by now.
    world.gitter.alter_user("kelp", &renamed("wrack")).unwrap();
    world.gitter.add_user(&NewUser::named("kelp", "Another")).unwrap();
    world.ana_sets(&room, &kelp, json!({ "membership": "ban" }));
    let bans = world.banned_on_gitter(&room, 1).await;
    assert_eq!(bans[0]["user"]["username"], "wrack");
    world.drained().await;
    world.gitter.alter_user("wrack", &renamed("weed")).unwrap();
    world.ana_sets(&room, &kelp, json!({ "membership": "leave" }));
    world.banned_on_gitter(&room, 0).await;
    world.close().await;
}

async fn a_ban_that_asks_for_it_takes_the_messages_along(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_admins("pier", &["bridge_bot"]).await;
    world.allow_moderation(&room).await;
    world.the_bot_may_moderate(&room);
    let kelp = world.ghost_that_says(&room, "kelp", "spam").await;
    let event = id_of(&world.arrives_on_matrix(&room, "spam").await);
    world.wren_says(&room, "stays");
    world.arrives_on_matrix(&room, "stays").await;
    let ban = json!({ "membership": "ban", "org.matrix.msc4293.redact_events": true });
    world.ana_sets(&room, &kelp, ban);
    world.banned_on_gitter(&room, 1).await;
    world.is_redacted_soon(&room, &event).await;
    assert_eq!(world.gitter.messages(room.gitter).len(), 1);
    world.close().await;
}

async fn a_ban_by_a_moderator_alone_is_not_lifted_from_gitter(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_admins("pier", &["wren"]).await;
    world.the_bot_may_moderate(&room);
    let kelp = world.ghost_that_says(&room, "kelp", "spam").await;
    world.ana_sets(&room, &kelp, json!({ "membership": "ban" }));
    world.drained().await;
    world.wren_bans(&room, &json!({ "username": "kelp" })).await;
    world.item_comes("SELECT COUNT(*) FROM inbox WHERE operation = 'ban' AND outcome = 'bridged' AND gitter_room_id = $1", &room).await;
    world.wren_unbans(&room, "kelp").await;
    world.item_comes("SELECT COUNT(*) FROM inbox WHERE operation = 'unban' AND reason = 'not_allowed' AND gitter_room_id = $1", &room).await;
    assert_eq!(world.homeserver.membership(&room.matrix, &kelp), "ban");
    world.close().await;
}

async fn without_leave_nothing_is_moderated_on_gitter_and_the_moderator_told_once(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link_with_admins("pier", &["bridge_bot"]).await;
    let kelp = world.ghost_that_says(&room, "kelp", "spam").await;
    let event = id_of(&world.arrives_on_matrix(&room, "spam").await);
    world.homeserver.redact(&room.matrix, &world.ana, &event);
    let told = world.told(&room, 1).await;
    let says = "@ana:localhost: Your deletion did not reach Gitter: moderation of Gitter is off";
    assert!(told[0].starts_with(says), "{told:?}");
    world.ana_sets(&room, &kelp, json!({ "membership": "ban" }));
    world.drained().await;
    until("both to be skipped", async || {
        Ok((world.items("skipped not_allowed").await == 2).then_some(()))
    })
    .await;
    assert_eq!(world.told(&room, 1).await.len(), 1);
    assert_eq!(world.gitter.messages(room.gitter).len(), 1);
    world.banned_on_gitter(&room, 0).await;
    world.close().await;
}

async fn what_a_banned_ghost_says_is_skipped(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.the_bot_may_moderate(&room);
    let kelp = world.ghost_that_says(&room, "kelp", "spam").await;
    world.ana_sets(&room, &kelp, json!({ "membership": "ban" }));
    world.drained().await;
    world.gitter.post("kelp", room.gitter, "more spam").unwrap();
    world.wren_says(&room, "so much spam");
    world.arrives_on_matrix(&room, "so much spam").await;
    world.drained().await;
    // Beside the ban itself.
    assert_eq!(world.items("skipped not_allowed").await, 2);
    assert_eq!(world.items("failed forbidden").await, 0);
    world.close().await;
}

async fn what_was_said_before_a_ban_crosses_and_what_was_redacted_does_not(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    world.the_bot_may_moderate(&room);
    let bo = world.bo_joins(&room);
    world.bridge.stop().await;
    world.homeserver.send_text(&room.matrix, &bo, "stands");
    let spam = world.homeserver.send_text(&room.matrix, &bo, "spam");
    world.ana_sets(&room, &bo, json!({ "membership": "ban" }));
    world.homeserver.redact(&room.matrix, &world.ana, &spam);
    world.ana_says(&room, "after");
    world.bridge.start().await;
    world.arrives_on_gitter(&room, "after").await;
    world.drained().await;
    let said = world.gitter.messages(room.gitter);
    let texts: Vec<&str> = said.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["stands", "after"]);
    world.close().await;
}

async fn whom_the_rooms_rules_ban_does_not_reach_gitter(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    let bo = world.bo_joins(&room);
    let rule = json!({ "entity": "@b*:localhost", "recommendation": "m.ban", "reason": "spam" });
    let (matrix, ana) = (&room.matrix, &world.ana);
    world.homeserver.send_text(matrix, &bo, "before");
    world.arrives_on_gitter(&room, "before").await;
    let homeserver = &world.homeserver;
    homeserver.set_state(matrix, ana, "m.policy.rule.user", "rule", rule);
    homeserver.send_text(matrix, &bo, "banned");
    world.ana_says(&room, "not banned");
    world.arrives_on_gitter(&room, "not banned").await;
    // A bridge that is started anew reads it.
    world.bridge.stop().await;
    world.bridge.start().await;
    world.homeserver.send_text(matrix, &bo, "still banned");
    world.drained().await;
    world
        .homeserver
        .set_state(matrix, ana, "m.policy.rule.user", "rule", json!({}));
    world.homeserver.send_text(matrix, &bo, "after");
    world.arrives_on_gitter(&room, "after").await;
    world.drained().await;
    assert_eq!(world.items("skipped not_allowed").await, 2);
    let said = world.gitter.messages(room.gitter);
    assert_eq!(said.len(), 3, "{said:?}");
    world.close().await;
}

async fn who_floods_is_told_and_waits_their_turn(database: Database) {
    let options = Options {
        flood_limit: 1,
        ..Options::default()
    };
    let mut world = World::with(database, options).await;
    let room = world.link("pier").await;
    let bo = world.bo_joins(&room);
    for number in 0..25 {
        world.ana_says(&room, &format!("flood {number}"));
    }
    world.homeserver.send_text(&room.matrix, &bo, "still here");
    world.arrives_on_gitter(&room, "still here").await;
    world.drained().await;
    // Twenty minutes' share may be used up at once.
    assert_eq!(world.items("skipped not_allowed").await, 5);
    assert_eq!(world.gitter.messages(room.gitter).len(), 21);
    let told = world.told(&room, 1).await;
    assert!(
        told[0].starts_with("@ana:localhost: You send more messages"),
        "{told:?}"
    );
    world.close().await;
}

impl World {
    /// Lets bans and deletions go to Gitter; gives the answer.
    async fn sets_moderation(&self, room: &Room) -> (u16, Value) {
        let path = format!("rooms/{}/settings", room.gitter);
        let request = self.admin().authorized(Method::PUT, &path);
        answer(request.json(&json!({ "moderation": true })))
            .await
            .unwrap()
    }

    pub(crate) async fn allow_moderation(&self, room: &Room) {
        let (status, body) = self.sets_moderation(room).await;
        assert_eq!(status, 200, "{body}");
    }

    /// Somebody says something on Gitter; gives the ghost that says it on Matrix.
    pub(crate) async fn ghost_that_says(&self, room: &Room, username: &str, text: &str) -> OwnedUserId {
        self.gitter.post(username, room.gitter, text).unwrap();
        let event = self.arrives_on_matrix(room, text).await;
        event["sender"].as_str().unwrap().try_into().unwrap()
    }

    /// A second person of Matrix, in the room.
    fn bo_joins(&self, room: &Room) -> OwnedUserId {
        let bo = self.homeserver.make_user("bo", "Bo");
        self.homeserver.join(&room.matrix, &bo);
        bo
    }

    /// Ana sets where somebody stands in the room.
    fn ana_sets(&self, room: &Room, user: &UserId, content: Value) {
        let (matrix, ana) = (&room.matrix, &self.ana);
        self.homeserver
            .set_state(matrix, ana, "m.room.member", user.as_str(), content);
    }

    /// Waits until somebody stands so in the Matrix room.
    pub(crate) async fn stands(&self, room: &Room, user: &UserId, membership: &str) {
        self.homeserver
            .wait_until(&format!("{user} to be {membership}"), |world| {
                let events = world.events(&room.matrix);
                let of_user = events
                    .iter()
                    .rev()
                    .find(|event| event["state_key"] == user.as_str());
                of_user
                    .is_some_and(|event| event["content"]["membership"] == membership)
                    .then_some(())
            })
            .await;
    }

    /// Why somebody stands as they do in the Matrix room.
    fn reason(&self, room: &Room, user: &UserId) -> String {
        let events = self.homeserver.events(&room.matrix);
        let event = events
            .iter()
            .rev()
            .find(|event| event["state_key"] == user.as_str());
        event.unwrap()["content"]["reason"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Lifts a ban as the admin wren. Gitter tells nobody, so the room is looked at.
    async fn wren_unbans(&self, room: &Room, username: &str) {
        let users = self.gitter.state().users;
        let wren = users.into_iter().find(|user| user.username == "wren").unwrap();
        let url = format!("{}/rooms/{}/bans/{username}", self.gitter_api(), room.gitter);
        let request = reqwest::Client::new()
            .request(Method::DELETE, url)
            .bearer_auth(&wren.tokens[0].token);
        let (status, body) = answer(request).await.unwrap();
        assert_eq!(status, 200, "{body}");
        let path = format!("rooms/{}/sync", room.gitter);
        let (status, body) = answer(self.admin().authorized(Method::POST, &path))
            .await
            .unwrap();
        assert_eq!(status, 202, "{body}");
    }

    /// Waits until so many are banned in a Gitter room, and gives the bans.
    async fn banned_on_gitter(&self, room: &Room, count: usize) -> Value {
        until(&format!("{count} bans on Gitter"), async || {
            let url = format!("{}/rooms/{}/bans", self.gitter_api(), room.gitter);
            let request = reqwest::Client::new().get(url).bearer_auth(self.gitter_token());
            let (_, bans) = answer(request).await?;
            Ok((bans.as_array().is_some_and(|bans| bans.len() == count)).then_some(bans))
        })
        .await
    }

    /// Waits for so many notices of the bot, and gives their texts.
    pub(crate) async fn told(&self, room: &Room, count: usize) -> Vec<String> {
        until(&format!("{count} notices"), async || {
            let mut events = self.homeserver.events(&room.matrix);
            events.retain(|event| event["content"]["msgtype"] == "m.notice");
            let texts = events.iter().map(|event| event["content"]["body"].as_str());
            let texts: Vec<String> = texts.flatten().map(str::to_owned).collect();
            Ok((texts.len() == count).then_some(texts))
        })
        .await
    }

    /// Waits for an item that a query counts.
    async fn item_comes(&self, query: &'static str, room: &Room) {
        until("the item", async || {
            let count = self.database.number(query, &room.gitter.to_string()).await;
            Ok((count > 0).then_some(()))
        })
        .await;
    }
}
