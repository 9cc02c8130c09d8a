//! A link that is only checked, on a real homeserver: each fault is named with its mend, on the command line and to a
//! moderator who asks in chat, and one that is mended is none.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use xtask::bridge::BOT;

use crate::{
    harness::{Options, World},
    node::Node,
    person::Person,
};

/// A room that the bot is in, then with this state.
async fn room_with(ana: &mut Person, preset: &str, state: Option<(&str, &str, Value)>) -> Result<String> {
    let room = ana
        .create(&json!({ "name": "dock", "preset": preset, "invite": [BOT] }))
        .await?;
    ana.hears(&room, BOT, "Hello!").await?;
    if let Some((kind, key, content)) = state {
        ana.set_state(&room, kind, key, &content).await?;
    }
    Ok(room)
}

/// The checks of a dry run, as `--json` prints them, whether they passed or not.
async fn checks(world: &World, gitter_uri: &str, matrix_room: &str) -> Result<Vec<Value>> {
    let arguments = ["room", "link", gitter_uri, matrix_room, "--dry-run", "--json"];
    let printed = world.bridge.command(&arguments).await;
    let printed = printed.unwrap_or_else(|failure| failure.to_string());
    let json = printed.lines().find(|line| line.starts_with('{'));
    let answer: Value = serde_json::from_str(json.context(printed.clone())?)?;
    let checks = answer.get("checks").and_then(Value::as_array);
    Ok(checks.with_context(|| answer.to_string())?.clone())
}

fn failed(checks: &[Value]) -> Vec<&str> {
    let failed = checks.iter().filter(|check| check["ok"] == false);
    failed.filter_map(|check| check["check"].as_str()).collect()
}

/// Rooms with a fault each: encrypted, where the bot may not speak, where ghosts do not get in, and bridged by another.
async fn faulty_rooms(ana: &mut Person) -> Result<[String; 4]> {
    let open = "public_chat";
    let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    let silence = json!({ "users": { BOT: -1 } });
    let no_guests = json!({ "users": {}, "invite": 50 });
    let other = json!({ "bridgebot": "@old:localhost", "protocol": { "id": "gitter" },
        "channel": { "id": "tidepool/elsewhere" } });
    Ok([
        room_with(ana, open, Some(("m.room.encryption", "", algorithm))).await?,
        room_with(ana, open, Some(("m.room.power_levels", "", silence))).await?,
        room_with(ana, "private_chat", Some(("m.room.power_levels", "", no_guests))).await?,
        room_with(ana, open, Some(("uk.half-shot.bridge", "old://gitter", other))).await?,
    ])
}

#[tokio::test]
async fn each_fault_is_named_with_its_mend_and_a_mended_room_is_linked() -> Result<()> {
    let Some(node) = Node::find().await else {
        return Ok(());
    };
    let mut world = World::start(Options::default()).await?;
    let linked = world.link("pier").await?.matrix;
    let gitter = world.gitter.add_room("tidepool/dock").await?;
    let mut ana = Person::arrive(&node, &world, "ana", "Ana").await?;
    let plain = room_with(&mut ana, "public_chat", None).await?;
    let [encrypted, silent, closed, bridged] = faulty_rooms(&mut ana).await?;
    let (dock, locked, nowhere) = ("tidepool/dock", "tidepool/locked", "#nowhere:localhost");
    for (uri, room, check, mend) in [
        (locked, plain.as_str(), "gitter_room_exists", "only public rooms"),
        (dock, nowhere, "matrix_room_exists", "check the alias"),
        (dock, &encrypted, "matrix_room_unencrypted", "without encryption"),
        (dock, &silent, "matrix_room_send", "power level 50"),
        (dock, &closed, "matrix_room_ghosts", "power to invite"),
        (dock, &bridged, "no_other_bridge", "uk.half-shot.bridge"),
        (dock, &linked, "not_linked", "room unlink"),
    ] {
        let checks = checks(&world, uri, room).await?;
        assert_eq!(failed(&checks), [check], "{checks:?}");
        // The table for people says the same, and the exit code that something failed.
        let dry_run = ["room", "link", uri, room, "--dry-run"];
        let printed = world.bridge.command(&dry_run).await;
        let printed = printed.err().context("no failure")?.to_string();
        ensure!(printed.contains(check) && printed.contains(mend), "{printed}");
    }
    // In chat `link` looks first as well. From another room, since in some of these the bot cannot answer; and not about
    // all, since more than ten questions in a minute are too many.
    for (uri, room, mend) in [
        (locked, &plain, "only public rooms"),
        (dock, &silent, "power level 50"),
        (dock, &closed, "power to invite"),
    ] {
        let told = ana
            .asks(&plain, BOT, &format!("!gitter link {uri} {room}"))
            .await?;
        ensure!(told.contains("cannot be linked") && told.contains(mend), "{told}");
    }
    nothing_was_changed(&world, &mut ana).await?;

    // Mended as it was said, at the first try for the bot alone.
    let half = json!({ "users": { BOT: 50 }, "events_default": 50 });
    for (levels, left) in [
        (half, &["matrix_room_ghosts_send"][..]),
        (json!({ "users": { BOT: 50 } }), &[]),
    ] {
        ana.set_state(&silent, "m.room.power_levels", "", &levels).await?;
        assert_eq!(failed(&checks(&world, dock, &silent).await?), left);
    }
    world.bridge.link(dock, &silent).await?;
    let wren = world.gitter.sign_in("wren").await?;
    wren.say(&gitter, "Who moors here?").await?;
    ana.reads(&silent, "Who moors here?").await?;
    world.finish().await
}

/// A dry run links nothing and joins nothing, and asks for the invite that it lacks; the bot does not stay where it
/// cannot read.
async fn nothing_was_changed(world: &World, ana: &mut Person) -> Result<()> {
    let elsewhere = ana.create_room("elsewhere").await?;
    let checks = checks(world, "tidepool/dock", &elsewhere).await?;
    assert_eq!(failed(&checks), [""; 0], "{checks:?}");
    let advice = checks
        .iter()
        .find(|check| check["check"] == "matrix_room_joined")
        .and_then(|check| check["mend"].as_str());
    ensure!(
        advice.is_some_and(|mend| mend.contains(&format!("invite {BOT}"))),
        "{checks:?}"
    );
    let there = ana.members(&elsewhere).await?;
    assert_eq!(there.len(), 1, "{there:?}");
    let rooms = world.bridge.rooms().await?;
    assert_eq!(rooms["rooms"].as_array().map(Vec::len), Some(1), "{rooms}");

    let hidden = json!({ "preset": "public_chat", "initial_state": [{
        "type": "m.room.encryption", "content": { "algorithm": "m.megolm.v1.aes-sha2" },
    }]});
    let hidden = ana.create(&hidden).await?;
    ana.invite(&hidden, BOT).await?;
    ana.hears(&hidden, BOT, "I cannot read encrypted messages")
        .await?;
    ana.sees_member(&hidden, BOT, "leave").await.map(drop)
}
