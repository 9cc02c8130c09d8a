//! Shows and changes what holds in one portal, for operators and for people in chat. What a setting does is not decided
//! here.

use std::{collections::BTreeMap, iter};

use serde::Serialize;
use serde_json::Value;
use tracing::info;

use super::{Bridge, catch_up, provision::ProvisionError, settings::RoomSettings};
use crate::{
    config::Membership,
    ids::GitterRoomId,
    store::{
        StoreError, Tx, portal,
        setting::{self, SettingName},
    },
    translate::context::Threads,
};

/// What holds in a portal, as the admin API shows it.
#[derive(Debug, Clone, Serialize)]
pub struct SettingsView {
    threads: &'static str,
    membership: &'static str,
    notices: bool,
    metadata: bool,
    moderation: bool,
    /// What was set for this portal; for the rest the configuration holds.
    set: Vec<SettingName>,
}

/// The names, in the order in which they are shown, and the words that may be set.
const WORDS: [(SettingName, [&str; 2]); 5] = [
    (SettingName::Threads, ["thread", "reply"]),
    (SettingName::Membership, ["lazy", "mirror"]),
    (SettingName::Notices, ["on", "off"]),
    (SettingName::Metadata, ["on", "off"]),
    (SettingName::Moderation, ["on", "off"]),
];

/// A change of a setting; `None` lets the configuration hold.
pub(super) type Change = (SettingName, Option<&'static str>);

impl SettingsView {
    fn new(settings: RoomSettings, set: Vec<SettingName>) -> Self {
        Self {
            threads: match settings.threads {
                Threads::Thread => "thread",
                Threads::Reply => "reply",
            },
            membership: match settings.membership {
                Membership::Lazy => "lazy",
                Membership::Mirror => "mirror",
            },
            notices: settings.notices,
            metadata: settings.metadata,
            moderation: settings.moderation,
            set,
        }
    }

    /// Each setting with its word, and whether it was set for this portal.
    pub fn words(&self) -> [(SettingName, &'static str, bool); 5] {
        let switch = |on| if on { "on" } else { "off" };
        WORDS.map(|(name, _)| {
            let word = match name {
                SettingName::Threads => self.threads,
                SettingName::Membership => self.membership,
                SettingName::Notices => switch(self.notices),
                SettingName::Metadata => switch(self.metadata),
                SettingName::Moderation => switch(self.moderation),
            };
            (name, word, self.set.contains(&name))
        })
    }
}

/// Reads a setting and its word; the error says which there are.
pub(super) fn change(name: &str, word: Option<&str>) -> Result<Change, ProvisionError> {
    let Some((name, words)) = WORDS.into_iter().find(|(known, _)| known.as_str() == name) else {
        let names: Vec<&str> = WORDS.iter().map(|(name, _)| name.as_str()).collect();
        return Err(ProvisionError::Invalid {
            error: format!("there is no setting {name:?}"),
            mend: format!("name one of {}", names.join(", ")),
        });
    };
    let Some(word) = word.filter(|word| *word != "default") else {
        return Ok((name, None));
    };
    let known = words.into_iter().find(|known| *known == word);
    known.map(|word| (name, Some(word))).ok_or_else(|| {
        let [one, other] = words;
        ProvisionError::Invalid {
            error: format!("{} cannot be {word:?}", name.as_str()),
            mend: format!("set it to {one} or {other}, or to default for what the configuration says"),
        }
    })
}

/// Reads what the admin API is sent: `null` lets the configuration hold, and a switch may be true or false.
fn changes(body: &BTreeMap<String, Value>) -> Result<Vec<Change>, ProvisionError> {
    let read = |(name, value): (&String, &Value)| match value {
        Value::Null => change(name, None),
        Value::Bool(on) => change(name, Some(if *on { "on" } else { "off" })),
        Value::String(word) => change(name, Some(word)),
        other => change(name, Some(&other.to_string())),
    };
    body.iter().map(read).collect()
}

impl Bridge {
    /// What holds in a portal, given by either side's id.
    pub async fn settings_of(&self, room: &str) -> Result<SettingsView, ProvisionError> {
        let portal = self.find_portal(room).await?;
        let mut tx = self.db.read().await?;
        Ok(self.settings_view(&mut tx, &portal.gitter_room_id).await?)
    }

    /// Changes what holds in a portal, given by either side's id; all of it, or nothing where something is wrong.
    pub async fn change_settings(
        &self,
        room: &str,
        body: &BTreeMap<String, Value>,
    ) -> Result<SettingsView, ProvisionError> {
        let changes = changes(body)?;
        let portal = self.find_portal(room).await?;
        self.apply_settings(&portal.gitter_room_id, &changes).await
    }

    pub(super) async fn apply_settings(
        &self,
        room: &GitterRoomId,
        changes: &[Change],
    ) -> Result<SettingsView, ProvisionError> {
        if changes.contains(&(SettingName::Moderation, Some("on"))) {
            self.must_moderate(room).await?;
        }
        let mut tx = self.db.write().await?;
        catch_up::lock(&mut tx, iter::once(room)).await?;
        // What is set for a room that was unlinked meanwhile would hold for the next link.
        if portal::portal_by_gitter_room(&mut tx, room).await?.is_none() {
            return Err(ProvisionError::NotFound(room.to_string()));
        }
        for (name, word) in changes {
            setting::set(&mut tx, room, *name, *word).await?;
        }
        let view = self.settings_view(&mut tx, room).await?;
        tx.commit().await?;
        info!(portal.room = %room, changes = changes.len(), "Changed the settings of a portal");
        Ok(view)
    }

    /// Moderation needs the account's right to it.
    pub(super) async fn must_moderate(&self, room: &GitterRoomId) -> Result<(), ProvisionError> {
        let portal = self.find_portal(room.as_str()).await?;
        if self.may_moderate(&portal).await? {
            return Ok(());
        }
        Err(ProvisionError::Invalid {
            error: format!(
                "the bridge's account {} is no admin of {}, so it cannot moderate there",
                self.account.username, portal.gitter_uri
            ),
            mend: "have an admin of the Gitter room make it one, then switch moderation on".to_owned(),
        })
    }

    async fn settings_view(&self, tx: &mut Tx, room: &GitterRoomId) -> Result<SettingsView, StoreError> {
        let set = setting::settings(tx, room.as_str()).await?;
        let set = WORDS
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| set.contains_key(name));
        let set = set.collect();
        Ok(SettingsView::new(
            self.room_settings(tx, room.as_str()).await?,
            set,
        ))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: Value) -> Result<Vec<Change>, String> {
        changes(&serde_json::from_value(body).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn settings_are_words_switches_or_nothing() {
        let read_all =
            read(json!({ "threads": "reply", "notices": false, "membership": null, "metadata": "on" }));
        assert_eq!(
            read_all.unwrap(),
            [
                (SettingName::Membership, None),
                (SettingName::Metadata, Some("on")),
                (SettingName::Notices, Some("off")),
                (SettingName::Threads, Some("reply")),
            ]
        );
        for (body, error) in [
            (json!({ "colour": "red" }), "there is no setting \"colour\""),
            (json!({ "threads": true }), "threads cannot be \"on\""),
            (json!({ "notices": 3 }), "notices cannot be \"3\""),
        ] {
            assert_eq!(read(body).unwrap_err(), error);
        }
    }
}
