use super::*;

fn context() -> Context {
    serde_json::from_value(json!({
        "server_name": "example.org",
        "now": "2020-12-01T10:00:00Z",
        "web_url": "https://gitter.example.org",
        "portal": {
            "gitter_room_id": "5f0000000000000000000a01",
            "gitter_uri": "tidepool/harbour",
            "matrix_room_id": "!r:example.org",
        },
    }))
    .unwrap()
}

fn made(text: &str, html: &str) -> Map<String, Value> {
    let message = json!({ "id": "5f0000000000000000000d01", "text": text, "html": html });
    create(&serde_json::from_value(message).unwrap(), None, &context())
        .unwrap()
        .content
}

#[test]
fn html_that_is_too_large_goes_first() {
    let content = made("short", &format!("<em>{}</em>", "x".repeat(MAX_BYTES)));
    assert_eq!(content["body"], "short");
    assert!(!content.contains_key("format") && !content.contains_key("formatted_body"));
}

#[test]
fn text_that_is_too_large_is_cut_with_a_link() {
    for character in ["x", "é", "\"", "🐦", "\n."] {
        let content = made(&character.repeat(MAX_BYTES), "");
        let body = content["body"].as_str().unwrap();
        let link = "https://gitter.example.org/tidepool/harbour?at=5f0000000000000000000d01";
        assert!(body.contains(link));
        assert!(
            size(&content) <= MAX_BYTES + 200 && size(&content) > MAX_BYTES - 100,
            "{}",
            size(&content)
        );
    }
}

#[test]
fn the_marker_names_room_and_message() {
    assert_eq!(
        made("ahoy", "ahoy")["im.gitter.source"],
        json!({
            "room": "5f0000000000000000000a01",
            "message": "5f0000000000000000000d01",
            "op": "create",
            "part": 0,
        })
    );
}
