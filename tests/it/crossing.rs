//! What people say crosses, as themselves, once and in order.

use serde_json::json;

use crate::world::{
    Options, World,
    database::{Database, on_both_databases},
};

on_both_databases![
    messages_cross_both_ways_with_names_pictures_and_times,
    me_lines_cross_both_ways,
    threads_cross_both_ways_with_a_fallback_for_older_clients,
    without_virtual_users_the_name_stands_before_the_text,
    two_people_of_one_name_are_told_apart,
    two_people_whose_names_look_alike_are_told_apart,
    equal_messages_in_a_row_all_cross,
    rooms_do_not_mix,
];

async fn messages_cross_both_ways_with_names_pictures_and_times(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;

    world.ana_says(&room, "Ahoy.");
    let message = world.arrives_on_gitter(&room, "Ahoy.").await;
    let user = message.virtual_user.unwrap();
    assert_eq!(
        [user.kind, user.external_id, user.display_name],
        ["matrix", "ana:localhost", "Ana"]
    );

    let id = world.wren_says(&room, "Ahoy yourself.");
    let event = world.arrives_on_matrix(&room, "Ahoy yourself.").await;
    let messages = world.gitter.messages(room.gitter);
    let said = messages.iter().find(|message| message.id == id).unwrap();
    assert_eq!(event["origin_server_ts"], json!(said.sent.as_millisecond()));
    let events = world.homeserver.events(&room.matrix);
    let member = events
        .iter()
        .rfind(|member| member["type"] == "m.room.member" && member["state_key"] == event["sender"])
        .unwrap();
    assert_eq!(member["content"]["displayname"], "Wren (Gitter)");
    let picture = member["content"]["avatar_url"].as_str().unwrap();
    let (content_type, bytes) = world.homeserver.media(picture).unwrap();
    assert!(
        content_type.starts_with("image/") && !bytes.is_empty(),
        "{content_type}"
    );
    world.finish().await;
}

async fn me_lines_cross_both_ways(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;

    world.ana_sends(&room, json!({ "msgtype": "m.emote", "body": "waves" }));
    assert!(world.arrives_on_gitter(&room, "waves").await.status);

    // As Gitter's web client posts it.
    let body = json!({ "text": "@wren bows", "status": true });
    world.posts_on_gitter("wren", &room, &body).await;
    let event = world.arrives_on_matrix(&room, "bows").await;
    assert_eq!(event["content"]["msgtype"], "m.emote");
    world.finish().await;
}

async fn threads_cross_both_ways_with_a_fallback_for_older_clients(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;

    // A thread on what was said on Matrix, with answers from both sides.
    let root = world.ana_says(&room, "Who is in?");
    let on_gitter = world.arrives_on_gitter(&room, "Who is in?").await.id;
    world
        .gitter
        .reply("wren", room.gitter, on_gitter, "I am.")
        .unwrap();
    let answer = world.arrives_on_matrix(&room, "I am.").await;
    let in_thread = |latest: &str| {
        json!({
            "rel_type": "m.thread", "event_id": root,
            "is_falling_back": true, "m.in_reply_to": { "event_id": latest },
        })
    };
    assert_eq!(answer["content"]["m.relates_to"], in_thread(root.as_str()));
    let relation = in_thread(answer["event_id"].as_str().unwrap());
    world.ana_sends(
        &room,
        json!({ "msgtype": "m.text", "body": "Then come down.", "m.relates_to": relation }),
    );
    let reply = world.arrives_on_gitter(&room, "Then come down.").await;
    assert_eq!(reply.parent_id, Some(on_gitter));
    world
        .gitter
        .reply("wren", room.gitter, on_gitter, "Coming.")
        .unwrap();
    let last = world.arrives_on_matrix(&room, "Coming.").await;
    assert_ne!(
        last["content"]["m.relates_to"],
        in_thread(root.as_str()),
        "it names the latest"
    );

    // A plain reply to what was said on Gitter.
    let question = world.wren_says(&room, "Where?");
    let asked = world.arrives_on_matrix(&room, "Where?").await;
    let relation = json!({ "m.in_reply_to": { "event_id": asked["event_id"] } });
    world.ana_sends(
        &room,
        json!({ "msgtype": "m.text", "body": "At the pier.", "m.relates_to": relation }),
    );
    let reply = world.arrives_on_gitter(&room, "At the pier.").await;
    assert_eq!(reply.parent_id, Some(question));
    world.finish().await;
}

async fn without_virtual_users_the_name_stands_before_the_text(database: Database) {
    let options = Options {
        virtual_users: false,
        ..Options::default()
    };
    let mut world = World::with(database, options).await;
    let room = world.link("pier").await;
    for text in ["Ahoy.", "Ahoy.", "Anybody?"] {
        world.ana_says(&room, text);
    }
    world.wren_says(&room, "Me.");
    world.arrives_on_matrix(&room, "Me.").await;
    let prefixed = |text| format!("**[Ana](https://matrix.to/#/@ana:localhost)** [m]: {text}");
    world.arrives_on_gitter(&room, &prefixed("Anybody?")).await;
    world.drained().await;
    let mut texts: Vec<String> = world
        .gitter
        .messages(room.gitter)
        .into_iter()
        .filter(|message| message.author == "bridge_bot" && message.virtual_user.is_none())
        .map(|message| message.text)
        .collect();
    assert_eq!(
        texts,
        [prefixed("Ahoy."), prefixed("Ahoy."), prefixed("Anybody?")]
    );
    // The account's own messages do not come back as somebody's.
    texts.clear();
    texts.extend(
        world
            .messages_on_matrix(&room)
            .iter()
            .map(|event| event["content"]["body"].to_string()),
    );
    assert_eq!(texts.len(), 4, "{texts:?}");
    world.close().await;
}

async fn two_people_of_one_name_are_told_apart(database: Database) {
    are_told_apart(database, "Ana").await;
}

async fn two_people_whose_names_look_alike_are_told_apart(database: Database) {
    // The letters are Cyrillic.
    are_told_apart(database, "\u{410}n\u{430}").await;
}

async fn are_told_apart(database: Database, name_of_other: &str) {
    let mut world = World::start(database).await;
    let other = world.homeserver.make_user("other", name_of_other);
    let room = world.link("pier").await;
    world.homeserver.join(&room.matrix, &other);
    for (user, text) in [
        (&world.ana, "I am Ana."),
        (&other, "So am I."),
        (&world.ana, "I see."),
    ] {
        world.homeserver.send_text(&room.matrix, user, text);
    }
    let name = async |text| {
        let message = world.arrives_on_gitter(&room, text).await;
        message.virtual_user.unwrap().display_name
    };
    assert_eq!(
        name("So am I.").await,
        format!("{name_of_other} (@other:localhost)")
    );
    assert_eq!(name("I see.").await, "Ana (@ana:localhost)");
    world.finish().await;
}

async fn equal_messages_in_a_row_all_cross(database: Database) {
    let mut world = World::start(database).await;
    let room = world.link("pier").await;
    for _ in 0..5 {
        world.ana_says(&room, "Yes!");
        world.wren_says(&room, "Yes!");
    }
    world.finish().await;
}

async fn rooms_do_not_mix(database: Database) {
    let mut world = World::start(database).await;
    let rooms = [
        world.link("pier").await,
        world.link("cove").await,
        world.link("dock").await,
    ];
    for number in 0..10 {
        for room in &rooms {
            world.both_say(room, &format!("{} {number}", room.uri.replace('/', " ")), 1);
        }
    }
    world.finish().await;
}
