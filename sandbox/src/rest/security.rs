//! The API of who administers rooms (gitter-api 4.3).

use axum::{
    Extension, Json,
    extract::{Path, State},
};

use super::{Answer, Shared};
use crate::state::Caller;

/// `GET rooms/{room}/security/extraAdmins`: the admins that the room names itself.
pub(super) async fn extra_admins(
    State(server): Shared,
    Extension(caller): Extension<Caller>,
    Path(room): Path<String>,
) -> Answer {
    let admins = server.lock().extra_admins(&caller, &room)?;
    Ok(Json(admins.into()))
}
