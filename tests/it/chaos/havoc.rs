//! What breaks: the bridge is killed, databases and homeservers are restarted, requests and frames suffer.

use std::{collections::BTreeSet, time::Duration};

use gitter_sandbox::{Fault, FrameEffect, FrameFault, RequestEffect, RequestFault, When};
use rand::{Rng, RngExt as _};
use reqwest::{Method, StatusCode};
use xtask::{chaos::Plan, postgres::Postgres, wait};

use super::talk::{Said, Side, What};
use crate::{
    homeserver::{Effect, Stage},
    world::{World, faults::status},
};

/// How slow a request is that the bridge is killed in.
const SLOW: Duration = Duration::from_millis(400);

/// How long one is waited for.
const IN_FLIGHT: Duration = Duration::from_secs(2);

/// Says that something is under way.
const OPEN: &str = "SELECT COUNT(*) FROM attempt WHERE state = 'open' AND $1 = $1";

/// What is to break, and what did.
pub(super) struct Havoc {
    faults_percent: u32,
    kills_at: BTreeSet<usize>,
    database_restarts_at: BTreeSet<usize>,
    homeserver_restarts_at: BTreeSet<usize>,
    socket_cuts_at: BTreeSet<usize>,
    pub(super) server: Option<Postgres>,
    pub(super) kills: u32,
    pub(super) kills_in_flight: u32,
    pub(super) database_restarts: u32,
    pub(super) faults: u32,
}

impl Havoc {
    pub(super) fn new(plan: &Plan, server: Option<Postgres>, random: &mut impl Rng) -> Self {
        let mut times = |count: u32| {
            let mut times = BTreeSet::new();
            while times.len() < count as usize {
                times.insert(random.random_range(1..plan.messages));
            }
            times
        };
        let restarts = if server.is_some() {
            plan.database_restarts
        } else {
            0
        };
        Self {
            faults_percent: plan.faults_percent,
            kills_at: times(plan.kills),
            database_restarts_at: times(restarts),
            homeserver_restarts_at: times(plan.homeserver_restarts),
            socket_cuts_at: times(plan.homeserver_restarts),
            server,
            kills: 0,
            kills_in_flight: 0,
            database_restarts: 0,
            faults: 0,
        }
    }

    /// Breaks what is to break after this was said.
    pub(super) async fn go_on(
        &mut self,
        world: &mut World,
        said: &Said,
        messages: usize,
        random: &mut impl Rng,
    ) {
        if random.random_range(0..100) < self.faults_percent {
            self.break_a_request(world, said, random);
        }
        if is_due(&mut self.socket_cuts_at, messages) {
            world.gitter.add_fault(if random.random_bool(0.5) {
                Fault::CutSockets
            } else {
                Fault::ForgetClients
            });
        }
        if is_due(&mut self.homeserver_restarts_at, messages) {
            world.homeserver.restart().await;
        }
        if is_due(&mut self.database_restarts_at, messages)
            && let Some(server) = &mut self.server
        {
            server.crash_and_restart().await.unwrap();
            self.database_restarts += 1;
        }
        if is_due(&mut self.kills_at, messages) {
            self.kill(world, random).await;
        }
    }

    /// Kills the bridge; two times of three when something of it is under way.
    async fn kill(&mut self, world: &mut World, random: &mut impl Rng) {
        let mut is_in_flight = false;
        if random.random_range(0..3) > 0 {
            let (before, to_gitter) = (random.random_bool(0.5), random.random_bool(0.5));
            if to_gitter {
                let when = if before { When::Before } else { When::After };
                let slow = RequestEffect::LatencyMs(u64::try_from(SLOW.as_millis()).unwrap());
                world.gitter.add_fault(request_fault("POST", slow, when));
            } else {
                let stage = if before { Stage::Before } else { Stage::After };
                world.sends_suffer(Effect::Latency(SLOW), stage, 1);
            }
            let waited = wait::until("something to be under way", IN_FLIGHT, async || {
                Ok((world.database.number(OPEN, "").await > 0).then_some(()))
            });
            is_in_flight = waited.await.is_ok();
        }
        world
            .gitter
            .add_fault(Fault::EmptySnapshots(random.random_bool(0.1)));
        world.bridge.kill().await;
        self.kills += 1;
        self.kills_in_flight += u32::from(is_in_flight);
        // Sometimes nobody waits until it is ready again.
        if random.random_bool(0.5) {
            world.bridge.launch();
        } else {
            world.bridge.start().await;
        }
    }

    fn break_a_request(&mut self, world: &World, said: &Said, random: &mut impl Rng) {
        self.faults += 1;
        let before = random.random_bool(0.5);
        if said.side == Side::Matrix {
            let method = match said.what {
                What::Message => "POST",
                What::Edit => "PUT",
                What::Deletion => "DELETE",
            };
            let effect = match random.random_range(0..4) {
                0 => RequestEffect::Status(500),
                1 => RequestEffect::Status(503),
                2 => RequestEffect::Reset,
                _ => RequestEffect::LatencyMs(300),
            };
            let when = if before { When::Before } else { When::After };
            world.gitter.add_fault(request_fault(method, effect, when));
            return;
        }
        if random.random_bool(0.5) {
            let effect = match random.random_range(0..4) {
                0 => FrameEffect::Drop,
                1 => FrameEffect::Double,
                2 => FrameEffect::DelayMs(200),
                _ => FrameEffect::SkipNumber,
            };
            world.gitter.add_fault(Fault::Frames(FrameFault {
                effect,
                times: 1,
                channel: "/chatMessages".to_owned(),
            }));
            return;
        }
        let stage = if before { Stage::Before } else { Stage::After };
        let effect = match random.random_range(0..4) {
            0 => status(StatusCode::INTERNAL_SERVER_ERROR),
            1 => status(StatusCode::BAD_GATEWAY),
            2 => Effect::Reset,
            _ => Effect::Latency(Duration::from_millis(300)),
        };
        let path = match said.what {
            What::Deletion => "/redact/",
            _ => "/send/",
        };
        world.requests_suffer(Method::PUT, path, effect, stage, 1);
    }

    /// Everything works again.
    pub(super) async fn end(&mut self, world: &mut World) {
        world.gitter.clear_faults();
        world.homeserver.clear_faults();
        world.bridge.wait_until_ready().await;
    }
}

fn request_fault(method: &str, effect: RequestEffect, when: When) -> Fault {
    Fault::Request(RequestFault {
        effect,
        when,
        times: 1,
        method: Some(method.to_owned()),
        path: "/chatMessages".to_owned(),
    })
}

/// Whether something is to happen by now, once.
fn is_due(times: &mut BTreeSet<usize>, messages: usize) -> bool {
    let due = times.first().is_some_and(|first| *first <= messages);
    if due {
        times.pop_first();
    }
    due
}
