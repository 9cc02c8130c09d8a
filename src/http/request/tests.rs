//! Ids of requests, and the form of refusals.

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Path},
    http::HeaderMap,
    middleware,
    routing::{get, post},
};
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;

fn router() -> Router {
    Router::new()
        .route("/number/{number}", get(|_: Path<u32>| async {}))
        .route("/json", post(|_: Json<Value>| async {}))
        .route("/bytes", post(|_: Bytes| async {}))
        .route(
            "/own",
            get(|| async { ApiError::unrecognized(StatusCode::NOT_FOUND) }),
        )
        .route(
            "/page",
            get(|| async {
                (
                    StatusCode::FORBIDDEN,
                    [(header::CONTENT_TYPE, "text/html")],
                    "<p>",
                )
            }),
        )
        .route("/text", get(|| async { "fine" }))
        .layer(DefaultBodyLimit::max(10))
        .layer(middleware::from_fn_with_state(Duration::from_mins(5), guard))
}

async fn ask(request: Request) -> (StatusCode, HeaderMap, String) {
    let answer = router().oneshot(request).await.unwrap();
    let (head, body) = answer.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    (
        head.status,
        head.headers,
        String::from_utf8(body.to_vec()).unwrap(),
    )
}

fn request(method: &str, path: &str, kind: &str, body: &'static str) -> Request {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, kind)
        .body(Body::from(body))
        .unwrap()
}

#[tokio::test]
async fn every_refusal_has_matrix_s_form() {
    for (method, path, kind, body, status, code) in [
        ("GET", "/nowhere", "", "", 404, "M_UNRECOGNIZED"),
        ("GET", "/own", "", "", 404, "M_UNRECOGNIZED"),
        ("POST", "/own", "", "", 405, "M_UNRECOGNIZED"),
        ("GET", "/number/one", "", "", 400, "M_INVALID_PARAM"),
        ("GET", "/number/%ff", "", "", 400, "M_INVALID_PARAM"),
        ("POST", "/json", "text/plain", "{}", 415, "M_INVALID_PARAM"),
        ("POST", "/json", "application/json", "{", 400, "M_INVALID_PARAM"),
        (
            "POST",
            "/json",
            "application/json",
            "[1,2,3,4,5,6]",
            413,
            "M_TOO_LARGE",
        ),
        ("POST", "/bytes", "", "more than ten", 413, "M_TOO_LARGE"),
    ] {
        let (got, headers, body) = ask(request(method, path, kind, body)).await;
        assert_eq!(got.as_u16(), status, "{method} {path}");
        assert_eq!(
            headers[header::CONTENT_TYPE],
            "application/json",
            "{method} {path}"
        );
        let told: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(told["errcode"], code, "{method} {path}");
        assert!(
            told["error"].as_str().is_some_and(|error| !error.is_empty()),
            "{body}"
        );
        assert_eq!(
            headers.contains_key(header::ALLOW),
            status == 405,
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn what_is_no_refusal_or_has_a_form_stays_as_it_is() {
    let (status, _, body) = ask(request("GET", "/page", "", "")).await;
    assert_eq!((status.as_u16(), body.as_str()), (403, "<p>"));
    let (status, _, body) = ask(request("GET", "/text", "", "")).await;
    assert_eq!((status.as_u16(), body.as_str()), (200, "fine"));
}

#[tokio::test]
async fn a_request_has_its_own_id_or_a_new_one() {
    let mut made = Vec::new();
    for (given, is_kept) in [
        ("5f0c-A.b_7", true),
        ("", false),
        ("two words", false),
        ("line\tend", false),
        (
            "0123456789012345678901234567890123456789012345678901234567890123",
            true,
        ),
        (
            "01234567890123456789012345678901234567890123456789012345678901234",
            false,
        ),
    ] {
        let mut request = request("GET", "/text", "", "");
        request.headers_mut().insert(REQUEST_ID, given.parse().unwrap());
        let (_, headers, _) = ask(request).await;
        let id = headers[&REQUEST_ID].to_str().unwrap().to_owned();
        assert_eq!(id == given, is_kept, "{given:?}: {id:?}");
        made.push(id);
    }
    let (_, headers, _) = ask(request("GET", "/nowhere", "", "")).await;
    made.push(headers[&REQUEST_ID].to_str().unwrap().to_owned());
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 7);
}
