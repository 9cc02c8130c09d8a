use super::*;
use crate::faults::FrameFault;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_600_000_000 + second).unwrap()
}

fn channel() -> Channel {
    Channel::Room("5f0000000000000000000a01".parse().unwrap())
}

fn subscribed(realtime: &mut Realtime) -> String {
    let id = realtime.open(at(0), "5f0000000000000000000c01".parse().unwrap());
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
    let mut realtime = Realtime::default();
    let id = subscribed(&mut realtime);
    realtime.publish(channel(), &json!({}), &mut Faults::default());
    let (socket, mut frames) = realtime.open_socket();
    assert!(realtime.bind(at(185), &id, &socket).is_some());
    realtime.publish(channel(), &json!({}), &mut Faults::default());
    realtime.connect(at(185), &id);
    assert_eq!(sent(&mut frames), [(2, 0), (1, 0)]);

    realtime.close_socket(&socket);
    realtime.publish(channel(), &json!({}), &mut Faults::default());
    assert_eq!(sent(&mut frames), []);
}

#[test]
fn a_client_silent_for_192_seconds_is_dead() {
    let mut realtime = Realtime::default();
    let id = subscribed(&mut realtime);
    let (socket, _frames) = realtime.open_socket();
    assert!(realtime.bind(at(191), &id, &socket).is_some());
    assert!(realtime.bind(at(192), &id, &socket).is_none());
}

#[test]
fn frames_are_dropped_doubled_delayed_and_numbered_with_a_gap_when_asked() {
    let mut realtime = Realtime::default();
    let id = subscribed(&mut realtime);
    let (socket, mut frames) = realtime.open_socket();
    realtime.bind(at(0), &id, &socket);
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
