//! `registration`.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// The line of a key.
fn line_of<'a>(text: &'a str, key: &str) -> &'a str {
    let prefix = format!("{key}: ");
    text.lines().find(|line| line.starts_with(&prefix)).unwrap()
}

/// A run's words, of which none may be a token.
fn told(place: &Place, run: &Run, code: i32) -> String {
    let told = format!("{}{}", run.stdout, run.stderr);
    assert_eq!(run.code, Some(code), "{told}");
    for name in ["registration.yaml", "copy.yaml"] {
        let text = fs::read_to_string(place.path(name)).unwrap_or_default();
        for line in text.lines().filter(|line| line.contains("_token: ")) {
            let (_, token) = line.split_once(": ").unwrap();
            assert!(!told.contains(token), "{told}");
        }
    }
    told
}

#[test]
fn it_is_written_once_for_its_owner_and_keeps_its_tokens() {
    let place = Place::new();
    let first = told(&place, &place.run(["registration"]), 0);
    assert!(
        first.starts_with("Wrote registration.yaml with new tokens.\nNext: "),
        "{first}"
    );
    let mode = fs::metadata(place.path("registration.yaml"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let written = place.read("registration.yaml");
    place.write("registration.yaml", &(written.clone() + "de.example: [kept]\n"));
    let mut again = place.program(["registration"]);
    again.env("GITTER_BRIDGE__BRIDGE__ALIAS_PREFIX", "git_");
    let second = told(&place, &Run::from(again.output().unwrap()), 0);
    assert!(
        second.starts_with("Wrote registration.yaml with the same tokens as before."),
        "{second}"
    );
    let rewritten = place.read("registration.yaml");
    for key in ["id", "as_token", "hs_token"] {
        assert_eq!(line_of(&rewritten, key), line_of(&written, key));
    }
    assert!(
        rewritten.contains("^#git_.*:example\\.org$") && rewritten.contains("- kept"),
        "{rewritten}"
    );
    let mode = fs::metadata(place.path("registration.yaml"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_copy_has_the_tokens_that_the_bridge_reads() {
    let place = Place::new();
    told(&place, &place.run(["registration"]), 0);
    let words = told(&place, &place.run(["registration", "-o", "copy.yaml"]), 0);
    assert!(
        words.contains("The bridge itself reads registration.yaml"),
        "{words}"
    );
    assert_eq!(place.read("copy.yaml"), place.read("registration.yaml"));
    let printed = place.run(["registration", "--output", "-"]).printed(0);
    assert_eq!(printed, place.read("registration.yaml"));
}

#[test]
fn it_can_be_printed_into_the_file_itself() {
    let place = Place::new();
    let file = fs::File::create(place.path("registration.yaml")).unwrap();
    let status = place
        .program(["registration", "-o", "-"])
        .stdout(file)
        .status()
        .unwrap();
    assert!(status.success());
    place.run(["config", "check"]).printed(0);
}

#[test]
fn what_is_not_a_registration_is_only_replaced_by_force() {
    let place = Place::new();
    for text in ["just: notes\n", "no yaml: [\n"] {
        place.write("registration.yaml", text);
        let words = told(&place, &place.run(["registration"]), 2);
        assert!(
            words.contains("registration.yaml is not a usable registration") && words.contains("--force"),
            "{words}"
        );
        assert_eq!(place.read("registration.yaml"), text);
        told(&place, &place.run(["registration", "--force"]), 0);
        let forced = place.read("registration.yaml");
        told(&place, &place.run(["registration", "--force"]), 0);
        assert_eq!(place.read("registration.yaml"), forced);
    }
}

#[test]
fn a_link_to_the_file_stays_a_link() {
    let place = Place::new();
    told(&place, &place.run(["registration", "-o", "copy.yaml"]), 0);
    std::os::unix::fs::symlink("copy.yaml", place.path("registration.yaml")).unwrap();
    let words = told(&place, &place.run(["registration"]), 0);
    assert!(words.contains("with the same tokens"), "{words}");
    assert!(
        fs::symlink_metadata(place.path("registration.yaml"))
            .unwrap()
            .is_symlink()
    );
}

#[test]
fn a_folder_that_is_not_there_is_a_failure() {
    let place = Place::new();
    let words = told(
        &place,
        &place.run(["registration", "-o", "none/registration.yaml"]),
        1,
    );
    assert!(
        words.contains("cannot write the registration none/registration.yaml"),
        "{words}"
    );
}
