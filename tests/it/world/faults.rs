//! What goes wrong on order, and what the bridge did about it.

use gitter_sandbox::{Fault as GitterFault, FrameEffect, FrameFault, RequestEffect, RequestFault, When};
use reqwest::{Method, StatusCode};

use super::{Room, World, until};
use crate::homeserver::{Effect, Fault, Stage};

impl World {
    /// The next posts into a Gitter room suffer.
    pub(crate) fn posts_suffer(&self, room: &Room, effect: RequestEffect, when: When, times: u32) {
        self.gitter.add_fault(GitterFault::Request(RequestFault {
            effect,
            when,
            times,
            method: Some("POST".to_owned()),
            path: format!("/rooms/{}/chatMessages", room.gitter),
        }));
    }

    /// The next realtime frames of a Gitter room suffer.
    pub(crate) fn frames_suffer(&self, room: &Room, effect: FrameEffect, times: u32) {
        self.gitter.add_fault(GitterFault::Frames(FrameFault {
            effect,
            times,
            channel: format!("/rooms/{}/chatMessages", room.gitter),
        }));
    }

    /// The next events sent to the homeserver suffer.
    pub(crate) fn sends_suffer(&self, effect: Effect, stage: Stage, times: u32) {
        self.requests_suffer(Method::PUT, "/send/", effect, stage, times);
    }

    /// The next requests to the homeserver of this method and with this in their path suffer.
    pub(crate) fn requests_suffer(
        &self,
        method: Method,
        path: &'static str,
        effect: Effect,
        stage: Stage,
        times: u32,
    ) {
        self.homeserver.add_fault(Fault {
            method,
            path,
            times,
            stage,
            effect,
        });
    }

    /// How often messages were sent from a room to Gitter.
    pub(crate) async fn tries_to_gitter(&self, room: &Room) -> i64 {
        const TRIES: &str = "SELECT CAST(COALESCE(SUM(tries), 0) AS BIGINT) FROM attempt
            WHERE direction = 'to_gitter' AND gitter_room_id = $1";
        self.database.number(TRIES, &room.gitter.to_string()).await
    }

    /// How often messages were sent from a room to the homeserver.
    pub(crate) async fn tries_to_matrix(&self, room: &Room) -> i64 {
        const TRIES: &str = "SELECT CAST(COALESCE(SUM(tries), 0) AS BIGINT) FROM attempt
            WHERE direction = 'to_matrix' AND gitter_room_id = $1";
        self.database.number(TRIES, &room.gitter.to_string()).await
    }

    /// Waits until so many of a room's messages, in both directions together, are on their way.
    pub(crate) async fn in_flight(&self, room: &Room, count: i64) {
        const OPEN: &str = "SELECT COUNT(*) FROM attempt WHERE state = 'open' AND gitter_room_id = $1";
        until(&format!("{count} requests to be under way"), async || {
            let found = self.database.number(OPEN, &room.gitter.to_string()).await;
            if found == count {
                return Ok(Some(()));
            }
            anyhow::bail!("{found} are")
        })
        .await;
    }
}

/// A failure of the homeserver, as a proxy in front of it would answer.
pub(crate) fn status(status: StatusCode) -> Effect {
    Effect::Status {
        status,
        errcode: None,
        retry_after: None,
    }
}
