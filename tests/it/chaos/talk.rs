//! What people say on both sides: messages, replies, the same words twice, edits and deletions.
//!
//! Every text ends in a word of its own, by which it is known on the other side whatever stands before it.

use gitter_sandbox::ObjectId;
use rand::{Rng, RngExt as _};
use ruma::{OwnedEventId, OwnedUserId};
use serde_json::json;

use crate::world::{Room, World};

/// How many of the latest messages of a room people still change.
const RECENT: usize = 12;

/// Where something was said, and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Matrix,
    Gitter,
}

/// What was just done.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) side: Side,
    pub(super) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Message,
    Edit,
    Deletion,
}

/// A message that may still be answered, edited or deleted.
#[derive(Debug, Clone)]
enum Line {
    Matrix {
        event: OwnedEventId,
        by: OwnedUserId,
        text: String,
        root: bool,
    },
    Gitter {
        id: ObjectId,
        by: &'static str,
        text: String,
        root: bool,
    },
}

/// A conversation.
pub(super) struct Talk {
    rooms: Vec<(Room, Vec<Line>)>,
    people: Vec<OwnedUserId>,
    messages: usize,
    words: usize,
}

impl Talk {
    pub(super) fn new(world: &World, rooms: &[Room]) -> Self {
        let mut people = vec![world.ana.clone()];
        for (name, display_name) in [("ben", "Ben"), ("cleo", "Cleo")] {
            let person = world.homeserver.make_user(name, display_name);
            for room in rooms {
                world.homeserver.join(&room.matrix, &person);
            }
            people.push(person);
        }
        Self {
            rooms: rooms.iter().map(|room| (room.clone(), Vec::new())).collect(),
            people,
            messages: 0,
            words: 0,
        }
    }

    /// How many messages were said.
    pub(super) fn messages(&self) -> usize {
        self.messages
    }

    /// Somebody says or changes something somewhere.
    pub(super) fn go_on(&mut self, world: &World, random: &mut impl Rng) -> Said {
        let place = random.random_range(0..self.rooms.len());
        let side = if random.random_bool(0.5) {
            Side::Matrix
        } else {
            Side::Gitter
        };
        self.words += 1;
        let word = format!("w{}", self.words);
        let (room, lines) = &mut self.rooms[place];
        let dice = random.random_range(0..100);
        let recent: Vec<usize> = (lines.len().saturating_sub(RECENT)..lines.len())
            .filter(|at| lines[*at].side() == side)
            .collect();
        let chosen = (!recent.is_empty()).then(|| recent[random.random_range(0..recent.len())]);
        let what = match (dice, chosen) {
            (70..80, Some(at)) => {
                lines[at].edit(world, room, &format!("better said {word}"));
                What::Edit
            }
            (80..86, Some(at)) => {
                lines.remove(at).delete(world, room);
                What::Deletion
            }
            (86..96, Some(at)) if lines[at].is_root() => {
                let answer = lines[at].answer(world, room, &self.people, &format!("I agree {word}"), random);
                lines.push(answer);
                What::Message
            }
            (96..100, Some(at)) if lines[at].is_root() => {
                let again = lines[at].again(world, room);
                lines.push(again);
                What::Message
            }
            _ => {
                let text = format!("said by the sea {word}");
                lines.push(say(world, room, side, &self.people, &text, random));
                What::Message
            }
        };
        self.messages += usize::from(what == What::Message);
        Said { side, what }
    }
}

const GITTER_PEOPLE: [&str; 2] = ["wren", "kelp"];

fn say(
    world: &World,
    room: &Room,
    side: Side,
    people: &[OwnedUserId],
    text: &str,
    random: &mut impl Rng,
) -> Line {
    let text = text.to_owned();
    if side == Side::Matrix {
        let by = people[random.random_range(0..people.len())].clone();
        let event = world.homeserver.send_text(&room.matrix, &by, &text);
        return Line::Matrix {
            event,
            by,
            text,
            root: true,
        };
    }
    let by = GITTER_PEOPLE[random.random_range(0..GITTER_PEOPLE.len())];
    let id = world.gitter.post(by, room.gitter, &text).unwrap();
    Line::Gitter {
        id,
        by,
        text,
        root: true,
    }
}

impl Line {
    fn side(&self) -> Side {
        match self {
            Self::Matrix { .. } => Side::Matrix,
            Self::Gitter { .. } => Side::Gitter,
        }
    }

    fn is_root(&self) -> bool {
        match self {
            Self::Matrix { root, .. } | Self::Gitter { root, .. } => *root,
        }
    }

    fn edit(&mut self, world: &World, room: &Room, new: &str) {
        match self {
            Self::Matrix { event, by, text, .. } => {
                let content = json!({
                    "msgtype": "m.text",
                    "body": format!("* {new}"),
                    "m.new_content": { "msgtype": "m.text", "body": new },
                    "m.relates_to": { "rel_type": "m.replace", "event_id": event },
                });
                world.homeserver.send(&room.matrix, by, "m.room.message", content);
                new.clone_into(text);
            }
            Self::Gitter { id, by, text, .. } => {
                world.gitter.edit(by, room.gitter, *id, new).unwrap();
                new.clone_into(text);
            }
        }
    }

    fn delete(self, world: &World, room: &Room) {
        match self {
            Self::Matrix { event, by, .. } => {
                world.homeserver.redact(&room.matrix, &by, &event);
            }
            Self::Gitter { id, by, .. } => world.gitter.delete(by, room.gitter, id).unwrap(),
        }
    }

    /// Says the same once more, as the same person.
    fn again(&self, world: &World, room: &Room) -> Self {
        match self {
            Self::Matrix { by, text, .. } => Self::Matrix {
                event: world.homeserver.send_text(&room.matrix, by, text),
                by: by.clone(),
                text: text.clone(),
                root: true,
            },
            Self::Gitter { by, text, .. } => Self::Gitter {
                id: world.gitter.post(by, room.gitter, text).unwrap(),
                by,
                text: text.clone(),
                root: true,
            },
        }
    }

    fn answer(
        &self,
        world: &World,
        room: &Room,
        people: &[OwnedUserId],
        new: &str,
        random: &mut impl Rng,
    ) -> Self {
        let text = new.to_owned();
        match self {
            Self::Matrix { event, .. } => {
                let by = people[random.random_range(0..people.len())].clone();
                let content = json!({
                    "msgtype": "m.text",
                    "body": new,
                    "m.relates_to": { "rel_type": "m.thread", "event_id": event },
                });
                let event = world
                    .homeserver
                    .send(&room.matrix, &by, "m.room.message", content);
                Self::Matrix {
                    event,
                    by,
                    text,
                    root: false,
                }
            }
            Self::Gitter { id, .. } => {
                let by = GITTER_PEOPLE[random.random_range(0..GITTER_PEOPLE.len())];
                let id = world.gitter.reply(by, room.gitter, *id, new).unwrap();
                Self::Gitter {
                    id,
                    by,
                    text,
                    root: false,
                }
            }
        }
    }
}
