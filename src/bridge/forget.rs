//! Forgets a person, as they or the law may ask: names, pictures and what they said, in the bridge's database.
//!
//! It sends nothing: what is on the homeserver and on Gitter stays there. docs/ledger.md says what stays here.

use ruma::{OwnedUserId, UserId};
use serde::Serialize;
use serde_json::Value;
use tracing::info;

use super::{Bridge, BridgeError, echo, ledger::LedgerError};
use crate::{
    ids::{GitterUserId, external_id},
    model,
    store::{
        Direction, Ghost, StoreError, command,
        forget::{self, Mentioning},
        ghost,
        inbox::ItemState,
    },
};

/// Items that are read at once.
const BATCH: i64 = 200;

/// How much of a person was forgotten.
#[derive(Debug, Clone, Serialize)]
pub struct Forgotten {
    user: String,
    /// Items whose texts are gone.
    items: u64,
    /// Messages whose texts are gone from the map.
    messages: u64,
    /// Links that lead nowhere now.
    links: u64,
    /// Rooms in which name and picture were known.
    rooms: u64,
    /// Items that still have to cross, and so keep what they say until then.
    waiting: u64,
}

/// Somebody of whom there may be traces on either side.
struct Person {
    /// The Matrix user, or the ghost.
    user_id: Option<OwnedUserId>,
    /// The Gitter user.
    gitter_id: Option<GitterUserId>,
    ghost: Option<Ghost>,
}

impl Bridge {
    /// Forgets a Matrix user, or a Gitter user by id or by ghost.
    pub async fn forget(&self, user: &str) -> Result<Forgotten, LedgerError> {
        let person = self.person(user).await?;
        let mut forgotten = Forgotten {
            user: user.to_owned(),
            items: 0,
            messages: 0,
            links: 0,
            rooms: 0,
            waiting: 0,
        };
        self.forget_items(&person, &mut forgotten).await?;
        if let Some(user_id) = &person.user_id {
            let mut tx = self.db.write().await?;
            forgotten.links = forget::forget_links(&mut tx, user_id).await?;
            tx.commit().await?;
            loop {
                let mut tx = self.db.write().await?;
                let messages = forget::forget_texts(&mut tx, user_id).await?;
                tx.commit().await?;
                if messages == 0 {
                    break;
                }
                forgotten.messages += messages;
            }
        }
        let mut tx = self.db.write().await?;
        forgotten.rooms = match (&person.ghost, &person.user_id) {
            (Some(ghost), _) => forget::forget_ghost(&mut tx, ghost).await?,
            (None, Some(user_id)) => {
                // That they opted out stays: without it they would be bridged again when they next speak.
                command::forget(&mut tx, user_id).await?;
                forget::forget_member(&mut tx, user_id).await?
            }
            (None, None) => 0,
        };
        tx.commit().await?;
        info!(
            user.id = user,
            items = forgotten.items,
            "An operator let a person be forgotten"
        );
        Ok(forgotten)
    }

    async fn person(&self, user: &str) -> Result<Person, LedgerError> {
        let mut tx = self.db.read().await?;
        if let Ok(user_id) = UserId::parse(user) {
            let ghost = ghost::ghost_by_user_id(&mut tx, &user_id).await?;
            return Ok(Person {
                user_id: Some(user_id),
                gitter_id: ghost.as_ref().map(|ghost| ghost.gitter_user_id.clone()),
                ghost,
            });
        }
        let gitter_id: GitterUserId = user.parse().map_err(|_| LedgerError::Invalid {
            error: format!("{user:?} is no id of a Matrix user or of a Gitter user"),
            mend: "give a Matrix id such as @ana:example.org, or a Gitter user's id; a user name is not enough, \
                   since names change",
        })?;
        let ghost = ghost::ghost_by_id(&mut tx, &gitter_id).await?;
        Ok(Person {
            user_id: ghost.as_ref().map(|ghost| ghost.user_id.clone()),
            gitter_id: Some(gitter_id),
            ghost,
        })
    }

    async fn forget_items(&self, person: &Person, forgotten: &mut Forgotten) -> Result<(), BridgeError> {
        let mut last = None;
        loop {
            let mut tx = self.db.read().await?;
            let found = forget::mentioning(&mut tx, person.trace(), last.as_ref(), BATCH).await?;
            drop(tx);
            let Some(newest) = found.last() else {
                return Ok(());
            };
            last = Some(newest.place.clone());
            let theirs: Vec<Mentioning> = found.into_iter().filter(|item| person.wrote(item)).collect();
            self.forget_batch(&theirs, forgotten).await?;
        }
    }

    /// In the order of their places, which is that of the lanes everywhere.
    async fn forget_batch(&self, items: &[Mentioning], forgotten: &mut Forgotten) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        for item in items {
            if item.state == ItemState::Settled {
                forget::forget_item(&mut tx, &item.place).await?;
                forgotten.items += 1;
            } else {
                forgotten.waiting += 1;
            }
        }
        tx.commit().await
    }
}

impl Person {
    /// What every body holds that is of this person: ids of ghosts hold those of their users.
    fn trace(&self) -> &str {
        match (&self.gitter_id, &self.user_id) {
            (Some(gitter_id), _) => gitter_id.as_str(),
            (None, Some(user_id)) => external_id(user_id),
            (None, None) => "",
        }
    }

    /// Whether an item is of this person: a message or an event, an echo of one, or a membership. Where that
    /// cannot be read it is taken to be.
    fn wrote(&self, item: &Mentioning) -> bool {
        match item.place.lane.direction {
            Direction::ToGitter => {
                let event: Value = serde_json::from_str(&item.body).unwrap_or_default();
                let own = self.user_id.as_deref().map(UserId::as_str);
                let user = |key: &str| event.get(key).and_then(Value::as_str);
                let is_member = item.operation == "m.room.member" && user("state_key") == own;
                user("sender").is_none_or(|sender| Some(sender) == own || is_member)
            }
            Direction::ToMatrix => serde_json::from_str::<model::Message>(&item.body)
                .map_or(true, |message| self.posted(&message)),
        }
    }

    fn posted(&self, message: &model::Message) -> bool {
        if let Some(user) = &message.virtual_user {
            let own = self.user_id.as_deref().map(external_id);
            return user.kind == echo::MATRIX && Some(user.external_id.as_str()) == own;
        }
        let own = self.gitter_id.as_ref().map(GitterUserId::as_str);
        message
            .from_user
            .as_ref()
            .is_some_and(|author| Some(author.id.as_str()) == own)
    }
}
