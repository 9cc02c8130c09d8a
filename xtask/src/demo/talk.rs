//! What the four people say. Each waits until everybody has read what was said before.

use std::time::Duration;

use anyhow::{Context, Result};

use super::stage::Stage;
use crate::{gitter::GitterUser, matrix::MatrixUser, wait::until, workspace};

/// How long a message may take to the other side.
const CROSSING_LIMIT: Duration = Duration::from_secs(30);

/// Who speaks.
#[derive(Clone, Copy)]
enum Person {
    /// On Matrix.
    Ana,
    /// On Matrix.
    Ben,
    /// On Gitter.
    Wren,
    /// On Gitter.
    Kelp,
}

/// How something is said.
#[derive(Clone, Copy)]
enum Form {
    Text,
    /// A `/me` line.
    Emote,
    /// A picture, called as the text says.
    Picture,
    /// In the thread of the line with this number, from 0.
    Thread(usize),
}

/// The width and height of [`picture`], in pixels.
const PICTURE_SIZE: (u32, u32) = (90, 60);

const SCRIPT: [(Person, Form, &str); 13] = [
    (
        Person::Ana,
        Form::Text,
        "Ahoy from Matrix! Is anybody at the harbour?",
    ),
    (Person::Wren, Form::Text, "Ahoy Ana, I am here, on Gitter."),
    (Person::Kelp, Form::Text, "So am I. The ferry is late today."),
    (Person::Ben, Form::Thread(2), "How late is it?"),
    (Person::Kelp, Form::Thread(2), "Half an hour, says the board."),
    (Person::Ben, Form::Thread(2), "Then I still catch it."),
    (Person::Ben, Form::Emote, "runs to the pier"),
    (Person::Wren, Form::Emote, "waves from the lighthouse"),
    (Person::Ben, Form::Picture, "ferry.png"),
    (Person::Wren, Form::Picture, "harbour.png"),
    (Person::Wren, Form::Thread(0), "There are four of us now, Ana."),
    (Person::Ana, Form::Thread(0), "And nobody needs a second account."),
    (Person::Ana, Form::Text, "Fair winds, everybody!"),
];

/// One message on both sides.
struct Pair {
    event_id: String,
    message_id: String,
}

/// Has everything said.
pub(super) async fn hold(stage: &Stage) -> Result<()> {
    let mut said: Vec<Pair> = Vec::new();
    for (person, form, text) in SCRIPT {
        let thread = match form {
            Form::Thread(line) => Some(said.get(line).context("a thread of a line not yet said")?),
            Form::Text | Form::Emote | Form::Picture => None,
        };
        let pair = match person {
            Person::Ana => to_gitter(stage, &stage.ana, form, thread, text).await,
            Person::Ben => to_gitter(stage, &stage.ben, form, thread, text).await,
            Person::Wren => to_matrix(stage, &stage.wren, form, thread, text).await,
            Person::Kelp => to_matrix(stage, &stage.kelp, form, thread, text).await,
        };
        said.push(pair.with_context(|| format!("saying {text:?}"))?);
    }
    Ok(())
}

async fn to_gitter(
    stage: &Stage,
    speaker: &MatrixUser,
    form: Form,
    thread: Option<&Pair>,
    text: &str,
) -> Result<Pair> {
    let room = &stage.matrix_room;
    let event_id = match (form, thread) {
        (Form::Emote, _) => speaker.emote(room, text).await?,
        (Form::Picture, _) => speaker.picture(room, text, picture()?, PICTURE_SIZE).await?,
        (_, Some(thread)) => speaker.reply(room, &thread.event_id, text).await?,
        (_, None) => speaker.say(room, text).await?,
    };
    let message_id = until("it to arrive on Gitter", CROSSING_LIMIT, async || {
        let messages = stage.sandbox.control().messages(&stage.gitter_room).await?;
        let arrived = messages.into_iter().find(|message| message.shown_text() == text);
        Ok(arrived.map(|message| message.id))
    })
    .await?;
    Ok(Pair { event_id, message_id })
}

async fn to_matrix(
    stage: &Stage,
    speaker: &GitterUser,
    form: Form,
    thread: Option<&Pair>,
    text: &str,
) -> Result<Pair> {
    let room = &stage.gitter_room;
    let message_id = match (form, thread) {
        (Form::Emote, _) => speaker.emote(room, text).await?,
        (Form::Picture, _) => {
            let control = stage.sandbox.control();
            let file = ("image/png", picture()?);
            control.upload(speaker.username(), room, text, file).await?;
            let messages = control.messages(room).await?;
            let posted = messages.into_iter().find(|message| message.shown_text() == text);
            posted.context("the picture is in no message")?.id
        }
        (_, Some(thread)) => speaker.reply(room, &thread.message_id, text).await?,
        (_, None) => speaker.say(room, text).await?,
    };
    let event_id = until("it to arrive on Matrix", CROSSING_LIMIT, async || {
        let events = stage.ana.messages(&stage.matrix_room).await?;
        let arrived = events.into_iter().find(|event| event.body() == text);
        Ok(arrived.map(|event| event.event_id))
    })
    .await?;
    Ok(Pair { event_id, message_id })
}

/// The picture that people send and show themselves with: it is also what the end-to-end tests send.
pub(super) fn picture() -> Result<Vec<u8>> {
    let file = workspace::root().join("tests/e2e/media/boat.png");
    std::fs::read(&file).with_context(|| format!("reading {}", file.display()))
}
