//! `GET status`: the bridge at a glance, for `gitter-matrix-bridge status`. It answers also while the bridge starts, with
//! what it waits for.

use axum::{Json, Router, extract::State, routing::get};
use jiff::Timestamp;
use serde::Serialize;

use super::{AdminState, database_failed};
use crate::{
    bridge::{
        account::AccountView,
        overview::{BudgetOverview, Overview, Way},
        provision::PortalView,
    },
    health::HealthView,
    http::error::ApiError,
};

/// The endpoint, behind the token.
pub(super) fn router() -> Router<AdminState> {
    Router::new().route("/status", get(status))
}

/// The bridge at a glance.
#[derive(Debug, Serialize)]
struct StatusView {
    version: &'static str,
    started_at: Timestamp,
    health: HealthView,
    /// What the database holds and this process sees; `null` while it starts.
    running: Option<RunningView>,
}

#[derive(Debug, Serialize)]
struct RunningView {
    database: &'static str,
    lately_since: Timestamp,
    to_gitter: WayView,
    to_matrix: WayView,
    sockets: usize,
    rooms_followed: usize,
    budget: Option<BudgetView>,
    accounts: Vec<AccountView>,
    rooms: Vec<PortalView>,
}

/// The items of one direction; `*_lately` are those since `lately_since`.
#[derive(Debug, Serialize)]
struct WayView {
    waiting: i64,
    oldest_at: Option<Timestamp>,
    failed: i64,
    bridged_lately: i64,
    skipped_lately: i64,
    failed_lately: i64,
    closed_until: Option<Timestamp>,
}

/// Gitter's budget; waits are in seconds.
#[derive(Debug, Serialize)]
struct BudgetView {
    limit: u32,
    remaining: u32,
    resets_at: Option<Timestamp>,
    wait: u64,
    backlog_wait: u64,
}

async fn status(State(state): State<AdminState>) -> Result<Json<StatusView>, ApiError> {
    let running = match state.bridge.get() {
        Some(bridge) => {
            let overview = bridge.overview().await;
            Some(running(overview.map_err(|failure| database_failed(&failure))?))
        }
        None => None,
    };
    Ok(Json(StatusView {
        version: crate::VERSION,
        started_at: state.started_at,
        health: state.health.view(),
        running,
    }))
}

fn running(overview: Overview) -> RunningView {
    RunningView {
        database: overview.database,
        lately_since: overview.since,
        to_gitter: way(&overview.ways.to_gitter, overview.closed_until.to_gitter),
        to_matrix: way(&overview.ways.to_matrix, overview.closed_until.to_matrix),
        sockets: overview.sockets,
        rooms_followed: overview.followed,
        budget: overview.budget.map(budget),
        accounts: overview.accounts,
        rooms: overview.rooms.into_iter().map(|room| room.portal).collect(),
    }
}

fn way(way: &Way, closed_until: Option<Timestamp>) -> WayView {
    let lately = way.sum();
    WayView {
        waiting: way.waiting,
        oldest_at: way.oldest,
        failed: way.failed,
        bridged_lately: lately.bridged,
        skipped_lately: lately.skipped,
        failed_lately: lately.failed,
        closed_until,
    }
}

fn budget(budget: BudgetOverview) -> BudgetView {
    BudgetView {
        limit: budget.limit,
        remaining: budget.remaining,
        resets_at: budget.resets_at,
        wait: budget.wait.as_secs(),
        backlog_wait: budget.backlog_wait.as_secs(),
    }
}
