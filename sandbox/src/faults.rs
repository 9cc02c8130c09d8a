//! Faults on demand: what a client must survive, made to happen when a test or a demo asks for it.
//!
//! Only the shapes and the counting are here; the faults of requests happen in `rest::faulty`, those of frames
//! where frames are numbered. `POST /sandbox/faults` takes one fault or an array of them, and
//! `DELETE /sandbox/faults` clears all that have not happened yet, and ends those that last:
//!
//! ```json
//! [ {"request": {"effect": {"status": 503}, "times": 2, "method": "POST", "path": "/chatMessages"}},
//!   {"request": {"effect": "reset", "when": "after", "path": "/chatMessages"}},
//!   {"request": {"effect": {"latency_ms": 500}}},
//!   {"frames": {"effect": "drop", "times": 3, "channel": "/chatMessages"}},
//!   {"frames": {"effect": "double"}}, {"frames": {"effect": {"delay_ms": 100}}},
//!   {"frames": {"effect": "skip_number"}},
//!   {"empty_snapshots": true}, {"ban_bug": false}, {"clock_skew_ms": -5000}, "cut_sockets", "forget_clients" ]
//! ```
//!
//! `times` is 1 where absent. `when` is `before` (nothing was done) or `after` (all was done, only the answer
//! suffers); `before` where absent. `path` and `channel` are parts of the name, `method` the whole; absent
//! ones match everything. The control endpoints themselves never suffer. With the method `SUBSCRIBE` and a status, it is
//! subscriptions that are refused; their path is the channel.

use serde::{Deserialize, Serialize};

/// A fault that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The next requests suffer.
    Request(RequestFault),
    /// The next realtime frames suffer. Each frame to each client counts.
    Frames(FrameFault),
    /// Whether snapshots are empty from now on, as in Gitter's survival mode.
    EmptySnapshots(bool),
    /// Whether the ban of an account makes every post of a virtual user in that room fail with 500, as in Gitter
    /// 21.15 (gitter-api 8); it does until this says otherwise.
    BanBug(bool),
    /// How many milliseconds the sandbox's clock is ahead of the true time, or behind where negative: in `Date`,
    /// `sent`, `editedAt` and `X-RateLimit-Reset`.
    ClockSkewMs(i64),
    /// Every WebSocket is cut now, without a close frame, and every held long-poll is reset.
    CutSockets,
    /// All Bayeux clients are forgotten now; their sockets stay open.
    ForgetClients,
}

/// What happens to requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestFault {
    /// What happens.
    pub effect: RequestEffect,
    /// Before or after the request is carried out.
    #[serde(default)]
    pub when: When,
    /// To how many requests.
    #[serde(default = "once")]
    pub times: u32,
    /// The method, such as `POST`; any where absent.
    #[serde(default)]
    pub method: Option<String>,
    /// A part of the path.
    #[serde(default)]
    pub path: String,
}

/// What can happen to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestEffect {
    /// It is answered with this status, 200 or above.
    Status(u16),
    /// Its connection is reset.
    Reset,
    /// It waits for this many milliseconds, then goes on.
    LatencyMs(u64),
}

/// When something happens to a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Before anything is done.
    #[default]
    Before,
    /// After everything is done, in place of or before the answer: the lost reply.
    After,
}

/// What happens to realtime frames.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameFault {
    /// What happens.
    pub effect: FrameEffect,
    /// To how many frames.
    #[serde(default = "once")]
    pub times: u32,
    /// A part of the channel's name.
    #[serde(default)]
    pub channel: String,
}

/// What can happen to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FrameEffect {
    /// It is lost; its number (`ext.c`) is used up, so the client can see a gap.
    Drop,
    /// It arrives twice, with one number.
    Double,
    /// It arrives this many milliseconds later; others overtake it.
    DelayMs(u64),
    /// It arrives, but a number is left out before it.
    SkipNumber,
}

/// The faults that have not happened yet.
#[derive(Default)]
pub(crate) struct Faults {
    requests: Vec<RequestFault>,
    frames: Vec<FrameFault>,
    empty_snapshots: bool,
    ban_bug_mended: bool,
}

impl Faults {
    /// Adds a fault of requests.
    pub(crate) fn add_request(&mut self, fault: RequestFault) {
        self.requests.push(fault);
    }

    /// Adds a fault of frames.
    pub(crate) fn add_frames(&mut self, fault: FrameFault) {
        self.frames.push(fault);
    }

    /// Sets whether snapshots are empty.
    pub(crate) fn set_empty_snapshots(&mut self, empty: bool) {
        self.empty_snapshots = empty;
    }

    /// Sets whether bans of accounts break the posts of virtual users.
    pub(crate) fn set_ban_bug(&mut self, present: bool) {
        self.ban_bug_mended = !present;
    }

    /// Whether bans of accounts break the posts of virtual users.
    pub(crate) fn ban_bug(&self) -> bool {
        !self.ban_bug_mended
    }

    /// What happens to a request now: each matching fault once, in the order added, up to the first that ends
    /// the request.
    pub(crate) fn request_effects(&mut self, when: When, method: &str, path: &str) -> Vec<RequestEffect> {
        let mut effects = Vec::new();
        for fault in &mut self.requests {
            let method_matches = fault.method.as_deref().is_none_or(|wanted| wanted == method);
            if fault.times == 0 || fault.when != when || !method_matches || !path.contains(&fault.path) {
                continue;
            }
            fault.times -= 1;
            effects.push(fault.effect);
            if !matches!(fault.effect, RequestEffect::LatencyMs(_)) {
                break;
            }
        }
        self.requests.retain(|fault| fault.times > 0);
        effects
    }

    /// The status with which a subscription is refused now, if it is: by a fault of requests whose method is
    /// `SUBSCRIBE`.
    pub(crate) fn subscription_refusal(&mut self, channel: &str) -> Option<u16> {
        let fault = self.requests.iter_mut().find(|fault| {
            fault.times > 0 && fault.method.as_deref() == Some("SUBSCRIBE") && channel.contains(&fault.path)
        })?;
        let RequestEffect::Status(status) = fault.effect else {
            return None;
        };
        fault.times -= 1;
        self.requests.retain(|fault| fault.times > 0);
        Some(status)
    }

    /// What happens to a frame now: the first matching fault.
    pub(crate) fn frame_effect(&mut self, channel: &str) -> Option<FrameEffect> {
        let fault = self
            .frames
            .iter_mut()
            .find(|fault| fault.times > 0 && channel.contains(&fault.channel))?;
        fault.times -= 1;
        let effect = fault.effect;
        self.frames.retain(|fault| fault.times > 0);
        Some(effect)
    }

    /// Whether snapshots are empty.
    pub(crate) fn empty_snapshots(&self) -> bool {
        self.empty_snapshots
    }
}

fn once() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_shapes_are_read() {
        let faults: Vec<Fault> = serde_json::from_str(
            r#"[ {"request": {"effect": {"status": 503}, "times": 2, "method": "POST", "path": "/chatMessages"}},
                 {"request": {"effect": "reset", "when": "after", "path": "/chatMessages"}},
                 {"request": {"effect": {"latency_ms": 500}}},
                 {"frames": {"effect": "drop", "times": 3, "channel": "/chatMessages"}},
                 {"frames": {"effect": "double"}}, {"frames": {"effect": {"delay_ms": 100}}},
                 {"frames": {"effect": "skip_number"}},
                 {"empty_snapshots": true}, {"ban_bug": false}, {"clock_skew_ms": -5000}, "cut_sockets", "forget_clients" ]"#,
        )
        .unwrap();
        assert_eq!(faults.len(), 12);
        assert!(serde_json::from_str::<Fault>(r#"{"request": {"effect": "reset", "tims": 2}}"#).is_err());
    }

    #[test]
    fn faults_happen_as_often_as_asked_where_they_match_and_latency_goes_with_another() {
        let fault = |effect, times| RequestFault {
            effect,
            when: When::Before,
            times,
            method: Some("POST".to_owned()),
            path: "/chatMessages".to_owned(),
        };
        let mut faults = Faults::default();
        faults.add_request(fault(RequestEffect::LatencyMs(5), 2));
        faults.add_request(fault(RequestEffect::Status(503), 1));
        faults.add_request(fault(RequestEffect::Reset, 1));
        let mut effects = |when, method| faults.request_effects(when, method, "/rooms/1/chatMessages");
        assert_eq!(effects(When::Before, "GET"), []);
        assert_eq!(effects(When::After, "POST"), []);
        assert_eq!(
            effects(When::Before, "POST"),
            [RequestEffect::LatencyMs(5), RequestEffect::Status(503)]
        );
        assert_eq!(
            effects(When::Before, "POST"),
            [RequestEffect::LatencyMs(5), RequestEffect::Reset]
        );
        assert_eq!(effects(When::Before, "POST"), []);
    }
}
