//! What the homeserver asks for clients that search other networks (application service API, "Third-party networks").

use std::collections::HashMap;

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    routing::get,
};
use serde_json::{Value, json};

use super::{
    appservice::{AppserviceState, failed},
    error::ApiError,
};
use crate::bridge::third_party::PROTOCOL;

type Parameters = Query<HashMap<String, String>>;
type Answer = Result<Json<Value>, ApiError>;

/// The endpoints below `/_matrix/app/v1/thirdparty`.
pub(super) fn router() -> Router<AppserviceState> {
    Router::new()
        .route("/protocol/{protocol}", get(protocol))
        .route("/location/{protocol}", get(locations))
        .route("/location", get(location_of))
        .route("/user/{protocol}", get(people))
        .route("/user", get(person_of))
}

async fn protocol(State(state): State<AppserviceState>, Path(protocol): Path<String>) -> Answer {
    only_gitter(&protocol)?;
    let web_url = &state.bridge()?.settings.web_url;
    let host = web_url.host_str().unwrap_or_default();
    Ok(Json(json!({
        "user_fields": ["username"],
        "location_fields": ["room"],
        "icon": "",
        "field_types": {
            "username": { "regexp": "[^\\s/]+", "placeholder": "username" },
            "room": { "regexp": "[^\\s/]+(/[^\\s/]+)+", "placeholder": "group/room" },
        },
        "instances": [{
            "desc": format!("Gitter ({host})"),
            "network_id": PROTOCOL,
            "fields": {},
        }],
    })))
}

async fn locations(
    State(state): State<AppserviceState>,
    Path(protocol): Path<String>,
    Query(parameters): Parameters,
) -> Answer {
    only_gitter(&protocol)?;
    let Some(room) = given(&parameters, "room") else {
        return Ok(Json(json!([])));
    };
    let found = state.bridge()?.search_rooms(room).await;
    Ok(Json(json!(found.map_err(|failure| failed(&failure))?)))
}

async fn location_of(State(state): State<AppserviceState>, Query(parameters): Parameters) -> Answer {
    let Some(alias) = given(&parameters, "alias") else {
        return Ok(Json(json!([])));
    };
    let found = state.bridge()?.room_with_alias(alias).await;
    let found: Vec<_> = found.map_err(|failure| failed(&failure))?.into_iter().collect();
    Ok(Json(json!(found)))
}

async fn people(
    State(state): State<AppserviceState>,
    Path(protocol): Path<String>,
    Query(parameters): Parameters,
) -> Answer {
    only_gitter(&protocol)?;
    let Some(username) = given(&parameters, "username") else {
        return Ok(Json(json!([])));
    };
    let found = state.bridge()?.people_named(username).await;
    Ok(Json(json!(found.map_err(|failure| failed(&failure))?)))
}

async fn person_of(State(state): State<AppserviceState>, Query(parameters): Parameters) -> Answer {
    let Some(user) = given(&parameters, "userid") else {
        return Ok(Json(json!([])));
    };
    let found = state.bridge()?.person_of(user).await;
    let found: Vec<_> = found.map_err(|failure| failed(&failure))?.into_iter().collect();
    Ok(Json(json!(found)))
}

fn given<'a>(parameters: &'a HashMap<String, String>, name: &str) -> Option<&'a str> {
    let given = parameters.get(name).map(|given| given.trim());
    given.filter(|given| !given.is_empty())
}

fn only_gitter(protocol: &str) -> Result<(), ApiError> {
    if protocol == PROTOCOL {
        return Ok(());
    }
    let error = format!("there is no protocol {protocol}");
    Err(ApiError::new(StatusCode::NOT_FOUND, "M_NOT_FOUND", error))
}
