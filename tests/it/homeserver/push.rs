//! Transactions to the application service: in order, one at a time, each until it is answered with 200.

use std::{sync::Arc, time::Duration};

use reqwest::Client;
use serde_json::json;
use tokio::{select, time::sleep};
use url::Url;

use super::Shared;

/// The most events in one transaction.
const MAX_EVENTS: usize = 100;

/// Pushes for as long as the homeserver runs. Transaction ids begin at 1 again with every start. Once a
/// transaction has failed, what has queued up meanwhile goes out one by one, as in Synapse.
pub(super) async fn run(shared: Arc<Shared>) {
    let http = Client::new();
    let mut transaction_id = 0_u64;
    let mut limit = MAX_EVENTS;
    loop {
        let events = shared
            .until(|world| {
                let events = world.events_to_push().min(limit);
                (world.appservice.is_some() && events > 0).then_some(events)
            })
            .await;
        transaction_id += 1;
        let failed = push(&shared, &http, transaction_id, events).await;
        shared.change(|world| {
            world.has_pushed(events);
            if failed {
                world.push_failed();
            }
            limit = if failed || (limit == 1 && world.events_to_push() > 0) {
                1
            } else {
                MAX_EVENTS
            };
        });
    }
}

/// Pushes one transaction until it is taken; gives whether that took more than one attempt. The application
/// service may move meanwhile, as when it is started again on another port.
async fn push(shared: &Shared, http: &Client, transaction_id: u64, events: usize) -> bool {
    let (first_pause, longest_pause) = shared.world().settings.push_pauses;
    let mut pause = first_pause;
    let mut failed = false;
    loop {
        let request = {
            let world = shared.world();
            let appservice = world.appservice.as_ref().map_or("", Url::as_str);
            let url = format!(
                "{}/_matrix/app/v1/transactions/{transaction_id}",
                appservice.trim_end_matches('/')
            );
            http.put(url)
                .bearer_auth(&world.settings.hs_token)
                .json(&json!({ "events": world.next_to_push(events) }))
        };
        if request.send().await.is_ok_and(|answer| answer.status() == 200) {
            return failed;
        }
        failed = true;
        pause = wait(shared, pause, first_pause, longest_pause).await;
    }
}

/// Waits before the next attempt; gives the pause after that.
async fn wait(shared: &Shared, pause: Duration, first: Duration, longest: Duration) -> Duration {
    select! {
        () = sleep(pause) => (pause * 2).min(longest),
        () = shared.push_now.notified() => first,
    }
}
