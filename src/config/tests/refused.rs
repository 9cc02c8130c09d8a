//! What is said about a configuration that is wrong.

use super::*;

/// The problem of the shortest configuration with one more line, which is its ninth.
fn problem_of(line: &str) -> String {
    problems(&format!("{SHORTEST}{line}\n"), &[])
}

/// A key with a bad value, and what is said about it.
const BAD_VALUES: &str = "\
appservice.listen: localhost => must be an IP address and a port
appservice.url: S3CRET => must be an address such as
appservice.url: ftp://S3CRET.example => must begin with `http://` or `https://`
appservice.url: http://u:S3CRET@example.org => must not hold a user name or a password
appservice.public_url: http://x.example/?t=S3CRET => must not hold `?` or `#`
appservice.registration: [S3CRET] => must be a single value
database.url: mysql://u:S3CRET@db/x => must be `sqlite:<file>` or `postgres://
database.url: 'sqlite::memory:' => must name a file: what is only in memory is lost
database.url: 'sqlite:' => must name a file, such as
database.url: 'sqlite:x.db?mode=rwc' => must not hold `?`
bridge.rooms: S3CRET => must be a list
bridge.rooms: ['S3CRET['] => must hold globs
bridge.alias_prefix: 'S3CRET :' => must consist of lower-case letters
bridge.ghost_localpart: gitter_{username} => must hold {id} once
bridge.ghost_localpart: '{id}{id}' => must hold {id} once
bridge.ghost_localpart: 'S3CRET_{id}' => must consist of lower-case letters
bridge.ghost_localpart: 'x_{id}{name}' => must consist of lower-case letters
bridge.ghost_localpart: 'x_{id' => must consist of lower-case letters
bridge.ghost_display_name: S3CRET => must hold {display_name} or {username}
bridge.ghost_display_name: '{name}' => must hold {display_name} or {username}
bridge.threads: S3CRET => must be `thread` or `reply`
bridge.membership: Lazy => must be `lazy` or `mirror`
bridge.reactions: reply => must be `ignore` or `thread`
bridge.announce: yes => must be `true` or `false`
bridge.max_parts: 0 => must be a whole number from 1 to 20
bridge.max_parts: 4.5 => must be a whole number from 1 to 20
bridge.give_up_after: 5 => must be a length of time
bridge.give_up_after: 0s => must be a length of time
bridge.give_up_after: -5m => must be a length of time
bridge.give_up_after: 1mo => must be a length of time
bridge.privacy_check: S3CRET => must be a length of time
bridge.permissions: admin => must be a map
bridge.permissions: { '*': S3CRET } => must give `user` or `admin`
bridge.permissions: { '@S3CRET': user } => must be given to `*`, a server
media.expires: S3CRET => must be `never` or a length of time
media.max_bytes: S3CRET => must be a number of bytes
media.max_bytes: 0 => must be a number of bytes
admin.listen: 127.0.0.1 => must be an IP address and a port
logging.level: inof => must be `error`, `warn`
logging.level: info,sqlx=S3CRET => must be `error`, `warn`
logging.format: yaml => must be `pretty` or `json`
logging.rotate: weekly => must be `never`, `daily`, or a number of bytes
logging.rotate: 0 => must be `never`, `daily`, or a number of bytes
logging.keep: 0 => must be a whole number from 1 to 1000
telemetry.otlp_endpoint: localhost:4318 => must begin with `http://`
";

#[test]
fn each_bad_value_is_named_with_its_key_and_line() {
    for case in BAD_VALUES.lines() {
        let (setting, message) = case.split_once(" => ").unwrap();
        let (section, setting) = setting.split_once('.').unwrap();
        let (key, _) = setting.split_once(':').unwrap();
        let problem = problem_of(&format!("{section}:\n  {setting}"));
        let expected = format!("conf/config.yaml:10: {section}.{key} {message}");
        assert!(problem.starts_with(&expected), "{case}\n{problem}");
        assert!(!problem.contains('\n'), "{problem}");
    }
}

#[test]
fn bad_values_of_required_keys_are_named_too() {
    for (key, value, message) in [
        (
            "url",
            "http://localhost:8008",
            "homeserver.url must be an address such as",
        ),
        (
            "server_name",
            "example.org",
            "homeserver.server_name must be the server name",
        ),
        (
            "api_url",
            "http://localhost:5000/api/v1",
            "gitter.api_url must be an address such as",
        ),
    ] {
        let text = SHORTEST.replacen(
            &format!("  {key}: {value}\n"),
            &format!("  {key}: S3CRET value\n"),
            1,
        );
        let problem = problems(&text, &[]);
        assert!(problem.contains(message), "{problem}");
    }
}

#[test]
fn parts_of_lists_and_maps_have_lines_of_their_own() {
    for (line, place) in [
        (
            "bridge:\n  rooms:\n    - fine/*\n    - 'bad['",
            "conf/config.yaml:12: bridge.rooms",
        ),
        (
            "bridge:\n  permissions:\n    '*': user\n    example.org: king",
            "conf/config.yaml:12: bridge.permissions",
        ),
    ] {
        let problem = problem_of(line);
        assert!(problem.starts_with(place), "{problem}");
    }
    let hosts = SHORTEST.to_owned() + "  files_hosts:\n    - files.gitter.im\n    - https://S3CRET.example\n";
    let problem = problems(&hosts, &[]);
    assert!(
        problem.starts_with("conf/config.yaml:11: gitter.files_hosts must be the name of a host"),
        "{problem}"
    );
}

#[test]
fn unknown_keys_are_errors_that_name_the_known_ones() {
    let problem = problem_of("bridge: { max_part: 3 }");
    assert!(
        problem.starts_with(
            "conf/config.yaml:9: bridge.max_part is not a key of this section; it has rooms, alias_prefix"
        ),
        "{problem}"
    );
    let problem = problem_of("brigde: { max_parts: 3 }");
    assert!(
        problem.starts_with(
            "conf/config.yaml:9: brigde is not a key; there are data_dir, homeserver, appservice"
        ),
        "{problem}"
    );
}

#[test]
fn a_secret_that_lost_its_key_is_not_shown() {
    for line in [
        "x: { token:S3CRET }",
        "media: { token:S3CRET }",
        "S3CRET-0123456789:",
        "media: [S3CRET]",
    ] {
        let problem = problem_of(line);
        assert!(problem.starts_with("conf/config.yaml:9: "), "{line}: {problem}");
    }
}

#[test]
fn syntax_errors_name_their_line_and_show_no_neighbours() {
    for (line, place) in [
        ("bridge: [", "conf/config.yaml:"),
        (
            "gitter: {}",
            "conf/config.yaml:9: a key stands here a second time",
        ),
        ("bridge: \"open", "conf/config.yaml:9: this is not YAML"),
        ("  bridge: x: y", "conf/config.yaml:9: this is not YAML"),
        ("---\na: b", "conf/config.yaml:10: a second document begins here"),
    ] {
        let problem = problem_of(line);
        assert!(problem.starts_with(place), "{line}: {problem}");
    }
    assert_eq!(
        problems("S3CRET", &[("GITTER_BRIDGE__BRIDGE__THREADS", "reply")]),
        "conf/config.yaml:1: this must consist of keys with values, such as `key: value`"
    );
}

#[test]
fn all_problems_are_told_together() {
    let told = problems(
        "homeserver:\n  url: nothing\nbridge:\n  threads: x\n  receipts: x\nlogging: { color: true }\n",
        &[
            ("GITTER_BRIDGE__MEDIA__EXPIRES", "soon"),
            ("GITTER_BRIDGE__MEDIA__EXPIRY", "never"),
        ],
    );
    let expected = [
        "conf/config.yaml:2: homeserver.url must be an address",
        "conf/config.yaml:1: homeserver.server_name is missing; set it, for example `server_name: example.org`",
        "conf/config.yaml: gitter.api_url is missing",
        "conf/config.yaml: gitter.realtime_url is missing",
        "conf/config.yaml: gitter.web_url is missing",
        "conf/config.yaml:4: bridge.threads must be",
        "conf/config.yaml:5: bridge.receipts must be",
        "environment variable GITTER_BRIDGE__MEDIA__EXPIRES: media.expires must be `never`",
        "conf/config.yaml:6: logging.color is not a key of this section",
        "environment variable GITTER_BRIDGE__MEDIA__EXPIRY: stands for no key",
    ];
    let told: Vec<_> = told.lines().collect();
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}");
    }
}

#[test]
fn exactly_one_kind_of_token_must_be_set() {
    let none = SHORTEST.replace("  token: S3CRET-of-gitter\n", "");
    for text in [none.clone(), none.clone() + "  tokens: []\n", none + "  token:\n"] {
        let problem = problems(&text, &[]);
        assert!(
            problem.starts_with("conf/config.yaml: gitter.token_file is missing, and so are"),
            "{problem}"
        );
    }
    let problem = problems(&format!("{SHORTEST}  tokens: [S3CRET]\n"), &[]);
    assert!(
        problem.starts_with("conf/config.yaml: gitter.token_file is not the only one"),
        "{problem}"
    );
}

#[test]
fn bad_tokens_and_token_files_are_named_without_their_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gitter.token");
    let with_file = SHORTEST.replace(
        "token: S3CRET-of-gitter",
        &format!("token_file: {}", path.display()),
    );
    let problem = problems(&with_file, &[]);
    let expected = format!(
        "conf/config.yaml:8: gitter.token_file names the file {}, which cannot be read: ",
        path.display()
    );
    assert!(problem.starts_with(&expected), "{problem}");
    fs::write(&path, "S3CRET one\nS3CRET two\n").unwrap();
    let problem = problems(&with_file, &[]);
    assert!(
        problem.starts_with("conf/config.yaml:8: gitter.token_file is not usable: "),
        "{problem}"
    );
    assert!(problem.contains(path.to_str().unwrap()), "{problem}");
    let problem = problems(&SHORTEST.replace("S3CRET-of-gitter", "S3CRET and more"), &[]);
    assert_eq!(
        problem,
        "conf/config.yaml:8: gitter.token must be one word without blanks"
    );
}

#[test]
fn what_is_no_header_is_named_by_its_line_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("headers");
    for text in [
        "# x\nS3CRET\n",
        "\nbad name: S3CRET\n",
        "X: y\nS3CRET\u{7f}: \u{7f}\n",
    ] {
        std::fs::write(&path, text).unwrap();
        let problem = problem_of(&format!("telemetry:\n  headers_file: {}", path.display()));
        assert!(
            problem.contains("headers, whose line 2 is no header such as"),
            "{problem}"
        );
        assert!(!problem.contains("S3CRET"), "{problem}");
    }
    let problem = problem_of("telemetry:\n  headers_file: no/such");
    assert!(problem.contains("no/such, which cannot be read"), "{problem}");
}

#[test]
fn bad_variables_are_named_without_their_value() {
    for (name, value, message) in [
        (
            "GITTER_BRIDGE__HOMESERVER__URL",
            "S3CRET",
            "homeserver.url must be an address",
        ),
        (
            "GITTER_BRIDGE__GITTER__TOKEN",
            "S3CRET two",
            "gitter.token must be one word",
        ),
        (
            "GITTER_BRIDGE__BRIDGE__ROOMS",
            "[S3CRET",
            "bridge.rooms must be a list",
        ),
        (
            "GITTER_BRIDGE__BRIDGE__ROOMS",
            "['S3CRET[']",
            "bridge.rooms must hold globs",
        ),
        (
            "GITTER_BRIDGE__BRIDGE__PERMISSIONS",
            "{S3CRET: admin: x}",
            "bridge.permissions must be a map",
        ),
        ("GITTER_BRIDGE__BRIDGE", "{max_parts: 3}", "stands for no key"),
        ("GITTER_BRIDGE__GITTER__TOKEN__X", "S3CRET", "stands for no key"),
    ] {
        let problem = problems(SHORTEST, &[(name, value)]);
        assert_eq!(
            problem.find(message),
            Some(format!("environment variable {name}: ").len()),
            "{problem}"
        );
    }
}

#[test]
fn a_missing_file_is_named_with_the_way_to_make_one() {
    let error = Config::load(Path::new("no/such/config.yaml"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no/such/config.yaml") && error.contains("gitter-matrix-bridge init"),
        "{error}"
    );
}
