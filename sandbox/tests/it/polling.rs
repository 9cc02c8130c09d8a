//! Bayeux over long-polling (gitter-api 7.1 and 14).

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::fixture::{Fixture, PATIENCE};

impl Fixture {
    /// Waits until some client can be sent news at once.
    async fn until_connected(&self) {
        let connected = async {
            while self.control.state().realtime_clients_connected == 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, connected).await.expect("no client connected");
    }
}

/// A client that polls.
struct Poller<'fixture> {
    fixture: &'fixture Fixture,
    mount: &'static str,
    id: String,
}

impl<'fixture> Poller<'fixture> {
    async fn start(fixture: &'fixture Fixture, mount: &'static str) -> Self {
        let mut poller = Self {
            fixture,
            mount,
            id: String::new(),
        };
        let handshake = json!({"channel": "/meta/handshake", "version": "1.0",
            "supportedConnectionTypes": ["long-polling"], "ext": {"token": fixture.sandbox.token()}});
        let reply = poller.ask(&json!([handshake])).await;
        poller.id = reply[0]["clientId"].as_str().unwrap().into();
        poller
    }

    async fn try_ask(&self, batch: &Value) -> Result<Value, reqwest::Error> {
        let url = format!("{}/{}", self.fixture.sandbox.web_url(), self.mount);
        let request = self.fixture.http.post(url).json(batch).timeout(PATIENCE);
        request.send().await?.json().await
    }

    async fn ask(&self, batch: &Value) -> Value {
        self.try_ask(batch).await.unwrap()
    }

    async fn follow(&self) {
        let channel = format!("/api/v1/rooms/{}/chatMessages", self.fixture.harbour);
        let reply = self
            .ask(&json!([{"channel": "/meta/subscribe", "clientId": self.id, "subscription": channel}]))
            .await;
        assert_eq!(reply[0]["successful"], true, "{reply}");
    }

    /// A connect, held for at most this long.
    fn connect(&self, timeout: u64) -> Value {
        json!([{"channel": "/meta/connect", "clientId": self.id, "connectionType": "long-polling",
                "advice": {"timeout": timeout}}])
    }
}

#[tokio::test]
async fn news_come_with_the_answer_to_a_held_connect() {
    let fixture = Fixture::start().await;
    for mount in ["bayeux", "faye"] {
        let poller = Poller::start(&fixture, mount).await;
        poller.follow().await;
        let first = poller.ask(&poller.connect(0)).await;
        assert_eq!(
            (first.as_array().unwrap().len(), &first[0]["successful"]),
            (1, &json!(true))
        );
        let connect = poller.connect(60_000);
        let (answer, ()) = tokio::join!(poller.ask(&connect), async {
            fixture.control.post("wren", fixture.harbour, "hi").unwrap();
        });
        assert_eq!(answer[0]["channel"], "/meta/connect");
        assert_eq!(
            (&answer[1]["data"]["model"]["text"], &answer[1]["ext"]["c"]),
            (&json!("hi"), &json!(1))
        );
        fixture.control.post("wren", fixture.harbour, "one").unwrap();
        fixture.control.post("wren", fixture.harbour, "two").unwrap();
        let probe = json!([{"channel": "/ping2", "clientId": poller.id, "data": {}}]);
        assert_eq!(poller.ask(&probe).await.as_array().unwrap().len(), 1);
        let waiting = poller.ask(&connect).await;
        let texts = ["/1", "/2"].map(|at| waiting.pointer(&format!("{at}/data/model/text")).unwrap());
        assert_eq!(
            texts,
            ["one", "two"],
            "what came between two polls comes with the next"
        );
    }
}

#[tokio::test]
async fn a_newer_connect_ends_the_one_before_and_a_delayed_frame_comes_later() {
    let fixture = Fixture::start().await;
    let poller = Poller::start(&fixture, "bayeux").await;
    poller.follow().await;
    let long = poller.connect(60_000);
    let first = poller.ask(&long);
    let second = async {
        // Only a connect that is known to be held can be replaced.
        fixture.until_connected().await;
        poller.ask(&poller.connect(0)).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(
        (first.as_array().unwrap().len(), second.as_array().unwrap().len()),
        (1, 1)
    );

    let delay = json!({"frames": {"effect": {"delay_ms": 20}}});
    fixture.control.add_fault(serde_json::from_value(delay).unwrap());
    fixture.control.post("wren", fixture.harbour, "late").unwrap();
    let answer = poller.ask(&long).await;
    assert_eq!(answer[1]["data"]["model"]["text"], "late");
}

#[tokio::test]
async fn a_cut_resets_a_held_poll() {
    let fixture = Fixture::start().await;
    let poller = Poller::start(&fixture, "bayeux").await;
    let connect = poller.connect(60_000);
    let (cut, ()) = tokio::join!(poller.try_ask(&connect), async {
        fixture.until_connected().await;
        fixture.control.add_fault(gitter_sandbox::Fault::CutSockets);
    });
    assert!(cut.unwrap_err().is_request());
}

#[tokio::test]
async fn a_client_that_does_not_connect_in_time_is_dropped() {
    let fixture = Fixture::with(gitter_sandbox::Settings {
        connect_timeout: Duration::from_millis(10),
        ..gitter_sandbox::Settings::default()
    })
    .await;
    let poller = Poller::start(&fixture, "bayeux").await;
    // Held for longer than the 16 ms that it may be silent.
    poller.ask(&poller.connect(30)).await;
    let answer = poller.ask(&poller.connect(30)).await;
    assert_eq!(answer[0]["error"], format!("401:{}:Unknown client", poller.id));
}
