//! Ids that come from outside: those of items (`explain`), of media, of Gitter's things, and the ghosts made of Gitter's
//! users. What is read is written as it was.

#![no_main]

use gitter_matrix_bridge::{
    ids::{GhostTemplate, GitterMessageId, GitterUserId, ItemId, MediaId, transaction_id},
    store::ledger::Place,
};
use libfuzzer_sys::fuzz_target;
use ruma::{UserId, server_name};

fn check_ghost(username: &str) {
    let template = GhostTemplate::default();
    let id: GitterUserId = "5f0000000000000000000c01".parse().expect("an id");
    if let Ok(ghost) = template.make(server_name!("example.org"), &id, username) {
        assert!(ghost.as_str().len() <= 255 && UserId::parse(ghost.as_str()).is_ok());
        let localpart = ghost.localpart();
        assert!(localpart.starts_with("gitter_") && localpart.ends_with("-5f0000000000000000000c01"));
        assert_eq!(ghost.server_name(), "example.org");
        assert!(!ghost.is_historical(), "{ghost}");
    }
}

fuzz_target!(|text: &str| {
    if let Ok(id) = text.parse::<ItemId>() {
        assert_eq!(id.to_string(), text);
        if let Some(place) = Place::of(&id) {
            assert_eq!(place.id(), id);
        }
    }
    if let Ok(id) = text.parse::<MediaId>() {
        assert_eq!(id.as_str(), text);
        assert_eq!(MediaId::from_bytes(*id.as_bytes()), id);
    }
    if let Ok(id) = text.parse::<GitterMessageId>() {
        assert_eq!(id.as_str(), text);
        if let Some(time) = id.time() {
            assert!(GitterMessageId::first_of_second(time).as_str() <= text.to_lowercase().as_str());
        }
    }
    if let Ok(template) = GhostTemplate::try_from(text.to_owned()) {
        assert_eq!(String::from(template), text);
    }
    check_ghost(text);
    if let Some((one, other)) = text.split_once(' ') {
        assert_ne!(transaction_id(&[one, other]), transaction_id(&[text]));
    }
});
