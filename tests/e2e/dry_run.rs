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

/// What is wrong with two rooms.
struct Fault<'a> {
    gitter_uri: &'a str,
    matrix_room: &'a str,
    check: &'a str,
    mend: &'a str,
    /// Whether a moderator is told in chat as well; each question costs the bridge some of what commands may ask of
    /// Gitter.
    in_chat: bool,
}

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

#[tokio::test]
async fn each_fault_is_named_with_its_mend_and_a_mended_room_is_linked() -> Result<()> {
    let Some(node) = Node::find().await else {
        return Ok(());
    };
    let mut world = World::start(Options::default()).await?;
    let linked = world.link("pier").await?;
    let gitter = world.gitter.add_room("tidepool/dock").await?;
    let mut ana = Person::arrive(&node, &world, "ana", "Ana").await?;
    let open = "public_chat";
    let silence = json!({ "users": {}, "events_default": 50, "invite": 50 });
    let no_guests = json!({ "users": {}, "invite": 50 });
    let other = json!({ "bridgebot": "@old:localhost", "protocol": { "id": "gitter" },
        "channel": { "id": "tidepool/elsewhere" } });
    let plain = room_with(&mut ana, open, None).await?;
    let silent = room_with(&mut ana, open, Some(("m.room.power_levels", "", silence))).await?;
    let closed = Some(("m.room.power_levels", "", no_guests));
    let closed = room_with(&mut ana, "private_chat", closed).await?;
    let bridged = Some(("uk.half-shot.bridge", "old://gitter", other));
    let bridged = room_with(&mut ana, open, bridged).await?;
    let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    let encrypted = Some(("m.room.encryption", "", algorithm));
    let encrypted = room_with(&mut ana, open, encrypted).await?;

    let fault = |gitter_uri, matrix_room, check, mend, in_chat| Fault {
        gitter_uri,
        matrix_room,
        check,
        mend,
        in_chat,
    };
    let (dock, locked) = ("tidepool/dock", "tidepool/locked");
    for Fault {
        gitter_uri,
        matrix_room,
        check,
        mend,
        in_chat,
    } in [
        fault(locked, &plain, "gitter_room_exists", "only public rooms", true),
        fault(
            dock,
            "#nowhere:localhost",
            "matrix_room_exists",
            "check the alias",
            false,
        ),
        fault(
            dock,
            &encrypted,
            "matrix_room_unencrypted",
            "without encryption",
            true,
        ),
        fault(dock, &silent, "matrix_room_send", "power level 50", true),
        fault(dock, &closed, "matrix_room_ghosts", "power to invite", true),
        fault(dock, &bridged, "no_other_bridge", "uk.half-shot.bridge", true),
        fault(dock, &linked.matrix, "not_linked", "room unlink", false),
    ] {
        let checks = checks(&world, gitter_uri, matrix_room).await?;
        assert_eq!(failed(&checks), [check], "{checks:?}");
        // The table for people says the same, and the exit code that something failed.
        let arguments = ["room", "link", gitter_uri, matrix_room, "--dry-run"];
        let printed = world.bridge.command(&arguments).await;
        let printed = printed.err().context("no failure")?.to_string();
        ensure!(printed.contains(check) && printed.contains(mend), "{printed}");
        if in_chat {
            // From another room: in some of these the bot cannot answer.
            let asked = format!("!gitter link {gitter_uri} {matrix_room}");
            let told = ana.asks(&plain, BOT, &asked).await?;
            ensure!(told.contains("cannot be linked") && told.contains(mend), "{told}");
        }
    }
    nothing_was_changed(&world, &mut ana).await?;

    // Mended as it was said.
    let mended = json!({ "users": { BOT: 50 }, "events_default": 50, "invite": 50 });
    ana.set_state(&silent, "m.room.power_levels", "", &mended).await?;
    assert_eq!(failed(&checks(&world, dock, &silent).await?), [""; 0]);
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
