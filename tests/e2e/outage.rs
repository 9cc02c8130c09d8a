//! What happens while something is away, or goes away in the middle: nothing, as far as people see.

use std::{cell::Cell, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tokio::try_join;
use xtask::wait::until;

use crate::harness::{Options, World};

#[tokio::test]
async fn a_homeserver_restarted_between_a_send_and_its_retry_has_one_event() -> Result<()> {
    let options = Options {
        proxied: true,
        ..Options::default()
    };
    let mut world = World::start(options).await?;
    let room = world.link("pier").await?;
    let wren = world.gitter.sign_in("wren").await?;
    let proxy = world.proxy.as_ref().context("no proxy")?;

    proxy.lose_next_send();
    wren.say(&room.gitter, "Mind the gap.").await?;
    proxy.lost().await;
    ensure!(
        world.matrix_messages(&room).await?.len() == 1,
        "it did not arrive"
    );
    world.synapse.stop().await?;
    world.synapse.launch().await?;
    proxy.pass();
    world.settled().await?;

    let sends = proxy.sends();
    ensure!(sends.len() == 2, "sent and sent again, but {sends:?}");
    world.crossed(0, 1, Duration::from_mins(1)).await?;
    world.finish().await
}

#[tokio::test]
async fn an_answer_of_gitter_that_is_lost_makes_no_second_message() -> Result<()> {
    let mut world = World::start(Options::default()).await?;
    let room = world.link("pier").await?;
    let ana = world.matrix_person("ana", "Ana").await?;

    let lost = json!({ "effect": "reset", "when": "after", "method": "POST", "path": "/chatMessages" });
    world.gitter.fault(&json!({ "request": lost })).await?;
    ana.say(&room.matrix, "Mind the gap.").await?;
    ana.say(&room.matrix, "I do.").await?;

    world.crossed(2, 0, Duration::from_mins(1)).await?;
    // The fault was the bridge's: it would hit Wren, were it still to come.
    let wren = world.gitter.sign_in("wren").await?;
    wren.say(&room.gitter, "So do I.").await?;
    world.crossed(2, 1, Duration::from_mins(1)).await?;
    world.finish().await
}

#[tokio::test]
async fn what_is_written_while_the_bridge_is_down_crosses_once_it_is_up() -> Result<()> {
    const MESSAGES: usize = 50;
    let mut world = World::start(Options::default()).await?;
    let room = world.link("pier").await?;
    let ana = world.matrix_person("ana", "Ana").await?;
    let wren = world.gitter.sign_in("wren").await?;

    world.bridge.stop().await?;
    for number in 0..MESSAGES {
        let text = format!("message {number}");
        try_join!(ana.say(&room.matrix, &text), wren.say(&room.gitter, &text))?;
    }
    world.bridge.start().await?;

    world.crossed(MESSAGES, MESSAGES, Duration::from_mins(2)).await?;
    world.finish().await
}

#[tokio::test]
async fn a_bridge_killed_again_and_again_loses_and_doubles_nothing() -> Result<()> {
    const KILLS: usize = 3;
    const MESSAGES_BETWEEN: usize = 15;
    let mut world = World::start(Options::default()).await?;
    let room = world.link("pier").await?;
    let ana = world.matrix_person("ana", "Ana").await?;
    let wren = world.gitter.sign_in("wren").await?;

    let (written, over) = (Cell::new(0), Cell::new(false));
    let traffic = async {
        while !over.get() {
            let text = format!("message {}", written.get());
            try_join!(ana.say(&room.matrix, &text), wren.say(&room.gitter, &text))?;
            written.set(written.get() + 1);
        }
        anyhow::Ok(())
    };
    let (bridge, gitter) = (&mut world.bridge, &world.gitter);
    let kills = async {
        for _ in 0..KILLS {
            // Not between messages but among them: some have crossed since the start, and more are written.
            let before = gitter.messages(&room.gitter).await?.len();
            until("messages to cross", Duration::from_mins(1), async || {
                let now = gitter.messages(&room.gitter).await?;
                let crossed = now
                    .iter()
                    .skip(before)
                    .filter(|message| message.virtual_user.is_some());
                Ok((crossed.count() >= MESSAGES_BETWEEN).then_some(()))
            })
            .await?;
            bridge.kill().await?;
            bridge.start().await?;
        }
        over.set(true);
        anyhow::Ok(())
    };
    try_join!(traffic, kills)?;

    let written = written.get();
    ensure!(
        written > KILLS * MESSAGES_BETWEEN,
        "only {written} messages were written"
    );
    world.crossed(written, written, Duration::from_mins(3)).await?;
    world.finish().await
}

/// The homeserver is killed, as by a power cut, while people talk on both sides.
#[tokio::test]
async fn a_homeserver_killed_again_and_again_loses_and_doubles_nothing() -> Result<()> {
    const KILLS: usize = 5;
    const MESSAGES: usize = 500;
    let mut world = World::start(Options::default()).await?;
    let room = world.link("pier").await?;
    let ana = world.matrix_person("ana", "Ana").await?;
    let wren = world.gitter.sign_in("wren").await?;

    let written = Cell::new(0);
    let traffic = async {
        for number in 0..MESSAGES {
            let text = format!("message {number}");
            let content = json!({ "msgtype": "m.text", "body": text });
            // As clients do: the same transaction, until the homeserver has it.
            let said = until(
                "the homeserver to take a message",
                Duration::from_mins(1),
                async || {
                    let sent = ana.send(&room.matrix, &text, content.clone()).await;
                    Ok(sent.ok())
                },
            );
            try_join!(said, wren.say(&room.gitter, &text))?;
            written.set(number + 1);
        }
        anyhow::Ok(())
    };
    let synapse = &mut world.synapse;
    let kills = async {
        for kill in 1..=KILLS {
            let due = kill * MESSAGES / (KILLS + 1);
            until("messages to be written", Duration::from_mins(2), async || {
                Ok((written.get() >= due).then_some(()))
            })
            .await?;
            synapse.kill().await?;
            synapse.launch().await?;
        }
        anyhow::Ok(())
    };
    try_join!(traffic, kills)?;

    world.crossed(MESSAGES, MESSAGES, Duration::from_mins(3)).await?;
    world.finish().await
}
