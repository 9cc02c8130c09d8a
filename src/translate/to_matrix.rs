//! Gitter messages to Matrix events.

use serde::Deserialize;
use serde_json::Value;

use super::{Context, MatrixAction, Translation};
use crate::outcome::Reason;

/// What happened to a Gitter message, as its realtime channel says it (gitter-api 7.4).
#[derive(Debug, Clone, Deserialize)]
pub struct Operation {
    /// `create`, `update`, `patch` or `remove`.
    pub operation: String,
    /// The message; for `remove` only its id.
    pub model: Value,
}

/// Translates what happened to a Gitter message.
pub fn translate(operation: &Operation, context: &Context) -> Translation<MatrixAction> {
    let _ = (operation, context);
    Translation::skip(Reason::NotTranslated, "")
}
