//! The client-server API, as an application service uses it.

mod account;
mod ban;
mod create;
mod event;
mod media;
mod room;

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequestParts, Query},
    http::{header::AUTHORIZATION, request::Parts},
    middleware,
    routing::{get, post, put},
};
use ruma::OwnedUserId;

use super::{
    Shared,
    error::{Refusal, forbidden, refuse, unrecognized},
    fault,
};

type Parameters = HashMap<String, String>;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    let rooms = Router::new()
        .route("/invite", post(room::invite))
        .route("/join", post(room::join))
        .route("/leave", post(room::leave))
        .route("/ban", post(ban::ban))
        .route("/unban", post(ban::unban))
        .route("/joined_members", get(room::joined_members))
        .route("/state", get(room::whole_state))
        .route("/state/{type}/", get(room::state).put(room::set_state))
        .route("/state/{type}/{key}", get(room::state).put(room::set_state))
        .route("/send/{type}/{transaction}", put(event::send))
        .route("/redact/{event}/{transaction}", put(event::redact))
        .route("/receipt/{type}/{event}", post(room::receipt))
        .route("/event/{event}", get(event::event))
        .route("/messages", get(event::messages));
    let client = Router::new()
        .route("/register", post(account::register))
        .route("/account/whoami", get(account::whoami))
        .route("/devices/{device}", put(account::create_device))
        .route("/profile/{user}/{field}", put(account::set_profile))
        .route(
            "/user/{user}/account_data/{type}",
            get(account::account_data).put(account::set_account_data),
        )
        .route("/join/{room}", post(room::join))
        .route("/createRoom", post(create::create))
        .route(
            "/directory/room/{alias}",
            get(room::resolve_alias)
                .put(create::create_alias)
                .delete(create::delete_alias),
        )
        .nest("/rooms/{room}", rooms);
    Router::new()
        .route("/_matrix/client/versions", get(account::versions))
        .route("/_matrix/client/v1/appservice/{id}/ping", post(account::ping))
        .route("/_matrix/media/v3/upload", post(account::upload))
        .route("/_matrix/client/v1/media/config", get(media::config))
        .route(
            "/_matrix/client/v1/media/download/{server}/{id}",
            get(media::download),
        )
        .route(
            "/_matrix/client/v1/media/thumbnail/{server}/{id}",
            get(media::thumbnail),
        )
        .nest("/_matrix/client/v3", client)
        .fallback(async || unrecognized())
        .layer(DefaultBodyLimit::max(64 * 1024 * 1024))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), fault::layer))
        .with_state(shared)
}

/// The application service's token was right; the request is as yet nobody's.
struct Authenticated;

impl FromRequestParts<Arc<Shared>> for Authenticated {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let expected = format!("Bearer {}", shared.world().settings.as_token);
        match parts.headers.get(AUTHORIZATION) {
            None => Err(refuse(401, "M_MISSING_TOKEN", "Missing access token")),
            Some(value) if value == &expected => Ok(Self),
            Some(_) => Err(refuse(401, "M_UNKNOWN_TOKEN", "Invalid access token passed.")),
        }
    }
}

/// For whom the application service acts: the bot, or the user that `?user_id=` names.
struct Caller {
    user: OwnedUserId,
    device: Option<String>,
}

impl FromRequestParts<Arc<Shared>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        Authenticated::from_request_parts(parts, shared).await?;
        let Query(parameters) = Query::<Parameters>::try_from_uri(&parts.uri).unwrap_or_default();
        let world = shared.world();
        let user = match parameters.get("user_id") {
            None => world.user_id(&world.settings.sender_localpart),
            Some(id) => OwnedUserId::try_from(id.as_str()).map_err(|_| forbidden("Not a user id"))?,
        };
        if !world.is_of_appservice(&user) {
            let error = format!("Application service cannot masquerade as this user ({user}).");
            return Err(forbidden(error));
        }
        if !world.is_registered(&user) && !world.is_bot(&user) {
            let error = format!("Application service has not registered this user ({user})");
            return Err(forbidden(error));
        }
        let device = parameters.get("device_id").filter(|_| world.settings.devices);
        if let Some(device) = device.filter(|device| !world.has_device(&user, device)) {
            let error = format!(
                "Application service trying to use a device that doesn't exist ('{device}' for {user})"
            );
            return Err(refuse(400, "M_UNKNOWN_DEVICE", error));
        }
        Ok(Self {
            user,
            device: device.cloned(),
        })
    }
}
