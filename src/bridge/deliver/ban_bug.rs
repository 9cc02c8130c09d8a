//! The 500 that Gitter gives for every virtual user in a room where an account is banned (gitter-api 8): whoever is
//! not banned there speaks in the account's name meanwhile.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::Value;
use tracing::warn;

use super::{Delivery, to_gitter::Again};
use crate::{
    bridge::{BridgeError, echo, failure::Decision, now, worker::Step},
    gitter::{Class, GitterError},
    outcome::Reason,
    store::{Attempt, AttemptState, message},
    translate::GitterAction,
};

impl Delivery<'_> {
    /// The sender of the event, as Gitter knows its virtual user.
    pub(super) fn external_id(self) -> String {
        let event: Value = serde_json::from_str(&self.item.body).unwrap_or(Value::Null);
        let sender = event.get("sender").and_then(Value::as_str).unwrap_or_default();
        sender.trim_start_matches('@').to_owned()
    }

    /// What to do about a request that failed, if it is for that ban: the message is translated again without its
    /// virtual user; an edit of one becomes a correction. Only for the first action of an item: the other parts would
    /// come twice.
    pub(super) async fn despite_ban(
        self,
        attempt: &Attempt,
        error: &GitterError,
    ) -> Result<Option<Step>, BridgeError> {
        if error.status() != Some(StatusCode::INTERNAL_SERVER_ERROR) || attempt.position > 0 {
            return Ok(None);
        }
        let action = self.action::<GitterAction>(attempt)?;
        let room = &self.portal.gitter_room_id;
        let external_id = self.external_id();
        let for_virtual_user = match &action {
            GitterAction::Send { virtual_user, .. } => virtual_user.is_some(),
            GitterAction::Edit { message_id, .. } => {
                let mut tx = self.bridge.db.read().await?;
                let pairs = message::by_gitter_id(&mut tx, self.portal, message_id).await?;
                pairs.iter().any(|pair| pair.author == external_id)
            }
            GitterAction::Delete { .. } | GitterAction::Ban { .. } | GitterAction::Unban { .. } => false,
        };
        if !for_virtual_user {
            return Ok(None);
        }
        let Ok(bans) = self.bridge.gitter.bans(room, Class::Live).await else {
            return Ok(None);
        };
        if bans.iter().all(|ban| ban.virtual_user.is_some()) {
            return Ok(None);
        }
        let virtual_users = bans.into_iter().filter_map(|ban| ban.virtual_user);
        let banned: BTreeSet<String> = virtual_users
            .filter(|user| user.kind == echo::MATRIX)
            .map(|user| user.external_id)
            .collect();
        if banned.contains(&external_id) {
            let why = format!("{external_id} is banned in the Gitter room");
            let decision = Decision::Reject(Reason::Forbidden);
            return self
                .failed(attempt, AttemptState::Planned, decision, &why)
                .await
                .map(Some);
        }
        warn!(
            portal.uri = self.portal.gitter_uri,
            "An account is banned in a Gitter room, and Gitter fails for all virtual users there; they speak in the \
             bridge account's name. Gitter's later versions mend that"
        );
        self.bridge.ban_bugs.note(room, banned, now());
        let again = Again {
            past_window: matches!(action, GitterAction::Edit { .. }),
            without_virtual_user: true,
        };
        self.begin_to_gitter(again).await.map(Some)
    }
}
