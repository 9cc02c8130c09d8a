//! `init`, with nothing that answers: what it writes, and what it leaves alone.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// An empty folder with a token in `given.txt`.
fn empty_place() -> Place {
    let place = Place {
        folder: tempfile::tempdir().unwrap(),
    };
    place.write("given.txt", "S3CRET-of-gitter\n");
    place
}

const GIVEN: [&str; 9] = [
    "init",
    "--homeserver-url",
    "http://127.0.0.1:1",
    "--server-name",
    "example.org",
    "--gitter-url",
    "http://127.0.0.1:1",
    "--gitter-token-from",
    "given.txt",
];

fn files(place: &Place) -> Vec<String> {
    let entries = fs::read_dir(place.folder.path()).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn it_writes_what_the_bridge_needs_and_says_what_comes_next() {
    let place = empty_place();
    let told = place.run(GIVEN).printed(0);
    for word in [
        "Wrote config.yaml and gitter.token.",
        "homeserver.url",
        "doctor",
        "serve",
        "room link",
    ] {
        assert!(told.contains(word), "{word} in {told}");
    }
    assert!(!told.contains("S3CRET"), "{told}");
    for name in ["config.yaml", "gitter.token", "registration.yaml"] {
        let mode = fs::metadata(place.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(place.read("gitter.token"), "S3CRET-of-gitter\n");
    let checked = place.run(["config", "check"]).printed(0);
    assert!(checked.ends_with("The configuration can be used.\n"), "{checked}");
    let config = place.read("config.yaml");
    for line in [
        "api_url: \"http://127.0.0.1:1/api/v1\"",
        "realtime_url: \"http://127.0.0.1:1/bayeux\"",
    ] {
        assert!(config.contains(line), "{line} in {config}");
    }
}

#[test]
fn it_replaces_nothing_unless_forced_and_keeps_the_registrations_tokens() {
    let place = empty_place();
    place.run(GIVEN).printed(0);
    let before = place.read("registration.yaml");
    let told = place.run(GIVEN).complained(1);
    assert!(told.contains("config.yaml exists; say --force"), "{told}");
    let forced = GIVEN
        .into_iter()
        .chain(["--force", "--url", "http://bridge:29330", "--data-dir", "data"]);
    place.run(forced).printed(0);
    assert!(place.read("config.yaml").contains("url: \"http://bridge:29330\""));
    assert!(place.path("data").is_dir());
    let after = place.read("registration.yaml");
    let tokens = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.contains("_token:"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(tokens(&before).len(), 2);
    assert_eq!(tokens(&before), tokens(&after));
    assert!(after.contains("http://bridge:29330"), "{after}");
}

#[test]
fn where_nobody_can_answer_the_missing_flag_is_named() {
    let place = empty_place();
    for (without, flag) in [
        (1, "--homeserver-url"),
        (3, "--server-name"),
        (5, "--gitter-url"),
        (7, "--gitter-token-from"),
    ] {
        let arguments = GIVEN
            .into_iter()
            .enumerate()
            .filter_map(|(place, argument)| (place != without && place != without + 1).then_some(argument));
        let told = place.run(arguments).complained(2);
        assert!(told.contains(flag), "{flag} in {told}");
    }
    assert_eq!(files(&place), ["given.txt"]);
}

#[test]
fn an_answer_that_cannot_be_used_leaves_the_folder_as_it_was() {
    let place = empty_place();
    let mut arguments = GIVEN;
    arguments[4] = "not a name";
    let told = place.run(arguments).complained(2);
    assert!(
        told.contains("--server-name: homeserver.server_name must"),
        "{told}"
    );
    let with_password = GIVEN
        .into_iter()
        .chain(["--database", "postgres://bridge:S3CRET@host/bridge"]);
    let told = place.run(with_password).complained(2);
    assert!(
        told.contains("seen by others") && !told.contains("S3CRET"),
        "{told}"
    );
    place.write("given.txt", "two words\n");
    let told = place.run(GIVEN).complained(2);
    assert!(told.contains("one word"), "{told}");
    assert_eq!(files(&place), ["given.txt"]);
}
