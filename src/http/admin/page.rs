//! The status page (DESIGN 6.3): what operators see of the bridge in a browser.
//!
//! It asks the same as the admin API does, and shows it. Links in it are relative and one level deep, so it works behind
//! a proxy that adds a path. It works without scripts; with them it keeps itself up to date.

mod files;
mod guard;
mod items;
mod live;
mod login;
mod session;
mod view;

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Query, Request, State, rejection::QueryRejection},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use jiff::Timestamp;
use maud::Markup;
use serde::Deserialize;
use tracing::error;

use self::{
    live::Live,
    login::Tries,
    session::{Session, Sessions},
    view::{About, Shown},
};
use super::AdminState;
use crate::{
    bridge::{Bridge, BridgeError, overview::Overview},
    health::HealthView,
};

/// The largest form.
const FORM: usize = 16 * 1024;

/// What the handlers need.
#[derive(Clone)]
struct Page {
    admin: AdminState,
    sessions: Arc<Sessions>,
    tries: Arc<Tries>,
    live: Arc<Live>,
    about: Arc<About>,
}

impl Page {
    fn new(admin: &AdminState) -> Self {
        Self {
            admin: admin.clone(),
            sessions: Arc::new(Sessions::new(admin.token.clone())),
            tries: Arc::default(),
            live: Arc::default(),
            about: Arc::new(About {
                server_name: admin.config.homeserver.server_name.to_string(),
                started: admin.started_at,
                version: crate::VERSION,
            }),
        }
    }

    /// Everything as it is now.
    async fn glance(&self, bridge: &Bridge) -> Result<Glance, BridgeError> {
        Ok(Glance {
            overview: bridge.overview().await?,
            health: self.admin.health.view(),
        })
    }

    /// The bridge, or the page that says that it still starts.
    fn bridge(&self) -> Result<&Arc<Bridge>, Box<Response>> {
        let bridge = self.admin.bridge.get();
        bridge.ok_or_else(|| {
            let starting = view::starting(&self.about);
            Box::new(answer(StatusCode::SERVICE_UNAVAILABLE, starting))
        })
    }

    /// The page that says what did not work.
    fn problem(&self, status: StatusCode, error: &str, mend: Option<&str>) -> Response {
        answer(status, view::problem(&self.about, error, mend))
    }

    fn database_failed(&self, failure: &BridgeError) -> Response {
        error!(error = %failure, "The status page could not be made");
        let mend = "look at the bridge's log, and try again";
        self.problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The database failed.",
            Some(mend),
        )
    }
}

/// Everything that the page shows, as it was at one time.
#[derive(Debug, Clone, PartialEq)]
struct Glance {
    overview: Overview,
    health: HealthView,
}

/// What the address of the page may say.
#[derive(Debug, Clone, Default, Deserialize)]
struct Asked {
    /// Only rooms with this in their name.
    #[serde(default)]
    find: String,
    /// What was just done.
    done: Option<String>,
}

/// The page's addresses.
pub(super) fn router(admin: &AdminState) -> Router {
    let page = Page::new(admin);
    Router::new()
        .route("/", get(status))
        .route("/events", get(live::events))
        .route("/logout", post(login::logout))
        .route("/retry", post(items::retry))
        .route("/drop", get(items::ask_to_drop).post(items::drop_item))
        .route_layer(middleware::from_fn_with_state(page.clone(), authenticate))
        .route("/login", get(login::ask).post(login::login))
        .route("/files/{name}", get(files::named))
        .layer(DefaultBodyLimit::max(FORM))
        .layer(middleware::from_fn(guard::add_headers))
        .with_state(page)
}

/// Whoever has no session goes to the login, but for the stream of changes: a script reads that.
async fn authenticate(State(page): State<Page>, mut request: Request, next: Next) -> Response {
    let cookie = guard::cookie(request.headers());
    let found = cookie.and_then(|cookie| page.sessions.find(cookie, Timestamp::now()));
    match found {
        Some(session) => {
            request.extensions_mut().insert(session);
            next.run(request).await
        }
        None if request.uri().path() == "/events" => live::no_session(),
        None => Redirect::to("login").into_response(),
    }
}

async fn status(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let Query(asked) = asked.unwrap_or_default();
    let bridge = match page.bridge() {
        Ok(bridge) => bridge,
        Err(starting) => return *starting,
    };
    let glance = match page.glance(bridge).await {
        Ok(glance) => glance,
        Err(failure) => return page.database_failed(&failure),
    };
    let shown = Shown {
        overview: &glance.overview,
        health: &glance.health,
        about: &page.about,
        find: asked.find.trim(),
        form_token: &session.form_token,
        now: Timestamp::now(),
    };
    let notice = asked.done.as_deref().and_then(items::notice);
    answer(StatusCode::OK, view::status(&shown, notice))
}

/// A page as an answer.
fn answer(status: StatusCode, page: Markup) -> Response {
    let kind = [("content-type", "text/html; charset=utf-8")];
    (status, kind, page.into_string()).into_response()
}
