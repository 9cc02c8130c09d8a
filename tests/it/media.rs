//! Signed links over HTTP against the fake homeserver, and Gitter's files from a server that misbehaves.

mod cached;
pub(crate) mod crossing;
mod encrypted;
mod files;
mod links;
mod program;
mod revoked;

use std::sync::Arc;

use gitter_matrix_bridge::{
    bridge::media::{Links, Source, link},
    cache::Cache,
    config::DatabaseUrl,
    http::media::{MediaEndpoint, router},
    ids::GitterRoomId,
    matrix::{ClientSettings, MatrixClient},
    media::Signer,
    store::Db,
};
use reqwest::{Client, RequestBuilder, Response};
use ruma::{EventId, OwnedRoomId, RoomId, UserId};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use url::Url;

use crate::homeserver::{FakeHomeserver, Settings};

const NOW: i64 = 1_700_000_000_000;
const EVENT: &str = "$event";
const MAX_BYTES: u64 = 1_000_000;

/// Room for several files of that size.
const CACHE_BYTES: u64 = 4 * MAX_BYTES;

/// A homeserver, a database and the endpoint, which is behind a path.
struct Setup {
    homeserver: FakeHomeserver,
    matrix: MatrixClient,
    db: Db,
    links: Links,
    http: Client,
    gitter_room: GitterRoomId,
    matrix_room: OwnedRoomId,
    cache: Arc<Cache>,
    _folder: TempDir,
}

impl Setup {
    async fn start() -> Self {
        let homeserver = FakeHomeserver::start(Settings::default()).await;
        let settings = homeserver.settings();
        let matrix = MatrixClient::new(ClientSettings {
            homeserver_url: homeserver.url().clone(),
            as_token: settings.as_token.clone().into(),
            bot: UserId::parse("@gitterbot:localhost").unwrap(),
            appservice_id: settings.appservice_id.clone(),
        })
        .unwrap();
        matrix.register(matrix.bot()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(&DatabaseUrl::Sqlite(folder.path().join("test.db")))
            .await
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/bridge", listener.local_addr().unwrap());
        let signer = Signer::new(&["key".into()], &Url::parse(&base).unwrap()).unwrap();
        let signer = Arc::new(signer);
        let cache = Cache::open(&folder.path().join("media-cache"), CACHE_BYTES).await;
        let cache = Arc::new(cache.unwrap());
        let endpoint = MediaEndpoint::new(
            db.clone(),
            matrix.clone(),
            Arc::clone(&signer),
            MAX_BYTES,
            Arc::clone(&cache),
        );
        let serving = axum::serve(listener, router(endpoint, "/bridge"));
        tokio::spawn(async move { serving.await.unwrap() });
        Self {
            homeserver,
            matrix,
            db,
            links: Links {
                signer,
                expires: None,
            },
            http: Client::new(),
            gitter_room: "5f0000000000000000000a01".parse().unwrap(),
            matrix_room: RoomId::parse("!r:localhost").unwrap(),
            cache,
            _folder: folder,
        }
    }

    /// The link of a stand-in in an event with this content.
    async fn link(&self, stand_in: &str, content: &Value) -> String {
        let event_id = EventId::parse(EVENT).unwrap();
        let source = Source {
            gitter_room_id: &self.gitter_room,
            matrix_room_id: &self.matrix_room,
            event_id: &event_id,
            content,
        };
        let mut tx = self.db.write().await.unwrap();
        let link = link(&mut tx, &self.links, stand_in, &source, NOW).await.unwrap();
        tx.commit().await.unwrap();
        link.unwrap()
    }

    fn get(&self, link: &str) -> RequestBuilder {
        self.http.get(link)
    }
}

async fn sent(request: RequestBuilder) -> Response {
    request.send().await.unwrap()
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    let value = answer.headers().get(name);
    value.map(|value| value.to_str().unwrap()).unwrap_or_default()
}
