//! Files in actions that are about to be frozen: links in place of stand-ins, and Gitter's files on Matrix.

use std::collections::BTreeMap;

use ruma::{OwnedEventId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use tracing::{info, warn};
use url::Url;

use super::Delivery;
use crate::{
    bridge::{
        BridgeError,
        failure::{self, Decision},
        media::{self, Links, Source, UploadError},
        now,
    },
    store::{Attempt, StoreError, Tx},
    translate::{Context, GitterAction, MatrixAction, VirtualUserAction, to_gitter},
};

/// For how long after its arrival a message waits for a file that cannot be had at the moment, and between two
/// tries, in milliseconds.
const PATIENCE: i64 = 60_000;
const PAUSE: i64 = 5_000;

/// An action as it is frozen.
#[derive(Serialize)]
pub(super) struct Prepared {
    #[serde(flatten)]
    action: MatrixAction,
    #[serde(flatten)]
    note: Note,
}

/// What an item's line in the ledger says once it crossed; stored with the action, and for people only.
#[derive(Default, Serialize, Deserialize)]
struct Note {
    /// Why a text crosses in place of the file that it names; empty if none does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    file_left_out: String,
}

impl Prepared {
    /// An action whose file is on Matrix, or that has none.
    fn whole(action: MatrixAction) -> Self {
        let note = Note::default();
        Self { action, note }
    }

    /// An action whose text stands for its file.
    fn without_file(action: MatrixAction, why: &UploadError) -> Self {
        let file_left_out = format!("it crossed as text: {why}");
        Self {
            action: action.without_upload(),
            note: Note { file_left_out },
        }
    }

    /// Who acts.
    pub(super) fn sender(&self) -> String {
        self.action.sender().to_string()
    }
}

/// What the ledger is to say of an item whose action arrived.
pub(super) fn note_of(attempt: &Attempt) -> String {
    let note: Note = serde_json::from_str(&attempt.action).unwrap_or_default();
    note.file_left_out
}

/// What became of the files of actions.
pub(super) enum Uploads {
    /// They are on Matrix, or their texts stand for them.
    Made(Vec<Prepared>),
    /// One cannot be had from Gitter now.
    Wait { until: i64, why: String },
    /// The homeserver does not take one now.
    Failed { decision: Decision, why: String },
}

impl Delivery<'_> {
    /// Actions with links in place of their stand-ins. Without signed links, what they stand for is to be had on
    /// Matrix: the link leads to the event.
    pub(super) async fn with_links(
        self,
        tx: &mut Tx,
        event: &RawValue,
        mut actions: Vec<GitterAction>,
        context: &Context,
    ) -> Result<Vec<GitterAction>, BridgeError> {
        let plain = to_gitter::link_to_itself(event, context);
        let links = self.bridge.links.as_ref();
        for action in &mut actions {
            if let GitterAction::Send { text, .. } | GitterAction::Edit { text, .. } = action {
                let linked = match links {
                    Some(links) => self.linked(tx, links, text).await?,
                    None => None,
                };
                *text = linked.unwrap_or_else(|| to_gitter::without_media(text, &plain));
            }
            if let GitterAction::Send {
                virtual_user: Some(user),
                ..
            } = action
            {
                // Gitter knows no mxc addresses.
                user.avatar = match links {
                    Some(links) => avatar(tx, links, user).await?,
                    None => None,
                };
            }
        }
        Ok(actions)
    }

    /// A text with signed links; `None` if one of its stand-ins has none.
    async fn linked(self, tx: &mut Tx, links: &Links, text: &str) -> Result<Option<String>, BridgeError> {
        let stand_ins = to_gitter::stand_ins(text);
        if stand_ins.is_empty() {
            return Ok(Some(text.to_owned()));
        }
        let event: Value = serde_json::from_str(&self.item.body).unwrap_or(Value::Null);
        let new = event.pointer("/content/m.new_content");
        let Ok(event_id) = OwnedEventId::try_from(self.item.source_id.as_str()) else {
            return Ok(None);
        };
        let source = Source {
            gitter_room_id: &self.portal.gitter_room_id,
            matrix_room_id: &self.portal.matrix_room_id,
            event_id: &event_id,
            content: new.or_else(|| event.get("content")).unwrap_or(&Value::Null),
        };
        let mut made = BTreeMap::new();
        for stand_in in stand_ins {
            if let Some(link) = media::link(tx, links, stand_in, &source, now()).await? {
                made.insert(stand_in.to_owned(), link);
            }
        }
        Ok(to_gitter::with_links(text, &made))
    }

    /// Actions with Gitter's files put on Matrix. A file that is not to be had crosses as its message's text.
    pub(super) async fn with_uploads(self, actions: Vec<MatrixAction>) -> Result<Uploads, BridgeError> {
        let mut made = Vec::new();
        for action in actions {
            let Some(url) = action.upload().and_then(|url| Url::parse(url).ok()) else {
                made.push(Prepared::whole(action.without_upload()));
                continue;
            };
            match self.upload(&url, action.file_name()).await {
                Some(Ok(uploaded)) => {
                    let uploaded = self.with_thumbnail(uploaded, action.thumbnail()).await?;
                    let action = action.with_upload(|content| uploaded.complete(content));
                    made.push(Prepared::whole(action));
                }
                Some(Err(UploadError::Store(error))) => return Err(error.into()),
                Some(Err(error)) => {
                    if let Some(wait) = self.waits_for(&error) {
                        return Ok(wait);
                    }
                    warn!(item.source = self.item.source_id, error = %error, "A file crosses as text");
                    made.push(Prepared::without_file(action, &error));
                }
                // The bridge stops.
                None => {
                    return Ok(Uploads::Wait {
                        until: now(),
                        why: String::new(),
                    });
                }
            }
        }
        Ok(Uploads::Made(made))
    }

    /// A file with Gitter's small picture of it. It goes without where that is not to be had at once.
    async fn with_thumbnail(
        self,
        uploaded: media::Uploaded,
        address: Option<&str>,
    ) -> Result<media::Uploaded, BridgeError> {
        let Some(url) = address.and_then(|address| Url::parse(address).ok()) else {
            return Ok(uploaded);
        };
        match self.upload(&url, "thumbnail").await {
            Some(Ok(thumbnail)) => Ok(uploaded.with_thumbnail(&thumbnail)),
            Some(Err(UploadError::Store(error))) => Err(error.into()),
            Some(Err(error)) => {
                info!(item.source = self.item.source_id, error = %error, "A file crosses without its thumbnail");
                Ok(uploaded)
            }
            // The bridge stops.
            None => Ok(uploaded),
        }
    }

    /// What a message waits for whose file is not on Matrix; `None` if its text is to stand for the file.
    fn waits_for(self, error: &UploadError) -> Option<Uploads> {
        let now = now();
        match error {
            UploadError::File(error) => {
                let is_patient = error.is_transient() && now - self.item.created_at < PATIENCE;
                is_patient.then(|| Uploads::Wait {
                    until: now + PAUSE,
                    why: error.to_string(),
                })
            }
            UploadError::Matrix(error) => match failure::matrix_send(error, self.item.attempts + 1, now) {
                decision @ (Decision::PauseSide { .. } | Decision::Retry { .. }) => Some(Uploads::Failed {
                    decision,
                    why: error.to_string(),
                }),
                Decision::AwaitToken
                | Decision::BreakPortal
                | Decision::Skip(_)
                | Decision::Reject(_)
                | Decision::PauseAccount => None,
            },
            UploadError::Store(_) => None,
        }
    }

    /// Puts a file on Matrix as the bot: the ghost may not be there yet. `None` if the bridge stops meanwhile.
    async fn upload(self, url: &Url, name: &str) -> Option<Result<media::Uploaded, UploadError>> {
        let bridge = self.bridge;
        let bot = bridge.matrix.bot();
        let upload = media::upload(&bridge.db, &bridge.matrix, &bridge.files, bot, url, name, now());
        bridge.stop.run_until_cancelled(upload).await
    }
}

async fn avatar(tx: &mut Tx, links: &Links, user: &VirtualUserAction) -> Result<Option<String>, StoreError> {
    let Some(mxc) = user.avatar.as_deref().filter(|mxc| mxc.starts_with("mxc://")) else {
        return Ok(None);
    };
    match UserId::parse(format!("@{}", user.external_id)) {
        Ok(person) => media::avatar_link(tx, links, &person, mxc, now()).await,
        Err(_) => Ok(None),
    }
}
