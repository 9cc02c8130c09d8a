//! The files that the status page loads. Their names hold what is in them, so browsers may keep them for good.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::http::error::ApiError;

/// A file, and the name it is served under.
pub(super) struct File {
    /// The name, with the digest in it.
    pub(super) name: String,
    kind: &'static str,
    content: &'static str,
}

/// How the page looks.
pub(super) static STYLE: LazyLock<File> = LazyLock::new(|| {
    File::new(
        "style",
        "css",
        "text/css; charset=utf-8",
        include_str!("style.css"),
    )
});

/// What keeps it up to date. It works without.
pub(super) static SCRIPT: LazyLock<File> = LazyLock::new(|| {
    File::new(
        "live",
        "js",
        "text/javascript; charset=utf-8",
        include_str!("live.js"),
    )
});

/// Its sign among other pages.
pub(super) static ICON: LazyLock<File> =
    LazyLock::new(|| File::new("icon", "svg", "image/svg+xml", include_str!("icon.svg")));

impl File {
    fn new(name: &str, ending: &str, kind: &'static str, content: &'static str) -> Self {
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(content));
        let digest = digest.get(..12).unwrap_or_default();
        Self {
            name: format!("{name}-{digest}.{ending}"),
            kind,
            content,
        }
    }
}

/// Serves them.
pub(super) async fn named(Path(name): Path<String>) -> Response {
    let files = [&*STYLE, &*SCRIPT, &*ICON];
    let Some(file) = files.into_iter().find(|file| file.name == name) else {
        return ApiError::unrecognized(StatusCode::NOT_FOUND).into_response();
    };
    let headers = [
        (CONTENT_TYPE, file.kind),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, file.content).into_response()
}
