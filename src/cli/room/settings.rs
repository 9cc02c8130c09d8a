//! `room settings`: what holds in one room.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::cli::{
    Exit,
    admin::{AdminClient, Answer},
    answer::tell,
    output,
};

/// The answer of the API; the rest of it is a setting each.
#[derive(Deserialize)]
struct Settings {
    set: Vec<String>,
    #[serde(flatten)]
    values: Map<String, Value>,
}

/// Shows the settings of a room, or sets one before.
pub(super) async fn run(
    client: &AdminClient,
    room: &str,
    change: Option<(String, String)>,
    json: bool,
) -> anyhow::Result<Exit> {
    let path = ["rooms", room, "settings"];
    let answer = match change {
        None => client.send(Method::GET, &path, None).await?,
        Some((name, value)) => {
            let value = if value == "default" {
                Value::Null
            } else {
                Value::String(value)
            };
            let body = json!({ (name): value });
            client.send(Method::PUT, &path, Some(&body)).await?
        }
    };
    tell(&answer, json, tell_settings)
}

fn tell_settings(answer: &Answer) -> anyhow::Result<Exit> {
    let Settings { set, values } = answer.read()?;
    let rows = values.into_iter().map(|(name, value)| {
        let shown = match value {
            Value::Bool(true) => "on".to_owned(),
            Value::Bool(false) => "off".to_owned(),
            Value::String(word) => word,
            other => other.to_string(),
        };
        let from = if set.contains(&name) {
            "this room"
        } else {
            "configuration"
        };
        [name, shown, from.to_owned()]
    });
    output::line(output::table(["SETTING", "VALUE", "FROM"], rows))?;
    Ok(Exit::Done)
}
