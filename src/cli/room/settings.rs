//! `room settings`: what holds in one room.

use clap::{Args, builder::NonEmptyStringValueParser};
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

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The Gitter room, as group/room, or the Matrix room, as #alias; or the id of either
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    room: String,
    /// What to set
    #[arg(requires = "value", value_parser = NonEmptyStringValueParser::new())]
    name: Option<String>,
    /// To what
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    value: Option<String>,
    /// Print the answer of the admin API as it is
    #[arg(long)]
    json: bool,
}

/// Shows the settings of a room, or sets one before.
pub(super) async fn run(client: &AdminClient, arguments: Arguments) -> anyhow::Result<Exit> {
    let path = ["rooms", &arguments.room, "settings"];
    let answer = match arguments.name.zip(arguments.value) {
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
    tell(&answer, arguments.json, tell_settings)
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
