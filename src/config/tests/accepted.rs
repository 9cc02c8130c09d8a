//! What a configuration may say.

use super::{section::Presence, *};

#[test]
fn the_shortest_configuration_has_the_defaults_of_the_design() {
    let config = read(SHORTEST).unwrap();
    assert_eq!(config.data_dir, PathBuf::from("conf"));
    assert_eq!(
        config.appservice.registration,
        PathBuf::from("conf/registration.yaml")
    );
    assert_eq!(config.appservice.listen.to_string(), "127.0.0.1:29330");
    assert_eq!(config.appservice.url_for_homeserver(), "http://127.0.0.1:29330");
    assert_eq!(config.appservice.public_url, None);
    assert_eq!(config.gitter.files_hosts, ["files.gitter.im"]);
    assert_eq!(config.gitter.image_proxy_host, None);
    assert_eq!(config.gitter.rooms_per_socket, 200);
    assert!(matches!(&config.database.url, DatabaseUrl::Sqlite(path) if path == Path::new("conf/bridge.db")));
    let bridge = &config.bridge;
    assert!(bridge.rooms.allow("any/room"));
    assert_eq!(bridge.alias_prefix, "gitter_");
    assert_eq!(bridge.ghost_localpart, crate::ids::GhostTemplate::default());
    assert_eq!(bridge.ghost_display_name, "{display_name} (Gitter)");
    assert_eq!(
        (bridge.threads, bridge.membership, bridge.reactions),
        (Threads::Thread, Membership::Lazy, Reactions::Ignore)
    );
    assert_eq!(
        (
            bridge.announce,
            bridge.relay_foreign,
            bridge.notices,
            bridge.receipts
        ),
        (false, false, true, true)
    );
    assert_eq!(
        (
            bridge.max_parts,
            bridge.flood_limit,
            bridge.ledger_days,
            bridge.sweep_days
        ),
        (4, 60, 30, 7)
    );
    assert_eq!(bridge.give_up_after, Duration::from_hours(24));
    assert_eq!(bridge.privacy_check, Duration::from_mins(5));
    assert_eq!(bridge.permissions.of(ruma::user_id!("@ana:example.org")), None);
    assert_eq!(config.media.key_file, PathBuf::from("conf/media.key"));
    assert_eq!(config.media.expires, None);
    assert_eq!(config.media.max_bytes, 100 << 20);
    assert_eq!(config.media.cache_bytes, 1 << 30);
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:29331");
    assert_eq!(config.admin.token_file, PathBuf::from("conf/admin.token"));
    assert_eq!(
        (config.logging.level.as_str(), config.logging.format),
        ("info", LogFormat::Pretty)
    );
    assert_eq!(config.logging.file, None);
    assert_eq!(
        (config.logging.rotate, config.logging.keep),
        (LogRotation::Never, 7)
    );
    assert_eq!(config.telemetry.otlp_endpoint, None);
}

#[test]
fn the_example_says_what_holds_without_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gitter.token"), "S3CRET\n").unwrap();
    let file = folder.path().join("config.yaml");
    let token = "  token_file: gitter.token\n";
    let shortest = SHORTEST.replace("  token: S3CRET-of-gitter\n", token);
    let from_example = Config::read(&file, &example(), []).unwrap();
    let from_defaults = Config::read(&file, &shortest, []).unwrap();
    assert_eq!(format!("{from_example:?}"), format!("{from_defaults:?}"));
}

#[test]
fn every_example_value_behind_a_hash_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    let text: String = example()
        .lines()
        .filter(|line| !line.contains("token_file: gitter.token") && !line.contains("tokens:"))
        .map(|line| match line.strip_prefix("  # ") {
            Some(setting) if setting.contains(": ") => format!("  {setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    fs::write(
        folder.path().join("otlp.headers"),
        "Authorization: Bearer S3CRET\n",
    )
    .unwrap();
    let config = Config::read(&file, &text, []).unwrap();
    assert!(!format!("{config:?}").contains("S3CRET"), "{config:?}");
    assert_eq!(
        config.appservice.public_url.unwrap().as_str(),
        "https://bridge.example.org/"
    );
    assert_eq!(
        config.gitter.image_proxy_host.as_deref(),
        Some("user-content.gitter-static.net")
    );
    assert_eq!(config.logging.file, Some(folder.path().join("bridge.log")));
    assert_eq!(
        config.telemetry.otlp_endpoint.unwrap().as_str(),
        "http://localhost:4318/"
    );
}

#[test]
fn every_key_can_be_set_in_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let token_file = folder.path().join("token");
    fs::write(&token_file, "S3CRET").unwrap();
    let header_file = folder.path().join("headers");
    fs::write(
        &header_file,
        "# of the collector\n\nAuthorization: Basic S3CRET: x\nX-Scope-OrgID:tidepool\n",
    )
    .unwrap();
    let token_file = token_file.to_str().unwrap();
    // Everything from the environment, once over nothing and once over the example.
    for (name, text) in [("nothing", String::new()), ("the example", example())] {
        let mut set = Vec::new();
        for section in sections::SECTIONS {
            for key in section.keys {
                let (Presence::Required(example)
                | Presence::Default(example)
                | Presence::Shown(example)
                | Presence::Hidden(example)) = key.presence;
                let value = match key.name {
                    "token" | "tokens" => "",
                    "token_file" if section.name == "gitter" => token_file,
                    "headers_file" => header_file.to_str().unwrap(),
                    _ => example,
                };
                let path = format!("{}__{}", section.name, key.name).to_uppercase();
                set.push((
                    format!("GITTER_BRIDGE__{}", path.trim_start_matches("__")),
                    value.to_owned(),
                ));
            }
        }
        assert!(set.contains(&("GITTER_BRIDGE__DATA_DIR".to_owned(), ".".to_owned())));
        let config = Config::read(Path::new("config.yaml"), &text, set).expect(name);
        let headers = config.telemetry.headers_file.unwrap().headers;
        assert_eq!(headers["authorization"], "Basic S3CRET: x");
        assert_eq!(headers["x-scope-orgid"], "tidepool");
        assert_eq!(
            config.telemetry.otlp_endpoint.unwrap().as_str(),
            "http://localhost:4318/"
        );
    }
}

#[test]
fn the_environment_wins_and_takes_lists_maps_null_and_plain_text() {
    let config = read_with(
        SHORTEST,
        &[
            ("GITTER_BRIDGE__HOMESERVER__URL", "https://matrix.example.org/"),
            ("GITTER_BRIDGE__GITTER__TOKEN", ""),
            ("GITTER_BRIDGE__GITTER__TOKENS", "[1e10, '007']"),
            ("GITTER_BRIDGE__BRIDGE__ROOMS", "[\"tidepool/*\"]"),
            (
                "GITTER_BRIDGE__BRIDGE__PERMISSIONS",
                "{\"@ana:example.org\": admin}",
            ),
            ("GITTER_BRIDGE__BRIDGE__GHOST_LOCALPART", "{username}_{id}"),
            ("GITTER_BRIDGE__BRIDGE__GHOST_DISPLAY_NAME", "{username}"),
            ("GITTER_BRIDGE__BRIDGE__MAX_PARTS", "9"),
            ("GITTER_BRIDGE__MEDIA__EXPIRES", "30d"),
            ("GITTER_BRIDGE__DATABASE__URL", "postgres://u:#*&@db/bridge"),
            ("GITTER_BRIDGE_CONFIG", "not a key"),
            ("HOME", "/root"),
        ],
    )
    .unwrap();
    assert_eq!(config.homeserver.url.as_str(), "https://matrix.example.org/");
    let tokens: Vec<_> = config
        .gitter
        .access_tokens()
        .map(ExposeSecret::expose_secret)
        .collect();
    assert_eq!(tokens, ["1e10", "007"]);
    assert!(!config.bridge.rooms.allow("other/room"));
    assert!(
        config
            .bridge
            .permissions
            .of(ruma::user_id!("@ana:example.org"))
            .is_some()
    );
    assert_eq!(String::from(config.bridge.ghost_localpart), "{username}_{id}");
    assert_eq!(config.bridge.ghost_display_name, "{username}");
    assert_eq!(config.bridge.max_parts, 9);
    assert_eq!(config.media.expires, Some(Duration::from_hours(30 * 24)));
    assert!(
        matches!(config.database.url, DatabaseUrl::Postgres(url) if url.expose_secret() == "postgres://u:#*&@db/bridge")
    );
}

#[test]
fn a_secret_in_the_environment_may_look_like_anything() {
    for token in [
        "!x", "&x", "*x", "@x", "{x}", "[x", "'x", "\"x", "%x", "0x1F", "true", "1e10",
    ] {
        let config = read_with(SHORTEST, &[("GITTER_BRIDGE__GITTER__TOKEN", token)]).expect(token);
        assert_eq!(config.gitter.token.unwrap().expose_secret(), token);
    }
    let config = read_with(
        SHORTEST,
        &[
            ("GITTER_BRIDGE__GITTER__TOKEN", "null"),
            ("GITTER_BRIDGE__GITTER__TOKENS", "[x]"),
        ],
    );
    assert!(config.unwrap().gitter.token.is_none());
}

#[test]
fn an_empty_value_means_the_default() {
    let config = read(&format!(
        "{SHORTEST}bridge:\n  threads:\n  max_parts: ~\nlogging:\n"
    ))
    .unwrap();
    assert_eq!(
        (config.bridge.threads, config.bridge.max_parts),
        (Threads::Thread, 4)
    );
    let emptied = read_with(
        &format!("{SHORTEST}bridge: {{ max_parts: 7 }}\n"),
        &[("GITTER_BRIDGE__BRIDGE__MAX_PARTS", "")],
    );
    assert_eq!(emptied.unwrap().bridge.max_parts, 4);
}

#[test]
fn relative_paths_start_from_the_file_or_from_the_data_folder() {
    let config = read(&format!(
        "{SHORTEST}data_dir: ../data\n\
         appservice: {{ registration: here.yaml }}\n\
         database: {{ url: \"sqlite:some/where.db\" }}\n\
         media: {{ key_file: /keys/media.key }}\n\
         logging: {{ file: log.txt }}\n"
    ))
    .unwrap();
    assert_eq!(config.data_dir, PathBuf::from("conf/../data"));
    assert_eq!(config.appservice.registration, PathBuf::from("conf/here.yaml"));
    assert!(
        matches!(&config.database.url, DatabaseUrl::Sqlite(path) if path == Path::new("conf/../data/some/where.db"))
    );
    assert_eq!(config.media.key_file, PathBuf::from("/keys/media.key"));
    assert_eq!(config.admin.token_file, PathBuf::from("conf/../data/admin.token"));
    assert_eq!(config.logging.file, Some(PathBuf::from("conf/../data/log.txt")));
}

#[test]
fn sqlite_files_may_be_written_in_the_usual_ways() {
    for (url, path) in [
        ("sqlite:bridge.db", "conf/bridge.db"),
        ("sqlite://bridge.db", "conf/bridge.db"),
        ("sqlite:/var/bridge.db", "/var/bridge.db"),
        ("sqlite:///var/bridge.db", "/var/bridge.db"),
    ] {
        let config = read(&format!("{SHORTEST}database: {{ url: \"{url}\" }}\n")).unwrap();
        assert!(
            matches!(&config.database.url, DatabaseUrl::Sqlite(found) if found == Path::new(path)),
            "{url}"
        );
    }
}

#[test]
fn addresses_lose_the_slash_at_their_end() {
    let config = read(&format!(
        "{SHORTEST}appservice: {{ url: \"http://bridge:29330/\", public_url: \"https://x.example/media//\" }}\n"
    ))
    .unwrap();
    assert_eq!(config.appservice.url_for_homeserver(), "http://bridge:29330");
    assert_eq!(
        config.appservice.public_url.unwrap().as_str(),
        "https://x.example/media"
    );
    assert_eq!(config.gitter.api_url.as_str(), "http://localhost:5000/api/v1");
}

#[test]
fn lengths_and_sizes_are_read_in_their_usual_forms() {
    for (text, seconds) in [
        ("90s", 90),
        ("5m", 300),
        ("24h", 86_400),
        ("1h 30m", 5_400),
        ("2d", 172_800),
    ] {
        let config = read(&format!("{SHORTEST}bridge: {{ give_up_after: {text} }}\n")).unwrap();
        assert_eq!(
            config.bridge.give_up_after,
            Duration::from_secs(seconds),
            "{text}"
        );
    }
    for (text, bytes) in [
        ("1024", 1024),
        ("500KiB", 512_000),
        ("100 MiB", 104_857_600),
        ("1GB", 1_000_000_000),
    ] {
        let config = read(&format!("{SHORTEST}media: {{ max_bytes: {text} }}\n")).unwrap();
        assert_eq!(config.media.max_bytes, bytes, "{text}");
    }
}

#[test]
fn a_cache_of_no_size_is_none() {
    let zero = [("GITTER_BRIDGE__MEDIA__CACHE_BYTES", "0")];
    assert_eq!(read_with(SHORTEST, &zero).unwrap().media.cache_bytes, 0);
}

#[test]
fn secrets_are_not_printed() {
    let text = format!("{SHORTEST}database: {{ url: \"postgres://bridge:S3CRET-of-database@db/bridge\" }}\n");
    let printed = format!("{:?}", read(&text).unwrap());
    assert!(printed.contains("server_name: \"example.org\""), "{printed}");
    assert!(!printed.contains("S3CRET"), "{printed}");
}

#[test]
fn token_files_are_read_beside_the_file_and_trimmed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gitter.token"), "\n  S3CRET \r\n").unwrap();
    let text = SHORTEST.replace("token: S3CRET-of-gitter", "token_file: gitter.token");
    let config = Config::read(&folder.path().join("config.yaml"), &text, []).unwrap();
    let tokens: Vec<_> = config
        .gitter
        .access_tokens()
        .map(ExposeSecret::expose_secret)
        .collect();
    assert_eq!(tokens, ["S3CRET"]);
    assert!(!format!("{config:?}").contains("S3CRET"));
}

#[test]
fn a_token_may_come_later_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    let named = SHORTEST.replace("token: S3CRET-of-gitter", "token_file: gitter.token");
    let none = SHORTEST.replace("  token: S3CRET-of-gitter\n", "");
    for text in [&named, &none] {
        fs::write(&file, text).unwrap();
        assert!(Config::load(&file).is_err());
        let config = Config::load_without_token(&file).unwrap();
        assert_eq!(config.gitter.access_tokens().count(), 0);
    }
    fs::write(&file, &named).unwrap();
    // Made, and not written yet.
    fs::write(folder.path().join("gitter.token"), "\n").unwrap();
    assert!(Config::load_without_token(&file).is_ok());
    fs::write(folder.path().join("gitter.token"), "two words").unwrap();
    assert!(
        Config::load_without_token(&file).is_err(),
        "what is there has to be right"
    );
}
