//! Keeps status pages up to date: while anybody watches, the database is asked every two seconds, once for all who do;
//! what has changed is sent to them as HTML.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Extension,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, stream};
use jiff::Timestamp;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    Asked, Glance, Page,
    session::Session,
    view::{PARTS, Part, Shown},
};
use crate::{bridge::Bridge, http::error::ApiError};

/// How often it is looked for changes.
const LOOK: Duration = Duration::from_secs(2);

/// How many may watch; the listener has four times as many connections.
const WATCHERS: usize = 16;

/// How long a stream lasts at most; browsers open the next by themselves.
const LONGEST: Duration = Duration::from_hours(1);

type Seen = Option<Arc<Glance>>;

/// Those who watch, and what they see.
#[derive(Debug)]
pub(super) struct Live {
    places: Arc<Semaphore>,
    seen: watch::Sender<Seen>,
    /// Whether somebody looks for changes.
    looks: Mutex<bool>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(WATCHERS)),
            seen: watch::Sender::new(None),
            looks: Mutex::new(false),
        }
    }
}

impl Live {
    /// Takes a place; `None` where too many watch.
    fn take_place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Watches. Whether it is to be begun to look for changes is the other thing that this gives.
    fn watch(&self) -> (watch::Receiver<Seen>, bool) {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = !std::mem::replace(&mut *looks, true);
        (self.seen.subscribe(), begins)
    }

    /// Whether nobody watches any more; then nobody looks any more, either.
    fn is_over(&self) -> bool {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = self.seen.receiver_count() == 0;
        if is_over {
            *looks = false;
            // It is old when the next one comes.
            self.seen.send_replace(None);
        }
        is_over
    }
}

/// Looks for changes while anybody watches.
async fn look(page: Page, bridge: Arc<Bridge>) {
    while !page.live.is_over() {
        match page.glance(&bridge).await {
            Ok(glance) => {
                page.live.seen.send_if_modified(|seen| {
                    let is_new = seen.as_deref() != Some(&glance);
                    if is_new {
                        *seen = Some(Arc::new(glance));
                    }
                    is_new
                });
            }
            Err(failure) => warn!(error = %failure, "The status page could not be brought up to date"),
        }
        if bridge.stop.run_until_cancelled(sleep(LOOK)).await.is_none() {
            break;
        }
    }
}

/// What somebody watches, and what they have seen.
struct Watcher {
    page: Page,
    session: Session,
    find: String,
    seen: watch::Receiver<Seen>,
    shown: Seen,
    ends: Instant,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
}

/// The stream of changes. Each event is named after a part of the page, and holds how that looks now, as a JSON string.
pub(super) async fn events(
    State(page): State<Page>,
    Extension(session): Extension<Session>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let bridge = match page.admin.bridge() {
        Ok(bridge) => bridge,
        Err(starting) => return starting.into_response(),
    };
    let Some(place) = page.live.take_place() else {
        let error = "too many watch the status page";
        return ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "M_LIMIT_EXCEEDED", error).into_response();
    };
    let (seen, begins) = page.live.watch();
    if begins {
        bridge.tracker.spawn(look(page.clone(), Arc::clone(bridge)));
    }
    let left = session.ends.duration_since(Timestamp::now());
    let left = Duration::try_from(left).unwrap_or_default().min(LONGEST);
    let watcher = Watcher {
        stop: bridge.stop.clone(),
        find: asked.unwrap_or_default().0.find.trim().to_owned(),
        session,
        seen,
        shown: None,
        ends: Instant::now() + left,
        _place: place,
        page,
    };
    Sse::new(changes(watcher))
        .keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
        .into_response()
}

fn changes(watcher: Watcher) -> impl Stream<Item = Result<Event, Infallible>> {
    let batches = stream::unfold(watcher, async |mut watcher| {
        let events = watcher.next().await?;
        Some((stream::iter(events.into_iter().map(Ok)), watcher))
    });
    futures_util::StreamExt::flatten(batches)
}

impl Watcher {
    /// What has changed, as soon as something has; `None` at the end.
    async fn next(&mut self) -> Option<Vec<Event>> {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = sleep_until(self.ends) => return None,
                changed = self.seen.changed() => changed.ok()?,
            }
            let Some(latest) = self.seen.borrow_and_update().clone() else {
                continue;
            };
            let events = self.differences(&latest);
            self.shown = Some(latest);
            if !events.is_empty() {
                return Some(events);
            }
        }
    }

    /// The parts that look otherwise than before, at the same time.
    fn differences(&self, latest: &Glance) -> Vec<Event> {
        let now = Timestamp::now();
        let show = |glance: &Glance, part: Part| {
            let shown = Shown {
                overview: &glance.overview,
                health: &glance.health,
                about: &self.page.about,
                find: &self.find,
                form_token: &self.session.form_token,
                now,
            };
            part.1(&shown).into_string()
        };
        let mut events = Vec::new();
        for part in PARTS {
            let html = show(latest, part);
            let before = self.shown.as_deref().map(|before| show(before, part));
            if before.as_deref() != Some(html.as_str()) {
                events.extend(Event::default().event(part.0).json_data(&html));
            }
        }
        events
    }
}

/// The answer for who is not logged in.
pub(super) fn no_session() -> Response {
    let error = "the session has ended";
    ApiError::new(StatusCode::UNAUTHORIZED, "M_MISSING_TOKEN", error).into_response()
}
