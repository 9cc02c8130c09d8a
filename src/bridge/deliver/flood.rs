//! What one person sends beyond `bridge.flood_limit` does not go to Gitter.

use super::Delivery;
use crate::{
    bridge::{BridgeError, worker::Step},
    outcome::Reason,
    translate::GitterAction,
};

impl Delivery<'_> {
    /// Whether these actions are more than their sender may send now. Deletions always may.
    pub(super) fn floods(self, actions: &[GitterAction]) -> bool {
        let speaks =
            |action: &GitterAction| matches!(action, GitterAction::Send { .. } | GitterAction::Edit { .. });
        let limit = self.bridge.settings.flood_limit;
        actions.iter().any(speaks)
            && self
                .sender()
                .is_some_and(|sender| !self.bridge.floods.take(&sender, self.item, limit))
    }

    /// Skips a message too many, and tells its sender.
    pub(super) async fn skip_flood(self) -> Result<Step, BridgeError> {
        let limit = self.bridge.settings.flood_limit;
        let text = format!(
            "You send more messages than go to Gitter, which are {limit} a minute on average. Those beyond that stay \
             here: send again later what people there should see."
        );
        self.tell_sender(&text).await?;
        let why = format!("too many messages of one person: more than bridge.flood_limit, {limit} a minute");
        self.skip(Reason::NotAllowed, why).await
    }
}
