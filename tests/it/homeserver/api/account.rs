//! The homeserver itself, users, devices, profiles, uploads.

use std::{sync::Arc, time::Instant};

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
};
use reqwest::Client;
use ruma::{OwnedUserId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Authenticated, Caller};
use crate::homeserver::{
    Shared,
    error::{Refusal, forbidden, refuse, unrecognized},
};

pub(super) async fn versions() -> Json<Value> {
    Json(json!({ "versions": ["v1.1", "v1.7", "v1.11"] }))
}

#[derive(Deserialize)]
pub(super) struct Registration {
    #[serde(rename = "type")]
    login_type: Option<String>,
    username: String,
    #[serde(default)]
    inhibit_login: bool,
}

/// Needs no `?user_id=`: whoever is registered does not exist yet.
pub(super) async fn register(
    State(shared): State<Arc<Shared>>,
    _: Authenticated,
    Json(request): Json<Registration>,
) -> Result<Json<Value>, Refusal> {
    if request.login_type.as_deref() != Some("m.login.application_service") {
        return Err(forbidden("Registration has been disabled"));
    }
    if !request.inhibit_login {
        let error = "Registering with a login is not allowed for this application service";
        return Err(refuse(400, "M_APPSERVICE_LOGIN_UNSUPPORTED", error));
    }
    let user = shared.change(|world| world.register(&request.username))?;
    Ok(Json(json!({ "user_id": user })))
}

pub(super) async fn whoami(caller: Caller) -> Json<Value> {
    let mut answer = json!({ "user_id": caller.user, "is_guest": false });
    if let Some(device) = caller.device {
        answer["device_id"] = device.into();
    }
    Json(answer)
}

pub(super) async fn create_device(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path(device): Path<String>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    shared.change(|world| {
        if !world.settings.devices {
            return Err(unrecognized());
        }
        let new = world.add_device(&caller.user, device);
        let status = if new { StatusCode::CREATED } else { StatusCode::OK };
        Ok((status, Json(json!({}))))
    })
}

pub(super) async fn set_profile(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((user, field)): Path<(OwnedUserId, String)>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Refusal> {
    if user != caller.user {
        return Err(refuse(400, "M_FORBIDDEN", "Cannot set another user's profile"));
    }
    shared.change(|world| world.set_profile(&user, &field, &body[&field]))?;
    Ok(Json(json!({})))
}

pub(super) async fn account_data(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((user, event_type)): Path<(OwnedUserId, String)>,
) -> Result<Json<Value>, Refusal> {
    own(&user, &caller)?;
    let data = shared.world().account_data(&user, &event_type);
    data.map(Json)
        .ok_or_else(|| refuse(404, "M_NOT_FOUND", "Account data not found"))
}

pub(super) async fn set_account_data(
    State(shared): State<Arc<Shared>>,
    caller: Caller,
    Path((user, event_type)): Path<(OwnedUserId, String)>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Refusal> {
    own(&user, &caller)?;
    shared.change(|world| world.set_account_data(&user, event_type, body));
    Ok(Json(json!({})))
}

fn own(user: &UserId, caller: &Caller) -> Result<(), Refusal> {
    if *user == caller.user {
        return Ok(());
    }
    Err(forbidden("Cannot get account data for other users."))
}

pub(super) async fn upload(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Json<Value> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or("application/octet-stream").to_owned();
    let uri = shared.change(|world| world.add_media(content_type, body.to_vec()));
    Json(json!({ "content_uri": uri }))
}

/// Calls the application service back, and ends the pause before a transaction is repeated.
pub(super) async fn ping(
    State(shared): State<Arc<Shared>>,
    _: Caller,
    Path(appservice_id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Refusal> {
    let (appservice, settings) = {
        let world = shared.world();
        (world.appservice.clone(), world.settings.clone())
    };
    if appservice_id != settings.appservice_id {
        return Err(forbidden("Mismatching application service ID in path"));
    }
    let Some(appservice) = appservice else {
        return Err(refuse(
            400,
            "M_URL_NOT_SET",
            "The application service does not have a URL set",
        ));
    };
    let url = format!(
        "{}/_matrix/app/v1/ping",
        appservice.as_str().trim_end_matches('/')
    );
    let start = Instant::now();
    let answer = Client::new()
        .post(url)
        .bearer_auth(settings.hs_token)
        .json(&body)
        .send()
        .await
        .map_err(|error| refuse(502, "M_CONNECTION_FAILED", error.without_url().to_string()))?;
    if !answer.status().is_success() {
        return Err(refuse(502, "M_BAD_STATUS", format!("HTTP {}", answer.status())));
    }
    shared.push_now.notify_one();
    Ok(Json(json!({ "duration_ms": start.elapsed().as_millis() })))
}
