//! Sending once, redacting, looking for what was sent.

use gitter_matrix_bridge::matrix::{PastEvent, Redact, SendEvent, SourceMarker, marker::SourceOperation};
use ruma::{OwnedEventId, RoomId, UserId, event_id};
use serde_json::{Value, json};

use super::{Setup, device};
use crate::homeserver::{RoomOptions, Settings};

/// An event of a ghost with its device; tests change what they are about.
fn event<'a>(room: &'a RoomId, sender: &'a UserId, content: &'a Value) -> SendEvent<'a> {
    SendEvent {
        room,
        sender,
        device: Some(device()),
        transaction_id: "gmb01",
        event_type: "m.room.message",
        content,
        timestamp: None,
    }
}

fn redact<'a>(event: &SendEvent<'a>, transaction_id: &'a str, target: &'a OwnedEventId) -> Redact<'a> {
    Redact {
        room: event.room,
        sender: event.sender,
        device: event.device,
        transaction_id,
        event_id: target,
        reason: Some("deleted on Gitter"),
    }
}

/// A text with the marker of a Gitter message.
fn marked(body: &str, message: &str) -> (Value, SourceMarker) {
    let marker = SourceMarker {
        room: "5f0000000000000000000a01".parse().unwrap(),
        message: message.parse().unwrap(),
        op: SourceOperation::Create,
        part: 0,
        edited_at: None,
    };
    let mut content = json!({ "msgtype": "m.text", "body": body });
    marker.add_to(content.as_object_mut().unwrap());
    (content, marker)
}

#[tokio::test]
async fn an_event_arrives_with_sender_content_and_time() {
    let setup = Setup::start().await;
    let (room, _) = setup.room(RoomOptions::default()).await;
    let ghost = setup.ghost("gitter_wren-1", &room).await;
    let content = json!({ "msgtype": "m.text", "body": "hello" });
    let mut send = event(&room, &ghost, &content);
    send.timestamp = Some("2020-12-01T10:00:00.123Z".parse().unwrap());
    let event_id = setup.client.send(&send).await.unwrap();

    let events = setup.homeserver.events(&room);
    let stored = events.last().unwrap();
    assert_eq!(stored["event_id"], json!(event_id));
    assert_eq!(stored["sender"], json!(ghost));
    assert_eq!(stored["content"], content);
    assert_eq!(stored["origin_server_ts"], json!(1_606_816_800_123_u64));
}

#[tokio::test]
async fn the_same_transaction_is_one_event_across_a_restart_of_the_homeserver() {
    let mut setup = Setup::start().await;
    let (room, _) = setup.room(RoomOptions::default()).await;
    let ghost = setup.ghost("gitter_wren-1", &room).await;
    let content = json!({ "msgtype": "m.text", "body": "hello" });
    let send = event(&room, &ghost, &content);
    let first = setup.client.send(&send).await.unwrap();
    setup.homeserver.restart().await;
    assert_eq!(setup.client.send(&send).await.unwrap(), first);
}

#[tokio::test]
async fn without_a_device_a_restart_makes_a_second_event() {
    let mut setup = Setup::with(Settings {
        devices: false,
        ..Settings::default()
    })
    .await;
    let (room, _) = setup.room(RoomOptions::default()).await;
    let content = json!({ "msgtype": "m.text", "body": "hello" });
    let mut send = event(&room, setup.client.bot(), &content);
    send.device = None;
    let first = setup.client.send(&send).await.unwrap();
    assert_eq!(setup.client.send(&send).await.unwrap(), first);
    setup.homeserver.restart().await;
    assert_ne!(setup.client.send(&send).await.unwrap(), first);
}

#[tokio::test]
async fn an_unknown_device_is_named_as_such() {
    let setup = Setup::start().await;
    let (room, _) = setup.room(RoomOptions::default()).await;
    let content = json!({ "msgtype": "m.text", "body": "hello" });
    let send = event(&room, setup.client.bot(), &content);
    let error = setup.client.send(&send).await.unwrap_err();
    assert!(error.is("M_UNKNOWN_DEVICE"), "{error}");
}

#[tokio::test]
async fn contents_that_matrix_cannot_hold_are_refused() {
    let setup = Setup::start().await;
    let (room, _) = setup.room(RoomOptions::default()).await;
    let ghost = setup.ghost("gitter_wren-1", &room).await;
    for (content, errcode) in [
        (json!({ "body": "x", "size": 1.5 }), "M_BAD_JSON"),
        (json!({ "body": "x".repeat(70_000) }), "M_TOO_LARGE"),
        (json!(["x"]), "M_BAD_JSON"),
    ] {
        let error = setup
            .client
            .send(&event(&room, &ghost, &content))
            .await
            .unwrap_err();
        assert!(error.is(errcode), "{error}");
    }
}

#[tokio::test]
async fn a_redacted_event_can_be_seen_to_be_redacted() {
    let setup = Setup::start().await;
    let (room, _) = setup.room(RoomOptions::default()).await;
    let ghost = setup.ghost("gitter_wren-1", &room).await;
    let (content, marker) = marked("hello", "5f0000000000000000000d01");
    let send = event(&room, &ghost, &content);
    let event_id = setup.client.send(&send).await.unwrap();
    let seen = async || {
        let event = setup.client.event(&room, &event_id).await.unwrap().unwrap();
        PastEvent::read(&event).unwrap()
    };
    let past = |marker, redacted| PastEvent {
        event_id: event_id.clone(),
        marker,
        redacted,
    };
    assert_eq!(seen().await, past(Some(marker), false));

    let first = setup
        .client
        .redact(&redact(&send, "gmb02", &event_id))
        .await
        .unwrap();
    let again = setup
        .client
        .redact(&redact(&send, "gmb02", &event_id))
        .await
        .unwrap();
    assert_eq!(again, first);
    assert_eq!(seen().await, past(None, true));
    let events = setup.homeserver.events(&room);
    assert_eq!(
        events.last().unwrap()["content"]["reason"],
        json!("deleted on Gitter")
    );
}

#[tokio::test]
async fn an_event_that_is_not_there_is_none() {
    let setup = Setup::start().await;
    let (room, _) = setup.room(RoomOptions::default()).await;
    let nothing = setup.client.event(&room, event_id!("$nothing")).await.unwrap();
    assert!(nothing.is_none());
}

#[tokio::test]
async fn the_markers_of_one_sender_are_found_page_by_page() {
    let setup = Setup::start().await;
    let (room, ana) = setup.room(RoomOptions::default()).await;
    let wren = setup.ghost("gitter_wren-1", &room).await;
    let heron = setup.ghost("gitter_heron-2", &room).await;
    let mut expected = Vec::new();
    for number in 0..3 {
        for ghost in [&wren, &heron] {
            let (content, marker) = marked("hello", &format!("5f0000000000000000000d0{number}"));
            let transaction_id = format!("gmb{number}{ghost}");
            let mut send = event(&room, ghost, &content);
            send.transaction_id = &transaction_id;
            let event_id = setup.client.send(&send).await.unwrap();
            if *ghost == wren {
                expected.push((event_id, Some(marker)));
            }
        }
        setup.homeserver.send_text(&room, &ana, "in between");
    }
    expected.reverse();

    let mut found = Vec::new();
    let mut from = None;
    loop {
        let page = setup
            .client
            .messages_by(&room, &wren, &["m.room.message"], from, 2)
            .await
            .unwrap();
        assert!(page.events.len() <= 2);
        found.extend(
            page.events
                .into_iter()
                .map(|event| (event.event_id, event.marker)),
        );
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(found, expected);
}
