//! The small Gitter server of this project: as a child process, and through its control endpoints, which
//! show and do what no Gitter account may, at no cost to anybody's request budget.

use std::{collections::HashMap, path::Path};

use anyhow::{Context, Result};
use reqwest::Client;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::{
    gitter::GitterUser,
    http::{self, text_at},
    process::{self, Process},
};

/// Where a sandbox is, and the token of the bridge's account: what its first line on stdout says.
#[derive(Debug, Clone, Deserialize)]
pub struct Addresses {
    /// The REST API.
    pub api_url: String,
    /// Bayeux.
    pub realtime_url: String,
    /// The site.
    pub web_url: String,
    /// The token of the account that bridges post with.
    pub token: SecretString,
}

/// A sandbox in a process of its own. Dropping it ends it, and with it all its messages.
#[derive(Debug)]
pub struct Sandbox {
    process: Process,
    control: Control,
}

impl Sandbox {
    /// Starts it on a free port with its default seed, logging to `log`.
    ///
    /// # Errors
    /// When it does not say that it is ready; with the end of its log.
    pub async fn start(binary: &Path, log: &Path) -> Result<Self> {
        let mut command = process::command(binary);
        command.args(["--listen", "127.0.0.1:0"]);
        let (process, line) = Process::start_and_read_line("The sandbox", &mut command, log).await?;
        let addresses: Addresses = serde_json::from_str(&line)
            .with_context(|| process.failure("was not ready; its first line is no JSON"))?;
        Ok(Self {
            process,
            control: Control::new(addresses)?,
        })
    }

    /// Its control endpoints.
    pub const fn control(&self) -> &Control {
        &self.control
    }

    /// Stops it.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub async fn stop(self) -> Result<()> {
        self.process.stop().await
    }
}

/// A message as the sandbox stores it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// The user name of the account that posted it.
    pub author: String,
    /// Whom it was posted for.
    pub virtual_user: Option<VirtualUser>,
    /// The Markdown.
    pub text: String,
    /// Whether it is a `/me` line.
    pub status: bool,
    /// When it was posted, RFC 3339.
    pub sent: String,
    /// The message that its thread began with.
    pub parent_id: Option<String>,
}

/// The Matrix user that a message was posted for (gitter-api 2.2).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VirtualUser {
    /// The kind of bridge.
    #[serde(rename = "type")]
    pub kind: String,
    /// The Matrix id without `@`.
    pub external_id: String,
    /// The name people see.
    pub display_name: String,
}

impl Message {
    /// The text without the author's own mention that Gitter's web client puts before a `/me` line
    /// (gitter-api 5.9).
    pub fn bare_text(&self) -> &str {
        let mention = self.text.strip_prefix('@').filter(|_| self.status);
        mention
            .and_then(|text| text.strip_prefix(self.author.as_str()))
            .map_or(&self.text, str::trim_start)
    }

    /// What people see: of a picture or a link to a file, and nothing else, its name.
    pub fn shown_text(&self) -> &str {
        let text = self.bare_text();
        let link = text.strip_suffix(')').and_then(|text| text.strip_prefix('['));
        let name = link.map(|link| link.strip_prefix("![").unwrap_or(link));
        name.and_then(|name| name.split_once("]("))
            .map_or(text, |(name, _)| name)
    }
}

/// A sandbox's control endpoints.
#[derive(Debug, Clone)]
pub struct Control {
    http: Client,
    base: Url,
    addresses: Addresses,
}

impl Control {
    /// The endpoints of the sandbox at these addresses.
    ///
    /// # Errors
    /// When the site's address is no URL.
    pub fn new(addresses: Addresses) -> Result<Self> {
        Ok(Self {
            http: http::client()?,
            base: Url::parse(&addresses.web_url)?.join("/sandbox/")?,
            addresses,
        })
    }

    /// Where the sandbox is.
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// All messages of a room, oldest first.
    ///
    /// # Errors
    /// When there is no such room.
    pub async fn messages(&self, room_id: &str) -> Result<Vec<Message>> {
        let state = self.state().await?;
        let room = entry(&state, "rooms", "id", room_id)?;
        let messages = room.get("messages").context("a room without messages")?;
        Vec::deserialize(messages).context("reading the sandbox's messages")
    }

    /// The names that people see, by user name.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub async fn display_names(&self) -> Result<HashMap<String, String>> {
        let state = self.state().await?;
        let users = state.get("users").and_then(Value::as_array);
        let users = users.context("the sandbox tells of no users")?;
        let name = |user| {
            Ok((
                text_at(user, "/username")?.to_owned(),
                text_at(user, "/display_name")?.to_owned(),
            ))
        };
        users.iter().map(name).collect()
    }

    /// Signs in as somebody who exists.
    ///
    /// # Errors
    /// When there is nobody with this user name.
    pub async fn sign_in(&self, username: &str) -> Result<GitterUser> {
        let state = self.state().await?;
        let user = entry(&state, "users", "username", username)?;
        self.person(username, text_at(user, "/tokens/0/token")?)
    }

    /// Adds somebody, and signs in as them.
    ///
    /// # Errors
    /// When the user name is taken.
    pub async fn add_user(&self, username: &str, display_name: &str) -> Result<GitterUser> {
        let body = json!({ "username": username, "display_name": display_name });
        let added = self.post("users", &body).await?;
        self.person(username, text_at(&added, "/token")?)
    }

    /// Adds a public room, and gives its id.
    ///
    /// # Errors
    /// When the URI is taken.
    pub async fn add_room(&self, uri: &str) -> Result<String> {
        let added = self.post("rooms", &json!({ "uri": uri })).await?;
        Ok(text_at(&added, "/id")?.to_owned())
    }

    /// Adds a room as this says, in the shape of the sandbox's seed, and gives its id.
    ///
    /// # Errors
    /// When the URI is taken.
    pub async fn add_room_as(&self, room: &Value) -> Result<String> {
        let added = self.post("rooms", room).await?;
        Ok(text_at(&added, "/id")?.to_owned())
    }

    /// Changes a room: `uri` or `public`.
    ///
    /// # Errors
    /// When there is no such room, or its URI is taken.
    pub async fn alter_room(&self, room_id: &str, change: &Value) -> Result<()> {
        let url = self.base.join(&format!("rooms/{room_id}"))?;
        let answer = self.http.patch(url).json(change).send().await?;
        answer.error_for_status()?;
        Ok(())
    }

    /// Changes somebody: `username`, `display_name` and what else the sandbox's `UserChange` has.
    ///
    /// # Errors
    /// When there is nobody with this user name, or the new one is taken.
    pub async fn alter_user(&self, username: &str, change: &Value) -> Result<()> {
        let url = self.base.join(&format!("users/{username}"))?;
        let answer = self.http.patch(url).json(change).send().await?;
        answer.error_for_status()?;
        Ok(())
    }

    /// Makes something go wrong, once or more; the sandbox's module `faults` says what can.
    ///
    /// # Errors
    /// When the sandbox knows no such fault.
    pub async fn fault(&self, fault: &Value) -> Result<()> {
        self.post("faults", fault).await.map(drop)
    }

    async fn state(&self) -> Result<Value> {
        http::json(self.http.get(self.base.join("state")?)).await
    }

    /// Uploads a file as somebody, as the web client does; gives its address.
    ///
    /// # Errors
    /// When the sandbox refuses.
    pub async fn upload(
        &self,
        username: &str,
        room: &str,
        name: &str,
        file: (&str, Vec<u8>),
    ) -> Result<String> {
        let query = [("username", username), ("room", room), ("name", name)];
        let request = self.http.post(self.base.join("files")?).query(&query);
        let answer = http::json(request.header("content-type", file.0).body(file.1)).await?;
        Ok(text_at(&answer, "/url")?.to_owned())
    }

    async fn post(&self, name: &str, body: &Value) -> Result<Value> {
        http::json(self.http.post(self.base.join(name)?).json(body)).await
    }

    fn person(&self, username: &str, token: &str) -> Result<GitterUser> {
        GitterUser::new(self.http.clone(), &self.addresses.api_url, username, token.into())
    }
}

/// The entry of a list whose field has this value.
fn entry<'a>(state: &'a Value, list: &str, field: &str, value: &str) -> Result<&'a Value> {
    let entries = state.get(list).and_then(Value::as_array).into_iter().flatten();
    entries
        .into_iter()
        .find(|entry| entry.get(field).and_then(Value::as_str) == Some(value))
        .with_context(|| format!("the sandbox has nothing among its {list} whose {field} is {value:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str, status: bool) -> Message {
        Message {
            id: "5f0000000000000000000d01".to_owned(),
            author: "wren".to_owned(),
            virtual_user: None,
            text: text.to_owned(),
            status,
            sent: "2020-12-01T10:00:00.123Z".to_owned(),
            parent_id: None,
        }
    }

    #[test]
    fn the_own_mention_of_a_me_line_is_no_part_of_its_text() {
        assert_eq!(message("@wren waves", true).bare_text(), "waves");
        assert_eq!(message("waves", true).bare_text(), "waves");
        assert_eq!(message("@kelp waves", true).bare_text(), "@kelp waves");
        assert_eq!(message("@wren waves", false).bare_text(), "@wren waves");
    }
}
