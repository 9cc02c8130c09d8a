//! The registration as YAML.

use std::{collections::BTreeMap, path::Path};

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::Value;

use super::{Namespace, Registration};
use crate::config::{
    Problem,
    document::{self, Node},
    section::{Folders, Presence, Reader, Refusal},
};

/// Keys that are fields of [`Registration`].
const KNOWN: [&str; 6] = [
    "id",
    "url",
    "as_token",
    "hs_token",
    "sender_localpart",
    "namespaces",
];

/// Reads the text of a file, whose name stands in messages.
pub(super) fn parse(path: &Path, text: &str) -> Result<Registration, Vec<Problem>> {
    let mut reader = Reader::new(path, text, [])?;
    let registration = read(&mut reader, text);
    match (registration, reader.finish(&[])) {
        (Some(registration), problems) if problems.is_empty() => Ok(registration),
        (_, problems) => Err(problems),
    }
}

fn read(reader: &mut Reader, text: &str) -> Option<Registration> {
    let mut fields = reader.everything();
    let id = reader.key(&mut fields, "id", Presence::Required("gitter"), word);
    let url = reader.key(
        &mut fields,
        "url",
        Presence::Hidden("http://127.0.0.1:29330"),
        optional_word,
    );
    let as_token = reader.key(
        &mut fields,
        "as_token",
        Presence::Required("<a long random word>"),
        token,
    );
    let hs_token = reader.key(
        &mut fields,
        "hs_token",
        Presence::Required("<another one>"),
        token,
    );
    let sender = reader.key(
        &mut fields,
        "sender_localpart",
        Presence::Required("gitterbot"),
        localpart,
    );
    let namespaces = Presence::Required("{ users: [..], aliases: [..], rooms: [] }");
    let namespaces = reader.key(&mut fields, "namespaces", namespaces, |node, _| {
        Ok((
            namespaces_of("users", node)?,
            namespaces_of("aliases", node)?,
            namespaces_of("rooms", node)?,
        ))
    });
    let other = other_keys(text);
    if other.is_none() {
        reader.refuse(None, "", "some keys are not plain texts, which cannot be kept");
    }
    let (users, aliases, rooms) = namespaces?;
    Some(Registration {
        id: id?,
        url: url?,
        as_token: as_token?,
        hs_token: hs_token?,
        sender_localpart: sender?,
        users,
        aliases,
        rooms,
        other: other?,
    })
}

/// Everything that is not a field, as it stands in the file.
fn other_keys(text: &str) -> Option<BTreeMap<String, Value>> {
    let mut all: BTreeMap<String, Value> = serde_saphyr::from_str(text).ok()?;
    all.retain(|key, _| !KNOWN.contains(&key.as_str()));
    Some(all)
}

fn word(node: &Node, _: &Folders) -> Result<String, Refusal> {
    match &node.value {
        document::Value::Text(text) if !text.is_empty() && !text.contains(char::is_whitespace) => {
            Ok(text.clone())
        }
        _ => Err("must be one word without blanks".into()),
    }
}

fn localpart(node: &Node, folders: &Folders) -> Result<String, Refusal> {
    let text = word(node, folders)?;
    if text.contains([':', '@']) {
        return Err("must be the part of the bot's id between `@` and `:`".into());
    }
    Ok(text)
}

fn optional_word(node: &Node, folders: &Folders) -> Result<Option<String>, Refusal> {
    if node.is_null() {
        return Ok(None);
    }
    word(node, folders).map(Some)
}

fn token(node: &Node, folders: &Folders) -> Result<SecretString, Refusal> {
    word(node, folders).map(Into::into)
}

/// The namespaces of one kind; none where the kind is absent.
fn namespaces_of(kind: &str, node: &Node) -> Result<Vec<Namespace>, Refusal> {
    let refuse = |line: u64, message: &str| Refusal {
        line: Some(line),
        message: message.to_owned(),
    };
    let document::Value::Map(kinds) = &node.value else {
        return Err("must consist of `users`, `aliases` and `rooms`".into());
    };
    let Some(entry) = kinds.iter().find(|entry| entry.name == kind) else {
        return Ok(Vec::new());
    };
    let document::Value::List(items) = &entry.node.value else {
        return Err(refuse(entry.line, "must hold lists, such as `rooms: []`"));
    };
    let shape = "must list things such as `{ exclusive: true, regex: \"^@gitter_.*:example\\\\.org$\" }`";
    items
        .iter()
        .map(|item| namespace(item).ok_or_else(|| refuse(item.line, shape)))
        .collect()
}

fn namespace(node: &Node) -> Option<Namespace> {
    let document::Value::Map(entries) = &node.value else {
        return None;
    };
    let text = |name: &str| {
        let entry = entries.iter().find(|entry| entry.name == name)?;
        match &entry.node.value {
            document::Value::Text(text) => Some(text.as_str()),
            _ => None,
        }
    };
    Some(Namespace {
        exclusive: text("exclusive")?.parse().ok()?,
        regex: text("regex")?.to_owned(),
    })
}

/// The keys in the order that people read them in.
#[derive(Serialize)]
struct File<'a> {
    id: &'a str,
    url: Option<&'a str>,
    as_token: &'a str,
    hs_token: &'a str,
    sender_localpart: &'a str,
    namespaces: Namespaces<'a>,
    #[serde(flatten)]
    other: &'a BTreeMap<String, Value>,
}

#[derive(Serialize)]
struct Namespaces<'a> {
    users: &'a [Namespace],
    aliases: &'a [Namespace],
    rooms: &'a [Namespace],
}

/// Writes the text of the file, tokens included.
pub(super) fn render(registration: &Registration) -> Result<String, serde_saphyr::ser::Error> {
    let file = File {
        id: &registration.id,
        url: registration.url.as_deref(),
        as_token: registration.as_token.expose_secret(),
        hs_token: registration.hs_token.expose_secret(),
        sender_localpart: &registration.sender_localpart,
        namespaces: Namespaces {
            users: &registration.users,
            aliases: &registration.aliases,
            rooms: &registration.rooms,
        },
        other: &registration.other,
    };
    let yaml = serde_saphyr::to_string(&file)?;
    Ok(format!(
        "# Made by `gitter-matrix-bridge registration`: the homeserver and the bridge both read it. Keep it secret.\n{yaml}"
    ))
}
