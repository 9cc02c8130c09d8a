//! What it means that the homeserver refuses an event: the sender or the event, or the room as a whole.

use super::Delivery;
use crate::{
    bridge::{
        BridgeError,
        failure::Decision,
        life::{self, Refusal},
    },
    matrix::MatrixError,
    outcome::Reason,
};

/// When an item is looked at again whose room has changed, in milliseconds.
const SOON: i64 = 500;

impl Delivery<'_> {
    /// What is decided about a refusal, unless it is one of the whole room: then the item waits, for what becomes of
    /// its portal.
    pub(super) async fn unless_of_room(
        self,
        decision: Decision,
        error: &MatrixError,
    ) -> Result<Decision, BridgeError> {
        let is_refusal = error.is("M_FORBIDDEN") && matches!(decision, Decision::Reject(Reason::Forbidden));
        if !is_refusal {
            return Ok(decision);
        }
        Ok(match life::refusal(self.bridge, self.portal).await? {
            Refusal::OfRoom => Decision::Retry { after: SOON },
            Refusal::Meant => decision,
        })
    }
}
