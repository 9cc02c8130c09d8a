//! The Matrix client against the fake homeserver.

mod account;
mod event;
mod failure;
mod room;

use gitter_matrix_bridge::matrix::{ClientSettings, MatrixClient};
use ruma::{DeviceId, OwnedRoomId, OwnedUserId, RoomId, UserId};

use url::Url;

use crate::homeserver::{FakeHomeserver, RoomOptions, Settings, install_crypto};

const DEVICE: &str = "GITTER_BRIDGE";

/// A homeserver with a registered bot, and a client of it.
struct Setup {
    homeserver: FakeHomeserver,
    client: MatrixClient,
}

impl Setup {
    async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    async fn with(settings: Settings) -> Self {
        let homeserver = FakeHomeserver::start(settings).await;
        let client = client_of(homeserver.url().clone(), homeserver.settings());
        client.register(client.bot()).await.unwrap();
        Self { homeserver, client }
    }

    /// A ghost with a device, joined to the room.
    async fn ghost(&self, localpart: &str, room: &RoomId) -> OwnedUserId {
        let ghost = UserId::parse(format!("@{localpart}:localhost")).unwrap();
        self.client.register(&ghost).await.unwrap();
        self.client
            .create_device(&ghost, device(), "Gitter bridge")
            .await
            .unwrap();
        self.client.join(room, &ghost).await.unwrap();
        ghost
    }

    /// A public room of a Matrix user, with the bot joined.
    async fn room(&self, options: RoomOptions) -> (OwnedRoomId, OwnedUserId) {
        let ana = self.homeserver.make_user("ana", "Ana");
        let room = self.homeserver.make_room(&ana, &options);
        self.client.join(&room, self.client.bot()).await.unwrap();
        (room, ana)
    }
}

fn device() -> &'static DeviceId {
    DEVICE.into()
}

/// A client with the token of the settings.
fn client_of(homeserver_url: Url, settings: &Settings) -> MatrixClient {
    install_crypto();
    MatrixClient::new(ClientSettings {
        homeserver_url,
        as_token: settings.as_token.clone().into(),
        bot: UserId::parse(format!("@{}:{}", settings.sender_localpart, settings.server_name)).unwrap(),
        appservice_id: settings.appservice_id.clone(),
    })
    .unwrap()
}
