//! Registration, devices, profiles, uploads.

use axum::{Json, Router, routing::post};
use gitter_matrix_bridge::matrix::{DeviceMemory, MatrixClient};
use ruma::{mxc_uri, user_id};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc};

use super::{DEVICE, Setup, client_of, device};
use crate::homeserver::{FakeHomeserver, RoomOptions, Settings};

#[tokio::test]
async fn a_ghost_is_registered_once_and_again() {
    let setup = Setup::start().await;
    let ghost = user_id!("@gitter_wren-1:localhost");
    assert!(setup.client.whoami(ghost).await.unwrap_err().is("M_FORBIDDEN"));
    setup.client.register(ghost).await.unwrap();
    setup.client.register(ghost).await.unwrap();
    assert_eq!(setup.client.whoami(ghost).await.unwrap(), ghost);
}

#[tokio::test]
async fn a_user_outside_the_namespace_is_refused() {
    let setup = Setup::start().await;
    let error = setup
        .client
        .register(user_id!("@ana:localhost"))
        .await
        .unwrap_err();
    assert!(error.is("M_EXCLUSIVE"), "{error}");
}

#[tokio::test]
async fn versions_need_no_token_and_all_else_does() {
    let homeserver = FakeHomeserver::start(Settings::default()).await;
    let settings = Settings {
        as_token: "wrong-token".to_owned(),
        ..Settings::default()
    };
    let client = client_of(homeserver.url().clone(), &settings);
    assert!(
        client
            .versions()
            .await
            .unwrap()
            .iter()
            .any(|version| version == "v1.11")
    );
    let error = client.whoami(client.bot()).await.unwrap_err();
    assert!(error.is("M_UNKNOWN_TOKEN"), "{error}");
    assert!(!format!("{client:?} {error:?} {error}").contains("wrong-token"));
}

#[tokio::test]
async fn devices_are_probed_and_made() {
    let setup = Setup::start().await;
    let bot = setup.client.bot();
    assert_eq!(
        setup.client.device_memory(bot).await.unwrap(),
        DeviceMemory::Durable
    );
    for _ in 0..2 {
        let made = setup.client.create_device(bot, device(), "Gitter bridge").await;
        assert_eq!(made.unwrap(), DeviceMemory::Durable);
    }
}

#[tokio::test]
async fn a_homeserver_without_devices_is_told_apart() {
    let setup = Setup::with(Settings {
        devices: false,
        ..Settings::default()
    })
    .await;
    let bot = setup.client.bot();
    assert_eq!(setup.client.device_memory(bot).await.unwrap(), DeviceMemory::None);
    let made = setup
        .client
        .create_device(bot, DEVICE.into(), "Gitter bridge")
        .await;
    assert_eq!(made.unwrap(), DeviceMemory::None);
}

#[tokio::test]
async fn a_refused_probe_is_no_answer() {
    let setup = Setup::start().await;
    let nobody = user_id!("@gitter_nobody-1:localhost");
    let error = setup.client.device_memory(nobody).await.unwrap_err();
    assert!(error.is("M_FORBIDDEN"), "{error}");
}

#[tokio::test]
async fn a_profile_shows_in_rooms() {
    let setup = Setup::start().await;
    let (room, _) = setup.room(RoomOptions::default()).await;
    let ghost = setup.ghost("gitter_wren-1", &room).await;
    setup
        .client
        .set_display_name(&ghost, "Wren (Gitter)")
        .await
        .unwrap();
    setup
        .client
        .set_avatar(&ghost, mxc_uri!("mxc://localhost/wren"))
        .await
        .unwrap();
    let members = setup.client.joined_members(&room).await.unwrap();
    let wren = members.iter().find(|member| member.user_id == ghost).unwrap();
    assert_eq!(wren.display_name.as_deref(), Some("Wren (Gitter)"));
    assert_eq!(wren.avatar.as_deref(), Some(mxc_uri!("mxc://localhost/wren")));
}

#[tokio::test]
async fn an_upload_keeps_bytes_and_content_type() {
    let setup = Setup::start().await;
    let uri = setup
        .client
        .upload(
            setup.client.bot(),
            vec![0, 1, 255],
            "image/png",
            Some("a wren & more.png"),
        )
        .await
        .unwrap();
    assert_eq!(
        json!(setup.homeserver.media(uri.as_str()).unwrap()),
        json!(["image/png", [0, 1, 255]])
    );
}

/// A homeserver that gives one answer to everything.
async fn answering(answer: Value) -> MatrixClient {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(async move || Json(answer.clone()));
    tokio::spawn(axum::serve(listener, router).into_future());
    client_of(url.parse().unwrap(), &Settings::default())
}

#[tokio::test]
async fn a_homeserver_may_leave_its_name_and_its_limit_unsaid() {
    let setup = Setup::start().await;
    let sender = setup.client.sender().await.unwrap();
    assert_eq!(sender.as_deref(), Some(setup.client.bot()));
    assert_eq!(setup.client.upload_limit().await.unwrap(), Some(50 << 20));
    let shy = answering(json!({ "user_id": "gitterbot" })).await;
    assert_eq!(shy.sender().await.unwrap(), None);
    assert_eq!(shy.upload_limit().await.unwrap(), None);
}

#[tokio::test]
async fn a_ping_comes_back_to_the_bridge() {
    let setup = Setup::start().await;
    let error = setup.client.ping("p1").await.unwrap_err();
    assert!(error.is("M_URL_NOT_SET"), "{error}");

    let (pings, mut pinged) = mpsc::unbounded_channel();
    let ping = async move |Json(body): Json<Value>| {
        pings.send(body).unwrap();
        Json(json!({}))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/_matrix/app/v1/ping", post(ping));
    tokio::spawn(axum::serve(listener, router).into_future());
    setup.homeserver.set_appservice(&url.parse().unwrap());
    setup.client.ping("p2").await.unwrap();
    assert_eq!(pinged.recv().await, Some(json!({ "transaction_id": "p2" })));
}
