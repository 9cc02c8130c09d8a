//! Whether both sides hold what was said: by the rooms as people see them, and by what the bridge says of each id.

use std::collections::{BTreeMap, HashMap};

use gitter_sandbox::{ObjectId, StoredMessage};
use reqwest::Method;
use serde_json::Value;
use xtask::{
    chaos::Report,
    compare::{Comparison, compare},
};

use crate::world::{Room, World, admin::answer, id_of};

/// What stands before a correction's text on Gitter, with the id of the message that it corrects in its link.
const CORRECTION: &str = ":point_up: [Edit](";

/// A message as both sides have to hold it: its writer, and the word that its latest text ends in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Line {
    by: String,
    word: String,
}

/// A message of one side.
struct Shown {
    line: Line,
    /// Whether the bridge brought it.
    bridged: bool,
    /// The word of the message that it answers.
    answers: Option<String>,
}

/// Judges all rooms.
pub(super) async fn of(world: &World, rooms: &[Room]) -> Report {
    let mut sum = Comparison::default();
    let (mut misplaced, mut unexplained) = (0, 0);
    for room in rooms {
        let matrix = on_matrix(world, room);
        let gitter = on_gitter(world, room);
        for (source, copies, way) in [(&matrix, &gitter, "to Gitter"), (&gitter, &matrix, "to Matrix")] {
            let said: Vec<Line> = lines(source, false);
            let arrived: Vec<Line> = lines(copies, true);
            let found = compare(&said, &arrived);
            if !found.is_clean() {
                tell(room, way, &said, &arrived);
            }
            sum = sum + found;
            misplaced += misplaced_in(source, copies);
        }
        unexplained += unexplained_in(world, room).await;
    }
    for outcome in FAILED {
        unexplained += usize::try_from(world.items(outcome).await).unwrap();
    }
    Report {
        lost: sum.lost,
        duplicated: sum.duplicated,
        reordered: sum.reordered,
        misplaced,
        unexplained,
        ..Report::default()
    }
}

/// Outcomes that nothing in a run of this kind leads to.
const FAILED: [&str; 6] = [
    "failed bad_event",
    "failed forbidden",
    "failed gave_up",
    "failed too_large",
    "failed silent_ban",
    "skipped not_translated",
];

fn lines(shown: &[Shown], bridged: bool) -> Vec<Line> {
    let of_kind = shown.iter().filter(|shown| shown.bridged == bridged);
    of_kind.map(|shown| shown.line.clone()).collect()
}

/// Says where two sides part.
fn tell(room: &Room, way: &str, said: &[Line], arrived: &[Line]) {
    let words = |lines: &[Line]| lines.iter().map(|line| line.word.clone()).collect::<Vec<_>>();
    let (said, arrived) = (words(said), words(arrived));
    let count = |words: &[String]| {
        let mut counts: BTreeMap<String, i32> = BTreeMap::new();
        for word in words {
            *counts.entry(word.clone()).or_default() += 1;
        }
        counts
    };
    let (before, after) = (count(&said), count(&arrived));
    let missing: Vec<&String> = before
        .iter()
        .filter(|(word, count)| after.get(*word).unwrap_or(&0) < count)
        .map(|(word, _)| word)
        .collect();
    let surplus: Vec<&String> = after
        .iter()
        .filter(|(word, count)| before.get(*word).unwrap_or(&0) < count)
        .map(|(word, _)| word)
        .collect();
    eprintln!(
        "{way} in {} ({}): missing {missing:?}, too much {surplus:?}; said {} and arrived {}",
        room.uri,
        room.gitter,
        said.len(),
        arrived.len()
    );
    if let Some((at, (one, other))) = said
        .iter()
        .zip(&arrived)
        .enumerate()
        .find(|(_, (one, other))| one != other)
    {
        eprintln!("  they part at {at}: {one} was said, {other} arrived");
    }
}

/// Answers whose copies are not answers to the copy of what they answer.
fn misplaced_in(source: &[Shown], copies: &[Shown]) -> usize {
    let copied: HashMap<&Line, &Shown> = copies
        .iter()
        .filter(|shown| shown.bridged)
        .map(|shown| (&shown.line, shown))
        .collect();
    let answers = source
        .iter()
        .filter(|shown| !shown.bridged && shown.answers.is_some());
    answers
        .filter(|shown| {
            let copy = copied.get(&shown.line);
            let is_misplaced = copy.is_some_and(|copy| copy.answers != shown.answers);
            if is_misplaced {
                let elsewhere = copy.and_then(|copy| copy.answers.as_deref());
                eprintln!(
                    "misplaced: {:?} answers {:?}, and its copy {elsewhere:?}",
                    shown.line, shown.answers
                );
            }
            is_misplaced
        })
        .count()
}

fn word_of(text: &str) -> String {
    text.split_whitespace().last().unwrap_or_default().to_owned()
}

/// The Matrix room as people see it: the latest texts, without what is redacted.
fn on_matrix(world: &World, room: &Room) -> Vec<Shown> {
    let events = world.homeserver.events(&room.matrix);
    let is_gone = |event: &Value| event["unsigned"]["redacted_because"].is_object();
    let relation = |event: &Value| event["content"]["m.relates_to"].clone();
    let mut words: HashMap<String, String> = HashMap::new();
    for event in events
        .iter()
        .filter(|event| event["type"] == "m.room.message" && !is_gone(event))
    {
        let content = &event["content"];
        let (target, text) = if relation(event)["rel_type"] == "m.replace" {
            let target = relation(event)["event_id"].as_str().unwrap().to_owned();
            (target, &content["m.new_content"]["body"])
        } else {
            (id_of(event).to_string(), &content["body"])
        };
        words.insert(target, word_of(text.as_str().unwrap_or_default()));
    }
    // What is redacted has no text, whatever its edits said.
    for event in events.iter().filter(|event| is_gone(event)) {
        words.remove(id_of(event).as_str());
    }
    let shown = events.iter().filter(|event| {
        event["type"] == "m.room.message" && !is_gone(event) && relation(event)["rel_type"] != "m.replace"
    });
    shown
        .map(|event| {
            let sender = event["sender"].as_str().unwrap();
            let ghost = sender
                .strip_prefix("@gitter_")
                .and_then(|rest| rest.split_once('-'))
                .map(|(name, _)| name.to_owned());
            let root = relation(event)["event_id"].as_str().map(str::to_owned);
            Shown {
                bridged: ghost.is_some(),
                line: Line {
                    by: ghost.unwrap_or_else(|| sender.trim_start_matches('@').to_owned()),
                    word: words[id_of(event).as_str()].clone(),
                },
                answers: root.and_then(|root| words.get(&root).cloned()),
            }
        })
        .collect()
}

/// The Gitter room as people see it, with corrections in the place of what they correct.
fn on_gitter(world: &World, room: &Room) -> Vec<Shown> {
    let messages = world.gitter.messages(room.gitter);
    let mut words: HashMap<ObjectId, String> = messages
        .iter()
        .filter(|message| !message.text.is_empty())
        .map(|message| (message.id, word_of(&message.text)))
        .collect();
    let corrected = |message: &StoredMessage| -> Option<ObjectId> {
        let link = message.text.strip_prefix(CORRECTION)?;
        let id = link.split_once("at=")?.1.get(..24)?;
        id.parse().ok()
    };
    for message in &messages {
        if let Some(target) = corrected(message) {
            words.insert(target, word_of(&message.text));
        }
    }
    let shown = messages
        .iter()
        .filter(|message| !message.text.is_empty() && corrected(message).is_none());
    shown
        .map(|message| Shown {
            line: Line {
                by: match &message.virtual_user {
                    Some(user) => user.external_id.clone(),
                    None => message.author.clone(),
                },
                word: words[&message.id].clone(),
            },
            bridged: message.virtual_user.is_some(),
            answers: message.parent_id.and_then(|parent| words.get(&parent).cloned()),
        })
        .collect()
}

/// How many of a room's events and messages the bridge does not know, or has not done with.
async fn unexplained_in(world: &World, room: &Room) -> usize {
    let events = world.homeserver.events(&room.matrix);
    let mut ids: Vec<String> = events
        .iter()
        .filter(|event| event["type"] == "m.room.message" || event["type"] == "m.room.redaction")
        .map(|event| id_of(event).to_string())
        .collect();
    ids.extend(
        world
            .gitter
            .messages(room.gitter)
            .iter()
            .map(|message| message.id.to_string()),
    );
    let mut unexplained = 0;
    for id in ids {
        let path = format!("explain/{}", id.replace('$', "%24"));
        let explained = answer(world.admin().authorized(Method::GET, &path)).await;
        let is_settled = explained.as_ref().is_ok_and(|(status, body)| {
            let items = body["items"].as_array().cloned().unwrap_or_default();
            *status == 200 && !items.is_empty() && items.iter().all(|item| item["state"] == "settled")
        });
        if !is_settled {
            eprintln!("unexplained: {id} in {}: {explained:?}", room.uri);
            unexplained += 1;
        }
    }
    unexplained
}
