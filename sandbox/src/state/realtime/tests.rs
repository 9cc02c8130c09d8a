use super::*;
use crate::faults::FrameFault;

/// A stretch of time to be somewhere in.
struct Clock(Instant);

impl Clock {
    fn at(&self, second: u64) -> Instant {
        self.0 + Duration::from_secs(second)
    }
}

fn start() -> (Realtime, Clock) {
    (Realtime::new(Duration::from_mins(2)), Clock(Instant::now()))
}

fn channel() -> Channel {
    Channel::Room("5f0000000000000000000a01".parse().unwrap())
}

fn subscribed(realtime: &mut Realtime, clock: &Clock, socket: &Socket) -> String {
    let id = realtime.open(clock.at(0), "5f0000000000000000000c01".parse().unwrap(), socket);
    realtime.subscribe(&id, channel());
    id
}

/// The numbers of the frames that a socket has to send, with their delays in milliseconds.
fn sent(frames: &mut mpsc::UnboundedReceiver<Outgoing>) -> Vec<(u64, u128)> {
    std::iter::from_fn(|| frames.try_recv().ok())
        .map(|outgoing| {
            (
                outgoing.frame["ext"]["c"].as_u64().unwrap(),
                outgoing.delay.as_millis(),
            )
        })
        .collect()
}

#[test]
fn frames_wait_for_a_client_without_a_socket_until_its_next_connect() {
    let (mut realtime, clock) = start();
    let (socket, mut frames) = realtime.open_socket(Transport::WebSocket, Mount::Bayeux);
    let id = subscribed(&mut realtime, &clock, &socket);
    realtime.publish(channel(), &json!({}), &mut Faults::default());
    assert!(realtime.bind(clock.at(185), &id, &socket).is_some());
    realtime.publish(channel(), &json!({}), &mut Faults::default());
    realtime.connect(clock.at(185), &id, &socket);
    assert_eq!(sent(&mut frames), [(2, 0), (1, 0)]);

    realtime.close_socket(socket.id);
    realtime.publish(channel(), &json!({}), &mut Faults::default());
    assert_eq!(sent(&mut frames), []);
}

#[test]
fn only_a_connect_brings_news_to_a_client_that_polls() {
    let (mut realtime, clock) = start();
    let (other, mut other_frames) = realtime.open_socket(Transport::LongPolling, Mount::Bayeux);
    let id = subscribed(&mut realtime, &clock, &other);
    assert!(realtime.bind(clock.at(1), &id, &other).is_some());
    realtime.publish(channel(), &json!({}), &mut Faults::default());
    let (poll, mut frames) = realtime.open_socket(Transport::LongPolling, Mount::Bayeux);
    realtime.connect(clock.at(2), &id, &poll);
    assert_eq!(sent(&mut other_frames), []);
    assert_eq!(sent(&mut frames), [(1, 0)]);
}

#[test]
fn a_client_silent_for_192_seconds_is_dead_and_on_the_legacy_mount_for_300() {
    for (mount, seconds) in [(Mount::Bayeux, 192), (Mount::Legacy, 300)] {
        let (mut realtime, clock) = start();
        let (socket, _frames) = realtime.open_socket(Transport::WebSocket, mount);
        let id = subscribed(&mut realtime, &clock, &socket);
        assert!(realtime.bind(clock.at(seconds - 1), &id, &socket).is_some());
        assert!(realtime.bind(clock.at(seconds), &id, &socket).is_none());
    }
}

#[test]
fn frames_are_dropped_doubled_delayed_and_numbered_with_a_gap_when_asked() {
    let (mut realtime, clock) = start();
    let (socket, mut frames) = realtime.open_socket(Transport::WebSocket, Mount::Bayeux);
    let id = subscribed(&mut realtime, &clock, &socket);
    realtime.bind(clock.at(0), &id, &socket);
    let mut faults = Faults::default();
    for effect in [
        FrameEffect::Drop,
        FrameEffect::Double,
        FrameEffect::DelayMs(50),
        FrameEffect::SkipNumber,
    ] {
        faults.add_frames(FrameFault {
            effect,
            times: 1,
            channel: String::new(),
        });
    }
    for _ in 0..5 {
        realtime.publish(channel(), &json!({}), &mut faults);
    }
    assert_eq!(sent(&mut frames), [(2, 0), (2, 0), (3, 50), (5, 0), (6, 0)]);
}
