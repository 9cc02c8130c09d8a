//! Into the status page and out of it.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Form,
    extract::{FromRequest as _, Request, State, rejection::FormRejection},
    http::{
        HeaderMap, StatusCode,
        header::{RETRY_AFTER, SET_COOKIE},
    },
    response::{IntoResponse, Redirect, Response},
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::time::timeout;
use tracing::{info, warn};

use super::{
    Page, answer,
    guard::{cookie, is_same_origin, set_cookie},
    items,
    session::LIFETIME,
    view,
};

/// How many wrong tokens a minute are looked at, whoever sends them.
const WRONG: u32 = 10;

/// How long they count.
const WHILE: SignedDuration = SignedDuration::from_mins(1);

/// How long the form of the login may take to come: anybody may send it, and it keeps a place of the listener.
const PATIENCE: Duration = Duration::from_secs(15);

/// The wrong tokens of the last minute. Nobody guesses 256 bits; an operator's own short token may be another matter.
#[derive(Debug, Default)]
pub(super) struct Tries(Mutex<(u32, Timestamp)>);

impl Tries {
    /// Whether a token may be looked at now.
    fn are_left(&self, now: Timestamp) -> bool {
        let wrong = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.0 < WRONG || now.duration_since(wrong.1) >= WHILE
    }

    fn was_wrong(&self, now: Timestamp) {
        let mut wrong = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(wrong.1) >= WHILE {
            *wrong = (0, now);
        }
        wrong.0 += 1;
    }
}

/// What the form of the login holds.
#[derive(Deserialize)]
pub(super) struct Given {
    token: String,
}

/// What the form of the way out holds.
#[derive(Deserialize)]
pub(super) struct Leaving {
    form_token: String,
}

/// Asks for the token; who has a session goes on.
pub(super) async fn ask(State(page): State<Page>, headers: HeaderMap) -> Response {
    let session = cookie(&headers).and_then(|cookie| page.sessions.find(cookie, Timestamp::now()));
    if session.is_some() {
        return Redirect::to("./").into_response();
    }
    answer(StatusCode::OK, view::login(&page.about, None))
}

/// Begins a session.
pub(super) async fn login(State(page): State<Page>, headers: HeaderMap, request: Request) -> Response {
    let refuse = |status, why| answer(status, view::login(&page.about, Some(why)));
    if !is_same_origin(&headers) {
        return refuse(StatusCode::FORBIDDEN, "This form came from another site.");
    }
    let given = match read(request).await {
        Ok(given) => given,
        Err((status, why)) => return refuse(status, why),
    };
    let now = Timestamp::now();
    if !page.tries.are_left(now) {
        let mut busy = refuse(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many wrong tokens. Try again in a minute.",
        );
        busy.headers_mut().insert(RETRY_AFTER, 60.into());
        return busy;
    }
    if !page.sessions.is_token(given.token.trim()) {
        page.tries.was_wrong(now);
        warn!("Somebody gave a wrong token to the status page");
        return refuse(StatusCode::UNAUTHORIZED, "That is not the admin token.");
    }
    info!("Somebody logged in to the status page");
    let value = page.sessions.begin(now, rand::random());
    let cookie = set_cookie(&headers, &value, LIFETIME.as_secs());
    ([(SET_COOKIE, cookie)], Redirect::to("./")).into_response()
}

/// The form of the login, or why there is none.
async fn read(request: Request) -> Result<Given, (StatusCode, &'static str)> {
    match timeout(PATIENCE, Form::from_request(request, &())).await {
        Ok(Ok(Form(given))) => Ok(given),
        Ok(Err(_)) => Err((StatusCode::BAD_REQUEST, "The form could not be read.")),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "The form did not come in time.")),
    }
}

/// Ends a session, in this browser.
pub(super) async fn logout(
    State(page): State<Page>,
    axum::Extension(session): axum::Extension<super::Session>,
    headers: HeaderMap,
    leaving: Result<Form<Leaving>, FormRejection>,
) -> Response {
    let form_token = leaving.as_ref().map_or("", |leaving| &leaving.form_token);
    if let Err(refusal) = items::check(&page, &session, &headers, form_token) {
        return *refusal;
    }
    let cookie = set_cookie(&headers, "", 0);
    ([(SET_COOKIE, cookie)], Redirect::to("login")).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, Bytes};
    use futures_util::stream;

    use super::*;

    fn form(body: Body) -> Request {
        Request::post("/login")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_that_does_not_come_is_not_waited_for_long() {
        let given = read(form(Body::from("token=t"))).await;
        assert!(given.is_ok_and(|given| given.token == "t"));
        let never = Body::from_stream(stream::pending::<Result<Bytes, axum::Error>>());
        let read = timeout(2 * PATIENCE, read(form(never))).await.unwrap();
        assert_eq!(read.err().unwrap().0, StatusCode::REQUEST_TIMEOUT);
    }

    #[test]
    fn ten_wrong_tokens_a_minute_are_looked_at() {
        let (tries, start) = (Tries::default(), Timestamp::from_second(1_000).unwrap());
        for _ in 0..WRONG {
            assert!(tries.are_left(start));
            tries.was_wrong(start);
        }
        assert!(!tries.are_left(start + SignedDuration::from_secs(59)));
        let later = start + WHILE;
        assert!(tries.are_left(later));
        tries.was_wrong(later);
        assert!(tries.are_left(later));
    }
}
