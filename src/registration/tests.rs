//! Registrations: made, read, made anew, and held against a configuration.

use std::os::unix::fs::PermissionsExt as _;

use secrecy::ExposeSecret as _;

use super::*;

const CONFIG: &str = "\
homeserver: { url: http://localhost:8008, server_name: example.org }
gitter:
  api_url: http://localhost:5000/api/v1
  realtime_url: http://localhost:5000/bayeux
  web_url: http://localhost:5000
  token: S3CRET
";

fn config(more: &str) -> Config {
    Config::read(Path::new("config.yaml"), &format!("{CONFIG}{more}"), []).unwrap()
}

fn regexes(namespaces: &[Namespace]) -> Vec<&str> {
    namespaces
        .iter()
        .map(|namespace| namespace.regex.as_str())
        .collect()
}

fn read(text: &str) -> Result<Registration, Vec<Problem>> {
    file::parse(Path::new("registration.yaml"), text)
}

#[test]
fn a_new_registration_has_the_defaults_of_the_design() {
    let registration = Registration::new(&config(""));
    assert_eq!(registration.id, "gitter");
    assert_eq!(registration.sender_localpart, "gitterbot");
    assert_eq!(registration.url.as_deref(), Some("http://127.0.0.1:29330"));
    assert_eq!(
        regexes(&registration.users),
        [r"^@gitter_.*:example\.org$", r"^@gitterbot:example\.org$"]
    );
    assert_eq!(regexes(&registration.aliases), [r"^#gitter_.*:example\.org$"]);
    assert!(
        registration
            .users
            .iter()
            .chain(&registration.aliases)
            .all(|namespace| namespace.exclusive)
    );
    let other: Vec<_> = registration
        .other
        .iter()
        .map(|(key, value)| (key.as_str(), value))
        .collect();
    assert_eq!(
        other,
        [
            ("io.element.msc4190", &Value::Bool(true)),
            ("protocols", &serde_json::json!(["gitter"])),
            ("rate_limited", &Value::Bool(false)),
            ("receive_ephemeral", &Value::Bool(false)),
        ]
    );
    assert_ne!(
        registration.as_token.expose_secret(),
        registration.hs_token.expose_secret()
    );
    assert_ne!(
        registration.as_token.expose_secret(),
        Registration::new(&config("")).as_token.expose_secret()
    );
}

#[test]
fn namespaces_follow_the_templates_and_escape_them() {
    for (template, regex) in [
        ("g+.{id}", r"^@g\+\..*:example\.org$"),
        ("{username}-{id}", r"^@.*\-[0-9a-f]+:example\.org$"),
        ("{id}", r"^@[0-9a-f]+:example\.org$"),
    ] {
        let config = config(&format!(
            "bridge: {{ ghost_localpart: '{template}', alias_prefix: 'g.' }}\n"
        ));
        let registration = Registration::new(&config);
        assert_eq!(regexes(&registration.users).first(), Some(&regex), "{template}");
        assert_eq!(regexes(&registration.aliases), [r"^#g\..*:example\.org$"]);
        registration.check_ghosts(&config).unwrap();
        registration.check_aliases(&config).unwrap();
    }
}

#[test]
fn what_is_written_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("registration.yaml");
    let mut written = Registration::new(&config(""));
    // Tokens that YAML would take for something else unless quoted.
    for token in [
        "0123",
        "1e10",
        "-x",
        "true",
        "a: b".trim_end_matches(": b"),
        "#x",
        "null",
    ] {
        written.as_token = token.to_owned().into();
        written.write(&path).unwrap();
        let read = Registration::load(&path).unwrap();
        assert_eq!(read.as_token.expose_secret(), token);
        assert_eq!(read.to_yaml().unwrap(), written.to_yaml().unwrap());
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn an_older_one_keeps_what_others_rely_on() {
    let older = "\
id: old-id
url: http://elsewhere:1
as_token: one
hs_token: two
sender_localpart: oldbot
namespaces:
  users: [{exclusive: false, regex: '@old_.*'}]
  rooms: [{exclusive: false, regex: '!all.*'}]
rate_limited: true
de.sorunome.msc2409.push_ephemeral: true
protocols: [gitter]
";
    let mut registration = read(older).unwrap();
    assert!(registration.aliases.is_empty());
    registration.renew(&config("appservice: { url: 'http://bridge:29330/' }\n"));
    let renewed = registration.to_yaml().unwrap();
    for kept in [
        "id: old-id",
        "as_token: one",
        "hs_token: two",
        "sender_localpart: oldbot",
        "rate_limited: true",
        "de.sorunome.msc2409.push_ephemeral: true",
        "- gitter",
        "url: http://bridge:29330\n",
        "io.element.msc4190: true",
        r"^@oldbot:example\.org$",
        "!all.*",
        r"^@gitter_.*:example\.org$",
    ] {
        assert!(renewed.contains(kept), "{kept}\n{renewed}");
    }
    assert!(!renewed.contains("@old_"), "{renewed}");
    let mut again = read(&renewed).unwrap();
    again.renew(&config("appservice: { url: 'http://bridge:29330/' }\n"));
    assert_eq!(again.to_yaml().unwrap(), renewed);
}

#[test]
fn what_is_missing_or_odd_is_named_without_the_tokens() {
    let good = Registration::new(&config("")).to_yaml().unwrap();
    for key in ["id", "as_token", "hs_token", "sender_localpart", "namespaces"] {
        let of_key = |line: &&str| {
            line.starts_with(&format!("{key}:")) || key == "namespaces" && line.starts_with("  ")
        };
        let lines: Vec<_> = good.lines().filter(|line| !of_key(line)).collect();
        let without = lines.join("\n");
        let problems = read(&without).unwrap_err();
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with(&format!("registration.yaml: {key} is missing")),
            "{told:?}"
        );
    }
    for (text, message) in [
        (
            "as_token: [S3CRET]",
            "registration.yaml:1: as_token must be one word without blanks",
        ),
        (
            "hs_token: S3CRET two",
            "registration.yaml:1: hs_token must be one word without blanks",
        ),
        (
            "namespaces: S3CRET",
            "registration.yaml:1: namespaces must consist of",
        ),
        (
            "namespaces:\n  users: S3CRET",
            "registration.yaml:2: namespaces must hold lists",
        ),
        (
            "namespaces:\n  users:\n  - S3CRET",
            "registration.yaml:3: namespaces must list things such as",
        ),
        (
            "namespaces:\n  users:\n  - regex: S3CRET",
            "registration.yaml:3: namespaces must list things such as",
        ),
        ("as_token: 'S3CRET", "registration.yaml:1: this is not YAML"),
        (
            "S3CRET",
            "registration.yaml:1: this must consist of keys with values",
        ),
    ] {
        let problems = read(text).unwrap_err();
        let told = crate::config::listed(&problems);
        assert!(told.contains(message), "{told}");
        assert!(!told.contains("S3CRET"), "{told}");
    }
    let printed = format!(
        "{:?}",
        read(&good.replace("as_token: ", "as_token: S3CRET")).unwrap()
    );
    assert!(!printed.contains("S3CRET"), "{printed}");
}

#[test]
fn a_configuration_that_leaves_the_namespaces_is_named_with_the_mend() {
    let registration = Registration::new(&config(""));
    assert_eq!(
        registration.check_ghosts(&config("")).unwrap(),
        "@gitter_wren-5f0000000000000000000c01:example.org"
    );
    assert_eq!(
        registration.check_aliases(&config("")).unwrap(),
        "#gitter_tidepool_harbour:example.org"
    );
    for template in ["{username}-{id}", "git_{id}", "gitter-{id}", "{id}_gitter_"] {
        let problem = registration
            .check_ghosts(&config(&format!("bridge: {{ ghost_localpart: '{template}' }}\n")))
            .expect_err(template);
        let told = problem.to_string();
        assert!(
            told.starts_with("registration.yaml: bridge.ghost_localpart makes ghosts such as @"),
            "{told}"
        );
        assert!(told.contains("run `gitter-matrix-bridge registration`"), "{told}");
    }
    for prefix in ["g", "git_", "x_gitter_"] {
        let problem = registration
            .check_aliases(&config(&format!("bridge: {{ alias_prefix: {prefix} }}\n")))
            .expect_err(prefix);
        assert!(
            problem
                .to_string()
                .contains("bridge.alias_prefix makes aliases such as #"),
            "{problem}"
        );
    }
    let other_server = config("")
        .homeserver
        .server_name
        .as_str()
        .replace("example", "sample");
    let moved = Config::read(
        Path::new("c.yaml"),
        &CONFIG.replace("example.org", &other_server),
        [],
    )
    .unwrap();
    registration.check_ghosts(&moved).unwrap_err();
    registration.check_aliases(&moved).unwrap_err();
}

#[test]
fn namespaces_that_only_hold_some_ghosts_are_not_enough() {
    let config = config("");
    for (regex, holds_all) in [
        ("@gitter_.*", true),
        ("@gitter_.*:example.org", true),
        ("^@gitter_.*:example.org$", true),
        ("^@gitter_.*:.*$", true),
        (r"@gitter_[a-z0-9._=/-]+:example\.org", true),
        (r"@gitter_[a-z]+-[0-9a-f]{24}:example\.org", false),
        (r"@gitter_[a-z0-9._/-]+:example\.org", false),
        (r"@gitter_.*-5.*", false),
        (r"x@gitter_.*", false),
        (r"(?=@gitter_).*", false),
        ("[", false),
    ] {
        let mut registration = Registration::new(&config);
        registration.users = vec![Namespace {
            exclusive: true,
            regex: regex.to_owned(),
        }];
        assert_eq!(registration.check_ghosts(&config).is_ok(), holds_all, "{regex}");
    }
}

#[test]
fn ids_that_would_be_too_long_are_refused() {
    let config = config(&format!(
        "bridge: {{ ghost_localpart: '{}{{id}}' }}\n",
        "x".repeat(220)
    ));
    let problem = Registration::new(&config).check_ghosts(&config).unwrap_err();
    assert!(
        problem.message.starts_with("makes ids that are not valid"),
        "{problem}"
    );
}

#[test]
fn what_may_come_later_is_told_from_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("registration.yaml");
    let lacks = || Registration::load_if_complete(&path).unwrap().unwrap_err();
    assert!(lacks().contains("appservice.registration"));
    let whole = Registration::new(&config("")).to_yaml().unwrap();
    let without = |key: &str| -> String {
        let lines = whole.lines().filter(|line| !line.starts_with(key));
        lines.collect::<Vec<_>>().join("\n")
    };
    fs::write(&path, without("as_token")).unwrap();
    assert_eq!(lacks(), "as_token of the registration is missing");
    fs::write(&path, without("sender_localpart")).unwrap();
    assert!(Registration::load_if_complete(&path).is_err());
    fs::write(&path, &whole).unwrap();
    assert!(Registration::load_if_complete(&path).unwrap().is_ok());
}
