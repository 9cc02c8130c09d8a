//! The parsers of this side that nothing outside sees, for the fuzz targets (`fuzz/`). Built for them alone.

use std::{fs::File, io::Write as _, time::Duration};

use futures_util::FutureExt as _;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use rand::{SeedableRng as _, rngs::SmallRng};
use secrecy::SecretString;
use tokio::time::Instant;

use super::{
    FetchedFile, RealtimeEvent,
    bayeux::{Channel, Output, Session, Transport},
    budget::{Budget, BudgetState, Class},
    client::transport::{date, offset, report},
    files,
};
use crate::ids::GitterRoomId;

/// What a session made of frames.
#[derive(Debug)]
pub struct Told {
    /// What it told.
    pub events: Vec<RealtimeEvent>,
    /// What it sent.
    pub frames: Vec<String>,
    /// The longest that it ever was going to wait for the server.
    pub longest_wait: Duration,
}

/// Tells a session that wants these rooms a frame, a second after the last; whatever else it asks for it gets at once.
pub fn receive<'a>(rooms: &[GitterRoomId], frames: impl Iterator<Item = &'a str>) -> Told {
    let mut now = Instant::now();
    let mut session = Session::new(SecretString::from("s3cret"), SmallRng::seed_from_u64(7), now);
    session.subscribe(rooms.iter().flat_map(Channel::of), now);
    let mut told = Told {
        events: Vec::new(),
        frames: Vec::new(),
        longest_wait: Duration::ZERO,
    };
    let mut is_open = false;
    for frame in frames {
        now += Duration::from_secs(1);
        if !is_open {
            now = now.max(session.deadline());
        }
        session.time_passed(now);
        is_open = perform(&mut session, is_open, &mut told, now);
        session.frame_received(frame, now);
        is_open = perform(&mut session, is_open, &mut told, now);
        let wait = session.deadline().saturating_duration_since(now);
        told.longest_wait = told.longest_wait.max(wait);
    }
    told
}

/// Does what a session asks for; whether it has a socket then.
fn perform(session: &mut Session, mut is_open: bool, told: &mut Told, now: Instant) -> bool {
    while let Some(output) = session.next_output() {
        match output {
            Output::Open => {
                is_open = true;
                session.socket_opened(Transport::WebSocket, now);
            }
            Output::Close => is_open = false,
            Output::Send(frame) => told.frames.push(frame.into_text()),
            Output::Event(event) => told.events.push(event),
        }
    }
    is_open
}

/// What replies with these headers say of the budget and the clock.
#[derive(Debug)]
pub struct Replied {
    /// The budget after a reply of success.
    pub budget: Option<BudgetState>,
    /// How long a request waits then that is behind so many others as there can be.
    pub longest_wait: Duration,
    /// Until when requests wait after a refusal.
    pub refused_until: Option<Timestamp>,
    /// Gitter's clock less ours.
    pub clock_offset: Option<SignedDuration>,
}

/// Takes in a reply of success with these headers, and then a refusal with them.
pub fn reply(headers: &HeaderMap) -> Replied {
    let budget = Budget::new();
    let now = Timestamp::now();
    let date = date(headers);
    let report = || report(headers, date.unwrap_or(now));
    if let Some(permit) = budget.acquire(Class::Live).now_or_never() {
        permit.answered(report());
    }
    let state = budget.state();
    let longest_wait = budget.wait_behind(u32::MAX);
    let permit = budget.acquire(Class::Live).now_or_never();
    Replied {
        budget: state,
        longest_wait,
        refused_until: permit.map(|permit| permit.refused(report().map(|report| report.resets_in))),
        clock_offset: date.and_then(|date| offset(date, now, Duration::from_secs(1))),
    }
}

/// What is known of a file with these bytes that its server declares to be of this type.
///
/// # Errors
/// When it cannot be written.
pub fn file(bytes: &[u8], declared: &str) -> std::io::Result<FetchedFile> {
    let mut file: File = tempfile::tempfile()?;
    file.write_all(bytes)?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    files::describe(file, length, bytes, declared)
}
