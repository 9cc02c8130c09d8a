//! What operators do with items on the status page: another try, and an end, which is asked for twice.

use axum::{
    Extension, Form,
    extract::{
        Query, State,
        rejection::{FormRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{Page, answer, guard::is_same_origin, session::Session, view};
use crate::{bridge::ledger::LedgerError, http::error::ApiError};

/// What a form about an item holds.
#[derive(Deserialize)]
pub(super) struct About {
    item: String,
    form_token: String,
}

/// Which item an address means.
#[derive(Deserialize)]
pub(super) struct Meant {
    item: String,
}

/// What came of what was done last, by the word in the address.
pub(super) fn notice(done: &str) -> Option<&'static str> {
    match done {
        "retried" => Some("The message is tried again now."),
        "dropped" => Some("The message was dropped: it is not tried any more."),
        _ => None,
    }
}

/// Whether a form is of this session, and of this page.
pub(super) fn check(
    page: &Page,
    session: &Session,
    headers: &HeaderMap,
    form_token: &str,
) -> Result<(), Box<Response>> {
    if is_same_origin(headers) && session.has_sent(form_token) {
        return Ok(());
    }
    Err(Box::new(page.problem(
        StatusCode::FORBIDDEN,
        "The form is not one of this session's.",
        Some("go back to the status, and try it there"),
    )))
}

/// Lets an item be tried again.
pub(super) async fn retry(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    headers: HeaderMap,
    form: Result<Form<About>, FormRejection>,
) -> Response {
    change(&page, &session, &headers, form, true).await
}

/// Takes an item out.
pub(super) async fn drop_item(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    headers: HeaderMap,
    form: Result<Form<About>, FormRejection>,
) -> Response {
    change(&page, &session, &headers, form, false).await
}

async fn change(
    page: &Page,
    session: &Session,
    headers: &HeaderMap,
    form: Result<Form<About>, FormRejection>,
    again: bool,
) -> Response {
    let Ok(Form(form)) = form else {
        return page.problem(StatusCode::BAD_REQUEST, "The form could not be read.", None);
    };
    if let Err(refusal) = check(page, session, headers, &form.form_token) {
        return *refusal;
    }
    let bridge = match page.bridge() {
        Ok(bridge) => bridge,
        Err(starting) => return *starting,
    };
    let (changed, done) = if again {
        (bridge.retry_item(&form.item).await, "./?done=retried")
    } else {
        (bridge.drop_item(&form.item).await, "./?done=dropped")
    };
    match changed {
        Ok(()) => Redirect::to(done).into_response(),
        Err(error) => refused(page, error),
    }
}

/// Asks again before an item is dropped.
pub(super) async fn ask_to_drop(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    meant: Result<Query<Meant>, QueryRejection>,
) -> Response {
    let bridge = match page.bridge() {
        Ok(bridge) => bridge,
        Err(starting) => return *starting,
    };
    let meant = meant.map(|Query(meant)| meant.item).unwrap_or_default();
    let explained = match bridge.explain(&meant).await {
        Ok(explained) => explained,
        Err(error) => return refused(&page, error),
    };
    let Some(item) = explained.items().iter().find(|item| item.id() == meant) else {
        return page.problem(StatusCode::NOT_FOUND, "There is no such item.", None);
    };
    let portal = match item.room() {
        Some(room) => bridge.portal(room).await.ok(),
        None => None,
    };
    let room = portal.as_ref().map(|portal| portal.gitter_uri.as_str());
    let asked = view::confirm_drop(&page.about, item, room, &session.form_token);
    answer(StatusCode::OK, asked)
}

/// The admin API's answer, as a page.
fn refused(page: &Page, error: LedgerError) -> Response {
    let error = ApiError::from(error);
    page.problem(error.status, &error.error, error.mend.as_deref())
}
