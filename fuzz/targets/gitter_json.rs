//! What Gitter says, by REST and realtime: an operation on a message, and the other things that are read of such JSON.

#![no_main]

use std::sync::LazyLock;

use gitter_matrix_bridge::{
    gitter::picture_url,
    model::{Ban, Group, Message, Room, User},
    translate::{Context, to_matrix::Operation},
};
use libfuzzer_sys::fuzz_target;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use url::Url;

static CONTEXTS: LazyLock<[Context; 2]> = LazyLock::new(fuzz::contexts);
static SITE: LazyLock<Url> = LazyLock::new(|| Url::parse("https://gitter.example.org").expect("an address"));

/// What is read is written, and read alike.
fn reads<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(model: &Value) -> Option<T> {
    let read: T = serde_json::from_value(model.clone()).ok()?;
    let written = serde_json::to_value(&read).expect("it is written");
    assert_eq!(serde_json::from_value::<T>(written).ok().as_ref(), Some(&read));
    Some(read)
}

fuzz_target!(|json: &[u8]| {
    let Ok(read) = serde_json::from_slice::<Value>(json) else {
        return;
    };
    let model = read.get("model").unwrap_or(&read);
    let said = read.get("operation").and_then(Value::as_str).unwrap_or("create");
    for context in CONTEXTS.iter() {
        for operation in [said, "create"] {
            let operation = Operation {
                operation: operation.to_owned(),
                model: model.clone(),
            };
            fuzz::check_to_matrix(&operation, context);
        }
    }
    let _ = serde_json::from_value::<Message>(model.clone()).map(|message| message.is_tombstone());
    let _ = serde_json::from_value::<Ban>(model.clone()).map(|ban| ban.who().map(str::len));
    reads::<Group>(model);
    if let Some(room) = reads::<Room>(model) {
        let repository = room.repository();
        assert!(repository.is_none_or(|repository| repository.starts_with("https://git")));
    }
    let user = model.get("fromUser").cloned().unwrap_or_else(|| json!({}));
    if let Ok(user) = serde_json::from_value::<User>(user) {
        let _ = (user.account_id(), user.is_gone(), user.name());
        let _ = picture_url(
            user.avatar_url.as_deref(),
            user.avatar_url_medium.as_deref(),
            &SITE,
        );
    }
});
