//! Faults on demand, asked for over HTTP as tests outside the project do.

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use crate::{
    bayeux_client::BayeuxClient,
    fixture::{Fixture, PATIENCE},
};

impl Fixture {
    async fn ask_for(&self, fault: Value) {
        let url = format!("{}/sandbox/faults", self.sandbox.web_url());
        let answer = self.http.post(url).json(&fault).send().await.unwrap();
        assert_eq!(answer.status(), 204, "{fault}");
    }

    /// Tries to post; the error if no answer came.
    async fn try_post(&self) -> Result<u16, reqwest::Error> {
        let url = format!("{}{}", self.sandbox.api_url(), Fixture::messages_of(self.harbour));
        let request = self.http.post(url).bearer_auth(self.sandbox.token());
        let answer = request.json(&json!({"text": "hi"})).send().await?;
        Ok(answer.status().as_u16())
    }

    /// Waits until a message is stored.
    async fn until_stored(&self) {
        let stored = async {
            while self.stored() == 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, stored).await.expect("no message was stored");
    }

    fn stored(&self) -> usize {
        self.control.messages(self.harbour).len()
    }
}

#[tokio::test]
async fn a_status_answers_as_many_requests_as_asked() {
    let fixture = Fixture::start().await;
    fixture
        .ask_for(json!({"request": {"effect": {"status": 503}, "times": 2, "method": "POST", "path": "/chatMessages"}}))
        .await;
    assert_eq!(fixture.get(fixture.sandbox.token(), "/user/me").await.0, 200);
    let body = json!({"text": "hi"});
    let path = Fixture::messages_of(fixture.harbour);
    let (status, error) = fixture.post(fixture.sandbox.token(), &path, body).await;
    assert_eq!(
        (status.as_u16(), &error["error"]),
        (503, &json!("Service Unavailable"))
    );
    assert_eq!(fixture.try_post().await.unwrap(), 503);
    assert_eq!(fixture.try_post().await.unwrap(), 200);
    assert_eq!(fixture.stored(), 1);
}

#[tokio::test]
async fn a_connection_is_reset_before_or_after_the_message_is_stored() {
    let fixture = Fixture::start().await;
    for (when, stored) in [("before", 0), ("after", 1)] {
        fixture
            .ask_for(json!({"request": {"effect": "reset", "when": when}}))
            .await;
        let error = fixture.try_post().await.unwrap_err();
        assert!(error.is_request() && !error.is_timeout(), "{error:?}");
        assert_eq!(fixture.stored(), stored, "{when}");
    }
    assert_eq!(fixture.try_post().await.unwrap(), 200);
}

#[tokio::test]
async fn latency_after_storing_loses_the_answer_to_a_client_that_goes_away() {
    let fixture = Fixture::start().await;
    fixture
        .ask_for(json!({"request": {"effect": {"latency_ms": 3_600_000}, "when": "after"}}))
        .await;
    tokio::select! {
        answer = fixture.try_post() => panic!("{answer:?}"),
        () = fixture.until_stored() => {}
    }
    // Requests that still wait do not keep the sandbox from stopping.
    fixture.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_request_is_carried_out_late_even_when_its_client_has_gone_away() {
    let fixture = Fixture::start().await;
    fixture
        .ask_for(json!({"request": {"effect": {"latency_ms": 50}}}))
        .await;
    let (path, token) = (Fixture::messages_of(fixture.harbour), fixture.sandbox.token());
    let request = format!(
        "POST /api/v1{path} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 13\r\n\r\n{{\"text\":\"hi\"}}"
    );
    let mut connection = TcpStream::connect(fixture.sandbox.address()).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    drop(connection);
    fixture.until_stored().await;
    assert_eq!(fixture.stored(), 1);
}

#[tokio::test]
async fn faults_can_be_taken_back() {
    let fixture = Fixture::start().await;
    fixture
        .ask_for(json!([{"request": {"effect": "reset", "times": 100}}]))
        .await;
    let url = format!("{}/sandbox/faults", fixture.sandbox.web_url());
    assert_eq!(fixture.http.delete(&url).send().await.unwrap().status(), 204);
    assert_eq!(fixture.try_post().await.unwrap(), 200);

    let wrong = fixture
        .http
        .post(&url)
        .json(&json!({"request": {"effect": "explode"}}));
    assert_eq!(wrong.send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn frames_are_lost_doubled_and_numbered_with_gaps() {
    let fixture = Fixture::start().await;
    let mut client = BayeuxClient::connected(&fixture, fixture.sandbox.token()).await;
    client.follow(fixture.harbour).await;
    fixture
        .ask_for(json!([{"frames": {"effect": "drop", "channel": "/chatMessages"}}, {"frames": {"effect": "double"}},
                        {"frames": {"effect": "skip_number"}}]))
        .await;
    for text in ["lost", "twice", "after a gap"] {
        fixture.control.post("wren", fixture.harbour, text).unwrap();
    }
    let mut heard = Vec::new();
    for _ in 0..3 {
        let (_, model, number) = client.news().await;
        heard.push((model["text"].as_str().unwrap().to_owned(), number));
    }
    let heard: Vec<_> = heard
        .iter()
        .map(|(text, number)| (text.as_str(), *number))
        .collect();
    assert_eq!(heard, [("twice", 2), ("twice", 2), ("after a gap", 4)]);
}

#[tokio::test]
async fn a_delayed_frame_is_overtaken() {
    let fixture = Fixture::start().await;
    let mut client = BayeuxClient::connected(&fixture, fixture.sandbox.token()).await;
    client.follow(fixture.harbour).await;
    fixture
        .ask_for(json!({"frames": {"effect": {"delay_ms": 50}}}))
        .await;
    fixture.control.post("wren", fixture.harbour, "late").unwrap();
    fixture.control.post("wren", fixture.harbour, "early").unwrap();
    assert_eq!(client.news().await.1["text"], "early");
    assert_eq!(client.news().await.1["text"], "late");
}

#[tokio::test]
async fn snapshots_are_empty_in_survival_mode() {
    let fixture = Fixture::start().await;
    fixture.control.post("wren", fixture.harbour, "hi").unwrap();
    let mut client = BayeuxClient::connected(&fixture, fixture.sandbox.token()).await;
    fixture.ask_for(json!({"empty_snapshots": true})).await;
    let channel = format!("/api/v1/rooms/{}/chatMessages", fixture.harbour);
    let reply = client.subscribe(&channel, json!({})).await;
    assert_eq!(
        (&reply["successful"], &reply["ext"]),
        (&json!(true), &json!({"snapshot": []}))
    );
    fixture.ask_for(json!({"empty_snapshots": false})).await;
    let reply = client.subscribe(&channel, json!({})).await;
    assert_eq!(reply["ext"]["snapshot"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn forgotten_clients_are_unknown_on_the_same_socket() {
    let fixture = Fixture::start().await;
    let mut client = BayeuxClient::connected(&fixture, fixture.sandbox.token()).await;
    fixture.ask_for(json!("forget_clients")).await;
    let probe = client.message("/ping2", json!({}));
    let reply = client.ask(probe).await;
    assert_eq!(reply["error"], format!("401:{}:Unknown client", client.id));
}
