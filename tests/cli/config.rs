//! `config`, and what holds for every command.

use std::{io, process::Stdio};

use super::*;

#[test]
fn the_example_can_be_used_as_it_is() {
    let place = Place::new();
    let example = place.run(["config", "example"]).printed(0);
    assert_eq!(example, place.read("config.yaml"));
    let told = place.run(["config", "check"]).printed(0);
    assert!(
        told.contains("note  registration.yaml does not exist yet"),
        "{told}"
    );
    assert!(told.ends_with("The configuration can be used.\n"), "{told}");
}

#[test]
fn a_check_tells_all_that_is_wrong_line_by_line() {
    let place = Place::new();
    let text = place
        .read("config.yaml")
        .replace("threads: thread ", "threads: S3CRET");
    place.write("config.yaml", &text.replace("max_parts: 4", "max_parts: 0"));
    let told = place.run(["config", "check"]).printed(2);
    let lines: Vec<_> = told.lines().collect();
    assert!(
        lines[0].starts_with("FAIL  config.yaml:") && lines[0].contains("bridge.threads must be"),
        "{told}"
    );
    assert!(
        lines[1].starts_with("FAIL  config.yaml:") && lines[1].contains("bridge.max_parts must be"),
        "{told}"
    );
    assert_eq!(lines[2], "2 checks failed.");
    assert!(!told.contains("S3CRET"), "{told}");
}

#[test]
fn a_check_refuses_names_outside_of_the_namespaces() {
    let place = Place::new();
    place.run(["registration"]).printed(0);
    assert!(!place.run(["config", "check"]).printed(0).contains("note"));
    for (variable, value, message) in [
        (
            "GITTER_BRIDGE__BRIDGE__GHOST_LOCALPART",
            "{username}-{id}",
            "bridge.ghost_localpart makes ghosts such as @wren-5f0000000000000000000c01:example.org",
        ),
        (
            "GITTER_BRIDGE__BRIDGE__ALIAS_PREFIX",
            "git_",
            "bridge.alias_prefix makes aliases such as #git_tidepool_harbour:example.org",
        ),
    ] {
        let run: Run = place
            .program(["config", "check"])
            .env(variable, value)
            .output()
            .unwrap()
            .into();
        let told = run.printed(2);
        assert!(
            told.contains(&format!("FAIL  registration.yaml: {message}")),
            "{told}"
        );
        assert!(told.contains("1 check failed."), "{told}");
    }
}

#[test]
fn a_check_reports_a_registration_that_cannot_be_used() {
    let place = Place::new();
    place.write("registration.yaml", "id: gitter\nas_token: S3CRET\n");
    let told = place.run(["config", "check"]).printed(2);
    assert!(
        told.contains("FAIL  registration.yaml: hs_token is missing"),
        "{told}"
    );
    assert!(!told.contains("S3CRET"), "{told}");
}

#[test]
fn a_check_notes_another_address_in_the_registration() {
    let place = Place::new();
    place.run(["registration"]).printed(0);
    let moved: Run = place
        .program(["config", "check"])
        .env("GITTER_BRIDGE__APPSERVICE__URL", "http://bridge:29330")
        .output()
        .unwrap()
        .into();
    let told = moved.printed(0);
    assert!(
        told.contains(
            "note  appservice.url: the registration sends the homeserver to http://127.0.0.1:29330"
        ),
        "{told}"
    );
}

#[test]
fn the_configuration_is_found_by_option_then_variable_then_folder() {
    let place = Place::new();
    fs::rename(place.path("config.yaml"), place.path("other.yaml")).unwrap();
    let missing = place.run(["config", "check"]).complained(2);
    assert!(
        missing.contains(&format!(
            "cannot read the configuration {}",
            place.path("config.yaml").display()
        )),
        "{missing}"
    );
    for option in ["-c", "--config"] {
        place.run([option, "other.yaml", "config", "check"]).printed(0);
        place.run(["config", "check", option, "other.yaml"]).printed(0);
    }
    let mut by_variable = place.program(["config", "check"]);
    by_variable.env("GITTER_BRIDGE_CONFIG", "other.yaml");
    Run::from(by_variable.output().unwrap()).printed(0);
    let mut option_wins = place.program(["-c", "none.yaml", "config", "check"]);
    option_wins.env("GITTER_BRIDGE_CONFIG", "other.yaml");
    let told = Run::from(option_wins.output().unwrap()).complained(2);
    assert!(told.contains("none.yaml"), "{told}");
}

#[test]
fn a_reader_that_has_gone_ends_the_command_quietly() {
    let place = Place::new();
    for arguments in [
        vec!["config", "example"],
        vec!["--help"],
        vec!["completions", "bash"],
        vec!["man"],
        vec!["config", "check"],
    ] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = place
            .program(&arguments)
            .stdout(Stdio::from(writer))
            .output()
            .unwrap();
        assert_eq!(Run::from(output).complained(0), "", "{arguments:?}");
    }
}

#[test]
fn wrong_usage_ends_with_2_and_help_with_0() {
    let place = Place::new();
    for arguments in [
        vec![],
        vec!["dance"],
        vec!["room", "link", "one"],
        vec!["room", "show", ""],
        vec!["config", "chekc"],
    ] {
        let told = place.run(&arguments).complained(2);
        assert!(told.contains("--help") || told.contains("Usage:"), "{told}");
    }
    for arguments in [
        vec!["--help"],
        vec!["--version"],
        vec!["room", "link", "--help"],
        vec!["translate", "to-matrix", "--help"],
    ] {
        let told = place.run(&arguments).printed(0);
        assert!(told.contains("gitter-matrix-bridge"), "{told}");
    }
}

#[test]
fn the_version_names_the_commit_where_it_is_known() {
    let told = Place::new().run(["--version"]).printed(0);
    let version = concat!("gitter-matrix-bridge ", env!("CARGO_PKG_VERSION"));
    let commit = told.trim().strip_prefix(version).unwrap();
    assert!(
        commit.is_empty() || commit.starts_with(" (") && commit.ends_with(')'),
        "{told}"
    );
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let place = Place::new();
    let page = place.run(["man"]).printed(0);
    assert!(page.contains(".TH gitter-matrix-bridge 1"), "{page}");
    assert!(
        page.contains("completions") && page.contains("Exit codes"),
        "{page}"
    );
    let told = place.run(["man", "-o", "pages"]).printed(0);
    assert_eq!(told, "Wrote the pages to pages.\n");
    for name in ["gitter-matrix-bridge", "gitter-matrix-bridge-room-link"] {
        assert!(place.read(&format!("pages/{name}.1")).contains(".TH"), "{name}");
    }
    place.write("file", "");
    let told = place.run(["man", "-o", "file/pages"]).complained(1);
    assert!(told.contains("cannot write to file/pages"), "{told}");
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = Place::new().run(["completions", shell]).printed(0);
        assert!(
            script.contains("registration") && script.contains("unlink"),
            "{shell}"
        );
    }
}
