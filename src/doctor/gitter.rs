//! Gitter: it is there, knows the account, and lets it do what the bridge needs.

use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::PATIENCE;
use crate::{
    check::Checks,
    config::Config,
    gitter::{ClientSettings, GitterClient, GitterError, Realtime, RealtimeEvent, RealtimeSettings},
    ids::{GitterMessageId, GitterRoomId},
    model,
    store::Portal,
};

const REACHED: &str = "gitter";
const AGE: &str = "gitter_account_age";
const VIRTUAL_USERS: &str = "gitter_virtual_users";
const REALTIME: &str = "gitter_realtime";
const BUDGET: &str = "gitter_budget";
const CLOCK: &str = "clock";

/// Younger accounts are banned silently when they repeat a text too often (gitter-api 5.8).
const OLD_ENOUGH: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Clocks further apart than this make times hard to compare.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(30);

/// Fewer requests a minute are little for several rooms (gitter-api 3.1).
const SMALL_BUDGET: u32 = 20;

/// A room id that is well formed and nobody's.
const NO_ROOM: &str = "000000000000000000000000";

pub(super) async fn examine(config: &Config, portals: &[Portal], checks: &mut Checks) {
    if let Some((client, user)) = account(config, checks).await {
        age(&user, checks);
        virtual_users(&client, portals, checks).await;
        budget(&client, checks);
        clock(&client, checks);
        realtime(config, checks).await;
    } else {
        for check in [AGE, VIRTUAL_USERS, BUDGET, CLOCK, REALTIME] {
            checks.untried(check, REACHED);
        }
    }
}

async fn account(config: &Config, checks: &mut Checks) -> Option<(GitterClient, model::User)> {
    const TOKEN: &str = "put a valid token of the bridge's account into gitter.token_file";
    let token = config.gitter.access_tokens().next()?.clone();
    let settings = ClientSettings {
        api_url: config.gitter.api_url.clone(),
        token: token.into(),
    };
    let client = match GitterClient::new(&settings) {
        Ok(client) => client,
        Err(error) => {
            checks.failed(REACHED, error.to_string(), TOKEN);
            return None;
        }
    };
    let url = &config.gitter.api_url;
    match timeout(PATIENCE, client.current_user()).await {
        Ok(Ok(user)) => {
            checks.passed(REACHED, format!("{url} knows the account {}", user.username));
            return Some((client, user));
        }
        Ok(Err(error @ GitterError::Unauthorized { .. })) => checks.failed(REACHED, error.to_string(), TOKEN),
        Ok(Err(error @ GitterError::RateLimited { .. })) => checks.failed(
            REACHED,
            error.to_string(),
            "wait a minute; does something else use the same account and OAuth client?",
        ),
        Ok(Err(error)) => checks.failed(
            REACHED,
            format!("{url}: {error}"),
            "check gitter.api_url (it ends in /v1), and that the Gitter server runs",
        ),
        Err(_) => checks.failed(
            REACHED,
            format!("{url}: no answer within {} s", PATIENCE.as_secs()),
            "check gitter.api_url, and that the Gitter server runs",
        ),
    }
    None
}

/// The account's age; its id says when it was made.
fn age(user: &model::User, checks: &mut Checks) {
    let made = user.id.parse::<GitterMessageId>().ok().and_then(|id| id.time());
    let Some(made) = made else {
        return checks.passed(AGE, "not known");
    };
    let age = Timestamp::now().duration_since(made);
    let days = age.as_hours() / 24;
    if age >= OLD_ENOUGH {
        checks.passed(AGE, format!("{days} days"));
    } else {
        checks.advised(
            AGE,
            format!(
                "{days} days: Gitter silently drops what an account younger than 14 days says too often, and all \
                 Matrix people together count as one"
            ),
            format!(
                "use an older account, or wait until {} before rooms get busy",
                made.saturating_add(OLD_ENOUGH).unwrap_or(made).strftime("%Y-%m-%d")
            ),
        );
    }
}

/// Asked of a linked room; without one there is none to ask.
async fn virtual_users(client: &GitterClient, portals: &[Portal], checks: &mut Checks) {
    let Some(portal) = portals.first() else {
        return checks.passed(VIRTUAL_USERS, "looked at when a room is linked");
    };
    match timeout(PATIENCE, client.virtual_users_allowed(&portal.gitter_room_id)).await {
        Ok(Ok(true)) => checks.passed(
            VIRTUAL_USERS,
            format!("Matrix people appear in {} as themselves", portal.gitter_uri),
        ),
        Ok(Ok(false)) => checks.advised(
            VIRTUAL_USERS,
            format!(
                "the token may not post for virtual users in {}: names stand before the messages instead",
                portal.gitter_uri
            ),
            "let the Gitter server's operator approve the token's OAuth client (virtualUsers.approvedClientKeyMap)",
        ),
        Ok(Err(error)) => checks.failed(
            VIRTUAL_USERS,
            format!("{}: {error}", portal.gitter_uri),
            "look at the room on Gitter: does it still exist, is it public, does it ban anybody?",
        ),
        Err(_) => checks.failed(
            VIRTUAL_USERS,
            format!("no answer within {} s", PATIENCE.as_secs()),
            "wait: Gitter's request budget may be spent",
        ),
    }
}

fn budget(client: &GitterClient, checks: &mut Checks) {
    match client.budget() {
        None => checks.passed(BUDGET, "Gitter counts no requests"),
        Some(state) if state.limit < SMALL_BUDGET => checks.advised(
            BUDGET,
            format!(
                "{} of {} requests are left in this minute",
                state.remaining, state.limit
            ),
            "ask the Gitter server's operator for more (web.apiRateLimit)",
        ),
        Some(state) => checks.passed(
            BUDGET,
            format!(
                "{} of {} requests are left in this minute",
                state.remaining, state.limit
            ),
        ),
    }
}

fn clock(client: &GitterClient, checks: &mut Checks) {
    match client.clock_offset() {
        Some(offset) if offset.abs() > CLOCK_TOLERANCE => checks.advised(
            CLOCK,
            format!(
                "this machine's clock and Gitter's are {} s apart",
                offset.abs().as_secs()
            ),
            "let both machines keep their time by NTP",
        ),
        Some(_) => checks.passed(CLOCK, "as Gitter's"),
        None => checks.passed(CLOCK, "Gitter does not say its time"),
    }
}

/// A handshake, on a connection of its own.
async fn realtime(config: &Config, checks: &mut Checks) {
    let url = &config.gitter.realtime_url;
    match timeout(PATIENCE, handshake(config)).await {
        Ok(Some(RealtimeEvent::TokenRefused)) => checks.failed(
            REALTIME,
            format!("{url} refuses the token"),
            "is it the realtime server of the same Gitter? Check gitter.realtime_url",
        ),
        Ok(Some(_)) => checks.passed(REALTIME, format!("{url} took the handshake")),
        Ok(None) | Err(_) => checks.failed(
            REALTIME,
            format!("{url} did not answer a handshake within {} s", PATIENCE.as_secs()),
            "check gitter.realtime_url (it ends in /bayeux), and that proxies before it let WebSockets through",
        ),
    }
}

/// The first news of a socket. One is opened for a room only, so it asks for one that does not exist.
async fn handshake(config: &Config) -> Option<RealtimeEvent> {
    let room: GitterRoomId = NO_ROOM.parse().ok()?;
    let settings = RealtimeSettings {
        url: config.gitter.realtime_url.clone(),
        token: config.gitter.access_tokens().next()?.clone().into(),
        rooms_per_socket: 1,
    };
    // Dropped with this future, which ends the tasks.
    let stop = CancellationToken::new();
    let _ended = stop.clone().drop_guard();
    let (realtime, mut events) = Realtime::start(settings, stop, &TaskTracker::new());
    realtime.subscribe(room);
    events.recv().await
}
