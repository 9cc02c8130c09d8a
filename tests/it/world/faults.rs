//! What goes wrong on order.

use gitter_sandbox::{Fault as GitterFault, FrameEffect, FrameFault, RequestEffect, RequestFault, When};
use reqwest::{Method, StatusCode};

use super::{Room, World};
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
}

/// A failure of the homeserver, as a proxy in front of it would answer.
pub(crate) fn status(status: StatusCode) -> Effect {
    Effect::Status {
        status,
        errcode: None,
        retry_after: None,
    }
}
