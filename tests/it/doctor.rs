//! `doctor`: a good set-up is all well, and each broken one is named by its cause, with its mend.

use std::{fs, os::unix::fs::PermissionsExt as _};

use gitter_matrix_bridge::{config::Config, registration::Registration};
use gitter_sandbox::Fault;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use xtask::{ports, process};

use crate::homeserver::{Effect, Stage};
use crate::world::{
    Options, World,
    admin::answer,
    bridge::PROGRAM,
    database::{Database, on_both_databases},
    faults,
};

on_both_databases![
    a_good_setup_is_all_well_with_and_without_a_running_bridge,
    the_running_bridge_examines_itself,
    a_database_of_another_homeserver_is_named,
];

/// What `doctor --json` says with a changed configuration, and its exit code.
async fn examined(world: &World, change: impl FnOnce(&mut Value)) -> (Option<i32>, Vec<Value>) {
    let file = world.bridge.config_file();
    let mut config: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    change(&mut config);
    let changed = file.with_file_name("doctor.yaml");
    fs::write(&changed, config.to_string()).unwrap();
    let mut command = process::command(PROGRAM);
    command.arg("-c").arg(&changed).args(["doctor", "--json"]);
    let output = command.output().await.unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let mut said: Value = serde_json::from_str(&stdout)
        .unwrap_or_else(|_| panic!("{stdout}{}", String::from_utf8_lossy(&output.stderr)));
    let secret = world.registration.as_token.clone();
    assert!(!stdout.contains(secrecy_of(&secret)), "a token is shown");
    assert!(!stdout.contains(world.gitter_token()), "a token is shown");
    (
        output.status.code(),
        serde_json::from_value(said["checks"].take()).unwrap(),
    )
}

fn secrecy_of(secret: &secrecy::SecretString) -> &str {
    secrecy::ExposeSecret::expose_secret(secret)
}

/// Makes sure that the first failed check is this one, and that its words hold these.
#[track_caller]
fn blames((code, checks): (Option<i32>, Vec<Value>), check: &str, words: [&str; 2]) {
    let failed: Vec<&Value> = checks.iter().filter(|check| check["ok"] == false).collect();
    let first = failed
        .first()
        .unwrap_or_else(|| panic!("all is well: {checks:?}"));
    assert_eq!(first["check"], check, "{failed:?}");
    for (key, word) in ["detail", "mend"].into_iter().zip(words) {
        let told = first[key].as_str().unwrap();
        assert!(told.contains(word), "{word:?} in {key}: {told}");
    }
    assert_eq!(code, Some(1));
}

#[track_caller]
fn all_well((code, checks): &(Option<i32>, Vec<Value>)) {
    for check in checks {
        assert_eq!(check["ok"], true, "{check}");
    }
    assert_eq!(*code, Some(0));
    assert!(checks.len() > 10, "{checks:?}");
}

async fn a_good_setup_is_all_well_with_and_without_a_running_bridge(database: Database) {
    let mut world = World::start(database).await;
    all_well(&examined(&world, |_| {}).await);
    world.link("pier").await;
    let found = examined(&world, |_| {}).await;
    all_well(&found);
    let of_the_room = found
        .1
        .iter()
        .find(|check| check["check"] == "gitter_virtual_users");
    let told = of_the_room.unwrap()["detail"].as_str().unwrap().to_owned();
    assert!(told.contains("tidepool/pier"), "{told}");
    world.bridge.stop().await;
    all_well(&examined(&world, |_| {}).await);
    world.close().await;
}

async fn the_running_bridge_examines_itself(database: Database) {
    let world = World::start(database).await;
    let (status, body) = answer(world.admin().authorized(Method::GET, "doctor"))
        .await
        .unwrap();
    assert_eq!(status, 200, "{body}");
    let checks: Vec<Value> = serde_json::from_value(body["checks"].clone()).unwrap();
    all_well(&(Some(0), checks));
    let (status, _) = answer(world.admin().request(Method::GET, "doctor"))
        .await
        .unwrap();
    assert_eq!(status, 401);
    world.close().await;
}

async fn a_database_of_another_homeserver_is_named(database: Database) {
    let mut world = World::start(database).await;
    world.link("pier").await;
    let other = examined(&world, |config| {
        config["homeserver"]["server_name"] = "example.org".into();
        config["appservice"]["registration"] = "none.yaml".into();
    })
    .await;
    let database = other.1.iter().find(|check| check["check"] == "database").unwrap();
    assert!(
        database["detail"].as_str().unwrap().contains("localhost"),
        "{database}"
    );
    assert!(
        database["mend"]
            .as_str()
            .unwrap()
            .contains("homeserver.server_name"),
        "{database}"
    );
    blames(
        other,
        "registration",
        ["none.yaml", "gitter-matrix-bridge registration"],
    );
    world.close().await;
}

/// An address of this machine at which nothing listens.
fn dead() -> String {
    format!("127.0.0.1:{}", ports::free().unwrap())
}

#[tokio::test]
async fn broken_configurations_are_told_by_their_cause() {
    let world = World::start(Database::Sqlite).await;
    let unknown = examined(&world, |config| config["gitter"]["weburl"] = "x".into()).await;
    blames(unknown, "config", ["gitter.weburl", "config example"]);

    let url = format!("http://{}", dead());
    let homeserver = examined(&world, |config| config["homeserver"]["url"] = url.clone().into()).await;
    blames(homeserver, "homeserver", [&url, "homeserver.url"]);

    let api = examined(&world, |config| {
        config["gitter"]["api_url"] = format!("{url}/api/v1").into();
    })
    .await;
    blames(api, "gitter", ["cannot be reached", "gitter.api_url"]);

    let path = examined(&world, |config| {
        let api = config["gitter"]["api_url"].as_str().unwrap().to_owned();
        config["gitter"]["api_url"] = api.replace("/v1", "/v9").into();
    })
    .await;
    blames(path, "gitter", ["404", "/v1"]);

    let token = examined(&world, |config| config["gitter"]["token"] = "wrong".into()).await;
    blames(token, "gitter", ["refused the token", "gitter.token_file"]);

    let realtime = examined(&world, |config| {
        config["gitter"]["realtime_url"] = format!("{url}/bayeux").into();
    })
    .await;
    blames(realtime, "gitter_realtime", [&url, "gitter.realtime_url"]);

    let listen = examined(&world, |config| {
        config["appservice"] = json!({ "listen": "192.0.2.1:29330", "url": world.bridge.appservice() });
    })
    .await;
    blames(
        listen,
        "appservice_listen",
        ["192.0.2.1:29330", "appservice.listen"],
    );

    let database = examined(&world, |config| {
        config["database"]["url"] = format!("postgres://bridge@{}/bridge", dead()).into();
    })
    .await;
    blames(database, "database", ["PostgreSQL", "database server runs"]);

    let folder = world.bridge.config_file();
    let data = examined(&world, |config| {
        config["data_dir"] = folder.to_str().unwrap().into();
    })
    .await;
    blames(data, "file_rights", ["config.yaml", "data_dir"]);
    world.close().await;
}

#[tokio::test]
async fn a_homeserver_that_knows_another_token_is_told() {
    let world = World::start(Database::Sqlite).await;
    let registration = Registration {
        as_token: "another".to_owned().into(),
        ..world.registration.clone()
    };
    registration
        .write(&world.bridge.config_file().with_file_name("another.yaml"))
        .unwrap();
    let found = examined(&world, |config| {
        config["appservice"]["registration"] = "another.yaml".into();
    })
    .await;
    blames(
        found,
        "homeserver_token",
        ["M_UNKNOWN_TOKEN", "app_service_config_files"],
    );
    world.close().await;
}

/// A configuration and registration with the tokens of the world's, made for another homeserver.
fn named(world: &World, server_name: &str) -> impl FnOnce(&mut Value) {
    let another = world.bridge.config_file().with_file_name("another.yaml");
    move |config: &mut Value| {
        config["homeserver"]["server_name"] = server_name.into();
        config["database"]["url"] = "sqlite:another.db".into();
        fs::write(&another, config.to_string()).unwrap();
        let mut made = world.registration.clone();
        made.renew(&Config::load(&another).unwrap());
        made.write(&another.with_file_name("another_registration.yaml"))
            .unwrap();
        config["appservice"]["registration"] = "another_registration.yaml".into();
    }
}

#[tokio::test]
async fn a_homeserver_of_another_name_is_told() {
    let world = World::start(Database::Sqlite).await;
    let unrenewed = examined(&world, |config| {
        config["homeserver"]["server_name"] = "example.org".into();
    })
    .await;
    blames(
        unrenewed,
        "registration",
        [
            "homeserver.server_name is example.org",
            "gitter-matrix-bridge registration",
        ],
    );
    let moved = examined(&world, named(&world, "example.org")).await;
    blames(
        moved,
        "homeserver_token",
        ["@gitterbot:localhost", "homeserver.server_name to localhost"],
    );
    world.close().await;
}

#[tokio::test]
async fn a_homeserver_with_an_older_registration_is_told() {
    let world = World::start(Database::Sqlite).await;
    let rename = |config: &mut Value| config["bridge"]["ghost_localpart"] = "g_{username}-{id}".into();
    let unrenewed = examined(&world, rename).await;
    blames(
        unrenewed,
        "registration",
        ["bridge.ghost_localpart", "gitter-matrix-bridge registration"],
    );
    let found = examined(&world, |config| {
        rename(config);
        named(&world, "localhost")(config);
    })
    .await;
    blames(
        found,
        "homeserver_token",
        ["M_EXCLUSIVE", "the same registration"],
    );
    world.close().await;
}

#[tokio::test]
async fn a_homeserver_that_does_not_reach_the_bridge_is_told() {
    let world = World::start(Database::Sqlite).await;
    world
        .homeserver
        .set_appservice(&format!("http://{}", dead()).parse().unwrap());
    let found = examined(&world, |_| {}).await;
    blames(
        found,
        "homeserver_to_bridge",
        ["does not reach", "appservice.listen"],
    );
    world.homeserver.set_appservice(world.bridge.appservice());
    world.close().await;
}

#[tokio::test]
async fn a_token_without_virtual_users_is_advised_about() {
    let options = Options {
        virtual_users: false,
        ..Options::default()
    };
    let mut world = World::with(Database::Sqlite, options).await;
    world.link("pier").await;
    let found = examined(&world, |_| {}).await;
    all_well(&found);
    let check = found
        .1
        .iter()
        .find(|check| check["check"] == "gitter_virtual_users");
    let mend = check.unwrap()["mend"].as_str().unwrap().to_owned();
    assert!(mend.contains("approvedClientKeyMap"), "{mend}");
    world.close().await;
}

#[tokio::test]
async fn the_address_of_media_is_asked_for() {
    let mut world = World::start(Database::Sqlite).await;
    let check = |found: &(Option<i32>, Vec<Value>)| {
        let check = found.1.iter().find(|check| check["check"] == "media_links");
        check.unwrap().clone()
    };
    let bridge = world.bridge.appservice().to_string();
    for path in ["", "/of/gitter"] {
        let found = examined(&world, |config| {
            config["appservice"]["public_url"] = format!("{}{path}", bridge.trim_end_matches('/')).into();
        })
        .await;
        // The running bridge knows the path of its own configuration alone.
        assert_eq!(check(&found)["ok"], path.is_empty(), "{found:?}");
    }
    let of_another = examined(&world, |config| {
        config["appservice"]["public_url"] = config["gitter"]["web_url"].clone();
    })
    .await;
    blames(of_another, "media_links", ["something else", "/media/"]);
    let nobodys = examined(&world, |config| {
        config["appservice"]["public_url"] = format!("http://{}", dead()).into();
    })
    .await;
    all_well(&nobodys);
    let told = check(&nobodys);
    assert!(told["detail"].as_str().unwrap().contains("refused"), "{told}");

    world.bridge.stop().await;
    let found = examined(&world, |config| {
        config["appservice"]["public_url"] = format!("{}/of/gitter", bridge.trim_end_matches('/')).into();
    })
    .await;
    all_well(&found);
    assert_eq!(check(&found)["mend"], "");
    world.close().await;
}

/// The check of a name.
#[track_caller]
fn check<'a>((_, checks): &'a (Option<i32>, Vec<Value>), name: &str) -> &'a Value {
    let found = checks.iter().find(|check| check["check"] == name);
    found.unwrap_or_else(|| panic!("{name} in {checks:?}"))
}

/// Makes sure that a check passed with advice whose words hold these.
#[track_caller]
fn advises(found: &(Option<i32>, Vec<Value>), name: &str, words: [&str; 2]) {
    let check = check(found, name);
    assert_eq!(check["ok"], true, "{check}");
    for (key, word) in ["detail", "mend"].into_iter().zip(words) {
        let told = check[key].as_str().unwrap();
        assert!(told.contains(word), "{word:?} in {key}: {told}");
    }
}

#[tokio::test]
async fn what_works_but_could_be_better_is_advised() {
    let options = Options {
        devices: false,
        rate_limit: 10,
        ..Options::default()
    };
    let world = World::with(Database::Sqlite, options).await;
    let registration = world.bridge.config_file().with_file_name("registration.yaml");
    fs::set_permissions(&registration, fs::Permissions::from_mode(0o644)).unwrap();
    world.gitter.add_fault(Fault::ClockSkewMs(-90_000));
    let other = "http://bridge.example.org:29330";
    let found = examined(&world, |config| config["appservice"]["url"] = other.into()).await;
    all_well(&found);
    advises(
        &found,
        "registration_url",
        [other, "gitter-matrix-bridge registration"],
    );
    advises(&found, "file_rights", ["registration.yaml", "chmod o-rwx"]);
    advises(&found, "homeserver_devices", ["no devices", "MSC4190"]);
    advises(&found, "gitter_budget", ["of 10 requests", "web.apiRateLimit"]);
    advises(&found, "gitter_account_age", ["0 days", "older account"]);
    advises(&found, "clock", [" s apart", "NTP"]);
    world.close().await;
}

#[tokio::test]
async fn what_the_homeserver_says_of_media_is_told() {
    let world = World::start(Database::Sqlite).await;
    let found = examined(&world, |_| {}).await;
    let told = check(&found, "homeserver_media")["detail"].as_str().unwrap();
    assert!(told.ends_with("up to 50.0 MiB"), "{told}");
    let suffers = |effect| {
        world.requests_suffer(Method::GET, "/media/config", effect, Stage::Before, 1);
    };
    suffers(Effect::Status {
        status: StatusCode::NOT_FOUND,
        errcode: Some("M_UNRECOGNIZED"),
        retry_after: None,
    });
    let found = examined(&world, |_| {}).await;
    advises(&found, "homeserver_media", ["Matrix 1.11", "update"]);
    suffers(faults::status(StatusCode::NOT_FOUND));
    let found = examined(&world, |_| {}).await;
    blames(found, "homeserver_media", ["404", "proxy"]);
    world.close().await;
}
