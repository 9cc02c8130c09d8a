//! What stops the flow for a moment. Nothing here is an outcome of an item.

use crate::{
    gitter::{GitterError, PictureError},
    matrix::MatrixError,
    store::StoreError,
};

/// An error that is nobody's item's fault: the database, or a side that could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The homeserver.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
    /// Gitter.
    #[error(transparent)]
    Gitter(#[from] GitterError),
    /// A picture of a Gitter user.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A stored attempt cannot be read.
    #[error("the stored action of item {item} cannot be read: {source}")]
    StoredAction {
        /// The item's place.
        item: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}
