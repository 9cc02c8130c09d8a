//! Many people in many rooms at once: nothing lost, nothing twice, nothing out of order per room.

use std::time::Duration;

use anyhow::Result;
use futures_util::future::try_join_all;
use xtask::{gitter::GitterUser, matrix::MatrixUser};

use crate::harness::{Options, Room, World};

/// How many people talk on each side, and in how many rooms.
const CROWD: usize = 5;

#[tokio::test]
async fn two_hundred_messages_each_way_cross_in_order() -> Result<()> {
    let options = Options {
        rate_limit: 0,
        ..Options::default()
    };
    talk(options, 200).await
}

#[tokio::test]
async fn sixty_messages_each_way_cross_in_order_within_the_request_budget() -> Result<()> {
    let options = Options {
        rate_limit: 100,
        ..Options::default()
    };
    talk(options, 60).await
}

/// Has so many messages written on each side, by all people at once, and checks that all crossed.
async fn talk(options: Options<'_>, messages: usize) -> Result<()> {
    let mut world = World::start(options).await?;
    let mut rooms = Vec::new();
    for number in 0..CROWD {
        rooms.push(world.link(&format!("pier-{number}")).await?);
    }
    let (mut on_matrix, mut on_gitter) = (Vec::new(), Vec::new());
    for number in 0..CROWD {
        let name = format!("sailor{number}");
        on_matrix.push(world.matrix_person(&name, &name).await?);
        on_gitter.push(world.gitter.add_user(&format!("keeper{number}"), &name).await?);
    }
    let each = messages / CROWD;
    futures_util::future::try_join(
        try_join_all(
            on_matrix
                .iter()
                .map(|person| write_on_matrix(person, &rooms, each)),
        ),
        try_join_all(
            on_gitter
                .iter()
                .map(|person| write_on_gitter(person, &rooms, each)),
        ),
    )
    .await?;
    world.crossed(messages, messages, Duration::from_mins(3)).await?;
    world.finish().await
}

/// Writes so many messages, one room after another, again and again.
async fn write_on_matrix(person: &MatrixUser, rooms: &[Room], messages: usize) -> Result<()> {
    for (number, room) in rooms.iter().cycle().take(messages).enumerate() {
        person.say(&room.matrix, &format!("message {number}")).await?;
    }
    Ok(())
}

async fn write_on_gitter(person: &GitterUser, rooms: &[Room], messages: usize) -> Result<()> {
    for (number, room) in rooms.iter().cycle().take(messages).enumerate() {
        person.say(&room.gitter, &format!("message {number}")).await?;
    }
    Ok(())
}
