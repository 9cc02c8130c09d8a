//! Matrix events to Gitter messages.

use serde_json::value::RawValue;

use super::{Context, GitterAction, Translation};
use crate::outcome::Reason;

/// Translates an event, as the homeserver pushed it.
pub fn translate(event: &RawValue, context: &Context) -> Translation<GitterAction> {
    let _ = (event, context);
    Translation::skip(Reason::NotTranslated, "")
}
