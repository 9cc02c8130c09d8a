//! A stand-in of the admin API that notes what it was asked.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
};
use serde_json::Value;
use tokio::{net::TcpListener, task};

use super::*;

/// What one request said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) authorization: String,
    pub(crate) body: Value,
}

/// The stand-in: it answers everything alike.
#[derive(Clone)]
struct Api {
    status: StatusCode,
    body: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

async fn answer(
    State(api): State<Api>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let authorization = headers.get(header::AUTHORIZATION);
    api.asked.lock().unwrap().push(Asked {
        method,
        path: uri.path_and_query().unwrap().to_string(),
        authorization: authorization
            .map_or("", |value| value.to_str().unwrap())
            .to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    });
    (api.status, api.body)
}

/// Runs the program against a bridge that gives one answer to everything.
pub(crate) async fn against_api<Argument: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = Argument>,
    status: u16,
    body: &str,
) -> (Run, Vec<Asked>) {
    let api = Api {
        status: StatusCode::from_u16(status).unwrap(),
        body: body.to_owned(),
        asked: Arc::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(answer).with_state(api.clone());
    let server = tokio::spawn(async move { axum::serve(listener, router).await });

    let place = Place::new();
    place.write("admin.token", "S3CRET-of-admin\n");
    let mut command = place.program(arguments);
    command.env("GITTER_BRIDGE__ADMIN__LISTEN", address.to_string());
    let run: Run = task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
        .into();
    server.abort();
    assert!(
        !run.stdout.contains("S3CRET") && !run.stderr.contains("S3CRET"),
        "{}{}",
        run.stdout,
        run.stderr
    );
    let asked = api.asked.lock().unwrap().clone();
    (run, asked)
}

/// A request with the token.
pub(crate) fn asked(method: Method, path: &str, body: Value) -> Asked {
    Asked {
        method,
        path: format!("/_matrix/provision/v1/{path}"),
        authorization: "Bearer S3CRET-of-admin".to_owned(),
        body,
    }
}
