//! One event as the homeserver pushes it, and all that is read of it.

#![no_main]

use std::sync::LazyLock;

use gitter_matrix_bridge::{
    matrix::{PastEvent, SourceMarker},
    translate::{Context, command, to_gitter},
};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, value::RawValue};

static CONTEXTS: LazyLock<[Context; 2]> = LazyLock::new(fuzz::contexts);

fuzz_target!(|json: &[u8]| {
    let Ok(event) = serde_json::from_slice::<&RawValue>(json) else {
        return;
    };
    for context in CONTEXTS.iter() {
        fuzz::check_to_gitter(event, context);
        assert!(to_gitter::link_to_itself(event, context).starts_with("https://matrix.to/#/"));
    }
    let _ = to_gitter::targets(event);
    if let Some(command) = command::of_event(event) {
        assert!(
            command
                .words
                .iter()
                .all(|word| !word.contains(char::is_whitespace))
        );
    }
    if let Some(marker) = PastEvent::read(event).and_then(|event| event.marker) {
        let mut content = Map::new();
        marker.add_to(&mut content);
        assert_eq!(SourceMarker::of(&Value::Object(content)), Some(marker));
    }
});
