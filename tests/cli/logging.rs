//! Logging to a file; the one test of this program that logs, since a process can start logging once.

use gitter_matrix_bridge::{
    config::{LogFormat, LogRotation, Logging},
    logging::{self, LoggingError},
};

use super::*;

#[test]
fn lines_of_the_level_go_to_the_file() {
    let place = Place::new();
    place.write("bridge.log", "earlier\n");
    let settings = Logging {
        level: "info".to_owned(),
        format: LogFormat::Json,
        file: Some(place.path("bridge.log")),
        rotate: LogRotation::Size(1_000),
        keep: 2,
    };
    let nowhere = Logging {
        file: Some(place.path("none/bridge.log")),
        ..settings.clone()
    };
    let error = logging::start(&nowhere).unwrap_err().to_string();
    assert!(error.contains("none/bridge.log"), "{error}");

    logging::start(&settings).unwrap();
    tracing::info!(room.id = "5f0000000000000000000a01", "The rooms are linked");
    tracing::debug!("Not worth a line");
    let log = place.read("bridge.log");
    let (earlier, line) = log.split_once('\n').unwrap();
    assert_eq!(earlier, "earlier");
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["message"], "The rooms are linked");
    assert_eq!(line["room.id"], "5f0000000000000000000a01");
    assert_eq!(line["level"], "INFO");
    for _ in 0..10 {
        tracing::info!(filling = "x".repeat(200), "Much is said");
    }
    assert!(place.read("bridge.log.1").ends_with("}\n") && place.read("bridge.log.2").starts_with('{'));
    assert!(!place.path("bridge.log.3").exists());
    assert!(matches!(logging::start(&settings), Err(LoggingError::Started(_))));
}
