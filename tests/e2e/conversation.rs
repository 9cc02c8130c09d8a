//! A conversation with everything that people write, both ways, as real clients see it: matrix-js-sdk on one side,
//! the page in a browser on the other.

use std::{collections::HashMap, env};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::json;
use xtask::{gitter::GitterUser, matrix::MatrixUser, synapse::password_of, wait::until};

use crate::{
    browser,
    harness::{CROSSING_LIMIT, Options, Room, World},
    node::Node,
};

/// A picture that people upload.
const PICTURE: &[u8] = include_bytes!("media/boat.png");

/// An event, as matrix-js-sdk shows it to ana.
#[derive(Debug, Deserialize)]
struct Seen {
    name: Option<String>,
    body: Option<String>,
    html: Option<String>,
    msgtype: Option<String>,
    redacted: bool,
    edited: bool,
    thread: Option<String>,
    highlight: bool,
}

#[tokio::test]
async fn a_conversation_is_the_same_for_real_clients_of_both_sides() -> Result<()> {
    let Some(node) = Node::find().await else {
        return Ok(());
    };
    let mut world = World::start(Options::default()).await?;
    let room = world.link("pier").await?;
    let ana = world.matrix_person("ana", "Ana").await?;
    let wren = world.gitter.sign_in("wren").await?;
    let portrait = ana.upload("image/png", PICTURE.to_vec()).await?;
    ana.set_avatar(&portrait).await?;

    let of_gitter = from_gitter(&world, &room, &wren, &ana).await?;
    from_matrix(&world, &room, &ana, &of_gitter).await?;
    let upload = files(&world, &room, &ana).await?;
    world.settled().await?;

    let seen = matrix_view(&node, &world, &room).await?;
    let event = |id: &String| seen.get(id).with_context(|| format!("{id} is not in {seen:#?}"));
    let first = event(&of_gitter.first)?;
    assert_eq!(first.name.as_deref(), Some("Wren (Gitter)"));
    assert_eq!(
        first.body.as_deref(),
        Some("Ahoy **all**, @ana:localhost 😄, at last")
    );
    let html = first.html.as_deref().unwrap_or_default();
    assert!(
        html.contains("<strong>all</strong>") && html.contains("matrix.to/#/@ana:localhost"),
        "{html}"
    );
    assert!(first.edited && !first.redacted && first.thread.is_none());
    assert!(first.highlight, "ana is mentioned");

    let reply = event(&of_gitter.reply)?;
    assert_eq!(reply.thread.as_ref(), Some(&of_gitter.of_ana));
    assert!(!reply.highlight, "the thread's fallback mentions no one");
    assert_eq!(event(&of_gitter.emote)?.msgtype.as_deref(), Some("m.emote"));
    assert_eq!(event(&of_gitter.emote)?.body.as_deref(), Some("waves"));
    assert!(event(&of_gitter.deleted)?.redacted);

    assert_eq!(event(&upload)?.msgtype.as_deref(), Some("m.image"));

    let shown = page_view(&node, &world).await?;
    let expected = [
        "Ahoy all, @ana:localhost :smile:, at last",
        "Hello to you, @wren",
        "Who comes along?",
        "I do.",
        "And I.",
        "@wren waves",
        "one\ntwo",
        "casts off",
        "changed my mind",
        "notes.txt",
    ];
    for text in expected {
        ensure!(
            shown.iter().any(|shown| shown.contains(text)),
            "{text:?} is not among {shown:#?}"
        );
    }
    ensure!(!shown.iter().any(|shown| shown.contains("unsaid")), "{shown:#?}");
    world.finish().await
}

/// The events that came of what was said on Gitter.
struct OfGitter {
    first: String,
    of_ana: String,
    on_gitter: String,
    reply: String,
    emote: String,
    deleted: String,
}

async fn from_gitter(world: &World, room: &Room, wren: &GitterUser, ana: &MatrixUser) -> Result<OfGitter> {
    let on_matrix = async |text: &str| Ok::<_, anyhow::Error>(world.on_matrix(room, text).await?.event_id);
    let message = wren
        .say(&room.gitter, "Ahoy **all**, @ana:localhost :smile:")
        .await?;
    let first = on_matrix("Ahoy **all**, @ana:localhost 😄").await?;
    wren.edit(
        &room.gitter,
        &message,
        "Ahoy **all**, @ana:localhost :smile:, at last",
    )
    .await?;
    on_matrix("* Ahoy **all**, @ana:localhost 😄, at last").await?;

    let of_ana = ana.say(&room.matrix, "Who comes along?").await?;
    let on_gitter = world.on_gitter(room, "Who comes along?").await?.id;
    wren.reply(&room.gitter, &on_gitter, "I do.").await?;
    let reply = on_matrix("I do.").await?;
    wren.emote(&room.gitter, "waves").await?;
    let emote = on_matrix("waves").await?;
    let unsaid = wren.say(&room.gitter, "unsaid by wren").await?;
    let deleted = on_matrix("unsaid by wren").await?;
    wren.delete(&room.gitter, &unsaid).await?;
    Ok(OfGitter {
        first,
        of_ana,
        on_gitter,
        reply,
        emote,
        deleted,
    })
}

async fn from_matrix(world: &World, room: &Room, ana: &MatrixUser, of_gitter: &OfGitter) -> Result<()> {
    let wren = world.on_matrix(room, "waves").await?.sender;
    let pill = json!({
        "msgtype": "m.text",
        "body": "Hello to you, Wren (Gitter)",
        "format": "org.matrix.custom.html",
        "formatted_body": format!("<em>Hello</em> to you, <a href=\"https://matrix.to/#/{wren}\">Wren (Gitter)</a>"),
        "m.mentions": { "user_ids": [wren] },
    });
    ana.send_new(&room.matrix, pill).await?;
    let pilled = world.on_gitter(room, "*Hello* to you, @wren").await?;
    ensure!(pilled.virtual_user.is_some_and(|user| user.display_name == "Ana"));
    ana.reply(&room.matrix, &of_gitter.of_ana, "And I.").await?;
    ensure!(world.on_gitter(room, "And I.").await?.parent_id.as_ref() == Some(&of_gitter.on_gitter));

    let list = json!({
        "msgtype": "m.text",
        "body": "* one\n* two",
        "format": "org.matrix.custom.html",
        "formatted_body": "<ul><li>one</li><li>two</li></ul>",
    });
    ana.send_new(&room.matrix, list).await?;
    ana.emote(&room.matrix, "casts off").await?;
    ensure!(world.on_gitter(room, "casts off").await?.status);
    let said = ana.say(&room.matrix, "made up my mind").await?;
    let posted = world.on_gitter(room, "made up my mind").await?.id;
    ana.edit(&room.matrix, &said, "changed my mind").await?;
    ensure!(world.on_gitter(room, "changed my mind").await?.id == posted);
    let unsaid = ana.say(&room.matrix, "unsaid by ana").await?;
    let posted = world.on_gitter(room, "unsaid by ana").await?.id;
    ana.redact(&room.matrix, &unsaid).await?;
    until("the message to be gone", CROSSING_LIMIT, async || {
        let messages = world.gitter.messages(&room.gitter).await?;
        Ok(messages.iter().all(|message| message.id != posted).then_some(()))
    })
    .await
}

/// A file of each kind each way: what was uploaded on Matrix opens without a login, and what was uploaded on Gitter
/// is a picture on Matrix, whose event this gives.
async fn files(world: &World, room: &Room, ana: &MatrixUser) -> Result<String> {
    let picture = ana.upload("image/png", PICTURE.to_vec()).await?;
    let notes = ana.upload("text/plain", b"two oars".to_vec()).await?;
    let info = json!({ "mimetype": "image/png", "size": PICTURE.len() });
    let image = json!({ "msgtype": "m.image", "body": "pier.png", "url": picture, "info": info });
    ana.send_new(&room.matrix, image).await?;
    let file = json!({ "msgtype": "m.file", "body": "notes.txt", "url": notes });
    ana.send_new(&room.matrix, file).await?;
    for (name, bytes) in [("pier.png", PICTURE), ("notes.txt", b"two oars".as_slice())] {
        let link = until(&format!("{name} on Gitter"), CROSSING_LIMIT, async || {
            let messages = world.gitter.messages(&room.gitter).await?;
            let found = messages.into_iter().find(|message| message.text.contains(name));
            let link = found.and_then(|message| Some(message.text.rsplit_once("](")?.1.to_owned()));
            Ok(link.map(|link| link.trim_end_matches(')').to_owned()))
        })
        .await?;
        let opened = reqwest::get(&link).await?.error_for_status()?.bytes().await?;
        ensure!(opened == bytes, "{link} gave {} bytes", opened.len());
    }
    world
        .gitter
        .upload(
            "wren",
            &room.gitter,
            "harbour.png",
            ("image/png", PICTURE.to_vec()),
        )
        .await?;
    Ok(world.on_matrix(room, "harbour.png").await?.event_id)
}

async fn matrix_view(node: &Node, world: &World, room: &Room) -> Result<HashMap<String, Seen>> {
    let mut script = node.script("matrix_view.js");
    script
        .env("HOMESERVER", world.synapse.url().as_str().trim_end_matches('/'))
        .env("LOCALPART", "ana")
        .env("PASSWORD", password_of("ana"))
        .env("ROOM", &room.matrix);
    browser::result(script).await
}

/// The texts on the sandbox's page. `PICTURE` in the environment names a file for its picture.
async fn page_view(node: &Node, world: &World) -> Result<Vec<String>> {
    let mut script = browser::script(node, world, "page_view.js").await?;
    script.env("ROOM_URI", "tidepool/pier");
    if let Some(picture) = env::var_os("PICTURE") {
        script.env("PICTURE", picture);
    }
    browser::result(script).await
}
