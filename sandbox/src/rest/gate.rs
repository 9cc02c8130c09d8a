//! What every API request passes before its handler: sizes, token, budget (gitter-api 2 and 3.1).

use std::{collections::HashMap, sync::Arc};

use axum::{
    body,
    extract::{Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{
    refusal::Refusal,
    server::Server,
    state::{Caller, Charge},
};

/// The most bytes of a request body.
const MAX_BODY: usize = 100 * 1024;

/// The JSON of a request body; an empty object where there is none.
#[derive(Debug, Clone)]
pub(super) struct Body(pub(super) Value);

/// Lets a request through to its handler, with its [`Caller`] and [`Body`] as extensions.
///
/// What fails before the token is known costs no budget; all the rest does, refusals included.
pub(super) async fn admit(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let (mut request, caller) = match identify(&server, request).await {
        Ok(identified) => identified,
        Err(refusal) => return refusal.into_response(),
    };
    let charge = server.lock().charge(server.now(), &caller);
    request.extensions_mut().insert(caller);
    let mut response = if charge.is_some_and(|charge| charge.exceeded) {
        Refusal::too_many("the budget of this account and client is spent").into_response()
    } else {
        next.run(request).await
    };
    if let Some(charge) = charge {
        add_budget_headers(response.headers_mut(), charge);
    }
    response
}

/// Reads a request's body, and finds out whose it is.
pub(super) async fn identify(server: &Server, request: Request) -> Result<(Request, Caller), Refusal> {
    if request.headers().contains_key(header::TRANSFER_ENCODING) {
        return Err(Refusal {
            status: StatusCode::NOT_ACCEPTABLE,
            reason: "the body has no length given before",
        });
    }
    let (parts, body) = request.into_parts();
    let Ok(bytes) = body::to_bytes(body, MAX_BODY).await else {
        return Err(Refusal::too_large("the body is too large"));
    };
    let body = read_body(&parts.headers, &bytes)?;
    let mut request = Request::from_parts(parts, body::Body::empty());
    request.extensions_mut().insert(Body(body));

    let unauthorized = Refusal {
        status: StatusCode::UNAUTHORIZED,
        reason: "there is no valid access token",
    };
    let token = token(&request)?.ok_or(unauthorized)?;
    let caller = server.lock().caller(&token).ok_or(unauthorized)?;
    Ok((request, caller))
}

/// Only bodies that say they are JSON are read.
fn read_body(headers: &HeaderMap, bytes: &[u8]) -> Result<Value, Refusal> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let is_json = content_type.is_some_and(|value| value.starts_with("application/json"));
    if !is_json || bytes.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(bytes).map_err(|_| Refusal::bad_request("the body is not JSON"))
}

/// The token of a request, from whichever of the three places it was put in; they may not disagree.
fn token(request: &Request) -> Result<Option<String>, Refusal> {
    let header = |name: &str| {
        let value = request.headers().get(name)?;
        Some(value.to_str().unwrap_or_default().to_owned())
    };
    let bearer = match header("authorization") {
        None => None,
        Some(value) => match value.split(' ').collect::<Vec<_>>()[..] {
            [scheme, token] => scheme.eq_ignore_ascii_case("bearer").then(|| token.to_owned()),
            _ => return Err(Refusal::bad_request("the Authorization header is not two words")),
        },
    };
    let query: Option<Query<HashMap<String, String>>> = Query::try_from_uri(request.uri()).ok();
    let in_query = query.and_then(|Query(mut query)| query.remove("access_token"));
    let mut given = [bearer, header("x-access-token"), in_query].into_iter().flatten();
    let first = given.next();
    if given.any(|other| Some(other) != first) {
        return Err(Refusal::bad_request("two different tokens are given"));
    }
    Ok(first)
}

fn add_budget_headers(headers: &mut HeaderMap, charge: Charge) {
    headers.insert("x-ratelimit-limit", HeaderValue::from(charge.limit));
    headers.insert("x-ratelimit-remaining", HeaderValue::from(charge.remaining));
    headers.insert("x-ratelimit-reset", HeaderValue::from(charge.reset));
}
